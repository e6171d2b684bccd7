//! `cargo xtask bench`: release builds, one run, ratios. Timings are never tests.

use clap::ValueEnum;

use crate::process::{Outcome, cargo, exists, root, step, target_dir};

/// What to measure.
#[derive(Clone, Copy, ValueEnum)]
pub enum What {
    /// `DescribeHub`, signed, decided and durably audited, against an empty handler on the same HTTP stack.
    Front,
    /// S3: large and small reads against nginx (`STOA_BENCH_NGINX` or the one on the path), writes against a file with SHA-256 and
    /// fsync, listings of a large bucket.
    Objects,
    /// Decisions at 10 to 5,000 statements, against cedar-policy and iam-rs.
    Policy,
    /// 50,000 public models and 1,000 hubs: lists, descriptions, changes of the catalog, memory.
    Hubs,
}

/// Builds and runs the benchmark, in the real-time class where this machine allows it.
pub fn run(what: What) -> Outcome {
    let name = match what {
        What::Front | What::Hubs => {
            step("build stoa (release)", cargo().args(["build", "--release", "--package", "stoa"]))?;
            if matches!(what, What::Front) { "bench-front" } else { "bench-hubs" }
        }
        What::Objects => {
            step("build stoa (release)", cargo().args(["build", "--release", "--package", "stoa"]))?;
            "bench-objects"
        }
        What::Policy => "bench-policy",
    };
    let manifest = root().join("benches/Cargo.toml");
    let folder = target_dir().join("benches");
    let mut build = cargo();
    build
        .args(["build", "--release", "--bin", name, "--manifest-path"])
        .arg(&manifest)
        .env("CARGO_TARGET_DIR", &folder);
    step("build the benchmark (release)", &mut build)?;
    let program = folder.join("release").join(name);
    // Two servers and a client that hand a large file on to one another are placed otherwise in the real-time class than
    // they would be, and it keeps the kernel's own threads from the disk: objects are measured in the ordinary one.
    let mut command = if matches!(what, What::Objects) {
        std::process::Command::new(program)
    } else if exists("chrt", "--version") {
        let mut command = std::process::Command::new("chrt");
        command.args(["-r", "1"]).arg(program);
        command
    } else {
        println!(
            "   chrt is not here, so other work on this machine will blur the figures: `apt-get install util-linux`"
        );
        std::process::Command::new(program)
    };
    command.env("STOA_BINARY", target_dir().join("release").join("stoa"));
    step(name, &mut command)
}
