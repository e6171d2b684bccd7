//! What the organization adds to a decision: the place of an account in it, and the policies on the way to it, compiled.
//!
//! INVARIANT: an entry is held to the `organizations:` version it was made at, read before anything else, so a move of
//! an account and a change of a control policy are seen by the next request.

use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_kernel::ports::AccountPlace;
use stoa_policy::{Context, Document, PolicySet};
use stoa_types::AccountId;

use super::gathered::said_account;
use super::rights::parse;
use crate::Iam;
use crate::organizations::Level;
use crate::state::PolicyType;

/// The services whose resources AWS subjects to resource control policies.
const RCP_SERVICES: [&str; 12] = [
    "s3",
    "sts",
    "kms",
    "sqs",
    "secretsmanager",
    "ecr",
    "aoss",
    "cognito-identity",
    "cognito-idp",
    "cognito-sync",
    "dynamodb",
    "logs",
];

/// Sets of policies, one for each level from the root to the account.
pub(crate) type Levels = Arc<[Arc<PolicySet>]>;

/// An account of the organization, and what resource control policies say of its resources.
pub(crate) struct Member {
    organizations_version: u64,
    place: Arc<AccountPlace>,
    rcp: Levels,
}

impl Iam {
    /// The account as a member of the organization, as it is now.
    async fn member(&self, account: &str) -> Result<Option<Arc<Member>>, ApiError> {
        let organizations_version = self.store.version("organizations:");
        if let Some(member) = self.members.get(account)
            && member.organizations_version == organizations_version
        {
            return Ok(Some(member));
        }
        let Ok(id) = account.parse::<AccountId>() else { return Ok(None) };
        let Some(place) = self.place_of(&id).await? else { return Ok(None) };
        let place = AccountPlace { organization: place.organization_id.clone(), paths: vec![place.path.clone()] };
        let rcp = self.compile_levels(PolicyType::ResourceControl, &id).await?;
        let member = Arc::new(Member { organizations_version, place: Arc::new(place), rcp });
        self.members.put(account, Arc::clone(&member));
        Ok(Some(member))
    }

    pub(crate) async fn place_of_account(&self, account: &str) -> Result<Option<Arc<AccountPlace>>, ApiError> {
        Ok(self.member(account).await?.map(|member| Arc::clone(&member.place)))
    }

    /// The resource control policies over a resource: those of its account, where its service takes part.
    pub(super) async fn rcp_levels(
        &self,
        action: &str,
        resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Levels, ApiError> {
        if !takes_control_policies(action) {
            return Ok(Levels::default());
        }
        let owner = said_account(context).or_else(|| resource.split(':').nth(4)).filter(|owner| !owner.is_empty());
        let Some(owner) = owner else { return Ok(Levels::default()) };
        Ok(self.member(owner).await?.map(|member| Arc::clone(&member.rcp)).unwrap_or_default())
    }

    /// One set for each node on the way from the root to the account, each of which must allow; none when policies of
    /// this type limit nobody, or not this account.
    pub(super) async fn compile_levels(&self, kind: PolicyType, account: &AccountId) -> Result<Levels, ApiError> {
        let mut levels = Vec::new();
        for level in self.effective_policies(account, kind).await?.iter() {
            levels.push(compile_level(level)?);
        }
        Ok(levels.into())
    }

    /// Every node on the way from the root to an account, with its policies of this type; without any where the type is
    /// not enabled, and every node then stands for AWS's default. Empty when policies of this type limit nobody there.
    pub(crate) async fn levels_of(
        &self,
        kind: PolicyType,
        account: &str,
    ) -> Result<Vec<(String, Option<Arc<PolicySet>>)>, ApiError> {
        let Ok(id) = account.parse::<AccountId>() else { return Ok(Vec::new()) };
        let Some(place) = self.place_of(&id).await? else { return Ok(Vec::new()) };
        if place.management_account == id {
            return Ok(Vec::new());
        }
        let effective = self.effective_policies(&id, kind).await?;
        if effective.is_empty() {
            return Ok(place.targets.iter().map(|target| (target.clone(), None)).collect());
        }
        effective.iter().map(|level| Ok((level.target.clone(), Some(compile_level(level)?)))).collect()
    }
}

fn compile_level(level: &Level) -> Result<Arc<PolicySet>, ApiError> {
    let mut documents: Vec<(Arc<str>, Document)> = Vec::with_capacity(level.policies.len());
    for policy in &level.policies {
        documents.push((Arc::from(&*policy.name), parse(&policy.document)?));
    }
    let named = documents.iter().map(|(name, document)| (Arc::clone(name), document));
    Ok(Arc::new(PolicySet::compile(named)))
}

/// Whether resource control policies bear on the action's service.
pub(crate) fn takes_control_policies(action: &str) -> bool {
    let service = action.split(':').next().unwrap_or_default();
    RCP_SERVICES.iter().any(|known| service.eq_ignore_ascii_case(known))
}
