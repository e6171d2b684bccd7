//! Where the bytes are: in the data folder, or in the object store that the configuration names.
//!
//! INVARIANT: the store remembers where its blobs are. Another place is taken only when blobs that documents name are
//! there too, so that a slip in the configuration is told at the start rather than by objects without bytes; and a
//! place in an object store belongs to one data folder of one Stoa, whose collector would remove the blobs of another,
//! or of a copy. Whoever only looks (`stoa blobs verify`) writes neither here nor there.

use std::error::Error;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stoa_blob::{BlobStore, Digest};
use stoa_blob_fs::FsBlobs;
use stoa_store::{BlobName, Document, Key, Query, Store, Transaction};
use stoa_types::{AccountId, Clock, IdSource, uuid_v4};

use crate::config::Config;
use crate::data_dir::DataDir;

/// Blobs that are looked for in a new place.
const SAMPLE: usize = 100;
const LOCAL: &str = "the data folder";

/// What the opening does to a place in an object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nothing.
    Look,
    /// Takes it, where nobody has it or this folder has.
    Take,
    /// Takes it from another folder of this Stoa.
    TakeOver,
}

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

    fn cache_bytes(&self) -> u64 {
        self.0.cache_bytes
    }

    async fn open(
        &self,
        data_dir: &DataDir,
        stoa: &str,
        (folder, session): (String, String),
        claim: Claim,
    ) -> Result<Arc<dyn BlobStore>, Box<dyn Error>> {
        let claim = match claim {
            Claim::Look => stoa_blob_s3::Claim::Look,
            Claim::Take => stoa_blob_s3::Claim::Take,
            Claim::TakeOver => stoa_blob_s3::Claim::TakeOver,
        };
        let (stoa, place) = (stoa.to_owned(), data_dir.holder());
        let owner = stoa_blob_s3::Owner { stoa, folder, place, session };
        Ok(Arc::new(stoa_blob_s3::S3Blobs::open(&self.0, data_dir.path(), &owner, claim).await?))
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

    fn cache_bytes(&self) -> u64 {
        match *self {}
    }

    async fn open(
        &self,
        _: &DataDir,
        _: &str,
        _: (String, String),
        _: Claim,
    ) -> Result<Arc<dyn BlobStore>, Box<dyn Error>> {
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

fn place_in(config: &Config) -> String {
    config.blobs.as_ref().map_or(LOCAL.to_owned(), BlobUrl::place)
}

/// What blobs are opened with.
pub struct Opening<'a> {
    pub config: &'a Config,
    pub data_dir: &'a DataDir,
    pub store: &'a dyn Store,
    pub clock: &'a dyn Clock,
    pub ids: &'a dyn IdSource,
}

impl Opening<'_> {
    /// Opens them for a server, once the store's index of blobs is whole.
    pub async fn open(&self, claim: Claim) -> Result<Arc<dyn BlobStore>, Box<dyn Error>> {
        crate::blob_names::index(self.store, self.clock).await?;
        let before = self.noted_or_made().await?;
        let now = Place { place: place_in(self.config), ..before.clone() };
        if now != before {
            // Nobody takes a place that is then refused. Whoever takes over looks as no folder in particular.
            let folder = if claim == Claim::TakeOver { String::new() } else { self.data_dir.identity()? };
            moved(self.store, &*self.blobs(&now.owner, folder, Claim::Look).await?, &before, &now).await?;
        }
        let blobs = self.blobs(&now.owner, self.data_dir.identity()?, claim).await?;
        if now != before {
            let noted = self.store.get(&place_key()).await?.ok_or("the note of where blobs are is gone")?;
            self.store.commit(Transaction::new().update(noted.with_body(self.clock.now(), &now)?)).await?;
            tracing::info!(before = before.place, now = now.place, "blobs are in another place from now on");
        }
        if let Some(url) = &self.config.blobs {
            check_cache(self.store, url.cache_bytes()).await?;
        }
        Ok(blobs)
    }

    /// Opens them where the configuration says they are, and tells whether that is where they were last. Nothing is
    /// taken or written down.
    pub async fn look(&self) -> Result<(Arc<dyn BlobStore>, bool), Box<dyn Error>> {
        crate::blob_names::index(self.store, self.clock).await?;
        let noted = self.store.get(&place_key()).await?;
        let now = place_in(self.config);
        let Some(noted) = noted else {
            return Ok((self.blobs("", self.data_dir.identity()?, Claim::Look).await?, true));
        };
        let Place { owner, place } = noted.decode()?;
        Ok((self.blobs(&owner, self.data_dir.identity()?, Claim::Look).await?, now == place))
    }

    /// Where the blobs were last.
    pub async fn place_before(&self) -> Result<String, Box<dyn Error>> {
        let noted = self.store.get(&place_key()).await?;
        Ok(noted
            .map(|document| document.decode::<Place>())
            .transpose()?
            .map_or(LOCAL.to_owned(), |before| before.place))
    }

    async fn noted_or_made(&self) -> Result<Place, Box<dyn Error>> {
        if let Some(noted) = self.store.get(&place_key()).await? {
            return Ok(noted.decode()?);
        }
        // The owner is remembered before its name is anywhere else.
        let place = Place { owner: uuid_v4(self.ids), place: LOCAL.to_owned() };
        let note = Document::new(place_key(), "blob-place", self.clock.now(), &place)?;
        self.store.commit(Transaction::new().create(note)).await?;
        Ok(place)
    }

    async fn blobs(&self, owner: &str, folder: String, claim: Claim) -> Result<Arc<dyn BlobStore>, Box<dyn Error>> {
        match &self.config.blobs {
            None => Ok(Arc::new(FsBlobs::open(self.data_dir.path())?)),
            Some(url) => url.open(self.data_dir, owner, (folder, uuid_v4(self.ids)), claim).await,
        }
    }
}

