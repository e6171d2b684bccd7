//! What an account leaves behind in RAM: its shares with the invitations to them, its permissions, what it was invited to.
//! Shares of others keep naming it: its number is not given again.

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::DeleteAccountData;
use stoa_store::{Expect, Query, Transaction};
use stoa_types::AccountId;

use crate::Ram;
use crate::error::store_failed;
use crate::state::{PermissionRecord, ShareRecord, kind, regional};

#[async_trait]
impl DeleteAccountData for Ram {
    async fn delete_account_data(&self, account: &AccountId) -> Result<(), ApiError> {
        for document in self.all(Query::of(kind::SHARE).owned_by(account, None)).await? {
            let share: ShareRecord = document.decode().map_err(store_failed)?;
            let mut transaction =
                Transaction::new().delete(document.key.clone(), Expect::Any).set_tags(&share.arn, Vec::new());
            let names = share.principals.values().filter_map(|association| association.invitation.as_ref());
            for (name, region) in names.zip(document.key.region.iter().cycle()) {
                let key = regional(kind::INVITATION, &name.receiver, region, &name.id);
                transaction = transaction.delete(key, Expect::Any);
            }
            self.parts.store.commit(transaction).await.map_err(store_failed)?;
        }
        for document in self.all(Query::of(kind::PERMISSION).owned_by(account, None)).await? {
            let permission: PermissionRecord = document.decode().map_err(store_failed)?;
            let transaction =
                Transaction::new().delete(document.key.clone(), Expect::Any).set_tags(&permission.arn, Vec::new());
            self.parts.store.commit(transaction).await.map_err(store_failed)?;
        }
        for plain in [kind::INVITATION, kind::REPLACEMENT] {
            for document in self.all(Query::of(plain).owned_by(account, None)).await? {
                let transaction = Transaction::new().delete(document.key.clone(), Expect::Any);
                self.parts.store.commit(transaction).await.map_err(store_failed)?;
            }
        }
        Ok(())
    }
}
