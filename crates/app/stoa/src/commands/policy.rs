//! `stoa policy test FILE.jsonl`: decision cases against the engine that decides every call.

use std::fs::File;
use std::io::{BufReader, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Outcome;

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Evaluates decision cases, prints each that fails with what decided, and exits 1 when one did.
    Test {
        /// One case a line, as JSON.
        file: PathBuf,
    },
}

pub fn run(command: &PolicyCommand) -> Outcome {
    let PolicyCommand::Test { file } = command;
    let reader = File::open(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let totals = stoa_policy::cases::run_cases(BufReader::new(reader), stdout().lock())?;
    Ok(if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
