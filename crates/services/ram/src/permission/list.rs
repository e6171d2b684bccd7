//! Permissions read: GetPermission, ListPermissions, ListPermissionVersions, ListPermissionAssociations.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{GetPermission, ListPermissionAssociations, ListPermissionVersions, ListPermissions};
use stoa_models_ram::types::{
    AssociatedPermission, GetPermissionRequest, GetPermissionResponse, ListPermissionAssociationsRequest,
    ListPermissionAssociationsResponse, ListPermissionVersionsRequest, ListPermissionVersionsResponse,
    ListPermissionsRequest, ListPermissionsResponse, PermissionFeatureSet, PermissionStatus, PermissionTypeFilter,
    ResourceShareAssociationStatus,
};
use stoa_store::Query;

use super::Permission;
use crate::Ram;
use crate::error::{not_here, store_failed};
use crate::paging::Asked;
use crate::shareable::{ShareableType, TYPES};
use crate::state::{Loaded, kind};

impl Handles<GetPermission> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetPermissionRequest>,
    ) -> Result<GetPermissionResponse, ApiError> {
        let permission = self.permission(cx, &input.permission_arn).await?;
        let version = permission.version(input.permission_version)?;
        Ok(GetPermissionResponse { permission: Some(permission.detail(version)) })
    }
}

impl Ram {
    /// AWS's permissions and the caller's own, each with its ARN.
    async fn permissions(&self, cx: &Cx) -> Result<Vec<Permission>, ApiError> {
        let mut all = Vec::new();
        for known in &TYPES {
            all.extend(known.permissions.iter().map(|permission| Permission::Managed(known, permission)));
        }
        let owned = Query::of(kind::PERMISSION).owned_by(&cx.principal.account, Some(&cx.region));
        for document in self.all(owned).await? {
            let record = document.decode().map_err(store_failed)?;
            all.push(Permission::Own(Loaded { document, record }));
        }
        Ok(all)
    }
}

impl Handles<ListPermissions> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPermissionsRequest>,
    ) -> Result<ListPermissionsResponse, ApiError> {
        if input.resource_owner.is_some() {
            return Err(not_here("resourceOwner"));
        }
        if let Some(kind) = &input.resource_type
            && ShareableType::named(kind).is_none()
        {
            return Err(crate::error::invalid(format!("The resource type {kind} is not valid.")));
        }
        let filters = (&input.resource_type, input.permission_type, input.permission_status);
        let asked = Asked::of(cx, "ListPermissions", &filters, input.next_token.as_ref(), input.max_results);
        let mut list = Vec::new();
        for permission in self.permissions(cx).await? {
            let wanted_type = match input.permission_type {
                Some(PermissionTypeFilter::AwsManaged) => matches!(permission, Permission::Managed(..)),
                Some(PermissionTypeFilter::CustomerManaged) => matches!(permission, Permission::Own(_)),
                Some(PermissionTypeFilter::All) | None => true,
            };
            let wanted_kind =
                input.resource_type.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(permission.kind()));
            // Every permission can be attached.
            let wanted_status = input.permission_status.is_none_or(|status| status == PermissionStatus::Attachable);
            if wanted_type && wanted_kind && wanted_status {
                list.push((permission.arn(), permission.summary(permission.default_version())));
            }
        }
        let (permissions, next_token) = self.page(&asked, list)?;
        Ok(ListPermissionsResponse { permissions: Some(permissions), next_token })
    }
}

impl Handles<ListPermissionVersions> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPermissionVersionsRequest>,
    ) -> Result<ListPermissionVersionsResponse, ApiError> {
        let permission = self.permission(cx, &input.permission_arn).await?;
        let filters = &input.permission_arn;
        let asked = Asked::of(cx, "ListPermissionVersions", filters, input.next_token.as_ref(), input.max_results);
        let versions = permission.versions().into_iter();
        let list = versions.map(|version| (format!("{version:010}"), permission.summary(version))).collect();
        let (permissions, next_token) = self.page(&asked, list)?;
        Ok(ListPermissionVersionsResponse { permissions: Some(permissions), next_token })
    }
}

impl Handles<ListPermissionAssociations> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPermissionAssociationsRequest>,
    ) -> Result<ListPermissionAssociationsResponse, ApiError> {
        if input.resource_owner.is_some() {
            return Err(not_here("resourceOwner"));
        }
        let filters = (
            (&input.permission_arn, input.permission_version, input.association_status, &input.resource_type),
            (input.feature_set, input.default_version, &input.resource_share_arn),
        );
        let asked = Asked::of(cx, "ListPermissionAssociations", &filters, input.next_token.as_ref(), input.max_results);
        let mut list = Vec::new();
        for share in self.own_shares(cx).await? {
            for (resource_type, used) in &share.record.permissions {
                let is_default = self.permission(cx, &used.arn).await?.default_version() == used.version;
                let wanted = input.permission_arn.as_ref().is_none_or(|arn| *arn == used.arn)
                    && input.permission_version.is_none_or(|version| version == i64::from(used.version))
                    && input.resource_type.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(resource_type))
                    && input.resource_share_arn.as_ref().is_none_or(|arn| *arn == share.record.arn)
                    && input.default_version.is_none_or(|wanted| wanted == is_default)
                    && input.feature_set.is_none_or(|wanted| wanted == PermissionFeatureSet::Standard)
                    && input
                        .association_status
                        .is_none_or(|wanted| wanted == ResourceShareAssociationStatus::Associated);
                if !wanted {
                    continue;
                }
                let associated = AssociatedPermission {
                    arn: Some(used.arn.clone()),
                    permission_version: Some(used.version.to_string()),
                    default_version: Some(is_default),
                    resource_type: Some(resource_type.clone()),
                    status: Some(ResourceShareAssociationStatus::Associated.as_str().to_owned()),
                    feature_set: Some(PermissionFeatureSet::Standard),
                    last_updated_time: Some(used.updated),
                    resource_share_arn: Some(share.record.arn.clone()),
                    ..Default::default()
                };
                list.push((format!("{} {resource_type}", share.record.arn), associated));
            }
        }
        let (permissions, next_token) = self.page(&asked, list)?;
        Ok(ListPermissionAssociationsResponse { permissions: Some(permissions), next_token })
    }
}
