//! Which policies hang on which nodes, and which types of policies count at all.
//!
//! INVARIANT: while a type is enabled, every node has at least one policy of it; while it is not, none has any. The
//! first is kept by refusing to take off the last one and by giving each new node AWS's default.

use std::collections::BTreeMap;

use stoa_kernel::ApiError;
use stoa_store::{Expect, Query, Transaction};

use super::error::{busy, constraint, invalid, no_such_policy, no_such_target, refused, type_not_enabled};
use super::{ATTEMPTS, aws_policies, default_policy};
use crate::Iam;
use crate::error::store_failed;
use crate::state::{
    Loaded, NodeRecord, Organization, OrganizationPolicyRecord, PolicyType, kind, load, organization_key,
    organization_policy_key,
};

/// How many policies of a type a node may have: AWS's quotas.
const fn most(policy_type: PolicyType) -> usize {
    match policy_type {
        PolicyType::ServiceControl => 10,
        PolicyType::ResourceControl => 5,
    }
}

impl Iam {
    /// Attaches a policy to a node.
    pub(super) async fn attach_organization_policy(&self, policy: &str, target: &str) -> Result<(), ApiError> {
        self.change_attachments(policy, target, 1, |node, policy_type| {
            let own = node.attached.entry(policy_type).or_default();
            if own.iter().any(|attached| attached == policy) {
                return Err(refused(
                    "DuplicatePolicyAttachmentException",
                    "The selected policy is already attached to the specified target.",
                ));
            }
            if own.len() >= most(policy_type) {
                return Err(constraint(
                    "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                    "You have attached the maximum number of policies to the specified target.",
                ));
            }
            own.push(policy.to_owned());
            Ok(())
        })
        .await
    }

    /// Takes a policy off a node.
    pub(super) async fn detach_organization_policy(&self, policy: &str, target: &str) -> Result<(), ApiError> {
        self.change_attachments(policy, target, -1, |node, policy_type| {
            let own = node.attached.entry(policy_type).or_default();
            let Some(at) = own.iter().position(|attached| attached == policy) else {
                return Err(refused(
                    "PolicyNotAttachedException",
                    "The policy isn't attached to the specified target in the specified root.",
                ));
            };
            if policy == default_policy(PolicyType::ResourceControl) {
                return Err(invalid(
                    "NON_DETACHABLE_POLICY",
                    "RCPFullAWSAccess cannot be detached: it stays attached while resource control policies are enabled.",
                ));
            }
            if own.len() == 1 {
                return Err(constraint(
                    "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
                    "You cannot remove the last policy attached to the specified target. You must have at least one \
                     attached at all times.",
                ));
            }
            own.remove(at);
            Ok(())
        })
        .await
    }

    async fn change_attachments(
        &self,
        policy: &str,
        target: &str,
        by: i64,
        change: impl Fn(&mut NodeRecord, PolicyType) -> Result<(), ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let organization = self.loaded_organization().await?;
            let policy_type = self.type_of_policy(policy).await?.ok_or_else(no_such_policy)?;
            let mut node = self.node(target).await?.ok_or_else(no_such_target)?;
            if !organization.record.policy_types.contains(&policy_type) {
                return Err(type_not_enabled());
            }
            change(&mut node.record, policy_type)?;
            let unchanged = Expect::Generation(organization.document.generation);
            let transaction =
                Transaction::new().require(organization_key(), unchanged).update(node.changed(self.clock.now())?);
            let transaction = self.count_attachment(transaction, policy, by).await?;
            if self.applied(transaction).await? {
                return Ok(());
            }
        }
        Err(busy())
    }

    /// The type of a policy, AWS's or a customer's.
    pub(super) async fn type_of_policy(&self, id: &str) -> Result<Option<PolicyType>, ApiError> {
        if let Some(policy) = aws_policies::find(id) {
            return Ok(Some(policy.policy_type));
        }
        let found = load::<OrganizationPolicyRecord>(&*self.store, &organization_policy_key(id)).await?;
        Ok(found.map(|found| found.record.policy_type))
    }

    /// Lets a type of policies count: every node gets AWS's default of it.
    pub(super) async fn enable_policy_type(&self, policy_type: PolicyType) -> Result<Organization, ApiError> {
        self.change_policy_type(policy_type, |organization, nodes| {
            if !organization.policy_types.insert(policy_type) {
                return Err(refused(
                    "PolicyTypeAlreadyEnabledException",
                    "The specified policy type is already enabled in the specified root.",
                ));
            }
            for node in nodes {
                node.record.attached.insert(policy_type, vec![default_policy(policy_type).to_owned()]);
            }
            Ok(())
        })
        .await
    }

    /// Lets a type of policies count no more: all of them are taken off, as AWS does.
    pub(super) async fn disable_policy_type(&self, policy_type: PolicyType) -> Result<Organization, ApiError> {
        self.change_policy_type(policy_type, |organization, nodes| {
            if !organization.policy_types.remove(&policy_type) {
                return Err(type_not_enabled());
            }
            for node in nodes {
                node.record.attached.remove(&policy_type);
            }
            Ok(())
        })
        .await
    }

    async fn change_policy_type(
        &self,
        policy_type: PolicyType,
        change: impl Fn(&mut Organization, &mut [Loaded<NodeRecord>]) -> Result<(), ApiError> + Send + Sync,
    ) -> Result<Organization, ApiError> {
        for _ in 0..ATTEMPTS {
            let mut organization = self.loaded_organization().await?;
            let mut nodes = self.all_nodes().await?;
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            change(&mut organization.record, &mut nodes)?;
            let now = self.clock.now();
            let mut transaction = Transaction::new().update(organization.changed(now)?);
            for node in &nodes {
                for id in node.record.attached(policy_type) {
                    *counts.entry(id.clone()).or_default() += 1;
                }
                transaction = transaction.update(node.changed(now)?);
            }
            for mut policy in self.all_policies(policy_type).await? {
                let count = counts.remove(&policy.record.id).unwrap_or_default();
                if policy.record.attachments != count {
                    policy.record.attachments = count;
                    transaction = transaction.update(policy.changed(policy.document.modified)?);
                }
            }
            if self.applied(transaction).await? {
                return Ok(organization.record);
            }
        }
        Err(busy())
    }

    /// Every node.
    pub(super) async fn all_nodes(&self) -> Result<Vec<Loaded<NodeRecord>>, ApiError> {
        let mut nodes = Vec::new();
        for document in self.all(Query::of(kind::NODE)).await? {
            let record = document.decode().map_err(store_failed)?;
            nodes.push(Loaded { document, record });
        }
        Ok(nodes)
    }

    /// The customer's policies of a type, by name.
    pub(super) async fn all_policies(
        &self,
        policy_type: PolicyType,
    ) -> Result<Vec<Loaded<OrganizationPolicyRecord>>, ApiError> {
        let mut policies = Vec::new();
        for document in self.all_with_parent(kind::ORGANIZATION_POLICY, policy_type.as_str()).await? {
            let record = document.decode().map_err(store_failed)?;
            policies.push(Loaded { document, record });
        }
        Ok(policies)
    }

    /// Commits; false when another change came between.
    pub(super) async fn applied(&self, transaction: Transaction) -> Result<bool, ApiError> {
        match self.store.commit(transaction).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(store_failed(error)),
        }
    }
}
