//! The store: the blob trait over `object_store`.
//!
//! Several processes may share a prefix, as replicas of one Stoa. What keeps one of them from removing what another is
//! about to name: a put of present bytes first writes `touched/<digest>` and then looks for `removing/<digest>`; a
//! collector first writes `removing/<digest>` and then looks at the ages. S3 is consistent, so at least one of the two
//! sees the other: the collector then leaves the blob, or the put waits for the removal's end and uploads.
//!
//! A mark whose collector died holds nobody up for long: the next opening by the same folder erases it, a put erases
//! one of its own process (which pins keep from removing just now), and any other is waited for no longer than [`DEAD`].

use std::error::Error;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};
use stoa_blob::{BlobEntry, BlobError, BlobStore, BlobVersion, ByteStream, Digest, Pin, Pins, Removal, Written, once};
use stoa_types::Timestamp;

use crate::S3Settings;
use crate::cache::Cache;
use crate::connector::Hyper;
use crate::owner::{Claim, Owner};
use crate::spool::spool;
use crate::upload::upload;

/// A removal takes a few requests; a mark that is this old is a dead collector's.
const DEAD: Duration = Duration::from_secs(15 * 60);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long the store may pause within a body.
const PAUSE: Duration = Duration::from_secs(60);

/// Why the store cannot be opened. Ends the start of the server.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The local folder for spool and cache.
    #[error("the folder {} cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The store does not answer as it should.
    #[error("the object store at s3://{place} cannot be used: bucket, endpoint, region or credentials may be wrong")]
    Store {
        /// Bucket and prefix.
        place: String,
        /// Why.
        source: object_store::Error,
    },
    /// Another Stoa's blobs, which a collector of ours would remove.
    #[error("s3://{place} holds the blobs of another Stoa ({found}); give each a prefix of its own")]
    Foreign {
        /// Bucket and prefix.
        place: String,
        /// The other's identity.
        found: String,
    },
    /// The blobs of another data folder of this Stoa: one is a copy of the other, or was moved.
    #[error(
        "s3://{place} holds the blobs of the data folder {found}; this one is a copy of it, or was moved to another disk. \
         A copy needs a prefix and blobs of its own. If that one is gone, `stoa blobs take-over` gives this one its \
         place: see docs/operators/blobs.md"
    )]
    Copied {
        /// Bucket and prefix.
        place: String,
        /// Where the other is.
        found: String,
    },
}

/// Blobs in an S3-compatible store.
#[derive(Debug)]
pub struct S3Blobs {
    store: Arc<AmazonS3>,
    prefix: String,
    spool: PathBuf,
    cache: Cache,
    pins: Pins,
    /// As it is in the object `owner` as long as nobody else has opened the prefix.
    holder: String,
}

pub(crate) fn backend(error: object_store::Error) -> BlobError {
    BlobError::Backend(Box::new(error))
}

