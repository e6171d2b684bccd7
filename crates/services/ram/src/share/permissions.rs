//! The permissions of a share: AssociateResourceSharePermission, DisassociateResourceSharePermission,
//! ListResourceSharePermissions.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{
    AssociateResourceSharePermission, DisassociateResourceSharePermission, ListResourceSharePermissions,
};
use stoa_models_ram::types::{
    AssociateResourceSharePermissionRequest, AssociateResourceSharePermissionResponse,
    DisassociateResourceSharePermissionRequest, DisassociateResourceSharePermissionResponse,
    ListResourceSharePermissionsRequest, ListResourceSharePermissionsResponse, PermissionFeatureSet, PermissionStatus,
    PermissionType, ResourceShareAssociationStatus, ResourceSharePermissionSummary,
};
use stoa_store::Transaction;

use super::ShareName;
use crate::Ram;
use crate::error::{invalid, malformed_arn, not_here, refused, too_busy, unknown_permission, unknown_share};
use crate::idempotency::Ticket;
use crate::paging::Asked;
use crate::permission::is_managed;
use crate::service::ATTEMPTS;
use crate::state::PermissionUse;

impl Handles<AssociateResourceSharePermission> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<AssociateResourceSharePermissionRequest>,
    ) -> Result<AssociateResourceSharePermissionResponse, ApiError> {
        let ticket = Ticket::of(cx, "AssociateResourceSharePermission", input.client_token.as_ref(), &*input)?;
        if input.permission_template_parameters.as_ref().is_some_and(|list| !list.is_empty()) {
            return Err(not_here("permissionTemplateParameters"));
        }
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let mut found = self.own_share(cx, &input.resource_share_arn).await?;
            let permission = self.permission(cx, &input.permission_arn).await?;
            let version = permission.default_version();
            if input.permission_version.is_some_and(|named| named != i64::from(version)) {
                return Err(invalid(format!(
                    "Only version {version}, the default of the permission, can be associated with a resource share."
                )));
            }
            let used = PermissionUse { arn: permission.arn(), version, updated: cx.now };
            let share = &mut found.record;
            let there = share.permissions.get(permission.kind());
            let same = there.is_some_and(|there| there.arn == used.arn && there.version == version);
            if there.is_some() && !same && input.replace != Some(true) {
                return Err(invalid(format!(
                    "The resource share has a permission for {} already: set replace to put this one in its place.",
                    permission.kind()
                )));
            }
            if !same {
                share.permissions.insert(permission.kind().to_owned(), used);
                share.updated = cx.now;
            }
            let answer = AssociateResourceSharePermissionResponse {
                return_value: Some(true),
                client_token: input.client_token.clone(),
            };
            let transaction = permission.held(Transaction::new()).update(found.changed(cx.now)?);
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}

impl Handles<DisassociateResourceSharePermission> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DisassociateResourceSharePermissionRequest>,
    ) -> Result<DisassociateResourceSharePermissionResponse, ApiError> {
        let ticket = Ticket::of(cx, "DisassociateResourceSharePermission", input.client_token.as_ref(), &*input)?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let mut found = self.own_share(cx, &input.resource_share_arn).await?;
            let share = &mut found.record;
            let of = share.permissions.iter().find(|(_, used)| used.arn == input.permission_arn);
            let Some(kind) = of.map(|(kind, _)| kind.clone()) else {
                return Err(unknown_permission(&input.permission_arn));
            };
            if share.resources.values().any(|resource| resource.is_associated() && resource.kind == kind) {
                return Err(refused(
                    "InvalidStateTransitionException",
                    format!("The resource share has resources of type {kind}, which must have a permission."),
                ));
            }
            share.permissions.remove(&kind);
            share.updated = cx.now;
            let answer = DisassociateResourceSharePermissionResponse {
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

/// A permission of another account's share: what a consumer is told of it.
fn foreign(kind: &str, used: &PermissionUse) -> ResourceSharePermissionSummary {
    let name = used.arn.rsplit('/').next().unwrap_or_default();
    let permission_type =
        if is_managed(&used.arn) { PermissionType::AwsManaged } else { PermissionType::CustomerManaged };
    ResourceSharePermissionSummary {
        arn: Some(used.arn.clone()),
        version: Some(used.version.to_string()),
        name: Some(name.to_owned()),
        resource_type: Some(kind.to_owned()),
        status: Some(PermissionStatus::Attachable.as_str().to_owned()),
        last_updated_time: Some(used.updated),
        permission_type: Some(permission_type),
        feature_set: Some(PermissionFeatureSet::Standard),
        ..Default::default()
    }
}

impl Handles<ListResourceSharePermissions> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListResourceSharePermissionsRequest>,
    ) -> Result<ListResourceSharePermissionsResponse, ApiError> {
        let arn = &input.resource_share_arn;
        let name = ShareName::parse(arn).ok_or_else(|| malformed_arn(arn))?;
        let asked = Asked::of(cx, "ListResourceSharePermissions", arn, input.next_token.as_ref(), input.max_results);
        if name.region != cx.region {
            return Err(unknown_share(arn));
        }
        let own = name.account == cx.principal.account;
        let share = if own {
            self.own_share(cx, arn).await?.record
        } else {
            let found = self.find_share(arn).await?.ok_or_else(|| unknown_share(arn))?.record;
            if !self.has_part(cx, &found).await? {
                return Err(unknown_share(arn));
            }
            found
        };
        let mut list = Vec::new();
        for (kind, used) in &share.permissions {
            let summary = if own {
                let mut summary = self.permission(cx, &used.arn).await?.summary(used.version);
                summary.last_updated_time = Some(used.updated);
                summary.status = Some(ResourceShareAssociationStatus::Associated.as_str().to_owned());
                summary
            } else {
                foreign(kind, used)
            };
            list.push((kind.clone(), summary));
        }
        let (permissions, next_token) = self.page(&asked, list)?;
        Ok(ListResourceSharePermissionsResponse { permissions: Some(permissions), next_token })
    }
}
