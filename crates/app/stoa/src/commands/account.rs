//! `stoa account create|delete`.

use std::process::ExitCode;

use clap::Subcommand;

use super::report::print_json;
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

#[derive(Subcommand)]
pub enum AccountCommand {
    /// Adds an account to the organization and prints its root user's key as JSON.
    Create {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Keep it outside the organization: none of its policies count there, and what is shared with it is by invitation.
        #[arg(long)]
        standalone: bool,
        #[command(flatten)]
        data: DataDirArgs,
    },
    /// Removes an account with all it owns.
    Delete {
        /// Twelve digits.
        account_id: String,
        #[command(flatten)]
        data: DataDirArgs,
    },
}

pub fn run(command: &AccountCommand) -> Outcome {
    let (data, command) = match command {
        AccountCommand::Create { name, standalone, data } => {
            (data, AdminCommand::CreateAccount { name: name.clone(), standalone: *standalone })
        }
        AccountCommand::Delete { account_id, data } => {
            (data, AdminCommand::DeleteAccount { account_id: account_id.clone() })
        }
    };
    let answer = call(&DataDir::new(&data.data_dir)?, &command)?;
    print_json(&answer)?;
    Ok(ExitCode::SUCCESS)
}
