//! The codecs against golden wire forms, against botocore, against hostile input, and against themselves.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, outside the functions that clippy takes for tests"
)]

mod botocore;
mod errors;
mod golden;
mod hostile;
mod roundtrip;
mod support;
