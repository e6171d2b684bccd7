//! The names of blobs in words for people: `s3://bucket/key` rather than a document's key.

use stoa_store::BlobName;

use crate::keeper::{BlobKeeper, KeeperError};

/// Names of one blob that are told; a blob may have a million.
const MOST_TOLD: usize = 20;

/// What the document is, in words.
pub(crate) fn told(name: &BlobName) -> String {
    let BlobName { kind, account, region, id, .. } = name;
    let place = if region.is_empty() { account.clone() } else { format!("{account}, {region}") };
    match kind.as_str() {
        "s3:object" => format!("s3://{id}"),
        "s3:part" => format!("part of the upload {id}"),
        "sagemaker:public-model" => format!("public model {id}"),
        "sagemaker:endpoint" => format!("endpoint {id} ({place})"),
        _ => format!("{kind} {id} ({place})"),
    }
}

impl BlobKeeper {
    /// Who names the blob.
    pub(crate) async fn names_of(&self, digest: &str) -> Result<Vec<String>, KeeperError> {
        let mut names = self.parts.store.blob_names(&BlobName::before(digest), MOST_TOLD + 1).await?;
        names.retain(|name| name.digest == digest);
        let more = names.len() > MOST_TOLD;
        names.truncate(MOST_TOLD);
        let mut told: Vec<String> = names.iter().map(told).collect();
        if more {
            told.push("and others".to_owned());
        }
        Ok(told)
    }
}
