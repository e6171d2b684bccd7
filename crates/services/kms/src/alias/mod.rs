//! Aliases.
//!
//! INVARIANT: an alias stands in its own document and in its key's, written together; the key is held to be there and
//! not to be deleted by its generation.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    AliasListEntry, CreateAliasRequest, DeleteAliasRequest, ListAliasesRequest, ListAliasesResponse, UpdateAliasRequest,
};
use stoa_schema::{Empty, Value};
use stoa_store::{Document, Expect, Query, StoreError, Transaction};

use crate::Kms;
use crate::error::{limit_exceeded, not_found_alias, refused, store_failed, too_busy};
use crate::find::Found;
use crate::name::{Name, RESERVED, What, check_alias_name};
use crate::paging::Paging;
use crate::state::{AliasRecord, KeyRecord, Loaded, alias_key, index_status, key_key, kind, load};

const MAX_ALIASES: usize = 50;
const ATTEMPTS: usize = 32;

fn not_reserved(name: &str) -> Result<(), ApiError> {
    check_alias_name(name)?;
    if name.starts_with(RESERVED) {
        // The name of the error is not in the model, but it is what AWS answers.
        return Err(refused("NotAuthorizedException", ""));
    }
    Ok(())
}

/// Puts an alias into a key's document, or takes it out.
fn with_alias(key: &Loaded<KeyRecord>, cx: &Cx, name: &str, add: bool) -> Result<Document, ApiError> {
    let mut key = key.clone();
    if add {
        key.record.must_not_be_pending()?;
        key.record.aliases.insert(name.to_owned());
        if key.record.aliases.len() > MAX_ALIASES {
            return Err(limit_exceeded(format!("The quota of {MAX_ALIASES} aliases on a key is reached.")));
        }
    } else {
        key.record.aliases.remove(name);
    }
    Ok(key.changed(cx.now)?.with_status(index_status(&key.record)))
}

/// The parts of a change of an alias, as they are now.
struct Held {
    alias: Loaded<AliasRecord>,
    key: Loaded<KeyRecord>,
}

impl Kms {
    /// The alias and the key that it names, decided again for the caller: it may have moved since the targets were.
    async fn held_alias(&self, cx: &Cx, action: &str, name: &str) -> Result<Held, ApiError> {
        let (account, region) = (&cx.principal.account, &cx.region);
        let missing = || not_found_alias(&cx.arn("kms", name));
        let alias = load::<AliasRecord>(&*self.store, &alias_key(account, region, name)).await?.ok_or_else(missing)?;
        let key = load::<KeyRecord>(&*self.store, &key_key(account, region, &alias.record.key_id)).await?;
        let key = key.ok_or_else(missing)?;
        let what = What::Key(key.record.id.clone());
        let name = Name { account: account.clone(), region: region.clone(), what };
        let found = Found { name, alias: None, key };
        let target = self.key_target(cx, action.to_owned(), &found, &Value::empty()).await?;
        cx.authorize(&target).await?;
        Ok(Held { alias, key: found.key })
    }
}

impl Handles<op::CreateAlias> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateAliasRequest>) -> Result<Empty, ApiError> {
        not_reserved(&input.alias_name)?;
        let found = self.key_by_id(cx, &input.target_key_id).await?;
        let arn = cx.arn("kms", &input.alias_name);
        let key = alias_key(&cx.principal.account, &cx.region, &input.alias_name);
        let exists = || refused("AlreadyExistsException", format!("An alias with the name {arn} already exists"));
        if self.store.get(&key).await.map_err(store_failed)?.is_some() {
            return Err(exists());
        }
        let alias = AliasRecord {
            name: input.alias_name.clone(),
            arn: arn.clone(),
            key_id: found.record().id.clone(),
            created: cx.now,
            updated: cx.now,
        };
        let document = Document::new(key.clone(), &alias.name, cx.now, &alias).map_err(store_failed)?;
        let document = document.with_parent(&alias.key_id);
        for _ in 0..ATTEMPTS {
            let target = self.key_by_id(cx, &input.target_key_id).await?;
            let changed = with_alias(&target.key, cx, &alias.name, true)?;
            let transaction = Transaction::new().create(document.clone()).update(changed);
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(Empty {}),
                Err(StoreError::Conflict { key: over, .. }) if *over == key => return Err(exists()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(too_busy())
    }
}

impl Handles<op::UpdateAlias> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateAliasRequest>) -> Result<Empty, ApiError> {
        not_reserved(&input.alias_name)?;
        for _ in 0..ATTEMPTS {
            let mut held = self.held_alias(cx, "kms:UpdateAlias", &input.alias_name).await?;
            let to = self.key_by_id(cx, &input.target_key_id).await?;
            if to.record().usage != held.key.record.usage || is_symmetric(to.record()) != is_symmetric(&held.key.record)
            {
                return Err(ApiError::validation(
                    "Alias must be updated to a KMS key of the same type and key usage as the current one.",
                ));
            }
            if to.record().id == held.key.record.id {
                return Ok(Empty {});
            }
            held.alias.record.key_id.clone_from(&to.record().id);
            held.alias.record.updated = cx.now;
            let name = &input.alias_name;
            let transaction = Transaction::new()
                .update(held.alias.changed(cx.now)?.with_parent(&to.record().id))
                .update(with_alias(&held.key, cx, name, false)?)
                .update(with_alias(&to.key, cx, name, true)?);
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(Empty {}),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(too_busy())
    }
}

fn is_symmetric(key: &KeyRecord) -> bool {
    key.public_key.is_none()
}

impl Handles<op::DeleteAlias> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteAliasRequest>) -> Result<Empty, ApiError> {
        not_reserved(&input.alias_name)?;
        for _ in 0..ATTEMPTS {
            let held = self.held_alias(cx, "kms:DeleteAlias", &input.alias_name).await?;
            let expect = Expect::Generation(held.alias.document.generation);
            let transaction = Transaction::new().delete(held.alias.document.key.clone(), expect).update(with_alias(
                &held.key,
                cx,
                &input.alias_name,
                false,
            )?);
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(Empty {}),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(too_busy())
    }
}

impl Handles<op::ListAliases> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<ListAliasesRequest>) -> Result<ListAliasesResponse, ApiError> {
        let mut query = Query::of(kind::ALIAS).owned_by(&cx.principal.account, Some(&cx.region));
        if let Some(key) = &input.key_id {
            query = query.children_of(&self.key_by_id(cx, key).await?.record().id);
        }
        let paging = Paging {
            scope: format!("ListAliases/{:?}", query.parent),
            marker: input.marker.as_deref(),
            limit: input.limit,
            default: 50,
        };
        let item = |document: &Document| {
            let alias: AliasRecord = document.decode().map_err(store_failed)?;
            Ok(Some(AliasListEntry {
                alias_name: Some(alias.name),
                alias_arn: Some(alias.arn),
                target_key_id: Some(alias.key_id),
                creation_date: Some(alias.created),
                last_updated_date: Some(alias.updated),
            }))
        };
        let page = self.page_of_documents(cx, &paging, query, item).await?;
        Ok(ListAliasesResponse { truncated: page.truncated(), aliases: Some(page.items), next_marker: page.marker })
    }
}
