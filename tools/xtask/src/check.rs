//! `cargo xtask check`: what a machine can judge before any test runs.

use std::fs;

use crate::layers;
use crate::process::{Outcome, cargo, exists, root, step};

/// fmt, clippy, layers, generated code, cargo deny.
pub fn run() -> Outcome {
    step("cargo fmt", cargo().args(["fmt", "--all", "--check"]))?;
    layers::check()?;
    codegen(true)?;
    step("clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
    deny()
}

/// Generates code and the compatibility page, or checks that nothing would change.
pub fn codegen(check: bool) -> Outcome {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "codegen", "--"]);
    if check {
        command.arg("--check");
    }
    step("generated code", &mut command)?;
    compatibility(check)
}

/// `docs/compatibility.md`: the hand-written part, then every implemented operation.
fn compatibility(check: bool) -> Outcome {
    let mut command = cargo();
    let tables = command.args(["run", "--quiet", "--package", "codegen", "--", "--compatibility"]).output();
    let tables = tables.map_err(|error| format!("cannot run codegen: {error}"))?;
    let docs = root().join("docs");
    let read =
        |name: &str| fs::read_to_string(docs.join(name)).map_err(|error| format!("cannot read docs/{name}: {error}"));
    let page = read("compatibility.in.md")? + &String::from_utf8_lossy(&tables.stdout);
    if !check {
        return fs::write(docs.join("compatibility.md"), page)
            .map_err(|error| format!("cannot write the page: {error}"));
    }
    if read("compatibility.md")? == page {
        return Ok(());
    }
    Err("docs/compatibility.md is not what a fresh run gives: run `cargo xtask codegen`".to_owned())
}

/// Licences, bans and sources; the advisory database is not reachable everywhere, so it is asked for by name.
fn deny() -> Outcome {
    if !exists("cargo-deny", "--version") {
        println!("   cargo deny is not installed, so licences were not checked: `cargo install cargo-deny --locked`");
        return Ok(());
    }
    step("cargo deny", cargo().args(["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]))
}
