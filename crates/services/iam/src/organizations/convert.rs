//! The data of early versions, which had no tree: made into one at the first start of this one.
//!
//! INVARIANT: one transaction, which makes the root; where the root is, nothing is left to do. What principals may do
//! stays the same: a target that had no policy had AWS's default, one that had some has those alone.

use std::collections::{BTreeMap, BTreeSet};

use stoa_kernel::ApiError;
use stoa_store::{Document, Expect, Query, Transaction};

use super::new_id;
use super::nodes::{new_node, node_document};
use crate::Iam;
use crate::error::store_failed;
use crate::state::{
    AccountRecord, Loaded, NodeKind, NodeRecord, OldAttachmentRecord, Organization, OrganizationPolicyRecord,
    PolicyType, kind, organization_policy_key, organization_policy_name_key,
};

/// What the old attachments become.
#[derive(Default)]
struct Converted {
    /// By name and text.
    policies: BTreeMap<(String, String), OrganizationPolicyRecord>,
    /// Ids of policies, by target.
    attached: BTreeMap<String, Vec<String>>,
}

impl Iam {
    /// Makes the tree where there is none yet.
    pub(crate) async fn convert_organization(&self, old: Loaded<Organization>) -> Result<Organization, ApiError> {
        if self.node(&old.record.root_id).await?.is_some() {
            return Ok(old.record);
        }
        let attachments = self.all(Query::of(kind::OLD_ATTACHMENT)).await?;
        let mut organization = old;
        if !attachments.is_empty() {
            organization.record.policy_types = BTreeSet::from([PolicyType::ServiceControl]);
        }
        let nodes = self.converted_nodes(&organization.record).await?;
        let mut converted = self.convert_attachments(&attachments, &nodes)?;
        let now = self.clock.now();
        let mut transaction = Transaction::new().update(organization.changed(now)?);
        for mut node in nodes {
            if let Some(own) = converted.attached.remove(&node.id) {
                node.attached.insert(PolicyType::ServiceControl, own);
            }
            transaction = transaction.create(node_document(&node, now)?);
        }
        for policy in converted.policies.values() {
            transaction = with_policy(transaction, policy, now)?;
        }
        for attachment in &attachments {
            transaction = transaction.delete(attachment.key.clone(), Expect::Any);
        }
        match self.store.commit(transaction).await {
            Ok(()) => tracing::info!(attachments = attachments.len(), "the organization's data were converted"),
            // Another server did it.
            Err(error) if error.is_conflict() => return self.organization().await,
            Err(error) => return Err(store_failed(error)),
        }
        Ok(organization.record)
    }

    async fn converted_nodes(&self, organization: &Organization) -> Result<Vec<NodeRecord>, ApiError> {
        let mut root = new_node(organization, NodeKind::Root, &organization.root_id, "Root", None);
        let mut nodes = Vec::new();
        for document in self.all(Query::of(kind::ACCOUNT)).await? {
            let account: AccountRecord = document.decode().map_err(store_failed)?;
            let parent = Some(&*organization.root_id);
            nodes.push(new_node(organization, NodeKind::Account, account.id.as_str(), &account.name, parent));
            root.children += 1;
        }
        nodes.push(root);
        Ok(nodes)
    }

    fn convert_attachments(
        &self,
        attachments: &[std::sync::Arc<Document>],
        nodes: &[NodeRecord],
    ) -> Result<Converted, ApiError> {
        let mut converted = Converted::default();
        let mut names = BTreeSet::new();
        for document in attachments {
            let old: OldAttachmentRecord = document.decode().map_err(store_failed)?;
            if !nodes.iter().any(|node| node.id == old.target) {
                continue;
            }
            let OldAttachmentRecord { target, name, document } = old;
            let policy = converted.policies.entry((name.clone(), document.clone())).or_insert_with(|| {
                OrganizationPolicyRecord {
                    id: new_id(&*self.ids, "p-", 10),
                    policy_type: PolicyType::ServiceControl,
                    name: free_name(&mut names, &name),
                    description: String::new(),
                    content: document,
                    attachments: 0,
                }
            });
            policy.attachments += 1;
            converted.attached.entry(target).or_default().push(policy.id.clone());
        }
        Ok(converted)
    }
}

/// The name, or with a number where policies of different text had the same.
fn free_name(names: &mut BTreeSet<String>, name: &str) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !names.contains(name));
    let free = free.unwrap_or_else(|| name.to_owned());
    names.insert(free.clone());
    free
}

/// Adds a new policy with its name.
pub(super) fn with_policy(
    transaction: Transaction,
    policy: &OrganizationPolicyRecord,
    now: stoa_types::Timestamp,
) -> Result<Transaction, ApiError> {
    let document = Document::new(organization_policy_key(&policy.id), &policy.name, now, policy);
    let document = document.map_err(store_failed)?.with_parent(policy.policy_type.as_str());
    let name_key = organization_policy_name_key(policy.policy_type, &policy.name);
    let name = Document::new(name_key, &policy.name, now, &policy.id).map_err(store_failed)?;
    Ok(transaction.create(document).create(name))
}
