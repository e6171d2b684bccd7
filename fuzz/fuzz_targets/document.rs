//! A text as a policy document: parsed, compiled, decided, explained.
#![no_main]

#[path = "../../crates/base/policy/tests/policy/applying.rs"]
mod applying;
#[path = "../../crates/base/policy/tests/policy/driving.rs"]
#[allow(dead_code)]
mod driving;
#[path = "../../crates/base/policy/tests/policy/naive.rs"]
mod naive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| driving::document(data));
