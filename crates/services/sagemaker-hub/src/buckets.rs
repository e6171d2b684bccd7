//! The JumpStart buckets of every region, derived from the catalog: `jumpstart-cache-prod-<region>` with manifests,
//! specs, cards, licences and open models, `jumpstart-private-cache-prod-<region>` with the gated ones.
//!
//! Nothing is stored: texts are made when they are read, artifacts are the catalog's blobs.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use stoa_kernel::ports::{ObjectEntry, ObjectSource, PRESIGNING_PRINCIPAL};
use stoa_kernel::{ApiError, Cx, PrincipalIdentity};
use stoa_types::{AccountId, Region, Timestamp};

use crate::catalog::{CatalogIndex, Derived, ModelFile};
use crate::document;
use crate::eula::{self, Consent};
use crate::location::{self, CacheBucket};
use crate::service::Hubs;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";
const MARKDOWN: &str = "text/markdown; charset=utf-8";

#[async_trait]
impl ObjectSource for Hubs {
    async fn bucket_owner(&self, bucket: &str) -> Result<Option<AccountId>, ApiError> {
        Ok(CacheBucket::parse(bucket).map(|_| AccountId::aws()))
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Option<ObjectEntry>, ApiError> {
        let Some(bucket) = CacheBucket::parse(bucket) else { return Ok(None) };
        let index = self.parts.catalog.index().await?;
        match self.parts.catalog.derived(&index, bucket.gated, key).await? {
            Some(derived) => self.entry(&index, &bucket.region, key, &derived).await,
            None => Ok(None),
        }
    }

    async fn objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError> {
        let Some(bucket) = CacheBucket::parse(bucket) else { return Ok(Vec::new()) };
        let index = self.parts.catalog.index().await?;
        let found = self.parts.catalog.derived_after(&index, bucket.gated, prefix, after, limit).await?;
        let mut entries = Vec::with_capacity(found.len());
        for (key, derived) in &found {
            entries.extend(self.entry(&index, &bucket.region, key, derived).await?);
        }
        Ok(entries)
    }

    /// A URL with a grant is judged again, whatever bucket it reads; one without opens JumpStart buckets alone.
    ///
    /// A plain S3 request carries no consent, so gated content opens only through URLs that were made after one, or to
    /// whom it was accepted before. What a URL or a JumpStart bucket gives out is held to its digest.
    async fn check_read(&self, cx: &Cx, bucket: &str, key: &str) -> Result<(), ApiError> {
        let granted = self.check_grant(cx, bucket, key).await?;
        let presigned =
            matches!(&cx.principal.identity, PrincipalIdentity::Service { name } if name == PRESIGNING_PRINCIPAL);
        let Some(cache) = CacheBucket::parse(bucket) else {
            return match presigned {
                true if granted => self.object_intact(bucket, key).await,
                true => {
                    Err(ApiError::new("AccessDenied", 403, "Access Denied: this URL has no grant for what it names"))
                }
                false => Ok(()),
            };
        };
        if !cache.gated || presigned {
            return self.object_intact(bucket, key).await;
        }
        let index = self.parts.catalog.index().await?;
        let mut note = "";
        let eula = match self.parts.catalog.derived(&index, true, key).await? {
            Some(Derived::Artifact(model, _)) => {
                match self.consent_of_before(cx, &model).await? {
                    Consent::Given => return self.object_intact(bucket, key).await,
                    Consent::Forbidden => {
                        let why = eula::forbidden(&model.id, cx.principal.account.as_str());
                        return Err(ApiError::new("AccessDenied", 403, why));
                    }
                    missing => note = missing.note(),
                }
                location::eula_uri(&*model, &cache.region)
            }
            _ => "its EULA".to_owned(),
        };
        Err(ApiError::new(
            "AccessDenied",
            403,
            format!(
                "gated content is not read directly before its EULA was accepted{note}: read {eula}, then download with CreateHubContentPresignedUrls \
                 (AccessConfig.AcceptEula) or deploy with ModelAccessConfig.AcceptEula"
            ),
        ))
    }

    async fn reader(&self, cx: &Cx) -> Result<Option<Cx>, ApiError> {
        self.asked_by(cx).await
    }
}

impl Hubs {
    /// The object that is made of this.
    async fn entry(
        &self,
        index: &Arc<CatalogIndex>,
        region: &Region,
        key: &str,
        derived: &Derived,
    ) -> Result<Option<ObjectEntry>, ApiError> {
        let catalog = &self.parts.catalog;
        Ok(Some(match derived {
            Derived::Manifest => {
                let manifest = catalog.manifest(index);
                ObjectEntry {
                    key: key.to_owned(),
                    digest: manifest.sha256,
                    size: manifest.bytes.len() as u64,
                    etag: manifest.md5,
                    content_type: Some(JSON.to_owned()),
                    last_modified: index.modified,
                    inline: Some(manifest.bytes),
                    sealed: None,
                }
            }
            Derived::ProprietaryManifest => inline(key, document::proprietary_manifest(), JSON, index.modified),
            Derived::Spec(model) => {
                let body = catalog.body(model).await?;
                let spec = document::spec(&body.manifest, model.size, region);
                inline(key, document::pretty(&spec), JSON, model.modified)
            }
            Derived::Card(model) => {
                let card = catalog.body(model).await?.card.clone();
                inline(key, Bytes::from(card), MARKDOWN, model.imported)
            }
            Derived::Eula(model) => {
                let body = catalog.body(model).await?;
                let Some(eula) = &body.eula else { return Ok(None) };
                stored(key, eula, Some(TEXT), model.imported)
            }
            Derived::Artifact(model, file) => {
                stored(key, file, file.path.ends_with(".json").then_some(JSON), model.imported)
            }
        }))
    }

    /// Refuses an object whose bytes are not what they were.
    async fn object_intact(&self, bucket: &str, key: &str) -> Result<(), ApiError> {
        let found = match CacheBucket::parse(bucket) {
            Some(_) => ObjectSource::object(self, bucket, key).await?,
            None => self.objects()?.object(bucket, key).await?,
        };
        let Some(entry) = found.filter(|entry| entry.inline.is_none()) else { return Ok(()) };
        if self.is_intact(&entry.digest).await? {
            return Ok(());
        }
        Err(ApiError::new(
            "AccessDenied",
            403,
            format!("{key} is not what was stored: its bytes have changed, ask an operator"),
        ))
    }
}

fn inline(key: &str, bytes: Bytes, content_type: &str, last_modified: Timestamp) -> ObjectEntry {
    ObjectEntry {
        key: key.to_owned(),
        digest: hex::encode(Sha256::digest(&bytes)),
        size: bytes.len() as u64,
        etag: hex::encode(Md5::digest(&bytes)),
        content_type: Some(content_type.to_owned()),
        last_modified,
        inline: Some(bytes),
        sealed: None,
    }
}

fn stored(key: &str, file: &ModelFile, content_type: Option<&str>, last_modified: Timestamp) -> ObjectEntry {
    ObjectEntry {
        key: key.to_owned(),
        digest: file.digest.as_str().to_owned(),
        size: file.size,
        etag: file.md5.clone(),
        content_type: content_type.map(str::to_owned),
        last_modified,
        inline: None,
        sealed: None,
    }
}
