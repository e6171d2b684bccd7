//! A page of a bucket's versions: keys in byte order, of each key the newest version first.
//!
//! Three kinds of documents are read side by side, each in the order of the index; a rolled-up prefix is passed by one
//! seek in each.

use std::collections::VecDeque;
use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_kernel::ports::{ListObjects, ListVersions, VersionEntry, VersionListing, rolled_up};
use stoa_store::{Document, Position, Query, SortValue};

use crate::documents::{Bucket, MARKER, NULL, OBJECT, VERSION, object_record, version_key};
use crate::listing;
use crate::service::{S3Objects, no_such_bucket, store_failed};
use crate::source::LAST;
use crate::versions::{Found, order_in};

/// Documents read at once.
const CHUNK: usize = 250;

/// One kind of documents, from a position on.
pub(crate) struct Cursor<'s> {
    service: &'s S3Objects,
    query: Query,
    read: VecDeque<Arc<Document>>,
    ended: bool,
}

impl<'s> Cursor<'s> {
    pub fn new(service: &'s S3Objects, bucket: &Bucket, kind: &'static str, prefix: &str) -> Cursor<'s> {
        let mut query = Query::of(kind).owned_by(&bucket.owner, None).children_of(bucket.name()).limit(CHUNK);
        query.name_prefix = Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty());
        Cursor { service, query, read: VecDeque::new(), ended: false }
    }

    fn start_after(&mut self, position: &Position) -> Result<(), ApiError> {
        self.query.after = Some(position.encode().map_err(store_failed)?);
        self.read.clear();
        self.ended = false;
        Ok(())
    }

    /// Goes on behind all documents of names up to this one.
    fn pass(&mut self, name: &str) -> Result<(), ApiError> {
        while self.read.front().is_some_and(|next| next.name.as_str() <= name) {
            self.read.pop_front();
        }
        if !self.read.is_empty() || self.ended {
            return Ok(());
        }
        self.start_after(&Position(SortValue::Text(name.to_owned()), LAST.to_owned(), String::new(), String::new()))
    }

    pub async fn peek(&mut self) -> Result<Option<&Arc<Document>>, ApiError> {
        if self.read.is_empty() && !self.ended {
            let page = self.service.store.query(&self.query).await.map_err(store_failed)?;
            self.ended = page.next.is_none();
            self.query.after = page.next;
            self.read.extend(page.documents);
        }
        Ok(self.read.front())
    }

    pub async fn next(&mut self) -> Result<Option<Arc<Document>>, ApiError> {
        self.peek().await?;
        Ok(self.read.pop_front())
    }

    /// The next document, if it is of this name.
    pub async fn next_of(&mut self, name: &str) -> Result<Option<Arc<Document>>, ApiError> {
        match self.peek().await? {
            Some(next) if next.name == name => self.next().await,
            _ => Ok(None),
        }
    }
}

/// The versions of a bucket from a position on.
struct Walk<'s> {
    objects: Cursor<'s>,
    markers: Cursor<'s>,
    older: Cursor<'s>,
}

impl Walk<'_> {
    async fn key(&mut self) -> Result<Option<String>, ApiError> {
        let mut least: Option<String> = None;
        for cursor in [&mut self.objects, &mut self.markers, &mut self.older] {
            if let Some(next) = cursor.peek().await?
                && least.as_ref().is_none_or(|least| next.name < *least)
            {
                least = Some(next.name.clone());
            }
        }
        Ok(least)
    }

    fn pass(&mut self, name: &str) -> Result<(), ApiError> {
        for cursor in [&mut self.objects, &mut self.markers, &mut self.older] {
            cursor.pass(name)?;
        }
        Ok(())
    }

    /// The next version of this key, newest first.
    async fn next_of(&mut self, key: &str) -> Result<Option<Found>, ApiError> {
        for cursor in [&mut self.objects, &mut self.markers, &mut self.older] {
            if let Some(document) = cursor.next_of(key).await? {
                return Found::of(document).map(Some).map_err(store_failed);
            }
        }
        Ok(None)
    }

    /// Goes to where the page begins: behind a key, or within it behind a version.
    async fn begin(
        &mut self,
        service: &S3Objects,
        bucket: &Bucket,
        (key, version): (&str, Option<&str>),
    ) -> Result<(), ApiError> {
        let order = match version {
            None => return self.pass(key),
            // One that is gone by now: the key is shown again rather than passed by.
            Some(NULL) => service.version(bucket, key, NULL).await?.map_or(u64::MAX, |found| found.version.order),
            Some(id) => {
                order_in(id).ok_or_else(|| ApiError::new("InvalidArgument", 400, "Invalid version id specified"))?
            }
        };
        // Was the version of the marker removed since, an older one is the newest now and still to be shown.
        let before = Position(SortValue::Text(key.to_owned()), String::new(), String::new(), String::new());
        for cursor in [&mut self.objects, &mut self.markers] {
            cursor.start_after(&before)?;
            let newest = cursor.peek().await?.filter(|newest| newest.name == key).cloned();
            if let Some(newest) = newest
                && Found::of(newest).map_err(store_failed)?.version.order >= order
            {
                cursor.next().await?;
            }
        }
        let last = version_key(&bucket.owner, bucket.name(), key, order);
        let account = bucket.owner.to_string();
        self.older.start_after(&Position(SortValue::Text(key.to_owned()), account, String::new(), last.id))
    }
}

