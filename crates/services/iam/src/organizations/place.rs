//! Where an account stands in the organization, and which policies of it apply there: what the authority asks.
//!
//! INVARIANT: an entry is used only at the `organizations:` version it was made at, and the version is read before the
//! documents, so a moved account or a changed policy counts for the next request.

use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_types::AccountId;

use super::aws_policies;
use crate::Iam;
use crate::error::store_failed;
use crate::state::{NodeRecord, OrganizationPolicyRecord, PolicyType, load, node_key, organization_policy_key};

/// The deepest tree there can be, with room to spare: a longer way is a loop, and the store is corrupt.
const LONGEST_WAY: usize = 16;

/// Where an account is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// `o-…`: `aws:PrincipalOrgID`, `aws:ResourceOrgID`.
    pub(crate) organization_id: String,
    /// `r-…`
    pub(crate) root_id: String,
    /// The account that no policy of the organization limits.
    pub(crate) management_account: AccountId,
    /// `o-…/r-…/ou-…/`: `aws:PrincipalOrgPaths`, `aws:ResourceOrgPaths`.
    pub(crate) path: String,
    /// The nodes from the root down to the account itself.
    pub(crate) targets: Vec<String>,
}

/// A policy that applies to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EffectivePolicy {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) document: String,
}

/// The policies of one node on the way. Each level must allow; a level without a policy allows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) target: String,
    pub(crate) policies: Vec<EffectivePolicy>,
}

/// A cached answer.
pub(crate) struct At<T> {
    organizations_version: u64,
    value: T,
}

impl Iam {
    /// Where an account is; none when it is not one of this organization.
    pub(crate) async fn place_of(&self, account: &AccountId) -> Result<Option<Arc<Place>>, ApiError> {
        let organizations_version = self.store.version("organizations:");
        if let Some(cached) = self.places.get(account.as_str())
            && cached.organizations_version == organizations_version
        {
            return Ok(Some(Arc::clone(&cached.value)));
        }
        let Some(way) = self.way_to(account.as_str()).await? else { return Ok(None) };
        let organization = self.organization().await?;
        let mut path = format!("{}/", organization.id);
        for node in way.iter().take(way.len().saturating_sub(1)) {
            path.push_str(&node.id);
            path.push('/');
        }
        let place = Arc::new(Place {
            organization_id: organization.id,
            root_id: organization.root_id,
            management_account: organization.management_account,
            path,
            targets: way.into_iter().map(|node| node.id).collect(),
        });
        self.places.put(account.as_str(), Arc::new(At { organizations_version, value: Arc::clone(&place) }));
        Ok(Some(place))
    }

    /// The policies of a type that limit an account, one level for each node from the root down to the account. Empty
    /// when none limits it: the type is not enabled, or it is the management account, or no account of this
    /// organization.
    pub(crate) async fn effective_policies(
        &self,
        account: &AccountId,
        policy_type: PolicyType,
    ) -> Result<Arc<Vec<Level>>, ApiError> {
        let organizations_version = self.store.version("organizations:");
        let cache_key = format!("{account}/{}", policy_type.as_str());
        if let Some(cached) = self.levels.get(&cache_key)
            && cached.organizations_version == organizations_version
        {
            return Ok(Arc::clone(&cached.value));
        }
        let levels = Arc::new(self.read_levels(account, policy_type).await?);
        self.levels.put(&cache_key, Arc::new(At { organizations_version, value: Arc::clone(&levels) }));
        Ok(levels)
    }

    async fn read_levels(&self, account: &AccountId, policy_type: PolicyType) -> Result<Vec<Level>, ApiError> {
        let organization = self.organization().await?;
        if !organization.policy_types.contains(&policy_type) || organization.management_account == *account {
            return Ok(Vec::new());
        }
        let way = self.way_to(account.as_str()).await?.unwrap_or_default();
        let mut levels = Vec::with_capacity(way.len());
        for node in way {
            let mut policies = Vec::new();
            for id in node.attached(policy_type) {
                policies.extend(self.effective_policy(id, policy_type).await?);
            }
            levels.push(Level { target: node.id, policies });
        }
        Ok(levels)
    }

    async fn effective_policy(&self, id: &str, policy_type: PolicyType) -> Result<Option<EffectivePolicy>, ApiError> {
        if let Some(policy) = aws_policies::find(id) {
            return Ok(Some(EffectivePolicy {
                id: id.to_owned(),
                name: policy.name.to_owned(),
                arn: policy.arn(),
                document: policy.content.to_owned(),
            }));
        }
        // A policy that is attached exists: deletion is refused while it is.
        let found = load::<OrganizationPolicyRecord>(&*self.store, &organization_policy_key(id)).await?;
        let Some(policy) = found.filter(|found| found.record.policy_type == policy_type) else { return Ok(None) };
        let arn = self.organization().await?.policy_arn(policy_type, id);
        let OrganizationPolicyRecord { id, name, content, .. } = policy.record;
        Ok(Some(EffectivePolicy { id, name, arn, document: content }))
    }

    /// The nodes from the root down to this one; none when there is no such node.
    pub(super) async fn way_to(&self, id: &str) -> Result<Option<Vec<NodeRecord>>, ApiError> {
        let mut way = Vec::new();
        let mut next = Some(id.to_owned());
        while let Some(id) = next {
            let document = self.store.get(&node_key(&id)).await.map_err(store_failed)?;
            let Some(document) = document else {
                if way.is_empty() {
                    return Ok(None);
                }
                return Err(ApiError::internal(format!("the node {id} is named as a parent and not there")));
            };
            let node: NodeRecord = document.decode().map_err(store_failed)?;
            next = node.parent.clone();
            way.push(node);
            if way.len() > LONGEST_WAY {
                return Err(ApiError::internal("the tree of the organization has a loop"));
            }
        }
        way.reverse();
        Ok(Some(way))
    }
}
