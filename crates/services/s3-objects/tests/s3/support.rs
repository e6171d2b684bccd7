//! A service with its own store and folder, and callers of two accounts.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use parking_lot::Mutex;
use stoa_blob::BlobStore;
use stoa_blob_fs::FsBlobs;
use stoa_kernel::ports::*;
use stoa_kernel::{ApiError, Connection, Cx, Permit, Platform, Principal, PrincipalIdentity};
use stoa_policy::Context;
use stoa_s3_objects::{Encryption, S3Objects};
use stoa_seal::SealingKey;
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
            sealed: None,
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

pub const KEY_ARN: &str = "arn:aws:kms:us-west-2:111122223333:key/k";

/// A key and an encryption context.
type Question = (Option<String>, BTreeMap<String, String>);

/// KMS: one key, data keys by number, bound to their context.
#[derive(Default)]
pub struct FakeKeys {
    /// The code of the refusal of every call.
    pub refuses: Mutex<Option<&'static str>>,
    pub region: Mutex<&'static str>,
    asked: Mutex<Vec<Question>>,
    count: AtomicU8,
}

impl FakeKeys {
    pub fn last_context(&self) -> BTreeMap<String, String> {
        self.asked.lock().last().unwrap().1.clone()
    }
    pub fn last_key(&self) -> Option<String> {
        self.asked.lock().last().unwrap().0.clone()
    }
    fn ask(&self, call: &DataKeyCall<'_>) -> Result<Vec<u8>, ApiError> {
        assert_eq!(call.service, "s3");
        if let Some(code) = *self.refuses.lock() {
            return Err(ApiError::new(code, 400, "no"));
        }
        self.asked.lock().push((call.key.map(str::to_owned), call.context.clone()));
        Ok(format!("{:?}", call.context).into_bytes())
    }
}

#[async_trait]
impl DataKeys for FakeKeys {
    async fn key_arn(&self, _: &Cx, _: &DataKeyCall<'_>) -> Result<String, ApiError> {
        Ok(KEY_ARN.to_owned())
    }
    async fn generate_data_key(&self, _: &Cx, call: &DataKeyCall<'_>) -> Result<DataKey, ApiError> {
        let bound = self.ask(call)?;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let key_arn = match *self.region.lock() {
            "" => KEY_ARN.to_owned(),
            region => KEY_ARN.replace("us-west-2", region),
        };
        let ciphertext = [vec![number], bound].concat();
        Ok(DataKey { key_arn, plaintext: vec![number; 32].into(), ciphertext })
    }
    async fn decrypt_data_key(
        &self,
        _: &Cx,
        call: &DataKeyCall<'_>,
        ciphertext: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, ApiError> {
        let bound = self.ask(call)?;
        assert_eq!(ciphertext[1..], bound, "the context is that of the encryption");
        Ok(vec![ciphertext[0]; 32].into())
    }
}

pub struct World {
    pub s3: Arc<S3Objects>,
    pub keys: Arc<FakeKeys>,
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn BlobStore>,
    pub clock: Arc<FixedClock>,
    platform: Arc<Platform>,
    folder: Arc<tempfile::TempDir>,
}

impl World {
    pub fn new() -> World {
        World::made(None)
    }

    fn made(default: Option<BucketEncryption>) -> World {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = Arc::new(FixedClock::at(START));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
        let blobs: Arc<dyn BlobStore> = Arc::new(FsBlobs::open(folder.path()).unwrap());
        let platform = Arc::new(Platform {
            clock: clock.clone(),
            ids: Arc::new(SequentialIds::default()),
            authority: Arc::new(NoAuthority),
            tags: Arc::new(NoTags),
        });
        let keys = Arc::new(FakeKeys::default());
        let key = SealingKey::new([1; 32]);
        let encryption = Encryption { key, data_keys: keys.clone(), default };
        let s3 = S3Objects::new(Arc::clone(&store), Arc::clone(&blobs), vec![Arc::new(Derived)]);
        World { s3: Arc::new(s3.with_encryption(encryption)), keys, store, blobs, clock, platform, folder }
    }

    /// The same data under other master keys.
    pub fn under_key(&self, newest: [u8; 32], older: &[[u8; 32]]) -> World {
        let key = older.iter().fold(SealingKey::new(newest), |key, older| key.with_older(*older));
        let encryption = Encryption { key, data_keys: self.keys.clone(), default: None };
        let s3 = S3Objects::new(Arc::clone(&self.store), Arc::clone(&self.blobs), vec![Arc::new(Derived)]);
        World {
            s3: Arc::new(s3.with_encryption(encryption)),
            keys: Arc::clone(&self.keys),
            store: Arc::clone(&self.store),
            blobs: Arc::clone(&self.blobs),
            clock: Arc::clone(&self.clock),
            platform: Arc::clone(&self.platform),
            folder: Arc::clone(&self.folder),
        }
    }

    /// Seals every sealed text in objects anew, as the command for the master key does.
    pub async fn reseal(&self, newest: [u8; 32], older: [u8; 32]) {
        let key = SealingKey::new(newest).with_older(older);
        for document in self.store.query(&stoa_store::Query::of("s3:object")).await.unwrap().documents {
            let done = key.reseal_in(&document.body, &*self.platform.ids).unwrap();
            assert_eq!((done.changed, done.unreadable), (1, 0));
            let changed = stoa_store::Document { body: Arc::from(done.text.unwrap()), ..(*document).clone() };
            self.store.commit(stoa_store::Transaction::new().update(changed)).await.unwrap();
        }
    }

    /// A world with a bucket, where the server has a default encryption.
    pub async fn with_default(default: Option<BucketEncryption>) -> World {
        let world = World::made(default);
        let (cx, permit) = world.alice();
        world.s3.create_bucket(&cx, &permit, "data", &cx.region).await.unwrap();
        world
    }

    fn file(&self, digest: &str) -> std::path::PathBuf {
        self.folder.path().join("blobs").join(&digest[..2]).join(digest)
    }

    /// The file of a blob.
    pub fn blob(&self, digest: &str) -> Vec<u8> {
        std::fs::read(self.file(digest)).unwrap()
    }

    /// Replaces the file of a blob, as no store would.
    pub fn overwrite(&self, digest: &str, bytes: &[u8]) {
        std::fs::remove_file(self.file(digest)).unwrap();
        std::fs::write(self.file(digest), bytes).unwrap();
    }

    /// The digests of all blobs.
    pub fn files(&self) -> Vec<String> {
        let shards = std::fs::read_dir(self.folder.path().join("blobs")).unwrap();
        let files = shards.flat_map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub async fn forget_blob(&self, digest: &str) {
        self.blobs.delete(&stoa_blob::Digest::parse(digest).unwrap()).await.unwrap();
    }

    /// Whether these bytes stand in some file.
    pub fn on_disk(&self, wanted: &[u8]) -> bool {
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else if memchr::memmem::find(&std::fs::read(entry.path()).unwrap(), wanted).is_some() {
                    return true;
                }
            }
        }
        false
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
