//! Versions of customer managed permissions: CreatePermissionVersion, SetDefaultPermissionVersion.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{CreatePermissionVersion, SetDefaultPermissionVersion};
use stoa_models_ram::types::{
    CreatePermissionVersionRequest, CreatePermissionVersionResponse, SetDefaultPermissionVersionRequest,
    SetDefaultPermissionVersionResponse,
};
use stoa_store::Transaction;

use super::{Permission, template};
use crate::Ram;
use crate::error::{invalid, not_here, refused, too_busy};
use crate::idempotency::Ticket;
use crate::service::ATTEMPTS;
use crate::shareable::ShareableType;
use crate::state::PermissionVersion;

/// RAM's limit.
const MOST_VERSIONS: usize = 5;

impl Handles<CreatePermissionVersion> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreatePermissionVersionRequest>,
    ) -> Result<CreatePermissionVersionResponse, ApiError> {
        let ticket = Ticket::of(cx, "CreatePermissionVersion", input.client_token.as_ref(), &*input)?;
        if input.permission_template_parameters.as_ref().is_some_and(|list| !list.is_empty()) {
            return Err(not_here("permissionTemplateParameters"));
        }
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let mut found = self.own_permission(cx, &input.permission_arn).await?;
            let known = ShareableType::named(&found.record.kind)
                .ok_or_else(|| invalid(format!("The resource type {} is not shared any more.", found.record.kind)))?;
            let template = template::checked(known, &input.policy_template)?;
            if found.record.versions.len() >= MOST_VERSIONS {
                return Err(refused(
                    "PermissionVersionsLimitExceededException",
                    format!("A permission has {MOST_VERSIONS} versions at most: delete one that is not used first."),
                ));
            }
            found.record.latest += 1;
            let version = found.record.latest;
            // The new version is the default: new shares get it, those that are there keep theirs.
            found.record.default = version;
            found.record.updated = cx.now;
            found.record.versions.insert(version, PermissionVersion { template, created: cx.now });
            let document = found.changed(cx.now)?;
            let answer = CreatePermissionVersionResponse {
                permission: Some(Permission::Own(found).detail(version)),
                client_token: input.client_token.clone(),
            };
            if self.applied(ticket.remember(Transaction::new().update(document), &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}

impl Handles<SetDefaultPermissionVersion> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<SetDefaultPermissionVersionRequest>,
    ) -> Result<SetDefaultPermissionVersionResponse, ApiError> {
        let ticket = Ticket::of(cx, "SetDefaultPermissionVersion", input.client_token.as_ref(), &*input)?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let found = self.own_permission(cx, &input.permission_arn).await?;
            let version = Permission::Own(found.clone()).version(Some(input.permission_version))?;
            let mut found = found;
            found.record.default = version;
            found.record.updated = cx.now;
            let answer = SetDefaultPermissionVersionResponse {
                return_value: Some(true),
                client_token: input.client_token.clone(),
            };
            let transaction = Transaction::new().update(found.changed(cx.now)?);
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}