fn connect(settings: &S3Settings) -> object_store::Result<AmazonS3> {
    let retries = RetryConfig { max_retries: 5, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(&settings.bucket)
        .with_checksum_algorithm(Checksum::SHA256)
        .with_retry(retries)
        .with_http_connector(Hyper);
    if let Some((id, secret)) = &settings.credentials {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose());
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    builder.build()
}

fn time_of(meta: &ObjectMeta) -> Timestamp {
    Timestamp::from_millis(meta.last_modified.timestamp_millis())
}

/// By this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the store's dates are by a clock of the real world too")]
fn age_of(meta: &ObjectMeta) -> Duration {
    let written = Duration::from_millis(time_of(meta).millis().try_into().unwrap_or(0));
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(written)
}

impl S3Blobs {
    /// Opens the prefix for its owner; `folder` is for spool and cache.
    pub async fn open(
        settings: &S3Settings,
        folder: &FilePath,
        owner: &Owner,
        claim: Claim,
    ) -> Result<S3Blobs, OpenError> {
        let place = format!("{}/{}", settings.bucket, settings.prefix);
        let refused = |source| OpenError::Store { place: place.clone(), source };
        let store = Arc::new(connect(settings).map_err(refused)?);
        let local = |path: PathBuf| move |source| OpenError::Folder { path, source };
        let spool = folder.join("spool");
        std::fs::create_dir_all(&spool).map_err(local(spool.clone()))?;
        let cached = folder.join("blob-cache");
        let pins = Pins::default();
        let cache = Cache::open(cached.clone(), settings.cache_bytes, pins.clone()).map_err(local(cached))?;
        let prefix = if settings.prefix.is_empty() { String::new() } else { format!("{}/", settings.prefix) };
        let blobs = S3Blobs { store, prefix, spool, cache, pins, holder: owner.to_string() };
        let mut found = blobs.text(&blobs.owner()).await.map_err(refused)?;
        if found.is_none() && claim == Claim::Look {
            // A bucket that is not there has no owner either.
            blobs.store.list(Some(&blobs.path("blobs"))).next().await.transpose().map_err(refused)?;
        }
        if found.is_none() && claim != Claim::Look && !blobs.write_owner(PutMode::Create).await.map_err(refused)? {
            // Somebody else was faster.
            found = blobs.text(&blobs.owner()).await.map_err(refused)?;
        }
        if let Some(found) = found.as_deref().map(Owner::parse) {
            if found.stoa != owner.stoa {
                return Err(OpenError::Foreign { place, found: found.stoa });
            }
            if claim != Claim::TakeOver && !found.same_folder(owner) {
                return Err(OpenError::Copied { place, found: found.place });
            }
            if claim != Claim::Look {
                blobs.write_owner(PutMode::Overwrite).await.map_err(refused)?;
            }
        }
        if claim != Claim::Look {
            blobs.erase_dead_marks(owner).await.map_err(refused)?;
        }
        Ok(blobs)
    }

    fn owner(&self) -> Path {
        self.path("owner")
    }

    /// Writes this opening down; false where another object is there and is to stay.
    async fn write_owner(&self, mode: PutMode) -> object_store::Result<bool> {
        let payload = PutPayload::from(Bytes::copy_from_slice(self.holder.as_bytes()));
        match self.store.put_opts(&self.owner(), payload, PutOptions::from(mode)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A small object; none where there is none.
    async fn text(&self, path: &Path) -> object_store::Result<Option<String>> {
        match self.store.get(path).await {
            Ok(found) => Ok(Some(String::from_utf8_lossy(&found.bytes().await?).into_owned())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Erases the marks of removals that ended with an earlier process of this folder: one at a time has it.
    async fn erase_dead_marks(&self, owner: &Owner) -> object_store::Result<()> {
        let folder = self.path("removing");
        let mut marks = self.store.list(Some(&folder));
        while let Some(mark) = marks.next().await {
            let path = mark?.location;
            let holder = self.text(&path).await?.map(|text| Owner::parse(&text));
            if holder.is_some_and(|holder| holder.folder == owner.folder) {
                self.store.delete(&path).await?;
            }
        }
        Ok(())
    }

    fn path(&self, rest: &str) -> Path {
        Path::from(format!("{}{rest}", self.prefix))
    }
    fn blob(&self, digest: &Digest) -> Path {
        self.path(&format!("blobs/{}", digest.as_str()))
    }
    fn touched(&self, digest: &Digest) -> Path {
        self.path(&format!("touched/{}", digest.as_str()))
    }
    fn removing(&self, digest: &Digest) -> Path {
        self.path(&format!("removing/{}", digest.as_str()))
    }

    async fn head(&self, path: &Path) -> Result<Option<ObjectMeta>, BlobError> {
        match self.store.head(path).await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(backend(error)),
        }
    }

    async fn write_mark(&self, path: &Path, text: &str) -> Result<(), BlobError> {
        let payload = PutPayload::from(Bytes::copy_from_slice(text.as_bytes()));
        self.store.put(path, payload).await.map(drop).map_err(backend)
    }

    async fn erase(&self, path: &Path) -> Result<(), BlobError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(backend(error)),
        }
    }

    /// The size of a blob that is there and stays: it is as young as one written now. INVARIANT: the caller pins it.
    async fn touch(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        if self.head(&self.blob(digest)).await?.is_none() {
            return Ok(None);
        }
        self.write_mark(&self.touched(digest), "").await?;
        let mark = self.removing(digest);
        while let Some(found) = self.head(&mark).await? {
            if age_of(&found) > DEAD {
                break;
            }
            // INVARIANT: no removal of this process is under way, since the caller pins it: the mark was left behind.
            if self.text(&mark).await.map_err(backend)?.as_deref() == Some(&self.holder) {
                self.erase(&mark).await?;
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(self.head(&self.blob(digest)).await?.map(|found| found.size))
    }

    /// Removes a blob unless it is young, under a mark that is to be erased in any case.
    async fn remove_marked(&self, digest: &Digest, mark: &Path, before: Timestamp) -> Result<bool, BlobError> {
        self.write_mark(mark, &self.holder).await?;
        let (blob, touched) = (self.blob(digest), self.touched(digest));
        for path in [&blob, &touched] {
            // A HEAD tells the date in whole seconds: what may be younger is.
            if self.head(path).await?.is_some_and(|found| time_of(&found).plus_millis(999) > before) {
                return Ok(false);
            }
        }
        self.erase(&blob).await?;
        self.erase(&touched).await?;
        Ok(true)
    }

    /// An empty range of a blob, which S3 has no request for.
    async fn nothing_of(&self, digest: &Digest) -> Result<ByteStream, BlobError> {
        match self.head(&self.blob(digest)).await? {
            Some(_) => Ok(once(Bytes::new())),
            None => Err(BlobError::NotFound(digest.as_str().to_owned())),
        }
    }
}

/// The body as it comes; a store that stops sending is an error.
fn pieces(body: stream::BoxStream<'static, object_store::Result<Bytes>>) -> ByteStream {
    stream::unfold(Some(body), |body| async move {
        let mut body = body?;
        let cause: Box<dyn Error + Send + Sync> = match tokio::time::timeout(PAUSE, body.next()).await {
            Ok(Some(Ok(piece))) => return Some((Ok(piece), Some(body))),
            Ok(None) => return None,
            Ok(Some(Err(error))) => error.into(),
            Err(late) => late.into(),
        };
        Some((Err(cause), None))
    })
    .boxed()
}

#[async_trait]
impl BlobStore for S3Blobs {
    async fn put(&self, bytes: ByteStream) -> Result<Written, BlobError> {
        let spooled = spool(&self.spool, bytes).await?;
        let pin = self.pins.pin(&spooled.digest).await;
        let there = self.touch(&spooled.digest).await?;
        if there != Some(spooled.size) {
            upload(&*self.store, &self.blob(&spooled.digest), &spooled, there.is_some()).await?;
        }
        Ok(Written { digest: spooled.digest, size: spooled.size, pin })
    }

    async fn get(&self, digest: &Digest, offset: u64, length: Option<u64>) -> Result<ByteStream, BlobError> {
        if length == Some(0) {
            return self.nothing_of(digest).await;
        }
        let range = match (offset, length) {
            (0, None) => None,
            (offset, None) => Some(GetRange::Offset(offset)),
            (offset, Some(length)) => Some(GetRange::Bounded(offset..offset.saturating_add(length))),
        };
        let ranged = range.is_some();
        let path = self.blob(digest);
        match self.store.get_opts(&path, GetOptions { range, ..GetOptions::default() }).await {
            Ok(found) => Ok(pieces(found.into_stream())),
            Err(object_store::Error::NotFound { .. }) => Err(BlobError::NotFound(digest.as_str().to_owned())),
            // A range that begins at the end or behind it is refused by S3.
            Err(error) if ranged => match self.head(&path).await? {
                Some(found) if offset >= found.size => Ok(once(Bytes::new())),
                _ => Err(backend(error)),
            },
            Err(error) => Err(backend(error)),
        }
    }

    async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        Ok(self.head(&self.blob(digest)).await?.map(|found| found.size))
    }

    async fn version(&self, digest: &Digest) -> Result<Option<BlobVersion>, BlobError> {
        let found = self.head(&self.blob(digest)).await?;
        Ok(found.map(|found| {
            let (tag, size, date) = (found.e_tag.as_deref().unwrap_or_default(), found.size, time_of(&found).millis());
            BlobVersion::new(format!("{tag}/{size}/{date}"))
        }))
    }

    async fn hold(&self, digest: &Digest) -> Result<Option<Pin>, BlobError> {
        let pin = self.pins.pin(digest).await;
        Ok(self.touch(digest).await?.map(|_| pin))
    }

    async fn is_owner(&self) -> Result<bool, BlobError> {
        Ok(self.text(&self.owner()).await.map_err(backend)?.as_deref() == Some(&self.holder))
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<BlobEntry>, BlobError> {
        let folder = self.path("blobs");
        let mut found = match after {
            Some(after) => self.store.list_with_offset(Some(&folder), &self.blob(after)),
            None => self.store.list(Some(&folder)),
        };
        let mut page = Vec::new();
        while page.len() < limit {
            let Some(meta) = found.next().await else { break };
            let meta = meta.map_err(backend)?;
            // Keys of other names are not ours.
            let Some(digest) = meta.location.filename().and_then(Digest::parse) else { continue };
            if after.is_none_or(|after| digest > *after) {
                page.push(BlobEntry { digest, size: meta.size, touched: time_of(&meta) });
            }
        }
        Ok(page)
    }

    async fn remove(&self, removal: &Removal, before: Timestamp) -> Result<bool, BlobError> {
        let mark = self.removing(removal.digest());
        let removed = self.remove_marked(removal.digest(), &mark, before).await;
        // Also after an error: a mark that stays would hold up whoever puts the blob.
        let erased = self.erase(&mark).await;
        removed.and_then(|removed| erased.map(|()| removed))
    }

    async fn set_aside(&self, removal: &Removal) -> Result<(), BlobError> {
        let digest = removal.digest();
        let aside = self.path(&format!("damaged/{}", digest.as_str()));
        match self.store.copy(&self.blob(digest), &aside).await {
            Ok(()) => self.erase(&self.blob(digest)).await,
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(backend(error)),
        }
    }

    fn pins(&self) -> &Pins {
        &self.pins
    }

    async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        self.erase(&self.blob(digest)).await?;
        self.erase(&self.touched(digest)).await
    }

    async fn local_path(&self, digest: &Digest) -> Result<Option<PathBuf>, BlobError> {
        let Some(size) = self.size(digest).await? else { return Ok(None) };
        if let Some(path) = self.cache.get(digest, size).await? {
            return Ok(Some(path));
        }
        let fetch = async || self.get(digest, 0, None).await;
        self.cache.fill(digest, size, fetch).await.map(Some)
    }
}
