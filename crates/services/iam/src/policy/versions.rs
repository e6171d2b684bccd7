//! Versions of managed policies: at most five, numbered without gaps being filled.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    CreatePolicyVersionRequest, CreatePolicyVersionResponse, DeletePolicyVersionRequest, GetPolicyVersionRequest,
    GetPolicyVersionResponse, ListPolicyVersionsRequest, ListPolicyVersionsResponse, PolicyVersion,
    SetDefaultPolicyVersionRequest,
};
use stoa_schema::Empty;
use stoa_store::Transaction;

use super::check_managed;
use crate::Iam;
use crate::documents::encoded;
use crate::error::{delete_conflict, limit_exceeded, no_such_entity};
use crate::managed::{self, Managed};
use crate::paging::Paging;
use crate::state::{PolicyRecord, PolicyVersionRecord};

pub(crate) const MAX_VERSIONS: usize = 5;

pub(crate) fn wire_version(policy: &PolicyRecord, version: &PolicyVersionRecord, document: bool) -> PolicyVersion {
    PolicyVersion {
        document: document.then(|| encoded(&version.document)),
        version_id: Some(format!("v{}", version.number)),
        is_default_version: Some(version.number == policy.default_version),
        create_date: Some(version.created),
    }
}

pub(crate) fn wire_managed_version(policy: &Managed, document: bool) -> PolicyVersion {
    PolicyVersion {
        document: document.then(|| encoded(policy.document)),
        version_id: Some(policy.version.to_owned()),
        is_default_version: Some(true),
        create_date: policy.version_created,
    }
}

fn no_such_version(arn: &str, version: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} version {version} does not exist or is not attachable."))
}

/// The number in `v3`.
fn number(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

impl Handles<op::GetPolicyVersion> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetPolicyVersionRequest>,
    ) -> Result<GetPolicyVersionResponse, ApiError> {
        let missing = || no_such_version(&input.policy_arn, &input.version_id);
        if let Some(policy) = managed::find(&input.policy_arn) {
            // AWS's earlier versions are not kept.
            if input.version_id != policy.version {
                return Err(missing());
            }
            return Ok(GetPolicyVersionResponse { policy_version: Some(wire_managed_version(policy, true)) });
        }
        let policy = self.own_policy(self.account(cx), &input.policy_arn).await?.record;
        let version = number(&input.version_id).and_then(|number| policy.version(number)).ok_or_else(missing)?;
        Ok(GetPolicyVersionResponse { policy_version: Some(wire_version(&policy, version, true)) })
    }
}

impl Handles<op::ListPolicyVersions> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPolicyVersionsRequest>,
    ) -> Result<ListPolicyVersionsResponse, ApiError> {
        let list = match managed::find(&input.policy_arn) {
            Some(policy) => vec![(String::new(), wire_managed_version(policy, false))],
            None => {
                let policy = self.own_policy(self.account(cx), &input.policy_arn).await?.record;
                // Newest first.
                let order = |version: &PolicyVersionRecord| format!("{:010}", u32::MAX - version.number);
                policy.versions.iter().map(|one| (order(one), wire_version(&policy, one, false))).collect()
            }
        };
        let paging = Paging {
            scope: format!("ListPolicyVersions/{}", input.policy_arn),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(ListPolicyVersionsResponse {
            is_truncated: page.truncated(),
            versions: Some(page.items),
            marker: page.marker,
        })
    }
}

impl Handles<op::CreatePolicyVersion> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreatePolicyVersionRequest>,
    ) -> Result<CreatePolicyVersionResponse, ApiError> {
        check_managed(&input.policy_document)?;
        let mut policy = self.own_policy(self.account(cx), &input.policy_arn).await?;
        if policy.record.versions.len() >= MAX_VERSIONS {
            return Err(limit_exceeded(format!(
                "A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you must \
                 delete an existing version."
            )));
        }
        let version = PolicyVersionRecord {
            number: policy.record.next_version,
            document: input.policy_document.clone(),
            created: cx.now,
        };
        policy.record.next_version += 1;
        policy.record.versions.push(version.clone());
        policy.record.updated = cx.now;
        if input.set_as_default == Some(true) {
            policy.record.default_version = version.number;
        }
        self.commit(Transaction::new().update(policy.changed(cx.now)?)).await?;
        Ok(CreatePolicyVersionResponse { policy_version: Some(wire_version(&policy.record, &version, false)) })
    }
}

impl Handles<op::DeletePolicyVersion> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeletePolicyVersionRequest>) -> Result<Empty, ApiError> {
        let mut policy = self.own_policy(self.account(cx), &input.policy_arn).await?;
        let missing = || no_such_version(&input.policy_arn, &input.version_id);
        let number = number(&input.version_id).ok_or_else(missing)?;
        policy.record.version(number).ok_or_else(missing)?;
        if number == policy.record.default_version {
            return Err(delete_conflict("Cannot delete the default version of a policy."));
        }
        policy.record.versions.retain(|version| version.number != number);
        policy.record.updated = cx.now;
        self.commit(Transaction::new().update(policy.changed(cx.now)?)).await?;
        Ok(Empty {})
    }
}

impl Handles<op::SetDefaultPolicyVersion> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<SetDefaultPolicyVersionRequest>) -> Result<Empty, ApiError> {
        let mut policy = self.own_policy(self.account(cx), &input.policy_arn).await?;
        let missing = || no_such_version(&input.policy_arn, &input.version_id);
        let number = number(&input.version_id).ok_or_else(missing)?;
        policy.record.version(number).ok_or_else(missing)?;
        policy.record.default_version = number;
        policy.record.updated = cx.now;
        self.commit(Transaction::new().update(policy.changed(cx.now)?)).await?;
        Ok(Empty {})
    }
}
