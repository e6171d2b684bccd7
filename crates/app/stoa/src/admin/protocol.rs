//! What can be asked of the server, and its answers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_blobs::{Progress, Verify};
use stoa_models_stoa::types::{
    DescribeHubAdmissionPolicyRequest, DescribeHubRulesRequest, DescribeHubSettingsRequest,
    DescribeModelProvenanceRequest, ExplainDecisionRequest, GetAccessMatrixRequest, ListHubRuleChangesRequest,
    ListPrincipalsWithAccessRequest, PreviewHubRulesRequest, PutEulaDecisionRequest, PutHubAdmissionPolicyRequest,
    PutHubRulesRequest, PutHubSettingsRequest, ReplayPolicyRequest,
};
use stoa_sagemaker_hub::HuggingFaceImport;

/// The longest command, with the end of its line: rules of 16,384 letters of any script fit, and thousands of models by name.
pub const LONGEST: u64 = 256 * 1024;

/// What a longer one gets; the client says so before it sends it.
pub fn too_long() -> AdminError {
    let message = format!("the command has more than {} KiB: name fewer things at once", LONGEST / 1024);
    AdminError { code: "InvalidCommand".to_owned(), message }
}

/// A command. The event name in the audit journal is the variant's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", tag = "command")]
pub enum AdminCommand {
    /// Adds an account.
    CreateAccount {
        /// Its name.
        name: String,
        /// Whether it is to be outside the organization.
        #[serde(default)]
        standalone: bool,
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
    /// Writes models of the public hub into a bundle.
    ExportCatalog {
        /// The file to write, absolute.
        path: PathBuf,
        /// `id` or `id@version`; none: all.
        models: Vec<String>,
        /// The file with the key to sign with, absolute.
        key_file: Option<PathBuf>,
    },
    /// Puts the models of a bundle into the public hub.
    ImportBundle {
        /// The file, absolute.
        path: PathBuf,
        /// `ed25519:…`: one of these must have signed it, where there are any.
        trusted: Vec<String>,
    },
    /// Puts a Hugging Face repository that is on this machine into the public hub.
    ImportHuggingFace(HuggingFaceImport),
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
    /// The settings of a private hub.
    DescribeHubSettings(DescribeHubSettingsRequest),
    /// Changes settings of a private hub.
    PutHubSettings(PutHubSettingsRequest),
    /// What a private hub lets in.
    DescribeHubAdmissionPolicy(DescribeHubAdmissionPolicyRequest),
    /// Puts a private hub's admission policy.
    PutHubAdmissionPolicy(PutHubAdmissionPolicyRequest),
    /// Where a hub's content came from.
    DescribeModelProvenance(DescribeModelProvenanceRequest),
    /// Accepts the licence of a gated model for an account, forbids the model there, or takes that back.
    PutEulaDecision {
        /// Twelve digits; none: the management account.
        account_id: Option<String>,
        /// The model and what is decided.
        input: PutEulaDecisionRequest,
    },
    /// Everything about licences.
    ReportEulas {
        /// Twelve digits; none: all accounts.
        account_id: Option<String>,
        /// None: all models.
        model: Option<String>,
    },
    /// Removes blobs that nothing names.
    CollectBlobs {
        /// Only tells what would go.
        dry_run: bool,
    },
    /// Counts blobs.
    GetBlobUsage {},
    /// Reads every blob. Its answer comes after lines of [`Line::Progress`].
    VerifyBlobs(Verify),
    /// The rules of a private hub.
    DescribeHubRules(DescribeHubRulesRequest),
    /// Sets the rules of a private hub.
    PutHubRules(PutHubRulesRequest),
    /// What rules would change in a private hub.
    PreviewHubRules(PreviewHubRulesRequest),
    /// What rules changed in a private hub.
    ListHubRuleChanges(ListHubRuleChangesRequest),
}

impl AdminCommand {
    /// The event name, and whether it changes nothing.
    pub fn event(&self) -> (&'static str, bool) {
        match self {
            AdminCommand::CreateAccount { .. } => ("CreateAccount", false),
            AdminCommand::DeleteAccount { .. } => ("DeleteAccount", false),
            AdminCommand::ImportCatalog { .. } => ("ImportCatalog", false),
            AdminCommand::ExportCatalog { .. } => ("ExportCatalog", false),
            AdminCommand::ImportBundle { .. } => ("ImportBundle", false),
            AdminCommand::ImportHuggingFace(_) => ("ImportHuggingFace", false),
            AdminCommand::ListCatalog {} => ("ListCatalog", true),
            AdminCommand::ExplainDecision(_) => ("ExplainDecision", true),
            AdminCommand::ListPrincipalsWithAccess(_) => ("ListPrincipalsWithAccess", true),
            AdminCommand::GetAccessMatrix(_) => ("GetAccessMatrix", true),
            AdminCommand::ReplayPolicy(_) => ("ReplayPolicy", true),
            AdminCommand::DescribeHubSettings(_) => ("DescribeHubSettings", true),
            AdminCommand::PutHubSettings(_) => ("PutHubSettings", false),
            AdminCommand::DescribeHubAdmissionPolicy(_) => ("DescribeHubAdmissionPolicy", true),
            AdminCommand::PutHubAdmissionPolicy(_) => ("PutHubAdmissionPolicy", false),
            AdminCommand::DescribeModelProvenance(_) => ("DescribeModelProvenance", true),
            AdminCommand::PutEulaDecision { .. } => ("PutEulaDecision", false),
            AdminCommand::ReportEulas { .. } => ("ReportEulas", true),
            AdminCommand::CollectBlobs { dry_run } => ("CollectBlobs", *dry_run),
            AdminCommand::GetBlobUsage {} => ("GetBlobUsage", true),
            AdminCommand::VerifyBlobs(how) => ("VerifyBlobs", how.fix_nothing),
            AdminCommand::DescribeHubRules(_) => ("DescribeHubRules", true),
            AdminCommand::PutHubRules(_) => ("PutHubRules", false),
            AdminCommand::PreviewHubRules(_) => ("PreviewHubRules", true),
            AdminCommand::ListHubRuleChanges(_) => ("ListHubRuleChanges", true),
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
