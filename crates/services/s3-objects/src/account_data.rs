//! What an account leaves behind in S3: its buckets with everything in them. Bytes stay as blobs without a name.

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::DeleteAccountData;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::AccountId;

use crate::documents::{BUCKET, Bucket, MARKER, OBJECT, VERSION};
use crate::service::{S3Objects, store_failed};

/// Documents removed in one transaction.
const BATCH: usize = 500;

#[async_trait]
impl DeleteAccountData for S3Objects {
    async fn delete_account_data(&self, account: &AccountId) -> Result<(), ApiError> {
        loop {
            let query = Query::of(BUCKET).children_of(account.as_str()).limit(BATCH);
            let page = self.store.query(&query).await.map_err(store_failed)?;
            if page.documents.is_empty() {
                return Ok(());
            }
            for document in page.documents {
                self.delete_with_contents(Bucket::of(document).map_err(store_failed)?).await?;
            }
        }
    }
}

impl S3Objects {
    /// Objects first, the bucket last: a later call finishes what a crash leaves. The account's credentials do not work
    /// any more, so nobody writes behind this.
    async fn delete_with_contents(&self, bucket: Bucket) -> Result<(), ApiError> {
        for kind in [VERSION, MARKER, OBJECT] {
            let objects = Query::of(kind).owned_by(&bucket.owner, None).children_of(bucket.name()).limit(BATCH);
            loop {
                let page = self.store.query(&objects).await.map_err(store_failed)?;
                if page.documents.is_empty() {
                    break;
                }
                self.remove_all(&page.documents).await?;
            }
        }
        self.forget_uploads(&bucket).await?;
        let key = bucket.document.key.clone();
        self.store.commit(Transaction::new().delete(key, Expect::Any)).await.map_err(store_failed)
    }

    async fn remove_all(&self, documents: &[std::sync::Arc<Document>]) -> Result<(), ApiError> {
        let mut transaction = Transaction::new();
        for document in documents {
            transaction = transaction.delete(document.key.clone(), Expect::Any);
        }
        self.store.commit(transaction).await.map_err(store_failed)
    }
}
