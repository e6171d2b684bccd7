//! A hub's own contents in buckets of its account, and the downloads that its URLs make.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use stoa_kernel::ports::{GRANT_KEY, ObjectAccess, ObjectEntry, ObjectRead, ObjectSource, PRESIGNING_PRINCIPAL};
use stoa_kernel::{ApiError, Cx, Principal, SessionContext, Target};
use stoa_models_sagemaker::operations::ImportHubContent;
use stoa_models_sagemaker::types::{HubContentType, ImportHubContentRequest};
use stoa_types::{AccountId, Timestamp};

use crate::support::*;

/// Buckets as S3 has them, without S3: a blob's digest by key.
#[derive(Default)]
pub struct OwnBuckets(Mutex<BTreeMap<String, BTreeMap<String, String>>>);

impl OwnBuckets {
    pub fn put(&self, bucket: &str, keys: impl IntoIterator<Item = String>) {
        for key in keys {
            self.put_blob(bucket, &key, &"0".repeat(64));
        }
    }
    pub fn put_blob(&self, bucket: &str, key: &str, digest: &str) {
        self.0.lock().entry(bucket.to_owned()).or_default().insert(key.to_owned(), digest.to_owned());
    }
}

fn entry(key: &str, digest: &str) -> ObjectEntry {
    ObjectEntry {
        key: key.to_owned(),
        digest: digest.to_owned(),
        size: 1,
        etag: "e".to_owned(),
        content_type: None,
        last_modified: Timestamp::default(),
        inline: None,
        sealed: None,
    }
}

#[async_trait]
impl ObjectSource for OwnBuckets {
    async fn bucket_owner(&self, bucket: &str) -> Result<Option<AccountId>, ApiError> {
        Ok(self.0.lock().contains_key(bucket).then(|| ACCOUNT.parse().unwrap()))
    }
    async fn object(&self, bucket: &str, key: &str) -> Result<Option<ObjectEntry>, ApiError> {
        Ok(self.0.lock().get(bucket).and_then(|keys| keys.get(key)).map(|digest| entry(key, digest)))
    }
    async fn objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError> {
        let buckets = self.0.lock();
        let keys = buckets.get(bucket).into_iter().flatten().filter(|(key, _)| key.starts_with(prefix));
        let keys = keys.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        Ok(keys.take(limit).map(|(key, digest)| entry(key, digest)).collect())
    }
    async fn check_read(&self, _: &Cx, _: &str, key: &str) -> Result<(), ApiError> {
        if key.contains("gated") { Err(ApiError::access_denied("gated")) } else { Ok(()) }
    }
}

/// S3's own answer is tested with S3; here each question is one decision.
#[async_trait]
impl ObjectAccess for OwnBuckets {
    async fn may_get(&self, cx: &Cx, principal: &Principal, read: &ObjectRead<'_>) -> Result<(), ApiError> {
        let target = Target::new("s3:GetObject", format!("arn:aws:s3:::{}/{}", read.bucket, read.key));
        cx.authorize_as(principal, &target).await
    }
    async fn may_read(&self, cx: &Cx, read: &ObjectRead<'_>) -> Result<(), ApiError> {
        self.may_get(cx, &cx.principal, read).await?;
        self.check_read(cx, read.bucket, read.key).await
    }
    async fn may_list(&self, cx: &Cx, principal: &Principal, bucket: &str, _: &str) -> Result<(), ApiError> {
        if self.bucket_owner(bucket).await?.is_none() {
            return Err(ApiError::new("NoSuchBucket", 404, "no such bucket"));
        }
        cx.authorize_as(principal, &Target::new("s3:ListBucket", format!("arn:aws:s3:::{bucket}"))).await
    }
    async fn may_enter(&self, _: &Principal, _: &str, _: &AccountId) -> Result<(), ApiError> {
        Ok(())
    }
}

pub async fn import(world: &World, name: &str, place: &str) {
    let input = ImportHubContentRequest {
        hub_content_name: name.to_owned(),
        hub_content_version: None,
        hub_content_type: HubContentType::Model,
        document_schema_version: "2.3.0".to_owned(),
        hub_name: "h".to_owned(),
        hub_content_display_name: None,
        hub_content_description: None,
        hub_content_markdown: None,
        hub_content_document: own_document(place).to_string(),
        support_status: None,
        hub_content_search_keywords: None,
        tags: None,
    };
    world.call::<ImportHubContent>(&world.admin(), input).await.unwrap();
}

/// With a hub `h`.
pub async fn own_world() -> (World, Arc<OwnBuckets>) {
    let world = world().await;
    let buckets = Arc::new(OwnBuckets::default());
    world.hubs.set_objects(buckets.clone());
    world.hubs.set_object_access(buckets.clone());
    world.hub(&world.admin(), "h").await;
    (world, buckets)
}

/// The download's context: the service, with the grant of a URL where it has one.
pub fn download(world: &World, url: &str) -> Cx {
    let mut principal = Principal::service(PRESIGNING_PRINCIPAL, AccountId::aws());
    principal.session = url.split("&grant=").nth(1).map(|grant| SessionContext {
        issued_at: Timestamp::default(),
        expires_at: Timestamp::default(),
        tags: BTreeMap::new(),
        transitive_tag_keys: Vec::new(),
        policies: Vec::new(),
        source_identity: None,
        mfa_authenticated_at: None,
        federated_provider: None,
        keys: BTreeMap::from([(GRANT_KEY.to_owned(), vec![grant.to_owned()])]),
    });
    world.cx(principal, REGION)
}
