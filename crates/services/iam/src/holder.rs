//! Changes that entities have in common: inline policies, attached policies, boundaries, tags (see `named`).
//!
//! INVARIANT: a change is a read, a pure change and a write at the generation that was read; when another change came
//! between, it is done again, so that clients which change one role in parallel (Terraform) need not retry. The count
//! of a customer policy's attachments changes in the same transaction as the attachment.

use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::types::AttachedPolicy;
use stoa_policy::PolicyKind;
use stoa_store::{StoreError, Transaction};
use stoa_types::AccountId;

use crate::Iam;
use crate::authority::policy_key_of;
use crate::documents::{check, size};
use crate::error::{invalid_input, limit_exceeded, no_such_entity, no_such_policy, store_failed, unmodifiable};
use crate::managed;
use crate::named::{Bounded, Holder, Named, Tagged};
use crate::paging::{Items, Paging};
use crate::state::{Loaded, PolicyRecord, Tags, load, tag_list};

pub(crate) const ATTEMPTS: usize = 32;
pub(crate) const MAX_ATTACHED: usize = 10;
/// The policies of service-linked roles, which nothing else has.
const SERVICE_ROLE_POLICIES: &str = "arn:aws:iam::aws:policy/aws-service-role/";

/// Refuses to change what a service owns.
pub(crate) fn modifiable<H: Named>(holder: &H) -> Result<(), ApiError> {
    if holder.is_service_linked() {
        let name = holder.name();
        return Err(unmodifiable(format!(
            "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
        )));
    }
    Ok(())
}

impl Iam {
    /// The entity with this name.
    pub(crate) async fn holder<H: Named>(&self, account: &AccountId, name: &str) -> Result<Loaded<H>, ApiError> {
        let found = load::<H>(&*self.store, &H::key(account, name)).await?;
        found.filter(|found| found.record.name() == name).ok_or_else(|| H::missing(name))
    }

