//! The JumpStart buckets of every region, derived from the catalog: `jumpstart-cache-prod-<region>` with manifests,
//! specs, cards, licences and open models, `jumpstart-private-cache-prod-<region>` with the gated ones.
//!
//! Nothing is stored: texts are made when they are read, artifacts are the catalog's blobs.

use std::ops::Bound;

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
        let objects = if bucket.gated { &index.gated } else { &index.open };
        Ok(objects.get(key).and_then(|derived| entry(&index, &bucket.region, key, derived)))
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
        let objects = if bucket.gated { &index.gated } else { &index.open };
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let found = objects.range::<str, _>((start, Bound::Unbounded));
        let found = found.take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(found.filter_map(|(key, derived)| entry(&index, &bucket.region, key, derived)).collect())
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
        let eula = match index.gated.get(key) {
            Some(Derived::Artifact(model, _)) => {
                match self.consent_of_before(cx, model).await? {
                    Consent::Given => return self.object_intact(bucket, key).await,
                    Consent::Forbidden => {
                        let why = eula::forbidden(&model.body.manifest.id, cx.principal.account.as_str());
                        return Err(ApiError::new("AccessDenied", 403, why));
                    }
                    missing => note = missing.note(),
                }
                location::eula_uri(&model.body.manifest, &cache.region)
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

fn entry(index: &CatalogIndex, region: &Region, key: &str, derived: &Derived) -> Option<ObjectEntry> {
    Some(match derived {
        Derived::Manifest => {
            let manifest = index.manifest();
            ObjectEntry {
                key: key.to_owned(),
                digest: manifest.sha256.clone(),
                size: manifest.bytes.len() as u64,
                etag: manifest.md5.clone(),
                content_type: Some(JSON.to_owned()),
                last_modified: index.modified,
                inline: Some(manifest.bytes.clone()),
                sealed: None,
            }
        }
        Derived::ProprietaryManifest => inline(key, document::proprietary_manifest(), JSON, index.modified),
        Derived::Spec(model) => {
            let spec = document::spec(&model.body.manifest, model.body.size(), region);
            inline(key, document::pretty(&spec), JSON, model.modified)
        }
        Derived::Card(model) => inline(key, Bytes::from(model.body.card.clone()), MARKDOWN, model.imported),
        Derived::Eula(model) => stored(key, model.body.eula.as_ref()?, Some(TEXT), model.imported),
        Derived::Artifact(model, number) => {
            let file = model.body.files.get(*number)?;
            stored(key, file, file.path.ends_with(".json").then_some(JSON), model.imported)
        }
    })
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
