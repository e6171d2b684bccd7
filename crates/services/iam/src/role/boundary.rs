//! Permissions boundaries of roles, and UpdateRoleDescription.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    DeleteRolePermissionsBoundaryRequest, PutRolePermissionsBoundaryRequest, UpdateRoleDescriptionRequest,
    UpdateRoleDescriptionResponse,
};
use stoa_schema::Empty;

use super::wire_role;
use crate::Iam;
use crate::state::RoleRecord;

impl Handles<op::PutRolePermissionsBoundary> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<PutRolePermissionsBoundaryRequest>) -> Result<Empty, ApiError> {
        let boundary = Some(input.permissions_boundary.as_str());
        self.set_boundary::<RoleRecord>(self.account(cx), &input.role_name, boundary).await?;
        Ok(Empty {})
    }
}

impl Handles<op::DeleteRolePermissionsBoundary> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DeleteRolePermissionsBoundaryRequest>,
    ) -> Result<Empty, ApiError> {
        self.set_boundary::<RoleRecord>(self.account(cx), &input.role_name, None).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UpdateRoleDescription> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateRoleDescriptionRequest>,
    ) -> Result<UpdateRoleDescriptionResponse, ApiError> {
        // The description is all of a service-linked role that may be edited.
        let change = |role: &mut RoleRecord| {
            role.description = Some(input.description.clone());
            Ok(())
        };
        let role = self.modify::<RoleRecord>(self.account(cx), &input.role_name, change).await?;
        Ok(UpdateRoleDescriptionResponse { role: Some(wire_role(&role, true)) })
    }
}
