//! A document and its key.
//!
//! The rule of [`Document::schema`] (house rule 36): a service writes bodies of its newest form only, under that
//! form's number. It reads a body by its number: the newest is decoded as it is; an older one is converted one version
//! at a time, each by a function that knows two neighbouring forms and no others; a newer one is
//! [`StoreError::Corrupt`], never guessed at. Reading writes nothing back: a document takes the new form when it is
//! next written, so that the generation only ever moves for a reason. A field that is added with a default is no new
//! form. Each form has a fixture in the service's tests that must load for ever.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use stoa_types::{AccountId, Region, Timestamp};

use crate::StoreError;

/// What names a document: its kind, owner, region and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// `sagemaker:hub`, `iam:role`, `s3:object`: service and resource.
    pub kind: &'static str,
    /// The owning account.
    pub account: AccountId,
    /// The region; none for global resources (IAM).
    pub region: Option<Region>,
    /// Unique within the rest: a name, or `parent/name` where names are unique only within a parent.
    pub id: String,
}

/// A versioned document with its promoted index fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What names it.
    pub key: Key,
    /// The id of the parent, for listing children (`hub` of a content, `bucket` of an object).
    pub parent: Option<String>,
    /// The name that is listed, sorted by and filtered on.
    pub name: String,
    /// The lifecycle status, for filters and reconcilers.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub modified: Timestamp,
    /// One for a new document, one more with every write. Set by the store.
    pub generation: u64,
    /// The version of the body's form (house rule 36).
    pub schema: u32,
    /// The typed shape as JSON. Whoever changes it in place must not have called [`Document::decoded`] before.
    pub body: Arc<str>,
    /// The digests of the blobs that the body names, sorted, each once. INVARIANT: a blob that no document has here is
    /// nobody's, and will be removed: whoever writes a digest into a body writes it here too.
    pub blobs: Vec<String>,
    /// The body once it was decoded, for documents that are read often.
    pub memo: Memo,
}

/// That a document names a blob.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobName {
    /// The blob's SHA-256, lower-case hex.
    pub digest: String,
    /// The document's kind.
    pub kind: String,
    /// Its account.
    pub account: String,
    /// Its region, empty for none.
    pub region: String,
    /// Its id.
    pub id: String,
}

impl BlobName {
    /// A place before every name of this blob, and behind every name of smaller digests.
    pub fn before(digest: &str) -> BlobName {
        let empty = String::new;
        BlobName { digest: digest.to_owned(), kind: empty(), account: empty(), region: empty(), id: empty() }
    }
    /// A place behind every name of this blob, and before every name of greater digests.
    pub fn behind(digest: &str) -> BlobName {
        BlobName { kind: char::MAX.to_string(), ..BlobName::before(digest) }
    }
    /// The name that this document gives this blob.
    pub fn of(key: &Key, digest: &str) -> BlobName {
        BlobName {
            digest: digest.to_owned(),
            kind: key.kind.to_owned(),
            account: key.account.to_string(),
            region: key.region.as_ref().map_or("", Region::as_str).to_owned(),
            id: key.id.clone(),
        }
    }
}

/// A decoded body. No part of what a document is: all are equal, and a clone is empty.
#[derive(Default)]
pub struct Memo(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Clone for Memo {
    fn clone(&self) -> Memo {
        Memo::default()
    }
}

impl PartialEq for Memo {
    fn eq(&self, _: &Memo) -> bool {
        true
    }
}

impl Eq for Memo {}

impl fmt::Debug for Memo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Memo")
    }
}

impl Document {
    /// A new document (generation 0: the store sets it) from a typed body.
    pub fn new<T: Serialize>(key: Key, name: &str, now: Timestamp, body: &T) -> Result<Document, StoreError> {
        Ok(Document {
            key,
            parent: None,
            name: name.to_owned(),
            status: String::new(),
            created: now,
            modified: now,
            generation: 0,
            schema: 1,
            body: encode(body)?,
            blobs: Vec::new(),
            memo: Memo::default(),
        })
    }
    /// Sets the parent.
    #[must_use]
    pub fn with_parent(mut self, parent: &str) -> Document {
        self.parent = Some(parent.to_owned());
        self
    }
    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: &str) -> Document {
        self.status = status.to_owned();
        self
    }
    /// Sets the digests of the blobs that the body names.
    #[must_use]
    pub fn with_blobs<T: Into<String>>(mut self, digests: impl IntoIterator<Item = T>) -> Document {
        self.blobs = digests.into_iter().map(Into::into).collect();
        self.blobs.sort_unstable();
        self.blobs.dedup();
        self
    }
    /// The same document with a new body, to be written back at its generation. It names the same blobs: a body that
    /// names others wants [`Document::with_blobs`] too.
    pub fn with_body<T: Serialize>(&self, now: Timestamp, body: &T) -> Result<Document, StoreError> {
        Ok(Document { modified: now, body: encode(body)?, ..self.clone() })
    }
    /// The typed body.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_str(&self.body).map_err(|cause| StoreError::corrupt(&self.key, cause))
    }
    /// The typed body, decoded once for all who share the document.
    pub fn decoded<T: DeserializeOwned + Any + Send + Sync>(&self) -> Result<Arc<T>, StoreError> {
        if let Some(memo) = self.memo.0.get().and_then(|memo| Arc::clone(memo).downcast().ok()) {
            return Ok(memo);
        }
        let made = Arc::new(self.decode::<T>()?);
        // Another may have been faster, or knows the body as another type: either is as good.
        let _ = self.memo.0.set(made.clone());
        Ok(made)
    }
}

fn encode<T: Serialize>(body: &T) -> Result<Arc<str>, StoreError> {
    serde_json::to_string(body).map(Arc::from).map_err(StoreError::encoding)
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = self.region.as_ref().map_or("", Region::as_str);
        write!(formatter, "{}/{}/{region}/{}", self.kind, self.account, self.id)
    }
}
