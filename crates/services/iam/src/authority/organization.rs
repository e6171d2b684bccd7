//! What the organization adds to a decision: the place of an account in it, and the policies on the way to it.
//!
//! INVARIANT: an entry is held to the `iam:` and `organizations:` versions it was made at, so a move of an account and
//! a change of a control policy are seen by the next request.

use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_kernel::ports::AccountPlace;
use stoa_policy::{Context, Document, PolicySet};
use stoa_store::Query;
use stoa_types::AccountId;

use super::gathered::said_account;
use super::rights::parse;
use crate::Iam;
use crate::accounts::{Organization, organization_key};
use crate::error::store_failed;
use crate::state::{AccountRecord, ScpRecord, account_key, kind, load};

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
    versions: (u64, u64),
    place: Option<Arc<AccountPlace>>,
    rcp: Levels,
}

impl Iam {
    /// The account as a member of the organization, as it is now.
    pub(super) async fn member(&self, account: &str) -> Result<Option<Arc<Member>>, ApiError> {
        let versions = (self.store.version("iam:"), self.store.version("organizations:"));
        if let Some(member) = self.members.get(account)
            && member.versions == versions
        {
            return Ok(Some(member));
        }
        let Ok(id) = account.parse::<AccountId>() else { return Ok(None) };
        let Some(record) = load::<AccountRecord>(&*self.store, &account_key(&id)).await? else { return Ok(None) };
        let record = record.record;
        let place = self.place(&record).await?.map(Arc::new);
        // Resources of the management account are exempt.
        let rcp = if record.management { Levels::default() } else { self.compile_levels(kind::RCP, &record).await? };
        let member = Arc::new(Member { versions, place, rcp });
        self.members.put(account, Arc::clone(&member));
        Ok(Some(member))
    }

    async fn place(&self, account: &AccountRecord) -> Result<Option<AccountPlace>, ApiError> {
        let organization = load::<Organization>(&*self.store, &organization_key()).await?;
        let Some(organization) = organization else { return Ok(None) };
        let id = organization.record.id;
        let mut path = format!("{id}/");
        for step in account.path.iter().filter(|step| **step != *account.id.as_str()) {
            path.push_str(step);
            path.push('/');
        }
        Ok(Some(AccountPlace { organization: id, paths: vec![path] }))
    }

    pub(super) async fn place_of_account(&self, account: &str) -> Result<Option<Arc<AccountPlace>>, ApiError> {
        Ok(self.member(account).await?.and_then(|member| member.place.clone()))
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

    /// One set for each target on the way from the root to the account that has any policy of this kind. A target
    /// without one stands for AWS's default, which allows everything.
    pub(super) async fn compile_levels(&self, kind: &'static str, account: &AccountRecord) -> Result<Levels, ApiError> {
        let mut levels = Vec::new();
        for target in &account.path {
            let mut documents: Vec<(Arc<str>, Document)> = Vec::new();
            let mut query = Query::of(kind).children_of(target);
            loop {
                let page = self.store.query(&query).await.map_err(store_failed)?;
                for document in &page.documents {
                    let attached: ScpRecord = document.decode().map_err(store_failed)?;
                    documents.push((Arc::from(attached.name), parse(&attached.document)?));
                }
                match page.next {
                    Some(next) => query.after = Some(next),
                    None => break,
                }
            }
            if !documents.is_empty() {
                let named = documents.iter().map(|(name, document)| (Arc::clone(name), document));
                levels.push(Arc::new(PolicySet::compile(named)));
            }
        }
        Ok(levels.into())
    }
}
