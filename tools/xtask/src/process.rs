//! Running programs: the command is shown, its failure is told with what it was for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// An error is a sentence for the person at the terminal.
pub type Outcome<T = ()> = Result<T, String>;

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here).to_path_buf()
}

/// Where built things go.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Cargo, as it called us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What cargo tells `xtask` of itself would make build scripts (ring's) run again for every crate that asks for it.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs to the end; an error names what it was for.
pub fn step(what: &str, command: &mut Command) -> Outcome {
    println!("── {what}");
    let began = Instant::now();
    let status =
        command.status().map_err(|error| format!("{what}: cannot start {:?}: {error}", command.get_program()))?;
    if !status.success() {
        return Err(format!("{what} failed ({status})"));
    }
    println!("   {what}: {:.1} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// Whether a program can be started at all.
pub fn exists(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Builds the binary in the profile that tests and demo share, and gives its path.
pub fn build_stoa() -> Outcome<PathBuf> {
    step("build stoa", cargo().args(["build", "--package", "stoa"]))?;
    Ok(target_dir().join("debug").join("stoa"))
}
