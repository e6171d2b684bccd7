//! Nodes of the tree coming and going, with the counts that must change with them.

use stoa_kernel::ApiError;
use stoa_store::{Document, Expect, Transaction};
use stoa_types::Timestamp;

use super::{aws_policies, default_policy};
use crate::Iam;
use crate::error::store_failed;
use crate::state::{
    Loaded, NodeKind, NodeRecord, Organization, OrganizationPolicyRecord, load, node_key, organization_key,
    organization_policy_key,
};

/// How often a change is tried when others come between.
pub(crate) const ATTEMPTS: usize = 32;

/// A node that is not there yet, with what every node has of the enabled types of policies.
pub(crate) fn new_node(
    organization: &Organization,
    what: NodeKind,
    id: &str,
    name: &str,
    parent: Option<&str>,
) -> NodeRecord {
    let default = |kind: &_| (*kind, vec![default_policy(*kind).to_owned()]);
    NodeRecord {
        id: id.to_owned(),
        what,
        name: name.to_owned(),
        parent: parent.map(str::to_owned),
        children: 0,
        attached: organization.policy_types.iter().map(default).collect(),
    }
}

/// Its document.
pub(crate) fn node_document(node: &NodeRecord, now: Timestamp) -> Result<Document, ApiError> {
    let document = Document::new(node_key(&node.id), &node.name, now, node).map_err(store_failed)?;
    let document = document.with_status(node.what.as_str());
    Ok(match &node.parent {
        Some(parent) => document.with_parent(parent),
        None => document,
    })
}

impl Iam {
    /// The organization with its generation.
    pub(crate) async fn loaded_organization(&self) -> Result<Loaded<Organization>, ApiError> {
        let found = load(&*self.store, &organization_key()).await?;
        found.ok_or_else(|| ApiError::internal("there is no organization"))
    }

    /// A node.
    pub(crate) async fn node(&self, id: &str) -> Result<Option<Loaded<NodeRecord>>, ApiError> {
        load(&*self.store, &node_key(id)).await
    }

    /// The root.
    pub(crate) async fn root_node(&self, organization: &Organization) -> Result<Loaded<NodeRecord>, ApiError> {
        let found = self.node(&organization.root_id).await?;
        found.ok_or_else(|| ApiError::internal("the organization has no root"))
    }

    /// Adds a node below another. The organization must stay as it was: its enabled types are in the new node.
    pub(crate) fn with_new_node(
        &self,
        transaction: Transaction,
        organization: &Loaded<Organization>,
        mut parent: Loaded<NodeRecord>,
        what: NodeKind,
        (id, name): (&str, &str),
    ) -> Result<Transaction, ApiError> {
        let now = self.clock.now();
        let node = new_node(&organization.record, what, id, name, Some(&parent.record.id));
        parent.record.children += 1;
        let unchanged = Expect::Generation(organization.document.generation);
        Ok(transaction
            .require(organization_key(), unchanged)
            .update(parent.changed(now)?)
            .create(node_document(&node, now)?))
    }

    /// Removes a node, and what it counts for elsewhere.
    pub(crate) async fn without_node(
        &self,
        mut transaction: Transaction,
        node: &Loaded<NodeRecord>,
    ) -> Result<Transaction, ApiError> {
        let now = self.clock.now();
        if let Some(parent) = &node.record.parent
            && let Some(mut parent) = self.node(parent).await?
        {
            parent.record.children = parent.record.children.saturating_sub(1);
            transaction = transaction.update(parent.changed(now)?);
        }
        for id in node.record.attached.values().flatten() {
            transaction = self.count_attachment(transaction, id, -1).await?;
        }
        Ok(transaction.delete(node.document.key.clone(), Expect::Generation(node.document.generation)))
    }

    /// Counts an attachment of a customer's policy up or down. AWS's are not counted.
    pub(super) async fn count_attachment(
        &self,
        transaction: Transaction,
        id: &str,
        by: i64,
    ) -> Result<Transaction, ApiError> {
        if aws_policies::find(id).is_some() {
            return Ok(transaction);
        }
        let found = load::<OrganizationPolicyRecord>(&*self.store, &organization_policy_key(id)).await?;
        let Some(mut policy) = found else { return Ok(transaction) };
        policy.record.attachments = policy.record.attachments.saturating_add_signed(by);
        Ok(transaction.update(policy.changed(policy.document.modified)?))
    }
}
