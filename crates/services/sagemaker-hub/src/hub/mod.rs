//! Hubs: state and lifecycle. A hub is in service from the moment it is created.
//!
//! Deleting is: mark, count the contents, delete or take the mark off. Everything that puts content into a hub holds
//! its transaction to the hub's generation, so that no content can come between counting and deleting. A crash after
//! the mark leaves a hub in `Deleting`; the next DeleteHub goes on from there.

mod create;
mod delete;
mod describe;
mod list;
mod update;

use serde::{Deserialize, Serialize};
use stoa_store::Key;

use crate::admission::AdmissionPolicy;
use crate::names::HubName;
use crate::service::key_in;
use crate::settings::Settings;

/// Shared with the tags of SageMaker resources, which know hubs by this kind.
pub(crate) const KIND: &str = "sagemaker:hub";
pub(crate) const IN_SERVICE: &str = "InService";
pub(crate) const DELETING: &str = "Deleting";
/// Hubs of an account in a region, as AWS.
const MOST_HUBS: u64 = 50;

/// What a hub's document holds besides name, status and times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HubBody {
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default)]
    pub keywords: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_output_path: Option<String>,
    #[serde(default, skip_serializing_if = "Settings::is_default")]
    pub settings: Settings,
    #[serde(default, skip_serializing_if = "AdmissionPolicy::is_default")]
    pub admission: AdmissionPolicy,
}

pub(crate) fn key(hub: &HubName) -> Key {
    key_in(hub, KIND, hub.name.clone())
}

/// The description of the public hub.
pub(crate) fn public_body() -> HubBody {
    HubBody {
        description: "The models of this site's catalog.".to_owned(),
        display_name: Some("SageMaker Public Hub".to_owned()),
        keywords: Vec::new(),
        s3_output_path: None,
        settings: Settings::default(),
        admission: AdmissionPolicy::default(),
    }
}
