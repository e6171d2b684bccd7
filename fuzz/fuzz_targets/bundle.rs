//! Any bytes as a bundle for `stoa catalog import`. They go through a file in memory-backed `/dev/shm`, as bundles are files.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

#[path = "../../crates/services/sagemaker-hub/tests/hubs/driving.rs"]
mod driving;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().build().unwrap());
static FILE: LazyLock<PathBuf> = LazyLock::new(|| PathBuf::from(format!("/dev/shm/stoa-fuzz-{}", std::process::id())));

libfuzzer_sys::fuzz_target!(|data: &[u8]| RUNTIME.block_on(driving::verifying(data, &FILE)));
