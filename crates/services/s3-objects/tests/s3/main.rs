//! The S3 service on the in-memory store and local blobs.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests fail the test")]

mod buckets;
mod encryption;
mod lifecycle;
mod objects;
mod support;
mod uploads;
mod versions;
