//! Patterns against the naive matcher.
#![no_main]

#[path = "../../crates/base/policy/tests/policy/applying.rs"]
mod applying;
#[path = "../../crates/base/policy/tests/policy/driving.rs"]
#[allow(dead_code)]
mod driving;
#[path = "../../crates/base/policy/tests/policy/naive.rs"]
mod naive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| driving::globbing(data));
