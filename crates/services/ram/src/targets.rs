//! What is decided for each operation, with RAM's condition keys.
//!
//! A request with several principals and resources is decided for each pair of them: the keys `ram:Principal`,
//! `ram:ResourceArn` and `ram:RequestedResourceType` have one value at a time, and each must be allowed. What belongs to
//! AWS (permissions) or to another account (an invitation, a share that the caller is in) is decided as the caller's own
//! where the operation is the caller's to do.

use stoa_kernel::{ApiError, Cx, Target, Targets};
use stoa_models_ram::operations as op;
use stoa_schema::Value;
use stoa_types::Arn;

use crate::Ram;
use crate::error::invalid;
use crate::permission::is_managed;
use crate::service::PRINCIPAL;
use crate::share::is_leaving;
use crate::shareable::ShareableType;
use crate::state::ShareRecord;
use crate::tags;

/// Pairs of principals and resources that one call may have.
const MOST_PAIRS: usize = 1000;

fn texts<'v>(input: &'v Value, member: &str) -> Vec<&'v str> {
    match input.member(member) {
        Some(Value::List(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn flag(input: &Value, member: &str) -> Option<bool> {
    match input.member(member) {
        Some(Value::Bool(value)) => Some(*value),
        _ => None,
    }
}

/// `aws:RequestTag/*` and `aws:TagKeys` from RAM's tags, which have small letters.
fn with_tags(target: Target, input: &Value) -> Target {
    let Some(Value::List(tags)) = input.member("tags") else { return target };
    let text = |tag: &Value, name| Value::String(tag.str_member(name).unwrap_or_default().to_owned());
    let renamed = |tag: &Value| Value::Struct(vec![("Key", text(tag, "key")), ("Value", text(tag, "value"))]);
    let wire = Value::Struct(vec![("Tags", Value::List(tags.iter().map(renamed).collect()))]);
    target.with_request_tags(&wire, "Tags")
}

fn resource_type(arn: &str) -> Option<&'static str> {
    ShareableType::of_resource(&arn.parse::<Arn>().ok()?).map(|known| known.name)
}

/// One target for each pair of a principal and a resource of the request.
fn pairs(target: &Target, input: &Value) -> Result<Vec<Target>, ApiError> {
    let (principals, resources) = (texts(input, "principals"), texts(input, "resourceArns"));
    if principals.len().max(1).saturating_mul(resources.len().max(1)) > MOST_PAIRS {
        return Err(invalid(
            "The request names too many principals and resources at once: share them by several calls.",
        ));
    }
    let or_none = |list: Vec<&str>| -> Vec<Option<String>> {
        if list.is_empty() { vec![None] } else { list.into_iter().map(|text| Some(text.to_owned())).collect() }
    };
    let (principals, resources) = (or_none(principals), or_none(resources));
    let mut targets = Vec::new();
    for principal in &principals {
        for resource in &resources {
            let mut one = target.clone();
            if let Some(principal) = principal {
                one.keys.set("ram:Principal", principal.as_str());
            }
            if let Some(resource) = resource {
                one.keys.set("ram:ResourceArn", resource.as_str());
                if let Some(known) = resource_type(resource) {
                    one.keys.set("ram:RequestedResourceType", known);
                }
            }
            targets.push(one);
        }
    }
    Ok(targets)
}

fn share_keys(target: &mut Target, share: &ShareRecord) {
    target.keys.set("ram:ResourceShareName", share.name.as_str());
    target.keys.set("ram:AllowsExternalPrincipals", share.allow_external.to_string());
    target.keys.set("ram:RetainSharingOnAccountLeaveOrganization", share.retain.to_string());
}

/// The ARN in the request; what is none becomes `*`, which only a right on everything covers, and is refused after.
fn arn_or_any(text: Option<&str>) -> &str {
    text.filter(|text| text.parse::<Arn>().is_ok_and(|arn| arn.service() == "ram")).unwrap_or("*")
}

impl Ram {
    async fn share_target(&self, action: &'static str, arn: Option<&str>) -> Result<Target, ApiError> {
        let arn = arn_or_any(arn);
        let mut target = Target::new(action, arn);
        if let Some(found) = self.find_share(arn).await? {
            share_keys(&mut target, &found.record);
        }
        Ok(target)
    }

    async fn permission_target(&self, cx: &Cx, action: &'static str, arn: Option<&str>) -> Result<Target, ApiError> {
        let arn = arn_or_any(arn);
        let mut target = Target::new(action, arn).with_key("ram:PermissionArn", arn);
        if let Some(kind) = self.kind_of_permission(arn).await? {
            target.keys.set("ram:PermissionResourceType", kind);
        }
        if is_managed(arn) {
            // AWS's permissions are everyone's to use.
            target.keys.set("aws:ResourceAccount", cx.principal.account.as_str());
        }
        Ok(target)
    }

    async fn invitation_target(&self, cx: &Cx, action: &'static str, arn: Option<&str>) -> Result<Target, ApiError> {
        let arn = arn_or_any(arn);
        // Its ARN has the sender's account; it is the receiver's to answer, and nobody else finds it.
        let mut target = Target::new(action, arn).with_key("aws:ResourceAccount", cx.principal.account.as_str());
        if arn != "*"
            && let Ok(Some(found)) = self.invitation_for(cx, arn).await
        {
            target.keys.set("ram:ResourceShareName", self.name_of_share(&found.record).await?);
            target.keys.set("ram:ShareOwnerAccountId", found.record.sender.as_str());
            target = target.shared_by(found.record.sender);
        }
        Ok(target)
    }

    /// As the caller's own where the caller's account is in the share. Its owner has a record of it.
    async fn consumer_target(&self, cx: &Cx, target: Target) -> Result<Target, ApiError> {
        let Some(found) = self.find_share(&target.resource).await? else { return Ok(target) };
        let own = found.record.owner == cx.principal.account;
        if !own && self.has_part(cx, &found.record).await? {
            let target = target.with_key("aws:ResourceAccount", cx.principal.account.as_str());
            return Ok(target.shared_by(found.record.owner));
        }
        Ok(target)
    }
}

macro_rules! share_targets {
    // share_targets!(DeleteResourceShare) gives the operation one target: `ram:<its name>` on the share.
    ($($operation:ident),*) => {$(
        impl Targets<op::$operation> for Ram {
            async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("ram:", stringify!($operation));
                Ok(vec![self.share_target(action, input.str_member("resourceShareArn")).await?])
            }
        }
    )*};
}

macro_rules! permission_targets {
    // As above, on the permission.
    ($($operation:ident),*) => {$(
        impl Targets<op::$operation> for Ram {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("ram:", stringify!($operation));
                Ok(vec![self.permission_target(cx, action, input.str_member("permissionArn")).await?])
            }
        }
    )*};
}

