//! ListEntitiesForPolicy: who has a managed policy, attached or as a boundary.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    EntityType, ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, PolicyGroup, PolicyRole, PolicyUsageType,
    PolicyUser,
};

use crate::Iam;
use crate::entities::{Entity, EntityKind};
use crate::managed;
use crate::paging::Paging;

fn is_wanted(entity: &Entity, input: &ListEntitiesForPolicyRequest) -> bool {
    let kind = match input.entity_filter {
        None => true,
        Some(EntityType::Group) => entity.kind == EntityKind::Group,
        Some(EntityType::Role) => entity.kind == EntityKind::Role,
        Some(EntityType::User) => entity.kind == EntityKind::User,
        Some(EntityType::LocalManagedPolicy | EntityType::AWSManagedPolicy) => false,
    };
    let attached = entity.attached.contains(&input.policy_arn);
    let bounded = entity.boundary.as_ref() == Some(&input.policy_arn);
    let used = match input.policy_usage_filter {
        None => attached || bounded,
        Some(PolicyUsageType::PermissionsPolicy) => attached,
        Some(PolicyUsageType::PermissionsBoundary) => bounded,
    };
    kind && used && input.path_prefix.as_ref().is_none_or(|prefix| entity.path.starts_with(prefix.as_str()))
}

impl Handles<op::ListEntitiesForPolicy> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListEntitiesForPolicyRequest>,
    ) -> Result<ListEntitiesForPolicyResponse, ApiError> {
        let account = self.account(cx);
        if managed::find(&input.policy_arn).is_none() {
            self.own_policy(account, &input.policy_arn).await?;
        }
        let entities = self.entities(account).await?;
        let wanted = entities.into_iter().filter(|entity| is_wanted(entity, &input));
        let list = wanted.map(|entity| (format!("{:?}/{}", entity.kind, entity.name), entity)).collect();
        let filters = (input.entity_filter, &input.path_prefix, input.policy_usage_filter);
        let paging = Paging {
            scope: format!("ListEntitiesForPolicy/{}/{filters:?}", input.policy_arn),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_list(cx, &paging, list)?;
        let (is_truncated, marker) = (page.truncated(), page.marker);
        let (mut groups, mut users, mut roles) = (Vec::new(), Vec::new(), Vec::new());
        for entity in page.items {
            let (name, id) = (Some(entity.name), Some(entity.id));
            match entity.kind {
                EntityKind::Group => groups.push(PolicyGroup { group_name: name, group_id: id }),
                EntityKind::User => users.push(PolicyUser { user_name: name, user_id: id }),
                EntityKind::Role => roles.push(PolicyRole { role_name: name, role_id: id }),
            }
        }
        Ok(ListEntitiesForPolicyResponse {
            policy_groups: Some(groups),
            policy_users: Some(users),
            policy_roles: Some(roles),
            is_truncated,
            marker,
        })
    }
}
