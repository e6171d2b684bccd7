//! The hub service through its routes: decided, validated and handled as the pipeline does it, without the wire.

#![cfg(test)]

mod access;
mod buckets;
mod bundles;
mod catalog;
mod contents;
mod documents;
mod hubs;
mod huggingface;
mod presigned;
mod references;
mod support;
mod targets;
