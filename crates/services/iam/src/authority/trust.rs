//! Trust policies of roles, compiled, by the role's ARN.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use stoa_kernel::ApiError;
use stoa_policy::PolicySet;
use stoa_store::Key;
use stoa_types::Arn;

use super::rights::{Sources, parse};
use crate::Iam;
use crate::state::{RoleRecord, role_key};

/// A role's trust policy, and what the role is.
pub(crate) struct Trust {
    iam_version: AtomicU64,
    sources: Sources,
    /// None when there is no such role.
    pub(crate) role: Option<RoleRecord>,
    /// Empty when there is no such role: it trusts nobody.
    pub(crate) policy: Arc<PolicySet>,
}

impl Iam {
    /// The trust policy of a role, as it is now.
    pub(crate) async fn trust(&self, role_arn: &str) -> Result<Arc<Trust>, ApiError> {
        let iam_version = self.store.version("iam:");
        if let Some(trust) = self.trusts.get(role_arn) {
            if trust.iam_version.load(Ordering::Acquire) == iam_version {
                return Ok(trust);
            }
            if trust.sources.unchanged(&*self.store).await? {
                trust.iam_version.store(iam_version, Ordering::Release);
                return Ok(trust);
            }
        }
        let mut sources = Sources::default();
        let role = match role_key_of(role_arn) {
            Some(key) => sources.load::<RoleRecord>(&*self.store, key).await?.filter(|role| role.arn == role_arn),
            None => None,
        };
        // Nobody becomes a role of an account that is closed or being deleted.
        let role = match role {
            Some(role) if self.role_is_open(role_arn, &mut sources).await? => Some(role),
            _ => None,
        };
        let policy = match &role {
            Some(role) => PolicySet::compile([(Arc::from(&*role.name), &parse(&role.trust)?)]),
            None => PolicySet::default(),
        };
        let found = role.is_some();
        let policy = Arc::new(policy);
        let trust = Arc::new(Trust { iam_version: AtomicU64::new(iam_version), sources, role, policy });
        if found {
            self.trusts.put(role_arn, Arc::clone(&trust));
        }
        Ok(trust)
    }

    async fn role_is_open(&self, role_arn: &str, sources: &mut Sources) -> Result<bool, ApiError> {
        match role_key_of(role_arn) {
            Some(key) => self.account_is_active(&key.account, sources).await,
            None => Ok(false),
        }
    }
}

/// The key of the role with this ARN.
pub(crate) fn role_key_of(arn: &str) -> Option<Key> {
    let arn: Arn = arn.parse().ok()?;
    if arn.service() != "iam" || arn.resource_type() != "role" {
        return None;
    }
    let name = arn.resource_id().rsplit('/').next()?;
    Some(role_key(&arn.account().parse().ok()?, name))
}
