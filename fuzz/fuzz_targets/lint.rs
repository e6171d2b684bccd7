//! Documents to lint, over the facts of the workspace.
#![no_main]

#[path = "../../crates/base/policy/tests/policy/applying.rs"]
#[allow(dead_code)]
mod applying;
#[path = "../../crates/base/policy/tests/policy/driving.rs"]
#[allow(dead_code)]
mod driving;
#[path = "../../crates/base/policy/tests/policy/facts.rs"]
mod facts;
#[path = "../../crates/base/policy/tests/policy/naive.rs"]
#[allow(dead_code)]
mod naive;

libfuzzer_sys::fuzz_target!(|data: &[u8]| driving::linting(data, facts::catalog()));
