//! Customers' policies of the organization: made, changed, deleted.

use stoa_kernel::ApiError;
use stoa_store::{Expect, Query, StoreError, Transaction};

use super::convert::with_policy;
use super::documents::check;
use super::error::{busy, constraint, invalid, no_such_policy, refused};
use super::{ATTEMPTS, aws_policies, new_id};
use crate::Iam;
use crate::error::store_failed;
use crate::state::{
    Loaded, OrganizationPolicyRecord, PolicyType, kind, load, organization_policy_key, organization_policy_name_key,
};

/// A policy that is to be made.
pub(super) struct NewPolicy<'a> {
    pub(super) policy_type: PolicyType,
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) content: &'a str,
    pub(super) tags: Vec<(String, String)>,
}

/// How many policies of a type there may be: AWS's quotas.
const fn most(policy_type: PolicyType) -> u64 {
    match policy_type {
        PolicyType::ServiceControl => 10_000,
        PolicyType::ResourceControl => 1_000,
    }
}

fn name_taken() -> ApiError {
    refused("DuplicatePolicyException", "A policy with the specified name and type already exists.")
}

fn is_awss(policy_type: PolicyType, name: &str) -> bool {
    aws_policies::AWS_POLICIES.iter().any(|policy| policy.policy_type == policy_type && policy.name == name)
}

impl Iam {
    /// Makes a policy.
    pub(super) async fn make_policy(&self, new: &NewPolicy<'_>) -> Result<OrganizationPolicyRecord, ApiError> {
        check(new.policy_type, new.content)?;
        if is_awss(new.policy_type, new.name) {
            return Err(name_taken());
        }
        let there = Query::of(kind::ORGANIZATION_POLICY).children_of(new.policy_type.as_str());
        if self.store.count(&there).await.map_err(store_failed)? >= most(new.policy_type) {
            return Err(constraint(
                "POLICY_NUMBER_LIMIT_EXCEEDED",
                "You have exceeded the number of policies that you can have in an organization.",
            ));
        }
        let record = new.record(new_id(&*self.ids, "p-", 10));
        let mut transaction = with_policy(Transaction::new(), &record, self.clock.now())?;
        if !new.tags.is_empty() {
            let arn = self.organization().await?.policy_arn(record.policy_type, &record.id);
            transaction = transaction.set_tags(&arn, new.tags.clone());
        }
        match self.store.commit(transaction).await {
            Ok(()) => Ok(record),
            Err(StoreError::Conflict { .. }) => Err(name_taken()),
            Err(other) => Err(store_failed(other)),
        }
    }

    /// Changes what is given. It counts at once wherever the policy is attached.
    pub(super) async fn change_policy(
        &self,
        id: &str,
        name: Option<&str>,
        description: Option<&str>,
        content: Option<&str>,
    ) -> Result<OrganizationPolicyRecord, ApiError> {
        for _ in 0..ATTEMPTS {
            let mut policy = self.customer_policy(id).await?;
            let policy_type = policy.record.policy_type;
            if let Some(content) = content {
                check(policy_type, content)?;
                content.clone_into(&mut policy.record.content);
            }
            if let Some(description) = description {
                description.clone_into(&mut policy.record.description);
            }
            let mut transaction = Transaction::new();
            let now = self.clock.now();
            if let Some(name) = name.filter(|name| *name != policy.record.name) {
                let key = organization_policy_name_key(policy_type, name);
                if is_awss(policy_type, name) || self.store.get(&key).await.map_err(store_failed)?.is_some() {
                    return Err(name_taken());
                }
                let old = organization_policy_name_key(policy_type, &policy.record.name);
                let new = stoa_store::Document::new(key, name, now, &policy.record.id).map_err(store_failed)?;
                transaction = transaction.delete(old, Expect::Present).create(new);
                name.clone_into(&mut policy.record.name);
            }
            let mut document = policy.changed(now)?;
            document.name.clone_from(&policy.record.name);
            if self.applied(transaction.update(document)).await? {
                return Ok(policy.record);
            }
        }
        Err(busy())
    }

    /// Deletes a policy that is attached nowhere.
    pub(super) async fn remove_policy(&self, id: &str) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let policy = self.customer_policy(id).await?;
            if policy.record.attachments > 0 {
                return Err(refused(
                    "PolicyInUseException",
                    "This policy is attached to one or more entities. You must detach it from all roots, OUs, and \
                     accounts before performing this operation.",
                ));
            }
            let OrganizationPolicyRecord { policy_type, name, .. } = &policy.record;
            let arn = self.organization().await?.policy_arn(*policy_type, id);
            let transaction = Transaction::new()
                .delete(policy.document.key.clone(), Expect::Generation(policy.document.generation))
                .delete(organization_policy_name_key(*policy_type, name), Expect::Any)
                .set_tags(&arn, Vec::new());
            if self.applied(transaction).await? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// A policy that can be changed: a customer's.
    pub(super) async fn customer_policy(&self, id: &str) -> Result<Loaded<OrganizationPolicyRecord>, ApiError> {
        if aws_policies::find(id).is_some() {
            return Err(invalid(
                "IMMUTABLE_POLICY",
                "You specified a policy that is managed by AWS and can't be modified.",
            ));
        }
        load(&*self.store, &organization_policy_key(id)).await?.ok_or_else(no_such_policy)
    }
}
