//! Roles: their life. Their policies are in `policies`, their tags in `tags`, those of services in `service_linked`.

mod boundary;
mod policies;
mod service_linked;
mod tags;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    CreateRoleRequest, CreateRoleResponse, DeleteRoleRequest, GetRoleRequest, GetRoleResponse, ListRolesRequest,
    ListRolesResponse, Role, UpdateAssumeRolePolicyRequest, UpdateRoleRequest, UpdateRoleResponse,
};
use stoa_policy::PolicyKind;
use stoa_schema::Empty;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::principal_id;

use crate::Iam;
use crate::documents::{add_tags, check, encoded, size, wire_tags};
use crate::error::{already_exists, delete_conflict, invalid_input, limit_exceeded, store_failed};
use crate::holder::modifiable;
use crate::paging::Paging;
use crate::quotas::ROLES;
use crate::state::{RoleRecord, kind, role_key, tag_list};
use crate::usage::principal_use_key;
use crate::user::wire_boundary;

pub(crate) const MAX_TRUST_BYTES: usize = 2048;
const DEFAULT_SESSION_SECONDS: i64 = 3600;

/// A role as the API has it; listings leave out tags and boundary.
pub(crate) fn wire_role(role: &RoleRecord, whole: bool) -> Role {
    Role {
        path: role.path.clone(),
        role_name: role.name.clone(),
        role_id: role.id.clone(),
        arn: role.arn.clone(),
        create_date: role.created,
        assume_role_policy_document: Some(encoded(&role.trust)),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_duration),
        permissions_boundary: whole.then(|| wire_boundary(role.boundary.as_deref())).flatten(),
        tags: whole.then(|| wire_tags(&role.tags)).flatten(),
        // What uses there were is known beside the role: GetRole adds it.
        role_last_used: None,
        source_role_template: None,
    }
}

fn check_trust(text: &str) -> Result<(), ApiError> {
    check(text, PolicyKind::Trust)?;
    if size(text) > MAX_TRUST_BYTES {
        return Err(limit_exceeded(format!("Cannot exceed quota for ACLSizePerRole: {MAX_TRUST_BYTES}")));
    }
    Ok(())
}

impl Handles<op::CreateRole> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateRoleRequest>) -> Result<CreateRoleResponse, ApiError> {
        let input = input.into_inner();
        let account = self.account(cx);
        let path = input.path.unwrap_or_else(|| "/".to_owned());
        if path.starts_with("/aws-service-role/") {
            return Err(invalid_input("Roles with the path /aws-service-role/ are made by services alone."));
        }
        check_trust(&input.assume_role_policy_document)?;
        self.room_for(ROLES, account).await?;
        let mut role = RoleRecord {
            id: principal_id(&*self.ids, "AROA"),
            arn: format!("arn:aws:iam::{account}:role{path}{}", input.role_name),
            name: input.role_name,
            path,
            created: cx.now,
            description: input.description,
            trust: input.assume_role_policy_document,
            max_session_duration: input.max_session_duration.unwrap_or(DEFAULT_SESSION_SECONDS),
            inline: Default::default(),
            attached: Vec::new(),
            boundary: input.permissions_boundary,
            tags: Default::default(),
            instance_profiles: Vec::new(),
        };
        add_tags(&mut role.tags, input.tags.unwrap_or_default())?;
        let document = Document::new(role_key(account, &role.name), &role.name, cx.now, &role).map_err(store_failed)?;
        let mut transaction = Transaction::new().create(document).set_tags(&role.arn, tag_list(&role.tags));
        transaction = self.count_boundary(transaction, account, role.boundary.as_deref(), 1).await?;
        let taken = || already_exists(format!("Role with name {} already exists.", role.name));
        self.create_entity(transaction, &role_key(account, &role.name), taken).await?;
        Ok(CreateRoleResponse { role: wire_role(&role, true) })
    }
}

impl Handles<op::GetRole> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<GetRoleRequest>) -> Result<GetRoleResponse, ApiError> {
        let account = self.account(cx);
        let role = self.holder::<RoleRecord>(account, &input.role_name).await?.record;
        let role_last_used = Some(self.role_last_used(account, &role.id).await?);
        Ok(GetRoleResponse { role: Role { role_last_used, ..wire_role(&role, true) } })
    }
}

impl Handles<op::ListRoles> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<ListRolesRequest>) -> Result<ListRolesResponse, ApiError> {
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let paging = Paging {
            scope: format!("ListRoles/{prefix}"),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let query = Query::of(kind::ROLE).owned_by(self.account(cx), None);
        let item = |document: &Document| {
            let role: RoleRecord = document.decode().map_err(store_failed)?;
            Ok(role.path.starts_with(prefix).then(|| wire_role(&role, false)))
        };
        let page = self.page_of_documents(cx, &paging, query, item).await?;
        Ok(ListRolesResponse { is_truncated: page.truncated(), roles: page.items, marker: page.marker })
    }
}

impl Handles<op::UpdateAssumeRolePolicy> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateAssumeRolePolicyRequest>) -> Result<Empty, ApiError> {
        check_trust(&input.policy_document)?;
        let change = |role: &mut RoleRecord| {
            modifiable(role)?;
            role.trust.clone_from(&input.policy_document);
            Ok(())
        };
        self.modify(self.account(cx), &input.role_name, change).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UpdateRole> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateRoleRequest>) -> Result<UpdateRoleResponse, ApiError> {
        let change = |role: &mut RoleRecord| {
            // The description is all of a service-linked role that may be edited.
            if input.max_session_duration.is_some() {
                modifiable(role)?;
            }
            if let Some(description) = &input.description {
                role.description = Some(description.clone());
            }
            role.max_session_duration = input.max_session_duration.unwrap_or(role.max_session_duration);
            Ok(())
        };
        self.modify(self.account(cx), &input.role_name, change).await?;
        Ok(UpdateRoleResponse {})
    }
}

impl Handles<op::DeleteRole> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteRoleRequest>) -> Result<Empty, ApiError> {
        let account = self.account(cx);
        let role = self.holder::<RoleRecord>(account, &input.role_name).await?;
        modifiable(&role.record)?;
        let in_the_way = [
            (!role.record.attached.is_empty(), "Cannot delete entity, must detach all policies first."),
            (!role.record.inline.is_empty(), "Cannot delete entity, must delete policies first."),
            (
                !role.record.instance_profiles.is_empty(),
                "Cannot delete entity, must remove roles from instance profile first.",
            ),
        ];
        if let Some((_, message)) = in_the_way.iter().find(|(there, _)| *there) {
            return Err(delete_conflict(*message));
        }
        let expect = Expect::Generation(role.document.generation);
        let mut transaction =
            Transaction::new().delete(role.document.key.clone(), expect).set_tags(&role.record.arn, Vec::new());
        transaction = self.count_boundary(transaction, account, role.record.boundary.as_deref(), -1).await?;
        transaction = transaction.delete(principal_use_key(account, &role.record.id), Expect::Any);
        self.commit(transaction).await?;
        Ok(Empty {})
    }
}
