//! What can be asked of the server, and its answers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_blobs::{Progress, Verify};
use stoa_models_stoa::types::{
    ExplainDecisionRequest, GetAccessMatrixRequest, ListPrincipalsWithAccessRequest, ReplayPolicyRequest,
};

/// A command. The event name in the audit journal is the variant's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", tag = "command")]
pub enum AdminCommand {
    /// Adds a member account.
    CreateAccount {
        /// Its name.
        name: String,
    },
    /// Removes a member account with all it owns.
    DeleteAccount {
        /// Twelve digits.
        account_id: String,
    },
    /// Puts the models of a folder into the public hub.
    ImportCatalog {
        /// The folder, absolute.
        path: PathBuf,
    },
    /// Lists the public hub's models.
    ListCatalog {},
    /// Why a call of the past was decided as it was.
    ExplainDecision(ExplainDecisionRequest),
    /// Who may do something.
    ListPrincipalsWithAccess(ListPrincipalsWithAccessRequest),
    /// Who may use which model of a hub.
    GetAccessMatrix(GetAccessMatrixRequest),
    /// What a draft policy would have changed.
    ReplayPolicy(ReplayPolicyRequest),
    /// Removes blobs that nothing names.
    CollectBlobs {
        /// Only tells what would go.
        dry_run: bool,
    },
    /// Counts blobs.
    GetBlobUsage {},
    /// Reads every blob. Its answer comes after lines of [`Line::Progress`].
    VerifyBlobs(Verify),
}

impl AdminCommand {
    /// The event name, and whether it changes nothing.
    pub fn event(&self) -> (&'static str, bool) {
        match self {
            AdminCommand::CreateAccount { .. } => ("CreateAccount", false),
            AdminCommand::DeleteAccount { .. } => ("DeleteAccount", false),
            AdminCommand::ImportCatalog { .. } => ("ImportCatalog", false),
            AdminCommand::ListCatalog {} => ("ListCatalog", true),
            AdminCommand::ExplainDecision(_) => ("ExplainDecision", true),
            AdminCommand::ListPrincipalsWithAccess(_) => ("ListPrincipalsWithAccess", true),
            AdminCommand::GetAccessMatrix(_) => ("GetAccessMatrix", true),
            AdminCommand::ReplayPolicy(_) => ("ReplayPolicy", true),
            AdminCommand::CollectBlobs { dry_run } => ("CollectBlobs", *dry_run),
            AdminCommand::GetBlobUsage {} => ("GetBlobUsage", true),
            AdminCommand::VerifyBlobs(how) => ("VerifyBlobs", how.fix_nothing),
        }
    }
}

/// What the server writes: the answer, after any number of lines that say how far it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Line {
    /// How far it is; only [`AdminCommand::VerifyBlobs`] says so.
    Progress(Progress),
    /// Done.
    Ok(Value),
    /// Not done.
    Err(AdminError),
}

/// The answer to `CreateAccount`: the root user's key, shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreatedAccount {
    pub account_id: String,
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// Why a command failed, for the person at the terminal.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AdminError {
    /// The code an API would give.
    pub code: String,
    /// What is wrong and what to do.
    pub message: String,
}
