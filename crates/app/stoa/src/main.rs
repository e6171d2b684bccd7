//! Stoa: a self-hosted ML platform that speaks Amazon SageMaker AI.
//!
//! The one binary: server, command line, and (re-executed in a sandbox) the built-in containers. This file only tells
//! them apart; see `compose.rs` for how a server is put together.

mod admin;
mod blob_names;
mod blob_store;
mod cli;
mod clock;
mod commands;
mod compose;
mod config;
mod data_dir;
mod hf_front;
mod images;
mod master_key;
mod presign;
mod s3_front;
mod serve;
mod tags;
mod vpc_endpoints;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // INVARIANT: before any thread is made, since namespaces are entered by the only thread there is.
    if let Some(status) = stoa_runtime_process::container_main(&arguments, images::run_program) {
        return ExitCode::from(u8::try_from(status).unwrap_or(1));
    }
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(inner) = cause {
                eprintln!("  because: {inner}");
                cause = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}
