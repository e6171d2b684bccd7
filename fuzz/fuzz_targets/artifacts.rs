//! Any bytes as a model's file.
#![no_main]

#[path = "../../crates/base/artifacts/tests/artifacts/driving.rs"]
mod driving;
#[path = "../../crates/base/artifacts/tests/artifacts/making.rs"]
#[allow(dead_code)]
mod making;

libfuzzer_sys::fuzz_target!(|data: &[u8]| driving::scanning(data));
