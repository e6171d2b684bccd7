//! `stoa policy test|lint|replay`: decision cases against the engine that decides every call, what is likely wrong with
//! policies, and what a draft would have changed.

mod lint;
mod replay;

use std::fs::File;
use std::io::{BufReader, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use stoa_models_stoa::types::Slot;

use crate::cli::Outcome;

#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Evaluates decision cases, prints each that fails with what decided, and exits 1 when one did.
    Test {
        /// One case a line, as JSON.
        file: PathBuf,
    },
    /// Says what is likely wrong with policies; needs no server.
    Lint(lint::LintArgs),
    /// Runs a draft policy over the audited calls and says what would have changed.
    Replay(replay::ReplayArgs),
}

/// A kind of policy, on the command line.
#[derive(Clone, Copy, ValueEnum)]
pub enum SlotName {
    Identity,
    Resource,
    Boundary,
    Session,
    Scp,
    Rcp,
    Endpoint,
    Trust,
}

impl SlotName {
    fn slot(self) -> Slot {
        match self {
            SlotName::Identity => Slot::Identity,
            SlotName::Resource => Slot::Resource,
            SlotName::Boundary => Slot::Boundary,
            SlotName::Session => Slot::Session,
            SlotName::Scp => Slot::Scp,
            SlotName::Rcp => Slot::Rcp,
            SlotName::Endpoint => Slot::Endpoint,
            SlotName::Trust => Slot::Trust,
        }
    }
}

pub fn run(command: &PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::Test { file } => test(file),
        PolicyCommand::Lint(arguments) => lint::run(arguments),
        PolicyCommand::Replay(arguments) => replay::run(arguments),
    }
}

fn test(file: &PathBuf) -> Outcome {
    let reader = File::open(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let totals = stoa_policy::cases::run_cases(BufReader::new(reader), stdout().lock())?;
    Ok(if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
