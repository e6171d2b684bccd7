//! Where the bytes are: in the data folder, or in the object store that the configuration names.
//!
//! INVARIANT: the store remembers where its blobs are. Another place is taken only when blobs that documents name are
//! there too, so that a slip in the configuration is told at the start rather than by objects without bytes; and a
//! place in an object store belongs to one Stoa, whose collector would remove another's blobs.

use std::error::Error;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stoa_blob::{BlobStore, Digest};
use stoa_blob_fs::FsBlobs;
use stoa_store::{BlobName, Document, Key, Store, Transaction};
use stoa_types::{AccountId, Clock, IdSource, uuid_v4};

use crate::config::Config;
use crate::data_dir::DataDir;

/// Blobs that are looked for in a new place.
const SAMPLE: usize = 100;
const LOCAL: &str = "the data folder";

/// A place other than the data folder.
#[cfg(feature = "blob-s3")]
#[derive(Debug, Clone)]
pub struct BlobUrl(stoa_blob_s3::S3Settings);

#[cfg(feature = "blob-s3")]
impl BlobUrl {
    /// Reads it; an error says what is wrong.
    pub fn parse(url: &str) -> Result<BlobUrl, String> {
        stoa_blob_s3::S3Settings::parse(url).map(BlobUrl)
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.0.bucket, self.0.prefix)
    }

    async fn open(&self, data_dir: &DataDir, owner: &str) -> Result<Arc<dyn BlobStore>, Box<dyn Error>> {
        Ok(Arc::new(stoa_blob_s3::S3Blobs::open(&self.0, data_dir.path(), owner).await?))
    }
}

/// There is none in this binary.
#[cfg(not(feature = "blob-s3"))]
#[derive(Debug, Clone)]
pub enum BlobUrl {}

#[cfg(not(feature = "blob-s3"))]
impl BlobUrl {
    /// Refuses.
    pub fn parse(_: &str) -> Result<BlobUrl, String> {
        Err("this binary was built without the feature blob-s3".to_owned())
    }

    fn place(&self) -> String {
        match *self {}
    }

    async fn open(&self, _: &DataDir, _: &str) -> Result<Arc<dyn BlobStore>, Box<dyn Error>> {
        match *self {}
    }
}

/// What the store remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// This Stoa, among those whose blobs are in object stores.
    owner: String,
    place: String,
}

fn place_key() -> Key {
    Key { kind: "stoa:note", account: AccountId::aws(), region: None, id: "blob-place".to_owned() }
}

/// Opens it, once the store's index of blobs is whole.
pub async fn open(
    config: &Config,
    data_dir: &DataDir,
    store: &dyn Store,
    clock: &dyn Clock,
    ids: &dyn IdSource,
) -> Result<Arc<dyn BlobStore>, Box<dyn Error>> {
    crate::blob_names::index(store, clock).await?;
    let noted = store.get(&place_key()).await?;
    let before = match &noted {
        Some(document) => document.decode()?,
        None => Place { owner: uuid_v4(ids), place: LOCAL.to_owned() },
    };
    let now = Place { place: config.blobs.as_ref().map_or(LOCAL.to_owned(), BlobUrl::place), ..before.clone() };
    if noted.is_none() {
        // The owner is remembered before its name is anywhere else.
        let note = Document::new(place_key(), "blob-place", clock.now(), &before)?;
        store.commit(Transaction::new().create(note)).await?;
    }
    let blobs: Arc<dyn BlobStore> = match &config.blobs {
        None => Arc::new(FsBlobs::open(data_dir.path())?),
        Some(url) => url.open(data_dir, &now.owner).await?,
    };
    if now != before {
        moved(store, &*blobs, &before, &now).await?;
        let noted = store.get(&place_key()).await?.ok_or("the note of where blobs are is gone")?;
        store.commit(Transaction::new().update(noted.with_body(clock.now(), &now)?)).await?;
        tracing::info!(before = before.place, now = now.place, "blobs are in another place from now on");
    }
    Ok(blobs)
}

/// Refuses a place that has not the blobs of the former one.
async fn moved(store: &dyn Store, blobs: &dyn BlobStore, before: &Place, now: &Place) -> Result<(), Box<dyn Error>> {
    let names = store.blob_names(&BlobName::before(""), SAMPLE).await?;
    for name in names {
        let digest = Digest::parse(&name.digest).ok_or("a document names a blob that is no digest")?;
        if blobs.size(&digest).await?.is_none() {
            let text = format!(
                "the blobs of this data folder are in {}, and {} has not all of them ({} is missing): copy them there \
                 first, see docs/operators/blobs.md",
                before.place,
                now.place,
                digest.as_str()
            );
            return Err(text.into());
        }
    }
    Ok(())
}
