//! The hub service through its routes: decided, validated and handled as the pipeline does it, without the wire.

#![cfg(test)]

mod access;
mod admission;
mod at_once;
mod buckets;
mod bundles;
mod catalog;
mod condition_keys;
mod contents;
mod documents;
mod driving;
mod eula;
mod faults;
mod hubs;
mod huggingface;
mod meddled;
mod own;
mod presigned;
mod reads;
mod references;
mod rules;
mod search;
mod settings;
mod support;
mod targets;
mod training;
