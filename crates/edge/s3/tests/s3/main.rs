//! S3 as requests and answers: signed by stoa-sigv4, answered by the whole stack down to blobs, with a small authority.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "the helpers of tests fail the test")]

mod access;
mod buckets;
mod encryption;
mod files;
mod keys;
mod objects;
mod streaming;
mod support;
mod uploads;
mod versions;
