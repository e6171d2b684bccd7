//! DeletePermission, DeletePermissionVersion. What a share uses stays.
//!
//! A share that begins to use a permission writes the permission again, and a deletion is held to its generation: of the
//! two at once, one reads again.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{DeletePermission, DeletePermissionVersion};
use stoa_models_ram::types::{
    DeletePermissionRequest, DeletePermissionResponse, DeletePermissionVersionRequest, DeletePermissionVersionResponse,
    PermissionStatus,
};
use stoa_store::{Expect, Transaction};

use super::Permission;
use crate::Ram;
use crate::error::{not_permitted, too_busy};
use crate::idempotency::Ticket;
use crate::service::ATTEMPTS;

impl Handles<DeletePermission> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DeletePermissionRequest>,
    ) -> Result<DeletePermissionResponse, ApiError> {
        let ticket = Ticket::of(cx, "DeletePermission", input.client_token.as_ref(), &*input)?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let found = self.own_permission(cx, &input.permission_arn).await?;
            if self.is_used(cx, &found.record.arn, None).await? {
                return Err(not_permitted(format!(
                    "Permission {} is associated with a resource share and can't be deleted.",
                    found.record.arn
                )));
            }
            let expect = Expect::Generation(found.document.generation);
            let transaction =
                Transaction::new().delete(found.document.key.clone(), expect).set_tags(&found.record.arn, Vec::new());
            let answer = DeletePermissionResponse {
                return_value: Some(true),
                client_token: input.client_token.clone(),
                permission_status: Some(PermissionStatus::Deleted),
            };
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}

impl Handles<DeletePermissionVersion> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DeletePermissionVersionRequest>,
    ) -> Result<DeletePermissionVersionResponse, ApiError> {
        let ticket = Ticket::of(cx, "DeletePermissionVersion", input.client_token.as_ref(), &*input)?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let mut found = self.own_permission(cx, &input.permission_arn).await?;
            let version = Permission::Own(found.clone()).version(Some(input.permission_version))?;
            if version == found.record.default {
                return Err(not_permitted(format!(
                    "Version {version} is the default of the permission and can't be deleted."
                )));
            }
            if self.is_used(cx, &found.record.arn, Some(version)).await? {
                return Err(not_permitted(format!(
                    "Version {version} is associated with a resource share and can't be deleted."
                )));
            }
            found.record.versions.remove(&version);
            found.record.updated = cx.now;
            let answer = DeletePermissionVersionResponse {
                return_value: Some(true),
                client_token: input.client_token.clone(),
                permission_status: Some(PermissionStatus::Deleted),
            };
            let transaction = Transaction::new().update(found.changed(cx.now)?);
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}
