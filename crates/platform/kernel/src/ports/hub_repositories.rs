//! Models of a hub as repositories of files, for clients that know models as such. Implemented by the hub service.
//!
//! None of these methods decides anything but what the method says: a caller goes through the operation that shows the
//! same (`DescribeHubContent`, `ListHubContents`, `CreateHubContentPresignedUrls`) first, and is told nothing it denies.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use stoa_types::Timestamp;

use super::{HubContentName, LicenceText, Sealed};
use crate::{ApiError, Cx};

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryFile {
    /// With `/`, never climbing.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex: the name of the blob. Of the bytes too, unless they are sealed.
    pub sha256: String,
    /// The bytes themselves, where no blob holds them.
    pub inline: Option<Bytes>,
    /// How the blob is sealed.
    pub sealed: Option<Arc<Sealed>>,
}

/// What a model says of itself in Hugging Face's terms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RepositoryCard {
    /// `org/name` where it was imported from there, the content's name otherwise.
    pub repository: String,
    /// `text-generation`.
    pub pipeline_tag: Option<String>,
    /// `transformers`.
    pub library: Option<String>,
    /// Tags, the licence among them (`license:mit`).
    pub tags: Vec<String>,
    /// `license`, `language`, `base_model` and the like, as front matter has them.
    pub card_data: serde_json::Value,
    /// `architectures` and `model_type`.
    pub config: serde_json::Value,
    /// Parameters by their type (`F32`), from the headers of safetensors files.
    pub parameters: Vec<(String, u64)>,
    /// Whether bytes want consent.
    pub gated: bool,
}

/// One version of a model as a revision.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// `1.0.0`.
    pub version: String,
    /// Forty hex digits that follow from the model, the version and its files.
    pub commit: String,
    /// When it came.
    pub created: Timestamp,
    /// In order of path.
    pub files: Vec<RepositoryFile>,
    /// What it says of itself.
    pub card: RepositoryCard,
    /// The licence whose acceptance its bytes want, where it is gated.
    pub licence: Option<LicenceText>,
}

/// Models as repositories.
#[async_trait]
pub trait HubRepositories: Send + Sync {
    /// The model that a repository id means in a hub: the content of that name, or one imported from that repository.
    async fn repository(&self, hub_arn: &str, id: &str) -> Result<Option<HubContentName>, ApiError>;
    /// The version that a revision (`main`, a version, a commit) means; none where there is no such revision. Files that
    /// are in a bucket of the caller's are listed by the caller's own right to do so.
    async fn revision(
        &self,
        cx: &Cx,
        hub_arn: &str,
        content: &HubContentName,
        revision: &str,
    ) -> Result<Option<Revision>, ApiError>;
    /// The latest versions' cards, for a listing of these contents; one that is gone is left out.
    async fn cards(
        &self,
        hub_arn: &str,
        contents: &[HubContentName],
    ) -> Result<Vec<(HubContentName, RepositoryCard)>, ApiError>;
    /// Refuses a file of a revision that may not be served: the version is gone or kept out, the bytes are no longer
    /// those that the revision has, or (of files in a bucket) the caller may not read them.
    async fn check_file(
        &self,
        cx: &Cx,
        hub_arn: &str,
        content: &HubContentName,
        version: &str,
        file: &RepositoryFile,
    ) -> Result<(), ApiError>;
}
