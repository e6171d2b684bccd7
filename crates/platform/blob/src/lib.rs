//! Content-addressed object bytes: the trait and its suite.
//!
//! A blob's name is the SHA-256 of its bytes. Writing is: temporary file, hash while writing, sync, rename; a crash
//! leaves no half blob under a name. Putting bytes that are there already costs no space, and renews their age.
//!
//! Who names a blob is not known here: the store's documents say so, and a collector removes what none of them names,
//! held off by [`Pins`] within the process and by the age of a blob beyond it.

mod helpers;
mod pins;
mod slice;
pub mod suite;

pub use helpers::{collect, once, put_bytes, read_all};
pub use pins::{Pin, Pins, Removal};
pub use slice::FileSlice;

use std::error::Error;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use stoa_types::Timestamp;

/// The SHA-256 of a blob, lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// Parses 64 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Digest> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(hex)).then(|| Digest(text.to_owned()))
    }
    /// The digest of a SHA-256.
    pub fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(hex::encode(bytes))
    }
    /// The hex text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A blob's error.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no such blob. Internal: names point only at blobs that exist.
    #[error("no blob `{0}`")]
    NotFound(String),
    /// The reader of the bytes to write failed (the client went away). The caller's own error.
    #[error("the bytes could not be read")]
    Source(#[source] Box<dyn Error + Send + Sync>),
    /// There is no space left for the bytes; nothing of them stays. Internal.
    #[error("the blob store is full")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// The disk failed. Internal.
    #[error("the blob store failed")]
    Backend(#[source] Box<dyn Error + Send + Sync>),
}

/// What a write found out about its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The name.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Keeps the blob until it has a name: hold it until the document that names it is committed.
    pub pin: Pin,
}

/// A blob as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobEntry {
    /// The name.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// When it was written, or last put again.
    pub touched: Timestamp,
}

/// Which bytes a blob was found to have: another version whenever somebody other than its store may have changed them.
/// Versions are compared within one process only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobVersion(String);

impl BlobVersion {
    /// From whatever tells versions apart.
    pub fn new(text: impl Into<String>) -> BlobVersion {
        BlobVersion(text.into())
    }
}

/// A stream of bytes with errors of its producer.
pub type ByteStream = BoxStream<'static, Result<Bytes, Box<dyn Error + Send + Sync>>>;

/// Where object bytes live.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// Writes a stream; durable when it returns. An error or a dropped future leaves nothing behind under a name.
    async fn put(&self, bytes: ByteStream) -> Result<Written, BlobError>;
    /// The bytes from `offset`, `length` of them (none: to the end).
    async fn get(&self, digest: &Digest, offset: u64, length: Option<u64>) -> Result<ByteStream, BlobError>;
    /// The size, none when there is no such blob.
    async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError>;
    /// The version, none when there is no such blob. Whoever read a blob under the version that it has now need not read
    /// it again; puts, holds and containers' links leave it as it is.
    async fn version(&self, digest: &Digest) -> Result<Option<BlobVersion>, BlobError>;
    /// Pins a blob that is there and renews its age: for names made of blobs that somebody else put. None when there
    /// is no such blob.
    async fn hold(&self, digest: &Digest) -> Result<Option<Pin>, BlobError>;
    /// Blobs after this one, in order of digest. Whoever puts or removes meanwhile may or may not be seen.
    async fn list(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<BlobEntry>, BlobError>;
    /// Whether nobody else has taken these blobs meanwhile: asked before any is removed for want of a name.
    async fn is_owner(&self) -> Result<bool, BlobError> {
        Ok(true)
    }
    /// Removes a blob for its collector, unless it was touched after `before`; tells whether it is gone.
    async fn remove(&self, removal: &Removal, before: Timestamp) -> Result<bool, BlobError>;
    /// Puts a damaged blob aside, where nobody reads it: the same bytes put again are written anew.
    async fn set_aside(&self, removal: &Removal) -> Result<(), BlobError>;
    /// The pins of this process.
    fn pins(&self) -> &Pins;
    /// Removes a blob, named or not; removing one that is not there is fine.
    async fn delete(&self, digest: &Digest) -> Result<(), BlobError>;
    /// A local file with exactly these bytes that containers may be given by hard link or bind mount, where the
    /// store has one. Never write to it.
    async fn local_path(&self, digest: &Digest) -> Result<Option<PathBuf>, BlobError>;
    /// Whether [`BlobStore::local_path`] is the blob itself; elsewhere it is a copy that is fetched first.
    fn local_files(&self) -> bool {
        false
    }
}