fn entry(found: &Found) -> Result<VersionEntry, ApiError> {
    let object = match found.marker {
        true => None,
        false => {
            let record = object_record(&found.document).map_err(store_failed)?;
            Some((record.entry, record.attributes.storage_class))
        }
    };
    Ok(VersionEntry {
        key: found.document.name.clone(),
        version: found.version.shown().to_owned(),
        latest: found.document.key.kind != VERSION,
        modified: found.document.modified,
        object,
    })
}

/// Lists the versions of a stored bucket.
pub(crate) async fn list(
    service: &S3Objects,
    bucket: &Bucket,
    list: &ListVersions,
) -> Result<VersionListing, ApiError> {
    let mut listing = VersionListing::default();
    if list.limit == 0 {
        return Ok(listing);
    }
    let cursor = |kind| Cursor::new(service, bucket, kind, &list.prefix);
    let mut walk = Walk { objects: cursor(OBJECT), markers: cursor(MARKER), older: cursor(VERSION) };
    if let Some((key, version)) = &list.after {
        walk.begin(service, bucket, (key, version.as_deref())).await?;
        if of_list(key, list) == Some(key) {
            // The last page ended with this prefix.
            walk.pass(&format!("{key}{LAST}"))?;
        }
    }
    let mut last = None;
    while let Some(key) = walk.key().await? {
        if let Some(prefix) = of_list(&key, list) {
            if listing.entries.len() + listing.prefixes.len() == list.limit {
                listing.next = last;
                return Ok(listing);
            }
            walk.pass(&format!("{prefix}{LAST}"))?;
            listing.prefixes.push(prefix.to_owned());
            last = Some((prefix.to_owned(), None));
            continue;
        }
        while let Some(found) = walk.next_of(&key).await? {
            if listing.entries.len() + listing.prefixes.len() == list.limit {
                listing.next = last;
                return Ok(listing);
            }
            last = Some((key.clone(), Some(found.version.shown().to_owned())));
            listing.entries.push(entry(&found)?);
        }
    }
    Ok(listing)
}

fn of_list<'k>(key: &'k str, list: &ListVersions) -> Option<&'k str> {
    rolled_up(key, &list.prefix, &list.delimiter)
}

/// A derived bucket keeps no versions: its objects are all `null` and the newest.
pub(crate) async fn of_derived(service: &S3Objects, list: &ListVersions) -> Result<VersionListing, ApiError> {
    let (source, _) = service.derived(&list.bucket).await?.ok_or_else(no_such_bucket)?;
    let objects = ListObjects {
        bucket: list.bucket.clone(),
        prefix: list.prefix.clone(),
        delimiter: list.delimiter.clone(),
        after: list.after.as_ref().map(|(key, _)| key.clone()),
        limit: list.limit,
    };
    let page = listing::list(&**source, &objects).await?;
    let entry = |entry: stoa_kernel::ports::ObjectEntry| VersionEntry {
        key: entry.key.clone(),
        version: NULL.to_owned(),
        latest: true,
        modified: entry.last_modified,
        object: Some((entry, None)),
    };
    Ok(VersionListing {
        entries: page.objects.into_iter().map(entry).collect(),
        prefixes: page.prefixes,
        next: page.next.map(|next| (next, None)),
    })
}
