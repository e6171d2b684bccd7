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

    pub(super) async fn place_of_account(&self, account: &str) -> Result<Option<Arc<AccountPlace>>, ApiError> {
        Ok(self.member(account).await?.map(|member| Arc::clone(&member.place)))
    }

    /// The resource control policies over a resource: those of its account, where its service takes part.
    pub(super) async fn rcp_levels(
        &self,
        action: &str,
        resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Levels, ApiError> {
        let service = action.split(':').next().unwrap_or_default();
        if !RCP_SERVICES.iter().any(|known| service.eq_ignore_ascii_case(known)) {
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
            let mut documents: Vec<(Arc<str>, Document)> = Vec::with_capacity(level.policies.len());
            for policy in &level.policies {
                documents.push((Arc::from(&*policy.name), parse(&policy.document)?));
            }
            let named = documents.iter().map(|(name, document)| (Arc::clone(name), document));
            levels.push(Arc::new(PolicySet::compile(named)));
        }
        Ok(levels.into())
    }
}
