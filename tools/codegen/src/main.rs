//! Facts in, code out: `facts/<service>/{model.json, actions.json, overlay.toml}` become `crates/models/*/src/generated`
//! and `crates/services/<family>/src/generated/ops.rs`.
//!
//! `codegen` writes, `codegen --check` compares with what is on disk and fails on a difference, and
//! `codegen --compatibility` prints the implemented operations as Markdown. Output depends on the facts alone. A crash in
//! the middle leaves some files new and some old; the next run repairs that.

mod authz;
mod compatibility;
mod coverage;
mod derive;
mod emit_authz;
mod emit_family;
mod emit_keys_page;
mod emit_operations;
mod emit_shapes;
mod emit_types;
mod error;
mod facts;
mod files;
mod names;
mod overlay;
mod paths;
mod plan;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::error::Error;
use crate::plan::Plan;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Error> {
    let root = root();
    let plan = Plan::load(&root.join("facts"))?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => {
            let written = files::write(&root, &files::all(&plan)?)?;
            println!("{written} generated files changed");
            Ok(())
        }
        ["--check"] => {
            let total = files::check(&root, &files::all(&plan)?)?;
            println!("{total} generated files are what the facts give");
            Ok(())
        }
        ["--compatibility"] => {
            print!("{}", compatibility::markdown(&plan));
            Ok(())
        }
        _ => Err(Error::Usage),
    }
}

/// The repository: where this was built from, or the working directory when that is gone.
fn root() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if built.join("facts").is_dir() { built } else { PathBuf::from(".") }
}