macro_rules! invitation_targets {
    // As above, on the invitation.
    ($($operation:ident),*) => {$(
        impl Targets<op::$operation> for Ram {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("ram:", stringify!($operation));
                let arn = input.str_member("resourceShareInvitationArn");
                Ok(vec![self.invitation_target(cx, action, arn).await?])
            }
        }
    )*};
}

macro_rules! share_and_permission_targets {
    // As above, on the share and on the permission.
    ($($operation:ident),*) => {$(
        impl Targets<op::$operation> for Ram {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("ram:", stringify!($operation));
                Ok(vec![
                    self.share_target(action, input.str_member("resourceShareArn")).await?,
                    self.permission_target(cx, action, input.str_member("permissionArn")).await?,
                ])
            }
        }
    )*};
}

share_targets!(DeleteResourceShare);
share_and_permission_targets!(AssociateResourceSharePermission, DisassociateResourceSharePermission);
permission_targets!(
    CreatePermissionVersion,
    DeletePermission,
    DeletePermissionVersion,
    GetPermission,
    ListPermissionAssociations,
    SetDefaultPermissionVersion
);
invitation_targets!(AcceptResourceShareInvitation, ListPendingInvitationResources, RejectResourceShareInvitation);

impl Targets<op::CreateResourceShare> for Ram {
    async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let external = flag(input, "allowExternalPrincipals").unwrap_or(true).to_string();
        let retain = input.member("resourceShareConfiguration");
        let retain = retain.and_then(|given| flag(given, "retainSharingOnAccountLeaveOrganization"));
        let target = Target::new("ram:CreateResourceShare", "*")
            .with_key("ram:RequestedAllowsExternalPrincipals", external.as_str())
            .with_key("ram:AllowsExternalPrincipals", external.as_str())
            .with_key("ram:RetainSharingOnAccountLeaveOrganization", retain.unwrap_or(false).to_string());
        pairs(&with_tags(target, input), input)
    }
}

