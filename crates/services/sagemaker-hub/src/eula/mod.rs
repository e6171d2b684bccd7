//! Licences of gated models: who accepted which text, and what an account's administrator decided about it.
//!
//! A licence's text is a blob, so its digest names it; a consent is to a digest, and a changed text asks anew. An acceptance
//! is recorded once per account, principal, model, version, text and way, with the time of the first. A decision of an
//! administrator is one document per account and model: `Accepted` stands for everybody in the account, for the texts that
//! it names; `Forbidden` for everybody and every text. A record is written before what it permits is done: a crash in
//! between leaves a consent that was given and not used.

mod consent;
mod licences_port;
mod operations;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stoa_models_stoa::types::EulaDecisionKind;
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

pub(crate) use consent::{Consent, DEPLOY, PRESIGN, digest, forbidden};
pub(crate) use licences_port::licence_of;
pub use operations::Consents;

/// Owner: the account; name: the model.
pub(crate) const ACCEPTANCE_KIND: &str = "sagemaker:eula-acceptance";
/// Owner: the account; name and id: the model.
pub(crate) const DECISION_KIND: &str = "sagemaker:eula-decision";

/// A principal's consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acceptance {
    pub principal: String,
    pub model: String,
    pub version: String,
    pub digest: String,
    /// The operation that carried it.
    pub how: String,
    pub at: Timestamp,
}

/// What an administrator decided for an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub kind: DecisionKind,
    /// The texts accepted.
    #[serde(default)]
    pub digests: BTreeSet<String>,
    pub by: String,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DecisionKind {
    Accepted,
    Forbidden,
}

impl DecisionKind {
    fn shown(self) -> EulaDecisionKind {
        match self {
            DecisionKind::Accepted => EulaDecisionKind::Accepted,
            DecisionKind::Forbidden => EulaDecisionKind::Forbidden,
        }
    }
}

fn decision_key(account: &AccountId, model: &str) -> Key {
    Key { kind: DECISION_KIND, account: account.clone(), region: None, id: model.to_owned() }
}
