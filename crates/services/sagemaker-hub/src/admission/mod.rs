//! What a hub lets in: its admission policy, in the hub's own document, read and written by the `stoa` service's
//! `DescribeHubAdmissionPolicy` and `PutHubAdmissionPolicy` (`stoa hub admission`). A hub without one is as AWS's.
//!
//! An import into a hub with a policy is recorded as `Importing`; [`AdmissionReconciler`] reads its files and makes it
//! `Available`, `ImportFailed` or (quarantine) `PendingImport`, in a transaction held to the hub's generation, so nothing
//! is let in by a policy that has changed. What is in quarantine is judged again when the policy changes, and everything
//! that was judged when the scanner is a newer one. A crash leaves `Importing`, which the next pass takes up. Public models are judged when a reference is made, and whenever they are
//! used through the hub.

mod judge;
mod operations;
mod pass;
mod public;
mod scans;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stoa_artifacts::Format;
use stoa_kernel::ApiError;
use stoa_sagemaker_common::store_error;
use stoa_store::Document;

use crate::content::ContentText;
use crate::hub::HubBody;
use crate::service::{Hub, HubSource};

pub use pass::AdmissionReconciler;
pub(crate) use public::PublicVerdict;
pub(crate) use scans::AT_ONCE;

/// What is done about a pickle that does more than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    Refuse,
    Quarantine,
    Mark,
}

/// A policy. Everything is let in by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AdmissionPolicy {
    /// Of files and what is in them; empty for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub formats: BTreeSet<Format>,
    /// None: pickles are not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsafe_pickle: Option<Action>,
    /// Besides those that every framework needs: `module.name`, or `module.*`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub imports: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_file_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_total_bytes: Option<u64>,
    /// In whatever case; empty for all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub licences: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub document_fields: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub card_fields: BTreeSet<String>,
    /// The KMS key that statements are signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
}

impl AdmissionPolicy {
    /// Whether it lets everything in.
    pub fn is_default(&self) -> bool {
        *self == AdmissionPolicy::default()
    }

    /// Whether it may say something else of a content whose texts changed.
    pub fn judges_anew(&self, before: &ContentText, after: &ContentText) -> bool {
        let said = |text: &ContentText| judge::described(&text.document, text.markdown.as_deref());
        let (before, after) = (said(before), said(after));
        (!self.licences.is_empty() && before.licence != after.licence)
            || (!self.document_fields.is_empty() && before.document != after.document)
            || (!self.card_fields.is_empty() && before.card != after.card)
    }

    /// Names it: another policy has another digest.
    pub fn digest(&self) -> Result<String, ApiError> {
        let text = serde_json::to_vec(self).map_err(ApiError::internal)?;
        Ok(hex::encode(Sha256::digest(text)))
    }
}

/// The policy in a private hub's document.
pub(crate) fn policy_of(document: &Document) -> Result<AdmissionPolicy, ApiError> {
    Ok(document.decode::<HubBody>().map_err(store_error)?.admission)
}

impl Hub {
    /// The hub's policy; the public hub has none.
    pub fn admission(&self) -> Result<AdmissionPolicy, ApiError> {
        match &self.source {
            HubSource::Public(_) => Ok(AdmissionPolicy::default()),
            HubSource::Private(document) => policy_of(document),
        }
    }
}