impl Targets<op::UpdateResourceShare> for Ram {
    async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let target = self.share_target("ram:UpdateResourceShare", input.str_member("resourceShareArn")).await?;
        Ok(vec![match flag(input, "allowExternalPrincipals") {
            Some(external) => target.with_key("ram:RequestedAllowsExternalPrincipals", external.to_string()),
            None => target,
        }])
    }
}

impl Targets<op::AssociateResourceShare> for Ram {
    async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let target = self.share_target("ram:AssociateResourceShare", input.str_member("resourceShareArn")).await?;
        pairs(&target, input)
    }
}

impl Targets<op::DisassociateResourceShare> for Ram {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let mut target =
            self.share_target("ram:DisassociateResourceShare", input.str_member("resourceShareArn")).await?;
        if is_leaving(&cx.principal.account, &texts(input, "resourceArns"), &texts(input, "principals")) {
            target = self.consumer_target(cx, target).await?;
        }
        pairs(&target, input)
    }
}

impl Targets<op::ListResourceSharePermissions> for Ram {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let action = "ram:ListResourceSharePermissions";
        let target = self.share_target(action, input.str_member("resourceShareArn")).await?;
        Ok(vec![self.consumer_target(cx, target).await?])
    }
}

impl Targets<op::CreatePermission> for Ram {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let arn = Ram::arn(cx, &format!("permission/{}", input.str_member("name").unwrap_or("*")));
        let kind = input.str_member("resourceType").unwrap_or_default();
        let kind = ShareableType::named(kind).map_or(kind, |known| known.name);
        let target = Target::new("ram:CreatePermission", "*")
            .with_key("ram:PermissionArn", arn.as_str())
            .with_key("ram:PermissionResourceType", kind);
        let mut targets = vec![with_tags(target, input)];
        if matches!(input.member("tags"), Some(Value::List(given)) if !given.is_empty()) {
            targets.push(with_tags(Target::new("ram:TagResource", arn), input));
        }
        Ok(targets)
    }
}

impl Targets<op::ReplacePermissionAssociations> for Ram {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let action = "ram:ReplacePermissionAssociations";
        Ok(vec![
            self.permission_target(cx, action, input.str_member("fromPermissionArn")).await?,
            self.permission_target(cx, action, input.str_member("toPermissionArn")).await?,
        ])
    }
}

impl Targets<op::EnableSharingWithAwsOrganization> for Ram {
    async fn targets(&self, cx: &Cx, _input: &Value) -> Result<Vec<Target>, ApiError> {
        let mut targets = vec![Target::new("ram:EnableSharingWithAwsOrganization", "*")];
        if let Some(found) = self.parts.organization.organization_of(&cx.principal.account).await? {
            targets.push(Target::new("organizations:DescribeOrganization", "*"));
            let trust = Target::new("organizations:EnableAWSServiceAccess", found.arn);
            targets.push(trust.with_key("organizations:ServicePrincipal", PRINCIPAL));
        }
        Ok(targets)
    }
}

impl Targets<op::TagResource> for Ram {
    async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let arn = tags::named(input.str_member("resourceShareArn"), input.str_member("resourceArn"));
        Ok(vec![with_tags(self.share_target("ram:TagResource", arn).await?, input)])
    }
}

impl Targets<op::UntagResource> for Ram {
    async fn targets(&self, _cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let arn = tags::named(input.str_member("resourceShareArn"), input.str_member("resourceArn"));
        let mut target = self.share_target("ram:UntagResource", arn).await?;
        target.keys.set_many("aws:TagKeys", texts(input, "tagKeys"));
        Ok(vec![target])
    }
}
