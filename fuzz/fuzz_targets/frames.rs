//! Any bytes as sealed frames.
#![no_main]

#[path = "../../crates/platform/frames/tests/frames/driving.rs"]
mod driving;

libfuzzer_sys::fuzz_target!(|data: &[u8]| driving::opening(data));