    /// Changes it, again if another change came between.
    pub(crate) async fn modify<H: Named>(
        &self,
        account: &AccountId,
        name: &str,
        change: impl Fn(&mut H) -> Result<(), ApiError> + Send + Sync,
    ) -> Result<H, ApiError> {
        for _ in 0..ATTEMPTS {
            let mut loaded = self.holder::<H>(account, name).await?;
            change(&mut loaded.record)?;
            let document = loaded.changed(self.clock.now())?;
            match self.store.commit(Transaction::new().update(document)).await {
                Ok(()) => return Ok(loaded.record),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(busy::<H>(name))
    }

    /// Changes its tags, and with them those that conditions see.
    pub(crate) async fn modify_tags<H: Tagged>(
        &self,
        account: &AccountId,
        name: &str,
        change: impl Fn(&mut Tags) -> Result<(), ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let mut loaded = self.holder::<H>(account, name).await?;
            modifiable(&loaded.record)?;
            change(loaded.record.tags())?;
            let tags = tag_list(loaded.record.tags());
            let document = loaded.changed(self.clock.now())?;
            let transaction = Transaction::new().update(document).set_tags(loaded.record.arn(), tags);
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(busy::<H>(name))
    }

    pub(crate) async fn put_inline<H: Holder>(
        &self,
        account: &AccountId,
        name: &str,
        policy: &str,
        document: &str,
    ) -> Result<(), ApiError> {
        check(document, PolicyKind::Identity)?;
        let put = |holder: &mut H| {
            modifiable(holder)?;
            holder.inline().insert(policy.to_owned(), document.to_owned());
            let bytes: usize = holder.inline().values().map(|text| size(text)).sum();
            if bytes > H::INLINE_BYTES {
                let (limit, what) = (H::INLINE_BYTES, H::WHAT);
                return Err(limit_exceeded(format!("Maximum policy size of {limit} bytes exceeded for {what} {name}")));
            }
            Ok(())
        };
        self.modify(account, name, put).await.map(|_| ())
    }

    pub(crate) async fn inline<H: Holder>(
        &self,
        account: &AccountId,
        name: &str,
        policy: &str,
    ) -> Result<String, ApiError> {
        let mut holder = self.holder::<H>(account, name).await?.record;
        holder.inline().remove(policy).ok_or_else(|| no_inline::<H>(policy))
    }

    pub(crate) async fn delete_inline<H: Holder>(
        &self,
        account: &AccountId,
        name: &str,
        policy: &str,
    ) -> Result<(), ApiError> {
        let delete = |holder: &mut H| {
            modifiable(holder)?;
            holder.inline().remove(policy).map(|_| ()).ok_or_else(|| no_inline::<H>(policy))
        };
        self.modify(account, name, delete).await.map(|_| ())
    }

    pub(crate) async fn inline_names<H: Holder>(
        &self,
        cx: &Cx,
        name: &str,
        paging: &Paging<'_>,
    ) -> Result<Items<String>, ApiError> {
        let mut holder = self.holder::<H>(self.account(cx), name).await?.record;
        let names = holder.inline().keys().map(|policy| (policy.clone(), policy.clone())).collect();
        self.page_of_list(cx, paging, names)
    }

    pub(crate) async fn attached<H: Holder>(
        &self,
        cx: &Cx,
        name: &str,
        path_prefix: Option<&str>,
        paging: &Paging<'_>,
    ) -> Result<Items<AttachedPolicy>, ApiError> {
        let mut holder = self.holder::<H>(self.account(cx), name).await?.record;
        let mut list = Vec::new();
        for arn in holder.attached().iter() {
            let (path, policy) = path_and_name(arn);
            if path_prefix.is_none_or(|prefix| path.starts_with(prefix)) {
                let policy_name = Some(policy.to_owned());
                list.push((arn.clone(), AttachedPolicy { policy_name, policy_arn: Some(arn.clone()) }));
            }
        }
        self.page_of_list(cx, paging, list)
    }

    pub(crate) async fn attach<H: Holder>(&self, account: &AccountId, name: &str, arn: &str) -> Result<(), ApiError> {
        let change = |holder: &mut H| {
            modifiable(holder)?;
            if holder.attached().iter().any(|attached| attached == arn) {
                return Ok(false);
            }
            if holder.attached().len() >= MAX_ATTACHED {
                return Err(limit_exceeded(format!("Cannot exceed quota for {}: {MAX_ATTACHED}", H::ATTACHED_QUOTA)));
            }
            if arn.starts_with(SERVICE_ROLE_POLICIES) {
                return Err(not_attachable(arn));
            }
            holder.attached().push(arn.to_owned());
            Ok(true)
        };
        self.change_attachment(account, name, arn, 1, change).await
    }

    pub(crate) async fn detach<H: Holder>(&self, account: &AccountId, name: &str, arn: &str) -> Result<(), ApiError> {
        let change = |holder: &mut H| {
            modifiable(holder)?;
            let Some(at) = holder.attached().iter().position(|attached| attached == arn) else {
                return Err(no_such_policy(arn));
            };
            holder.attached().remove(at);
            Ok(true)
        };
        self.change_attachment(account, name, arn, -1, change).await
    }

    async fn change_attachment<H: Holder>(
        &self,
        account: &AccountId,
        name: &str,
        arn: &str,
        by: i64,
        change: impl Fn(&mut H) -> Result<bool, ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let mut loaded = self.holder::<H>(account, name).await?;
            let policy = self.attachable(account, arn).await?;
            if !change(&mut loaded.record)? {
                return Ok(());
            }
            let now = self.clock.now();
            let mut transaction = Transaction::new().update(loaded.changed(now)?);
            if let Some(mut policy) = policy {
                policy.record.attachments = policy.record.attachments.saturating_add_signed(by);
                transaction = transaction.update(policy.changed(policy.document.modified)?);
            }
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(busy::<H>(name))
    }

    /// The customer policy that can be attached under this ARN; none for one of AWS's.
    pub(crate) async fn attachable(
        &self,
        account: &AccountId,
        arn: &str,
    ) -> Result<Option<Loaded<PolicyRecord>>, ApiError> {
        if managed::find(arn).is_some() {
            return Ok(None);
        }
        let not_there = || no_such_entity(format!("Policy {arn} does not exist or is not attachable."));
        if arn.starts_with("arn:aws:iam::aws:policy/") {
            return Err(not_there());
        }
        let key = policy_key_of(arn).ok_or_else(|| invalid_input(format!("ARN {arn} is not valid.")))?;
        if key.account != *account {
            return Err(not_there());
        }
        let found = load::<PolicyRecord>(&*self.store, &key).await?;
        found.filter(|found| found.record.arn == arn).map(Some).ok_or_else(not_there)
    }

    /// Sets or ends the permissions boundary, again if another change came between.
    pub(crate) async fn set_boundary<H: Bounded>(
        &self,
        account: &AccountId,
        name: &str,
        boundary: Option<&str>,
    ) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let mut loaded = self.holder::<H>(account, name).await?;
            modifiable(&loaded.record)?;
            let old = loaded.record.boundary_mut().clone();
            if old.as_deref() == boundary {
                return Ok(());
            }
            *loaded.record.boundary_mut() = boundary.map(str::to_owned);
            let mut transaction = Transaction::new().update(loaded.changed(self.clock.now())?);
            transaction = self.count_boundary(transaction, account, old.as_deref(), -1).await?;
            transaction = self.count_boundary(transaction, account, boundary, 1).await?;
            match self.store.commit(transaction).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(store_failed(other)),
            }
        }
        Err(busy::<H>(name))
    }

    /// Counts a permissions boundary up or down, within the transaction that sets or ends it.
    pub(crate) async fn count_boundary(
        &self,
        transaction: Transaction,
        account: &AccountId,
        arn: Option<&str>,
        by: i64,
    ) -> Result<Transaction, ApiError> {
        let Some(arn) = arn else { return Ok(transaction) };
        if arn.starts_with(SERVICE_ROLE_POLICIES) {
            return Err(not_attachable(arn));
        }
        let scope = |error: ApiError| match error.code() {
            "NoSuchEntityException" => no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable.")),
            _ => error,
        };
        let Some(mut policy) = self.attachable(account, arn).await.map_err(scope)? else { return Ok(transaction) };
        policy.record.boundaries = policy.record.boundaries.saturating_add_signed(by);
        Ok(transaction.update(policy.changed(policy.document.modified)?))
    }
}

fn not_attachable(arn: &str) -> ApiError {
    let message = format!("Cannot attach a Service Role Policy to a Customer Role: {arn}");
    ApiError::new("PolicyNotAttachableException", 400, message)
}

fn no_inline<H: Holder>(policy: &str) -> ApiError {
    no_such_entity(format!("The {} policy with name {policy} cannot be found.", H::WHAT))
}

pub(crate) fn busy<H: Named>(name: &str) -> ApiError {
    let what = H::WHAT;
    ApiError::new("ConcurrentModificationException", 409, format!("the {what} {name} is being changed by others"))
}

/// Path and name of the resource in an IAM ARN: `/a/b/` and `Name`.
pub(crate) fn path_and_name(arn: &str) -> (&str, &str) {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let after_type = resource.find('/').and_then(|slash| resource.get(slash..)).unwrap_or_default();
    match after_type.rfind('/') {
        Some(last) => after_type.split_at_checked(last + 1).unwrap_or(("/", after_type)),
        None => ("/", after_type),
    }
}
