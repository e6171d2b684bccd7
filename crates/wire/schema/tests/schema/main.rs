//! Walks over a schema: validate, redact, pick, convert.

#![expect(clippy::unwrap_used, reason = "helpers of tests, outside the functions that clippy takes for tests")]

mod convert;
mod shapes;
mod validate;
mod walks;
