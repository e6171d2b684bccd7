//! How much an account may have: AWS's default quotas.
//!
//! The number of entities is counted before one is made, not within its transaction: calls at the same instant can
//! pass a quota by as many as they are. Quotas within one document (attachments, versions, sizes) are exact.

use stoa_kernel::ApiError;
use stoa_store::Query;
use stoa_types::AccountId;

use crate::Iam;
use crate::error::{limit_exceeded, store_failed};
use crate::state::kind;

/// A quota of entities in an account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quota {
    kind: &'static str,
    name: &'static str,
    pub(crate) most: u64,
}

pub(crate) const USERS: Quota = Quota { kind: kind::USER, name: "UsersPerAccount", most: 5000 };
pub(crate) const GROUPS: Quota = Quota { kind: kind::GROUP, name: "GroupsPerAccount", most: 300 };
pub(crate) const ROLES: Quota = Quota { kind: kind::ROLE, name: "RolesPerAccount", most: 1000 };
pub(crate) const POLICIES: Quota = Quota { kind: kind::POLICY, name: "PoliciesPerAccount", most: 1500 };
pub(crate) const INSTANCE_PROFILES: Quota =
    Quota { kind: kind::INSTANCE_PROFILE, name: "InstanceProfilesPerAccount", most: 1000 };
pub(crate) const GROUPS_PER_USER: usize = 10;

/// The refusal of what exceeds a quota.
pub(crate) fn exceeded(name: &str, most: impl std::fmt::Display) -> ApiError {
    limit_exceeded(format!("Cannot exceed quota for {name}: {most}"))
}

impl Iam {
    /// How many an account has.
    pub(crate) async fn count(&self, kind: &'static str, account: &AccountId) -> Result<u64, ApiError> {
        self.store.count(&Query::of(kind).owned_by(account, None)).await.map_err(store_failed)
    }

    /// Refuses one more than the account may have.
    pub(crate) async fn room_for(&self, quota: Quota, account: &AccountId) -> Result<(), ApiError> {
        if self.count(quota.kind, account).await? >= quota.most {
            return Err(exceeded(quota.name, quota.most));
        }
        Ok(())
    }
}
