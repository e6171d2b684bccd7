//! ListPolicies, and how often AWS's policies are used in an account (they have no document to count in).

use std::collections::HashMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{ListPoliciesRequest, ListPoliciesResponse, Policy, PolicyScopeType, PolicyUsageType};
use stoa_types::AccountId;

use super::{wire_managed, wire_policy};
use crate::Iam;
use crate::error::store_failed;
use crate::managed;
use crate::paging::Paging;
use crate::state::{GroupRecord, PolicyRecord, RoleRecord, UserRecord, kind};

/// By ARN: attachments and uses as boundary.
type Uses = HashMap<String, (i64, i64)>;

fn count(uses: &mut Uses, attached: Vec<String>, boundary: Option<String>) {
    for arn in attached {
        uses.entry(arn).or_default().0 += 1;
    }
    if let Some(arn) = boundary {
        uses.entry(arn).or_default().1 += 1;
    }
}

impl Iam {
    pub(crate) async fn managed_uses(&self, account: &AccountId) -> Result<Uses, ApiError> {
        let mut uses = Uses::new();
        for document in self.all_of(kind::ROLE, account).await? {
            let role: RoleRecord = document.decode().map_err(store_failed)?;
            count(&mut uses, role.attached, role.boundary);
        }
        for document in self.all_of(kind::USER, account).await? {
            let user: UserRecord = document.decode().map_err(store_failed)?;
            count(&mut uses, user.attached, user.boundary);
        }
        for document in self.all_of(kind::GROUP, account).await? {
            let group: GroupRecord = document.decode().map_err(store_failed)?;
            count(&mut uses, group.attached, None);
        }
        Ok(uses)
    }
}

fn is_wanted(policy: &Policy, input: &ListPoliciesRequest) -> bool {
    let (attachments, boundaries) =
        (policy.attachment_count.unwrap_or(0), policy.permissions_boundary_usage_count.unwrap_or(0));
    let path = policy.path.as_deref().unwrap_or("/");
    input.path_prefix.as_deref().is_none_or(|prefix| path.starts_with(prefix))
        && match (input.only_attached.unwrap_or(false), input.policy_usage_filter) {
            (_, Some(PolicyUsageType::PermissionsBoundary)) => boundaries > 0,
            (true, _) => attachments > 0,
            (false, _) => true,
        }
}

impl Handles<op::ListPolicies> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListPoliciesRequest>) -> Result<ListPoliciesResponse, ApiError> {
        let account = self.account(cx);
        let scope = input.scope.unwrap_or(PolicyScopeType::All);
        let mut policies = Vec::new();
        if scope != PolicyScopeType::Local {
            let uses = self.managed_uses(account).await?;
            for policy in managed::all() {
                let (attachments, boundaries) = uses.get(&policy.arn()).copied().unwrap_or_default();
                policies.push(wire_managed(policy, attachments, boundaries));
            }
        }
        if scope != PolicyScopeType::Aws {
            for document in self.all_of(kind::POLICY, account).await? {
                let policy: PolicyRecord = document.decode().map_err(store_failed)?;
                policies.push(wire_policy(&policy, false));
            }
        }
        policies.retain(|policy| is_wanted(policy, &input));
        let usage = input.policy_usage_filter.map(PolicyUsageType::as_str).unwrap_or_default();
        let prefix = input.path_prefix.as_deref().unwrap_or_default();
        let only_attached = input.only_attached.unwrap_or(false);
        let paging = Paging {
            scope: format!("ListPolicies/{}/{only_attached}/{usage}/{prefix}", scope.as_str()),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let list = policies.into_iter().map(|policy| (policy.arn.clone().unwrap_or_default(), policy)).collect();
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(ListPoliciesResponse { is_truncated: page.truncated(), policies: Some(page.items), marker: page.marker })
    }
}
