//! `cargo xtask check`: what a machine can judge before any test runs.

use crate::layers;
use crate::process::{Outcome, cargo, exists, step};

/// fmt, clippy, layers, generated code, cargo deny.
pub fn run() -> Outcome {
    step("cargo fmt", cargo().args(["fmt", "--all", "--check"]))?;
    layers::check()?;
    codegen(true)?;
    step("clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
    deny()
}

/// Generates code, or checks that nothing would change.
pub fn codegen(check: bool) -> Outcome {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "codegen", "--"]);
    if check {
        command.arg("--check");
    }
    step("generated code", &mut command)
}

/// Licences, bans and sources; the advisory database is not reachable everywhere, so it is asked for by name.
fn deny() -> Outcome {
    if !exists("cargo-deny", "--version") {
        println!("   cargo deny is not installed, so licences were not checked: `cargo install cargo-deny --locked`");
        return Ok(());
    }
    step("cargo deny", cargo().args(["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]))
}
