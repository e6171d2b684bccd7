//! What an account leaves behind in KMS: its keys, with their aliases, grants and tags. What others encrypted under them
//! is lost, as it is when a key is deleted.

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::DeleteAccountData;
use stoa_store::Query;
use stoa_types::AccountId;

use crate::Kms;
use crate::error::store_failed;
use crate::state::{KeyRecord, Loaded, kind};

const BATCH: usize = 100;

#[async_trait]
impl DeleteAccountData for Kms {
    async fn delete_account_data(&self, account: &AccountId) -> Result<(), ApiError> {
        loop {
            let mut query = Query::of(kind::KEY).limit(BATCH);
            query.account = Some(account.clone());
            let page = self.store.query(&query).await.map_err(store_failed)?;
            if page.documents.is_empty() {
                return Ok(());
            }
            for document in page.documents {
                let record: KeyRecord = document.decode().map_err(store_failed)?;
                self.erase(&Loaded { document, record }).await?;
            }
        }
    }
}
