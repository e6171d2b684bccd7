//! `cargo xtask test`: the checks, the Rust tests, the end-to-end tests with the real clients, the demo.

use std::process::Command;

use crate::process::{Outcome, build_stoa, cargo, root, step};
use crate::{check, demo, python};

/// Runs everything; the first failure ends it.
pub fn run() -> Outcome {
    check::run()?;
    let stoa = build_stoa()?;
    step("Rust tests", cargo().args(["test", "--workspace", "--quiet"]))?;
    let python = python::environment()?;
    let python_v3 = python::environment_v3()?;
    let filesystems = python::filesystems()?;
    demo::run(true, "127.0.0.1:0")?;
    let mut tests = Command::new(python);
    tests
        .args([
            "-m",
            "pytest",
            "--quiet",
            "-p",
            "no:cacheprovider",
            "-n",
            "2",
            "--dist",
            "loadfile",
            "tests/python/e2e",
        ])
        .env("STOA_BINARY", &stoa)
        .env("STOA_PYTHON_V3", &python_v3)
        .env("STOA_FS_PYTHON", &filesystems)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root());
    step("end-to-end tests with boto3, the AWS CLI, the SageMaker SDK v2 and v3, s3fs and pyarrow", &mut tests)
}
