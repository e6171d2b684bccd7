//! A service with its own store and folder, and callers of two accounts.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use stoa_blob::BlobStore;
use stoa_blob_fs::FsBlobs;
use stoa_kernel::ports::*;
use stoa_kernel::{ApiError, Connection, Cx, Permit, Platform, Principal, PrincipalIdentity};
use stoa_policy::Context;
use stoa_s3_objects::S3Objects;
use stoa_store::{MemoryStore, Store};
use stoa_types::{AccountId, FixedClock, Partition, SequentialIds, Timestamp};

pub const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// These tests are about what happens after a decision; nothing here decides.
struct NoAuthority;

#[async_trait]
impl Authority for NoAuthority {
    async fn credential(&self, _: &str, _: Option<&str>) -> Result<Option<Arc<Credential>>, ApiError> {
        Ok(None)
    }
    async fn decide(
        &self,
        _: &Principal,
        action: &str,
        _: &str,
        _: &(dyn Context + Sync),
    ) -> Result<Verdict, ApiError> {
        Err(ApiError::internal(format!("`{action}` must not be decided here")))
    }
    async fn service_session(&self, _: &str, _: &str, _: &str) -> Result<Option<Principal>, ApiError> {
        Ok(None)
    }
}

struct NoTags;

#[async_trait]
impl ResourceTags for NoTags {
    async fn resource_tags(&self, _: &str) -> Result<Vec<(String, String)>, ApiError> {
        Ok(Vec::new())
    }
}

/// A derived bucket with a gated key, as the hub service has them.
pub struct Derived;

#[async_trait]
impl ObjectSource for Derived {
    async fn bucket_owner(&self, bucket: &str) -> Result<Option<AccountId>, ApiError> {
        Ok((bucket == "jumpstart-cache-prod-us-west-2").then(AccountId::aws))
    }
    async fn object(&self, _: &str, key: &str) -> Result<Option<ObjectEntry>, ApiError> {
        let all = self.objects("", "", None, 100).await?;
        Ok(all.into_iter().find(|entry| entry.key == key))
    }
    async fn objects(
        &self,
        _: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError> {
        let keys = ["gated/model.tar.gz", "models_manifest.json", "specs/a", "specs/b"];
        let wanted = |key: &&str| key.starts_with(prefix) && after.is_none_or(|after| *key > after);
        let entry = |key: &str| ObjectEntry {
            key: key.to_owned(),
            digest: String::new(),
            size: 2,
            etag: "e".to_owned(),
            content_type: Some("application/json".to_owned()),
            last_modified: START,
            inline: Some(Bytes::from_static(b"{}")),
        };
        Ok(keys.into_iter().filter(wanted).take(limit).map(entry).collect())
    }
    async fn check_read(&self, _: &Cx, _: &str, key: &str) -> Result<(), ApiError> {
        match key.starts_with("gated/") {
            true => Err(ApiError::access_denied("the license was not accepted")),
            false => Ok(()),
        }
    }
}

pub struct World {
    pub s3: Arc<S3Objects>,
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn BlobStore>,
    pub clock: Arc<FixedClock>,
    platform: Arc<Platform>,
    _folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(START));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
        let blobs: Arc<dyn BlobStore> = Arc::new(FsBlobs::open(folder.path()).unwrap());
        let platform = Arc::new(Platform {
            clock: clock.clone(),
            ids: Arc::new(SequentialIds::default()),
            authority: Arc::new(NoAuthority),
            tags: Arc::new(NoTags),
        });
        let s3 = Arc::new(S3Objects::new(Arc::clone(&store), Arc::clone(&blobs), vec![Arc::new(Derived)]));
        World { s3, store, blobs, clock, platform, _folder: folder }
    }

    pub fn cx(&self, account: &str) -> Cx {
        let principal = Principal {
            account: account.parse().unwrap(),
            identity: PrincipalIdentity::Root,
            ..Principal::anonymous()
        };
        let region: stoa_types::Region = "us-west-2".parse().unwrap();
        Cx {
            request_id: "r".to_owned(),
            principal: Arc::new(principal),
            partition: Partition::of(&region),
            region,
            now: stoa_types::Clock::now(&*self.clock),
            connection: Arc::new(Connection {
                peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
                secure: true,
                base_url: String::new(),
                vpc_endpoint: None,
            }),
            user_agent: String::new(),
            global_keys: stoa_policy::MapContext::new(),
            platform: Arc::clone(&self.platform),
            trace: Default::default(),
        }
    }

    pub fn alice(&self) -> (Cx, Permit) {
        let cx = self.cx("111122223333");
        let permit = cx.decide_nothing("a test");
        (cx, permit)
    }

    pub async fn with_bucket(name: &str) -> World {
        let world = World::new();
        let (cx, permit) = world.alice();
        world.s3.create_bucket(&cx, &permit, name, &cx.region).await.unwrap();
        world
    }

    pub async fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<ObjectRecord, ApiError> {
        self.put_with(bucket, key, bytes, BodyChecks::default(), WriteCondition::default()).await
    }

    pub async fn put_with(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
        checks: BodyChecks,
        condition: WriteCondition,
    ) -> Result<ObjectRecord, ApiError> {
        let (cx, permit) = self.alice();
        let write = WriteObject { bucket: bucket.into(), key: key.into(), checks, condition, ..Default::default() };
        self.s3.put_object(&cx, &permit, write, body(bytes)).await
    }

    pub async fn read(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let (cx, _) = self.alice();
        let record = self.s3.object_for_read(&cx, bucket, key).await.unwrap()?;
        let digest = stoa_blob::Digest::parse(&record.entry.digest).unwrap();
        Some(stoa_blob::read_all(&*self.blobs, &digest).await.unwrap())
    }

    pub async fn delete(&self, bucket: &str, key: &str) -> Result<Deletion, ApiError> {
        let (cx, permit) = self.alice();
        self.s3.delete_object(&cx, &permit, bucket, key, &WriteCondition::default()).await
    }
}

pub fn body(bytes: &[u8]) -> BodyStream {
    let pieces: Vec<_> = bytes.chunks(100_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures_util::stream::iter(pieces).boxed()
}

pub fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
    result.expect_err("a refusal").code().to_owned()
}
