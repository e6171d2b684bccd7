//! A user's new name or path: one transaction over everything that names the user.
//!
//! The unique id stays, and with it what was recorded of the user's doings. Access keys, MFA devices and groups go along; sessions
//! that were made under the old name end. ARNs written in policies are not touched, as at AWS.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::UpdateUserRequest;
use stoa_schema::Empty;
use stoa_store::{Document, Expect, StoreError, Transaction};
use stoa_types::AccountId;

use super::{taken, user_arn};
use crate::Iam;
use crate::error::store_failed;
use crate::holder::{ATTEMPTS, busy};
use crate::state::{
    AccessKeyRecord, Loaded, MfaRecord, UserRecord, key_key, key_owner, kind, load, tag_list, user_key,
};

impl Iam {
    async fn renamed_user(
        &self,
        account: &AccountId,
        mut user: Loaded<UserRecord>,
        input: &UpdateUserRequest,
    ) -> Result<Transaction, ApiError> {
        let now = self.clock.now();
        let old_arn = user.record.arn.clone();
        let record = &mut user.record;
        record.name = input.new_user_name.clone().unwrap_or_else(|| record.name.clone());
        record.path = input.new_path.clone().unwrap_or_else(|| record.path.clone());
        record.arn = user_arn(account, &record.path, &record.name);
        let user = user;
        let key = user_key(account, &user.record.name);
        let changed = Document { name: user.record.name.clone(), ..user.changed(now)? };
        let mut transaction = if key == user.document.key {
            Transaction::new().update(changed)
        } else {
            let expect = Expect::Generation(user.document.generation);
            Transaction::new()
                .create(Document { key, generation: 0, ..changed })
                .delete(user.document.key.clone(), expect)
        };
        if input.new_user_name.is_some() {
            transaction = self.renamed_keys(transaction, account, &user.record).await?;
            transaction = self.renamed_devices(transaction, account, &user.record).await?;
        }
        if user.record.arn != old_arn {
            let tags = tag_list(&user.record.tags);
            transaction = transaction.set_tags(&old_arn, Vec::new()).set_tags(&user.record.arn, tags);
        }
        Ok(transaction)
    }

    /// The keys of a user, under the user's new name.
    async fn renamed_keys(
        &self,
        mut transaction: Transaction,
        account: &AccountId,
        user: &UserRecord,
    ) -> Result<Transaction, ApiError> {
        for id in &user.access_keys {
            let Some(mut key) = load::<AccessKeyRecord>(&*self.store, &key_key(id)).await? else { continue };
            key.record.user = Some(user.name.clone());
            let document = key.changed(key.document.modified)?.with_parent(&key_owner(account, Some(&user.name)));
            transaction = transaction.update(document);
        }
        Ok(transaction)
    }

    /// The MFA devices of a user, under the user's new name.
    async fn renamed_devices(
        &self,
        mut transaction: Transaction,
        account: &AccountId,
        user: &UserRecord,
    ) -> Result<Transaction, ApiError> {
        for serial in &user.mfa_devices {
            let mut device = self.entity::<MfaRecord>(account, serial).await?;
            device.record.user = Some(user.name.clone());
            transaction = transaction.update(device.changed(device.document.modified)?);
        }
        Ok(transaction)
    }
}

impl Handles<op::UpdateUser> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateUserRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        for _ in 0..ATTEMPTS {
            let user = self.holder::<UserRecord>(account, &input.user_name).await?;
            let own_key = user.document.key.clone();
            let transaction = self.renamed_user(account, user, &input).await?;
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(Empty {}),
                Err(StoreError::Conflict { key, found: Some(_) }) if key.kind == kind::USER && *key != own_key => {
                    return Err(taken(input.new_user_name.as_deref().unwrap_or_default()));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(busy::<UserRecord>(&input.user_name))
    }
}
