//! Access keys of users and of the root user; and the alias of the account.

mod alias;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AccessKey, AccessKeyLastUsed, AccessKeyMetadata, CreateAccessKeyRequest, CreateAccessKeyResponse,
    DeleteAccessKeyRequest, GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse, ListAccessKeysRequest,
    ListAccessKeysResponse, StatusType, UpdateAccessKeyRequest,
};
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Transaction};
use stoa_types::AccountId;

use crate::Iam;
use crate::error::{invalid_input, limit_exceeded, no_such_entity, store_failed};
use crate::paging::Paging;
use crate::state::{AccessKeyRecord, Loaded, UserRecord, key_key, key_owner, kind, load};
use crate::usage::use_key;

pub(crate) const MAX_KEYS: usize = 2;
/// What `UserName` says of the root user's keys, which have none.
const ROOT_USER: &str = "root";

impl Iam {
    async fn own_key(
        &self,
        account: &AccountId,
        user: Option<&str>,
        id: &str,
    ) -> Result<Loaded<AccessKeyRecord>, ApiError> {
        let found = load::<AccessKeyRecord>(&*self.store, &key_key(id)).await?;
        let own = found.filter(|key| key.record.account == *account && key.record.user.as_deref() == user);
        own.ok_or_else(|| no_such_entity(format!("The Access Key with id {id} cannot be found.")))
    }

    pub(crate) async fn keys_of(
        &self,
        account: &AccountId,
        user: Option<&str>,
    ) -> Result<Vec<AccessKeyRecord>, ApiError> {
        let documents = self.all_with_parent(kind::ACCESS_KEY, &key_owner(account, user)).await?;
        documents.iter().map(|document| document.decode().map_err(store_failed)).collect()
    }
}

fn status(active: bool) -> StatusType {
    if active { StatusType::Active } else { StatusType::Inactive }
}

fn quota() -> ApiError {
    limit_exceeded(format!("Cannot exceed quota for AccessKeysPerUser: {MAX_KEYS}"))
}

impl Handles<op::CreateAccessKey> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateAccessKeyRequest>,
    ) -> Result<CreateAccessKeyResponse, ApiError> {
        let account = self.account(cx);
        let user = self.named_or_calling_user(cx, input.user_name.as_deref())?;
        let key = self.new_key(account, user.as_deref(), cx.now)?;
        let mut transaction = Transaction::new().create(key.document);
        // The owner's document is written too, so that two calls at once cannot pass the quota together.
        match &user {
            Some(name) => {
                let mut owner = self.holder::<UserRecord>(account, name).await?;
                if owner.record.access_keys.len() >= MAX_KEYS {
                    return Err(quota());
                }
                owner.record.access_keys.push(key.id.clone());
                transaction = transaction.update(owner.changed(cx.now)?);
            }
            None => {
                if self.keys_of(account, None).await?.len() >= MAX_KEYS {
                    return Err(quota());
                }
                let owner = self.load_account(account).await?;
                transaction = transaction.update(owner.changed(cx.now)?);
            }
        }
        self.commit(transaction).await?;
        Ok(CreateAccessKeyResponse {
            access_key: AccessKey {
                user_name: user.unwrap_or_else(|| ROOT_USER.to_owned()),
                access_key_id: key.id,
                status: StatusType::Active,
                secret_access_key: key.secret.expose().to_owned(),
                create_date: Some(cx.now),
            },
        })
    }
}

impl Handles<op::ListAccessKeys> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListAccessKeysRequest>,
    ) -> Result<ListAccessKeysResponse, ApiError> {
        let account = self.account(cx);
        let user = self.named_or_calling_user(cx, input.user_name.as_deref())?;
        if let Some(name) = &user {
            self.holder::<UserRecord>(account, name).await?;
        }
        let paging = Paging {
            scope: format!("ListAccessKeys/{}", user.as_deref().unwrap_or_default()),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let keys = self.keys_of(account, user.as_deref()).await?;
        let metadata = |key: AccessKeyRecord| {
            let item = AccessKeyMetadata {
                user_name: key.user.or_else(|| Some(ROOT_USER.to_owned())),
                access_key_id: Some(key.id.clone()),
                status: Some(status(key.active)),
                create_date: Some(key.created),
            };
            (key.id, item)
        };
        let page = self.page_of_list(cx, &paging, keys.into_iter().map(metadata).collect())?;
        Ok(ListAccessKeysResponse {
            is_truncated: page.truncated(),
            access_key_metadata: page.items,
            marker: page.marker,
        })
    }
}

impl Handles<op::UpdateAccessKey> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateAccessKeyRequest>) -> Result<Empty, ApiError> {
        let user = self.named_or_calling_user(cx, input.user_name.as_deref())?;
        let mut key = self.own_key(self.account(cx), user.as_deref(), &input.access_key_id).await?;
        key.record.active = match input.status {
            StatusType::Active => true,
            StatusType::Inactive => false,
            StatusType::Expired => return Err(invalid_input("An access key is set to Active or Inactive.")),
        };
        key.record.changed = Some(cx.now);
        let document = key.changed(cx.now)?.with_status(input.status.as_str());
        self.commit(Transaction::new().update(document)).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DeleteAccessKey> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteAccessKeyRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let user = self.named_or_calling_user(cx, input.user_name.as_deref())?;
        let key = self.own_key(account, user.as_deref(), &input.access_key_id).await?;
        let mut transaction = Transaction::new()
            .delete(key.document.key.clone(), Expect::Generation(key.document.generation))
            .delete(use_key(&key.record.id), Expect::Any);
        if let Some(name) = &user {
            let mut owner = self.holder::<UserRecord>(account, name).await?;
            owner.record.access_keys.retain(|id| *id != key.record.id);
            let document: Document = owner.changed(cx.now)?;
            transaction = transaction.update(document);
        }
        self.commit(transaction).await?;
        Ok(Empty {})
    }
}

impl Handles<op::GetAccessKeyLastUsed> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetAccessKeyLastUsedRequest>,
    ) -> Result<GetAccessKeyLastUsedResponse, ApiError> {
        let id = &input.access_key_id;
        let found = load::<AccessKeyRecord>(&*self.store, &key_key(id)).await?;
        let own = found.filter(|key| key.record.account == *self.account(cx));
        let key = own.ok_or_else(|| no_such_entity(format!("The Access Key with id {id} cannot be found.")))?;
        let access_key_last_used = match self.key_use(id).await? {
            Some(last) => {
                AccessKeyLastUsed { last_used_date: Some(last.at), service_name: last.service, region: last.region }
            }
            None => {
                AccessKeyLastUsed { last_used_date: None, service_name: "N/A".to_owned(), region: "N/A".to_owned() }
            }
        };
        Ok(GetAccessKeyLastUsedResponse {
            user_name: key.record.user.or_else(|| Some(ROOT_USER.to_owned())),
            access_key_last_used: Some(access_key_last_used),
        })
    }
}
