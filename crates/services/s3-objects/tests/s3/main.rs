//! The S3 service on the in-memory store and local blobs.

mod buckets;
mod objects;
mod support;
mod uploads;
