//! Hub contents: imported ones (state here), those of the public hub, and references, all seen in one way.
//!
//! A version is two documents: what lists show, and its long texts, so that a listing never reads the texts.
//! INVARIANT: both are written and deleted in one transaction.

mod delete;
mod describe;
mod grant;
mod import;
mod list;
mod presign;
mod update;
mod view;

use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_models_sagemaker::types::{HubContentSupportStatus, HubContentType};
use stoa_sagemaker_common::Version;
use stoa_store::Key;

use crate::names::HubName;
use crate::service::key_in;

pub(crate) use describe::dependencies;
pub(crate) use list::may_describe;
pub(crate) use presign::unavailable;
pub(crate) use view::{ContentView, ViewSource, Walk};

/// What lists show of an imported version. Parent: `hub/Type`; name: the content's.
pub(crate) const KIND: &str = "sagemaker:hub-content";
/// The long texts of an imported version, under the same id.
pub(crate) const TEXT_KIND: &str = "sagemaker:hub-content-text";
/// To be judged by the hub's admission policy.
pub(crate) const IMPORTING: &str = "Importing";
pub(crate) const AVAILABLE: &str = "Available";
/// Versions of contents of one type in a hub.
const MOST_CONTENTS: u64 = 10_000;
/// The types that ImportHubContent takes.
const IMPORTED_TYPES: [HubContentType; 4] =
    [HubContentType::Model, HubContentType::Notebook, HubContentType::DataSet, HubContentType::JsonDoc];

/// The body of an imported version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContentBody {
    pub version: Version,
    pub schema_version: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub keywords: Vec<String>,
    pub support: HubContentSupportStatus,
    /// Why an import failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The scanner and the admission policy that it was last judged by, the latter as a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_by: Option<String>,
}

/// Its long texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContentText {
    pub document: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<String>,
}

pub(crate) fn parent(hub: &HubName, kind: HubContentType) -> String {
    format!("{}/{kind}", hub.name)
}

/// The parents of all imported contents of a hub.
pub(crate) fn parents(hub: &HubName) -> Vec<(&'static str, String)> {
    IMPORTED_TYPES.iter().map(|kind| (KIND, parent(hub, *kind))).collect()
}

/// The keys of a version's two documents.
pub(crate) fn keys(hub: &HubName, kind: HubContentType, name: &str, version: Version) -> [Key; 2] {
    let id = format!("{}/{name}/{version}", parent(hub, kind));
    [key_in(hub, KIND, id.clone()), key_in(hub, TEXT_KIND, id)]
}

/// There is no such content (or version of it) in the hub.
pub(crate) fn no_such_content(hub: &HubName, kind: HubContentType, name: &str, version: Option<Version>) -> ApiError {
    let what = version.map(|version| format!(" version {version}")).unwrap_or_default();
    ApiError::resource_not_found(format!(
        "{kind} {name}{what} does not exist in hub {}; ListHubContents and ListHubContentVersions name what does",
        hub.name
    ))
}