/// Refuses a place that has not the blobs of the former one.
async fn moved(store: &dyn Store, blobs: &dyn BlobStore, before: &Place, now: &Place) -> Result<(), Box<dyn Error>> {
    let names = store.blob_names(&BlobName::before(""), SAMPLE).await?;
    let (looked, mut missing) = (names.len(), Vec::new());
    for name in names {
        let there = match Digest::parse(&name.digest) {
            Some(digest) => {
                let size = blobs.size(&digest).await;
                size.map_err(|error| format!("{} cannot be looked into: {}", now.place, stoa_work::chain(&error)))?
            }
            // Nothing has such a name.
            None => None,
        };
        if there.is_none() {
            missing.push(format!("{} of {} {}", name.digest, name.kind, name.id));
        }
    }
    let Some(first) = missing.first() else { return Ok(()) };
    let text = format!(
        "the blobs of this data folder were in {}, and {} has not all of them ({} of {looked} that were looked for are \
         missing, the first is {first}): copy them there first, see docs/operators/blobs.md",
        before.place,
        now.place,
        missing.len(),
    );
    Err(text.into())
}

/// Warns where a public model is larger than the local copies may be together: its containers fill the disk beyond the
/// bound, and fetch it anew each time.
async fn check_cache(store: &dyn Store, bytes: u64) -> Result<(), Box<dyn Error>> {
    #[derive(Deserialize)]
    struct File {
        size: u64,
    }
    #[derive(Deserialize)]
    struct Model {
        files: Vec<File>,
    }
    let mut query = Query::of("sagemaker:public-model").limit(500);
    let (mut largest, mut name) = (0, String::new());
    loop {
        let page = store.query(&query).await?;
        for document in &page.documents {
            let size = document.decode::<Model>()?.files.iter().map(|file| file.size).sum::<u64>();
            if size > largest {
                (largest, name) = (size, document.key.id.clone());
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    if largest > bytes {
        tracing::warn!(
            model = name,
            size = largest,
            cache = bytes,
            "cache_gib is smaller than the largest public model"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! What is refused, and that looking leaves no trace.

    use serde_json::json;
    use stoa_blob::put_bytes;
    use stoa_store::MemoryStore;
    use stoa_types::{FixedClock, SequentialIds, Timestamp};

    use super::*;

    #[tokio::test]
    async fn a_place_without_the_blobs_is_refused_by_name_and_looking_writes_nothing() {
        let clock = Arc::new(FixedClock::at(Timestamp::from_millis(0)));
        let store = MemoryStore::new(clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let config = Config::load(folder.path(), "127.0.0.1:0", &[], None, false).unwrap();
        let (data_dir, ids) = (DataDir::new(folder.path()).unwrap(), SequentialIds::default());
        let opening = Opening { config: &config, data_dir: &data_dir, store: &store, clock: &*clock, ids: &ids };
        assert!(opening.look().await.unwrap().1);
        assert!(store.get(&place_key()).await.unwrap().is_none(), "looking writes nothing");
        let blobs = opening.open(Claim::Take).await.unwrap();
        let there = put_bytes(&*blobs, "there").await.unwrap().digest;
        let named = |id: &str, digest: &str| {
            let key = Key { kind: "s3:object", account: AccountId::aws(), region: None, id: id.to_owned() };
            let document = Document::new(key, id, clock.now(), &json!({})).unwrap();
            Transaction::new().create(document.with_blobs([digest]))
        };
        store.commit(named("b/there", there.as_str())).await.unwrap();
        // As if they had been elsewhere before.
        let noted = store.get(&place_key()).await.unwrap().unwrap();
        let elsewhere = Place { place: "s3://b/p".to_owned(), ..noted.decode().unwrap() };
        store.commit(Transaction::new().update(noted.with_body(clock.now(), &elsewhere).unwrap())).await.unwrap();
        store.commit(named("b/gone", &"f".repeat(64))).await.unwrap();
        assert!(!opening.look().await.unwrap().1, "told, and not written");
        assert_eq!(opening.place_before().await.unwrap(), "s3://b/p");
        let told = opening.open(Claim::Take).await.err().unwrap().to_string();
        let wanted =
            format!("(1 of 2 that were looked for are missing, the first is {} of s3:object b/gone)", "f".repeat(64));
        assert!(told.contains("were in s3://b/p, and the data folder has not") && told.contains(&wanted), "{told}");
        assert_eq!(opening.place_before().await.unwrap(), "s3://b/p");
    }
}
