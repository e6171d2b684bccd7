//! GetAccountAuthorizationDetails: every user, group, role and policy with all that bears on decisions.
//!
//! AWS managed policies are listed where an entity of the account has them.

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AttachedPolicy, EntityType, GetAccountAuthorizationDetailsRequest, GetAccountAuthorizationDetailsResponse,
    GroupDetail, ManagedPolicyDetail, PolicyDetail, RoleDetail, UserDetail,
};
use stoa_types::AccountId;

use crate::Iam;
use crate::documents::{encoded, wire_tags};
use crate::error::store_failed;
use crate::holder::path_and_name;
use crate::managed;
use crate::paging::Paging;
use crate::policy::{wire_managed_version, wire_version};
use crate::state::{GroupRecord, Loaded, PolicyRecord, RoleRecord, UserRecord, kind};
use crate::user::wire_boundary;

enum Detail {
    User(UserDetail),
    Group(GroupDetail),
    Role(RoleDetail),
    Policy(ManagedPolicyDetail),
}

fn inline(policies: &BTreeMap<String, String>) -> Option<Vec<PolicyDetail>> {
    let detail = |(name, text): (&String, &String)| PolicyDetail {
        policy_name: Some(name.clone()),
        policy_document: Some(encoded(text)),
    };
    Some(policies.iter().map(detail).collect())
}

fn attached(arns: &[String]) -> Option<Vec<AttachedPolicy>> {
    let policy = |arn: &String| AttachedPolicy {
        policy_name: Some(path_and_name(arn).1.to_owned()),
        policy_arn: Some(arn.clone()),
    };
    Some(arns.iter().map(policy).collect())
}

fn group_detail(group: &GroupRecord) -> GroupDetail {
    GroupDetail {
        path: Some(group.path.clone()),
        group_name: Some(group.name.clone()),
        group_id: Some(group.id.clone()),
        arn: Some(group.arn.clone()),
        create_date: Some(group.created),
        group_policy_list: inline(&group.inline),
        attached_managed_policies: attached(&group.attached),
    }
}

fn policy_detail(policy: &PolicyRecord) -> ManagedPolicyDetail {
    ManagedPolicyDetail {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(policy.arn.clone()),
        path: Some(policy.path.clone()),
        default_version_id: Some(format!("v{}", policy.default_version)),
        attachment_count: i64::try_from(policy.attachments).ok(),
        permissions_boundary_usage_count: i64::try_from(policy.boundaries).ok(),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: Some(policy.created),
        update_date: Some(policy.updated),
        policy_version_list: Some(policy.versions.iter().rev().map(|one| wire_version(policy, one, true)).collect()),
    }
}

fn managed_detail(policy: &managed::Managed, attachments: i64, boundaries: i64) -> ManagedPolicyDetail {
    let version = wire_managed_version(policy, true);
    ManagedPolicyDetail {
        policy_name: Some(policy.name.to_owned()),
        policy_id: Some(policy.id.to_owned()),
        arn: Some(policy.arn()),
        path: Some(policy.path.to_owned()),
        default_version_id: version.version_id.clone(),
        attachment_count: Some(attachments),
        permissions_boundary_usage_count: Some(boundaries),
        is_attachable: Some(true),
        description: None,
        create_date: policy.created,
        update_date: policy.updated,
        policy_version_list: Some(vec![version]),
    }
}

impl Iam {
    async fn user_details(&self, account: &AccountId) -> Result<Vec<(String, Detail)>, ApiError> {
        let mut details = Vec::new();
        for document in self.all_of(kind::USER, account).await? {
            let record: UserRecord = document.decode().map_err(store_failed)?;
            let user = Loaded { document, record };
            let groups = self.groups_of(&user).await?.into_iter().map(|group| group.name).collect();
            let user = &user.record;
            let detail = UserDetail {
                path: Some(user.path.clone()),
                user_name: Some(user.name.clone()),
                user_id: Some(user.id.clone()),
                arn: Some(user.arn.clone()),
                create_date: Some(user.created),
                user_policy_list: inline(&user.inline),
                group_list: Some(groups),
                attached_managed_policies: attached(&user.attached),
                permissions_boundary: wire_boundary(user.boundary.as_deref()),
                tags: Some(wire_tags(&user.tags).unwrap_or_default()),
            };
            details.push((format!("1/{}", user.name), Detail::User(detail)));
        }
        Ok(details)
    }

