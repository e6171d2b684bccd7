//! Stored buckets as an [`ObjectSource`], and several sources as one.

use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ports::{ObjectEntry, ObjectSource};
use stoa_kernel::{ApiError, Cx};
use stoa_store::{Position, Query, SortValue};
use stoa_types::AccountId;

use crate::documents::{OBJECT, object_key, object_record};
use crate::service::{S3Objects, store_failed};

/// Sorts after every account, so that a position with it lies after all documents of its name.
pub(crate) const LAST: &str = "\u{10ffff}";

#[async_trait]
impl ObjectSource for S3Objects {
    async fn bucket_owner(&self, bucket: &str) -> Result<Option<AccountId>, ApiError> {
        Ok(self.stored(bucket).await?.map(|bucket| bucket.owner))
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Option<ObjectEntry>, ApiError> {
        let Some(bucket) = self.stored(bucket).await? else { return Ok(None) };
        let found = self.store.get(&object_key(&bucket.owner, bucket.name(), key)).await.map_err(store_failed)?;
        let record = found.map(|document| object_record(&document)).transpose().map_err(store_failed)?;
        Ok(record.map(|record| record.entry))
    }

    async fn objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError> {
        let Some(bucket) = self.stored(bucket).await? else { return Ok(Vec::new()) };
        let mut query = Query::of(OBJECT).owned_by(&bucket.owner, None).children_of(bucket.name()).limit(limit);
        if !prefix.is_empty() {
            query.name_prefix = Some(prefix.to_owned());
        }
        if let Some(after) = after {
            let position = Position(SortValue::Text(after.to_owned()), LAST.to_owned(), String::new(), String::new());
            query.after = Some(position.encode().map_err(store_failed)?);
        }
        let page = self.store.query(&query).await.map_err(store_failed)?;
        let entry = |document: &Arc<stoa_store::Document>| object_record(document).map(|record| record.entry);
        page.documents.iter().map(entry).collect::<Result<_, _>>().map_err(store_failed)
    }

    async fn check_read(&self, _cx: &Cx, _bucket: &str, _key: &str) -> Result<(), ApiError> {
        // Stored buckets have no rule beyond IAM's.
        Ok(())
    }
}

/// Asks each source in turn; the first that has the bucket answers.
pub struct CombinedSource(Vec<Arc<dyn ObjectSource>>);

impl std::fmt::Debug for CombinedSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("CombinedSource").field(&self.0.len()).finish()
    }
}

impl CombinedSource {
    /// These sources, in order.
    pub fn new(sources: Vec<Arc<dyn ObjectSource>>) -> CombinedSource {
        CombinedSource(sources)
    }

    async fn of(&self, bucket: &str) -> Result<Option<(&Arc<dyn ObjectSource>, AccountId)>, ApiError> {
        for source in &self.0 {
            if let Some(owner) = source.bucket_owner(bucket).await? {
                return Ok(Some((source, owner)));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl ObjectSource for CombinedSource {
    async fn bucket_owner(&self, bucket: &str) -> Result<Option<AccountId>, ApiError> {
        Ok(self.of(bucket).await?.map(|(_, owner)| owner))
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Option<ObjectEntry>, ApiError> {
        match self.of(bucket).await? {
            Some((source, _)) => source.object(bucket, key).await,
            None => Ok(None),
        }
    }

    async fn objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError> {
        match self.of(bucket).await? {
            Some((source, _)) => source.objects(bucket, prefix, after, limit).await,
            None => Ok(Vec::new()),
        }
    }

    async fn check_read(&self, cx: &Cx, bucket: &str, key: &str) -> Result<(), ApiError> {
        match self.of(bucket).await? {
            Some((source, _)) => source.check_read(cx, bucket, key).await,
            None => Ok(()),
        }
    }

    async fn reader(&self, cx: &Cx) -> Result<Option<Cx>, ApiError> {
        for source in &self.0 {
            if let Some(reader) = source.reader(cx).await? {
                return Ok(Some(reader));
            }
        }
        Ok(None)
    }
}
