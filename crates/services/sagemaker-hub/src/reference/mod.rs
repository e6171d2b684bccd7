//! References: a public model under a name in a private hub. Nothing is copied; a new version of the source shows up
//! by itself.

mod create;
mod delete;
mod update;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_models_sagemaker::types::HubContentType;
use stoa_sagemaker_common::Version;
use stoa_store::{Document, Key};

use crate::admission::policy_of;
use crate::catalog::{CatalogIndex, Versions};
use crate::names::HubName;
use crate::service::{Hubs, key_in};
use crate::settings::{Settings, settings_of};

/// Id: `hub/name`; parent: the hub; name: the name in the hub.
pub(crate) const KIND: &str = "sagemaker:hub-reference";
/// References in a hub.
pub(crate) const MOST_REFERENCES: u64 = 10_000;

/// What a reference holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReferenceBody {
    /// The public model.
    pub source: String,
    /// The lowest version shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_version: Option<Version>,
    /// The versions that the hub's rules let in, and the only ones shown; none for a reference made by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Option<BTreeSet<Version>>,
}

impl ReferenceBody {
    /// What rules made is theirs to change.
    fn check_by_hand(&self, hub: &HubName, name: &str) -> Result<(), ApiError> {
        if self.admitted.is_none() {
            return Ok(());
        }
        Err(ApiError::validation(format!(
            "ModelReference {name} was made by the rules of hub {} and follows them: change the rules (`stoa hub rules \
             set`, PutHubRules)",
            hub.name
        )))
    }
}

pub(crate) fn key(hub: &HubName, name: &str) -> Key {
    key_in(hub, KIND, format!("{}/{name}", hub.name))
}

/// The latest version that a reference with this minimum shows under these settings.
fn latest_shown(
    index: &CatalogIndex,
    settings: &Settings,
    source: &str,
    least: Option<Version>,
) -> Result<Version, ApiError> {
    let versions = index.versions(source).ok_or_else(|| {
        ApiError::resource_not_found(format!(
            "Model {source} does not exist in SageMakerPublicHub; ListHubContents names those that do"
        ))
    })?;
    let mut shown = versions.iter().rev().filter(|(_, model)| !settings.withholds(model));
    let last = versions.iter().next_back().map(|(version, _)| version);
    let latest = shown.next().map(|(version, _)| *version).ok_or_else(|| {
        ApiError::validation(format!(
            "every version of {source} is deprecated or vulnerable, and this hub's settings withhold those: the \
             reference would show nothing"
        ))
    })?;
    match least {
        Some(least) if least > latest && last == Some(&latest) => Err(ApiError::validation(format!(
            "MinVersion {least} is above the latest version of {source}, which is {latest}: the reference would show nothing"
        ))),
        Some(least) if least > latest => Err(ApiError::validation(format!(
            "MinVersion {least} is above {latest}, the latest version of {source} that is neither deprecated nor \
             vulnerable, and this hub's settings withhold those that are: the reference would show nothing"
        ))),
        _ => Ok(latest),
    }
}

impl Hubs {
    /// Refuses a reference that would show what the hub's admission policy keeps out: versions from `least` on, and
    /// below `shown` where those from there on are shown already.
    async fn must_be_admitted(
        &self,
        hub: &Document,
        source: &str,
        least: Option<Version>,
        shown: Option<Version>,
    ) -> Result<(), ApiError> {
        let (settings, policy) = (settings_of(hub)?, policy_of(hub)?);
        let index = self.parts.catalog.index().await?;
        for (version, model) in index.versions(source).into_iter().flat_map(Versions::iter) {
            let new = least.is_none_or(|least| *version >= least) && shown.is_none_or(|shown| *version < shown);
            if new && !settings.withholds(model) {
                self.admits_public(&policy, model).await?;
            }
        }
        Ok(())
    }
}

/// Only references are meant here.
fn check_kind(kind: HubContentType, instead: &str) -> Result<(), ApiError> {
    if kind == HubContentType::ModelReference {
        return Ok(());
    }
    Err(ApiError::validation(format!("HubContentType {kind} is no reference: use {instead}, or ModelReference here")))
}