    async fn group_details(&self, account: &AccountId) -> Result<Vec<(String, Detail)>, ApiError> {
        let mut details = Vec::new();
        for document in self.all_of(kind::GROUP, account).await? {
            let group: GroupRecord = document.decode().map_err(store_failed)?;
            details.push((format!("2/{}", group.name), Detail::Group(group_detail(&group))));
        }
        Ok(details)
    }

    async fn role_details(&self, account: &AccountId) -> Result<Vec<(String, Detail)>, ApiError> {
        let mut details = Vec::new();
        for document in self.all_of(kind::ROLE, account).await? {
            let role: RoleRecord = document.decode().map_err(store_failed)?;
            let detail = RoleDetail {
                path: Some(role.path.clone()),
                role_name: Some(role.name.clone()),
                role_id: Some(role.id.clone()),
                arn: Some(role.arn.clone()),
                create_date: Some(role.created),
                assume_role_policy_document: Some(encoded(&role.trust)),
                instance_profile_list: Some(self.profiles_of(account, &role).await?),
                role_policy_list: inline(&role.inline),
                attached_managed_policies: attached(&role.attached),
                permissions_boundary: wire_boundary(role.boundary.as_deref()),
                tags: Some(wire_tags(&role.tags).unwrap_or_default()),
                role_last_used: Some(self.role_last_used(account, &role.id).await?),
            };
            details.push((format!("3/{}", role.name), Detail::Role(detail)));
        }
        Ok(details)
    }

    async fn policy_details(&self, account: &AccountId) -> Result<Vec<(String, Detail)>, ApiError> {
        let mut details = Vec::new();
        for document in self.all_of(kind::POLICY, account).await? {
            let policy: PolicyRecord = document.decode().map_err(store_failed)?;
            details.push((format!("4/{}", policy.arn), Detail::Policy(policy_detail(&policy))));
        }
        Ok(details)
    }

    async fn managed_details(&self, account: &AccountId) -> Result<Vec<(String, Detail)>, ApiError> {
        let uses = self.managed_uses(account).await?;
        let used = managed::all().iter().filter_map(|policy| uses.get(&policy.arn()).map(|uses| (policy, *uses)));
        let detail = |(policy, (attachments, boundaries)): (&managed::Managed, (i64, i64))| {
            (format!("5/{}", policy.arn()), Detail::Policy(managed_detail(policy, attachments, boundaries)))
        };
        Ok(used.map(detail).collect())
    }
}

impl Handles<op::GetAccountAuthorizationDetails> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetAccountAuthorizationDetailsRequest>,
    ) -> Result<GetAccountAuthorizationDetailsResponse, ApiError> {
        let account = self.account(cx);
        let filter = input.filter.as_deref().unwrap_or_default();
        let wanted = |kind: EntityType| filter.is_empty() || filter.contains(&kind);
        let mut list = Vec::new();
        if wanted(EntityType::User) {
            list.extend(self.user_details(account).await?);
        }
        if wanted(EntityType::Group) {
            list.extend(self.group_details(account).await?);
        }
        if wanted(EntityType::Role) {
            list.extend(self.role_details(account).await?);
        }
        if wanted(EntityType::LocalManagedPolicy) {
            list.extend(self.policy_details(account).await?);
        }
        if wanted(EntityType::AWSManagedPolicy) {
            list.extend(self.managed_details(account).await?);
        }
        let paging = Paging {
            scope: format!("GetAccountAuthorizationDetails/{filter:?}"),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_list(cx, &paging, list)?;
        let (is_truncated, marker) = (page.truncated(), page.marker);
        let (mut users, mut groups, mut roles, mut policies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for detail in page.items {
            match detail {
                Detail::User(user) => users.push(user),
                Detail::Group(group) => groups.push(group),
                Detail::Role(role) => roles.push(role),
                Detail::Policy(policy) => policies.push(policy),
            }
        }
        Ok(GetAccountAuthorizationDetailsResponse {
            user_detail_list: Some(users),
            group_detail_list: Some(groups),
            role_detail_list: Some(roles),
            policies: Some(policies),
            is_truncated,
            marker,
        })
    }
}
