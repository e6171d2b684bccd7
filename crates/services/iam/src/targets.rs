//! The targets that a table cannot name: ARNs of users, groups, roles and instance profiles carry a path that only the
//! store knows.
//!
//! For a name that does not exist the ARN is made with the path `/`, so that a refusal does not tell the two apart.

use stoa_kernel::{ApiError, Cx, PrincipalIdentity, Target, Targets};
use stoa_models_iam::operations as op;
use stoa_policy::{Effect, Slot};
use stoa_schema::Value;

use crate::Iam;
use crate::holder::path_and_name;
use crate::named::Named;
use crate::state::{AccessKeyRecord, GroupRecord, InstanceProfileRecord, RoleRecord, UserRecord, key_key, load};

pub(crate) const MISSING_USER: &str = "Must specify userName when calling with non-User credentials";

impl Iam {
    /// The user that an operation without `UserName` means: the caller. None for the root user.
    pub(crate) fn named_or_calling_user(&self, cx: &Cx, given: Option<&str>) -> Result<Option<String>, ApiError> {
        match (given, &cx.principal.identity) {
            (Some(name), _) => Ok(Some(name.to_owned())),
            (None, PrincipalIdentity::User { name }) => Ok(Some(name.clone())),
            (None, PrincipalIdentity::Root) => Ok(None),
            _ => Err(ApiError::validation(MISSING_USER)),
        }
    }

    async fn holder_target<H: Named>(&self, cx: &Cx, action: &'static str, name: &str) -> Result<Target, ApiError> {
        let account = self.account(cx);
        let found = load::<H>(&*self.store, &H::key(account, name)).await?;
        let Some(found) = found.filter(|found| found.record.name() == name) else {
            return Ok(Target::new(action, format!("arn:aws:iam::{account}:{}/{name}", H::WHAT)));
        };
        let target = Target::new(action, found.record.arn());
        Ok(match found.record.boundary() {
            Some(boundary) => target.with_key("iam:PermissionsBoundary", boundary),
            None => target,
        })
    }

    async fn user_target(&self, cx: &Cx, action: &'static str, input: &Value) -> Result<Target, ApiError> {
        match self.named_or_calling_user(cx, input.str_member("UserName"))? {
            Some(name) => self.holder_target::<UserRecord>(cx, action, &name).await,
            None => Ok(Target::new(action, cx.principal.arn.clone())),
        }
    }

    async fn role_target(&self, cx: &Cx, action: &'static str, input: &Value) -> Result<Target, ApiError> {
        let name = input.str_member("RoleName").unwrap_or("*");
        self.holder_target::<RoleRecord>(cx, action, name).await
    }

    async fn group_target(&self, cx: &Cx, action: &'static str, input: &Value) -> Result<Target, ApiError> {
        let name = input.str_member("GroupName").unwrap_or("*");
        self.holder_target::<GroupRecord>(cx, action, name).await
    }

    async fn profile_target(&self, cx: &Cx, action: &'static str, input: &Value) -> Result<Target, ApiError> {
        let name = input.str_member("InstanceProfileName").unwrap_or("*");
        self.holder_target::<InstanceProfileRecord>(cx, action, name).await
    }

    /// The target of a creation: the ARN that the new resource will have.
    fn new_target(&self, cx: &Cx, action: &'static str, what: &str, name: &str, input: &Value) -> Target {
        let path = input.str_member("Path").unwrap_or("/");
        let name = input.str_member(name).unwrap_or("*");
        let arn = format!("arn:aws:iam::{}:{what}{path}{name}", self.account(cx));
        let target = Target::new(action, arn).with_request_tags(input, "Tags");
        match input.str_member("PermissionsBoundary") {
            Some(boundary) => target.with_key("iam:PermissionsBoundary", boundary),
            None => target,
        }
    }
}

/// The keys that tagging and attaching operations have.
fn with_input_keys(target: Target, input: &Value) -> Target {
    let mut target = target.with_request_tags(input, "Tags");
    if let Some(arn) = input.str_member("PolicyArn") {
        target = target.with_key("iam:PolicyARN", arn);
    }
    // The boundary that is set, rather than the one that was there.
    if let Some(boundary) = input.str_member("PermissionsBoundary") {
        target = target.with_key("iam:PermissionsBoundary", boundary);
    }
    if let Some(Value::List(keys)) = input.member("TagKeys") {
        target.keys.set_many("aws:TagKeys", keys.iter().filter_map(Value::as_str));
    }
    target
}

macro_rules! named_targets {
    // named_targets!(user_target: GetUser, …) gives each operation the target `iam:<its name>` on the user it names.
    ($find:ident: $($operation:ident),* $(,)?) => {
        $(impl Targets<op::$operation> for Iam {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let target = self.$find(cx, concat!("iam:", stringify!($operation)), input).await?;
                Ok(vec![with_input_keys(target, input)])
            }
        })*
    };
}

named_targets!(user_target: GetUser, DeleteUser, TagUser, PutUserPolicy, GetUserPolicy, ListUserPolicies,
    DeleteUserPolicy, AttachUserPolicy, DetachUserPolicy, ListAttachedUserPolicies, CreateAccessKey, ListAccessKeys,
    UpdateAccessKey, DeleteAccessKey, ListUserTags, UntagUser, PutUserPermissionsBoundary,
    DeleteUserPermissionsBoundary, ListGroupsForUser, CreateLoginProfile, GetLoginProfile, UpdateLoginProfile,
    DeleteLoginProfile);
named_targets!(user_target: EnableMFADevice, ResyncMFADevice, DeactivateMFADevice, ListMFADevices, GetMFADevice);
named_targets!(group_target: GetGroup, DeleteGroup, AddUserToGroup, RemoveUserFromGroup, PutGroupPolicy,
    GetGroupPolicy, DeleteGroupPolicy, ListGroupPolicies, AttachGroupPolicy, DetachGroupPolicy,
    ListAttachedGroupPolicies);
named_targets!(profile_target: GetInstanceProfile, DeleteInstanceProfile, RemoveRoleFromInstanceProfile,
    TagInstanceProfile, UntagInstanceProfile, ListInstanceProfileTags);
named_targets!(role_target: GetRole, UpdateAssumeRolePolicy, UpdateRole, DeleteRole, TagRole, UntagRole, ListRoleTags,
    PutRolePolicy, GetRolePolicy, ListRolePolicies, DeleteRolePolicy, AttachRolePolicy, DetachRolePolicy,
    ListAttachedRolePolicies, PutRolePermissionsBoundary, DeleteRolePermissionsBoundary, UpdateRoleDescription,
    DeleteServiceLinkedRole, ListInstanceProfilesForRole);

macro_rules! creating_targets {
    // creating_targets!(CreateUser "user" "UserName") gives the operation the ARN that the new resource will have.
    ($($operation:ident $what:literal $name:literal),* $(,)?) => {
        $(impl Targets<op::$operation> for Iam {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                Ok(vec![self.new_target(cx, concat!("iam:", stringify!($operation)), $what, $name, input)])
            }
        })*
    };
}

creating_targets!(CreateUser "user" "UserName", CreateRole "role" "RoleName", CreatePolicy "policy" "PolicyName",
    CreateGroup "group" "GroupName", CreateInstanceProfile "instance-profile" "InstanceProfileName",
    CreateVirtualMFADevice "mfa" "VirtualMFADeviceName");

macro_rules! renaming_targets {
    // renaming_targets!(UpdateUser user_target "NewUserName") asks for the right to both ARNs, as AWS does.
    ($($operation:ident $find:ident $new_name:literal),* $(,)?) => {
        $(impl Targets<op::$operation> for Iam {
            async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
                let action = concat!("iam:", stringify!($operation));
                let old = self.$find(cx, action, input).await?;
                let (path, name) = path_and_name(&old.resource);
                let path = input.str_member("NewPath").unwrap_or(path);
                let name = input.str_member($new_name).unwrap_or(name);
                let kind = old.resource.split('/').next().unwrap_or_default();
                let new = Target::new(action, format!("{kind}{path}{name}"));
                Ok(if new.resource == old.resource { vec![old] } else { vec![old, new] })
            }
        })*
    };
}

renaming_targets!(UpdateUser user_target "NewUserName", UpdateGroup group_target "NewGroupName");

impl Targets<op::AddRoleToInstanceProfile> for Iam {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let profile = self.profile_target(cx, "iam:AddRoleToInstanceProfile", input).await?;
        let role = self.role_target(cx, "iam:PassRole", input).await?;
        Ok(vec![profile, role.with_key("iam:PassedToService", "ec2.amazonaws.com")])
    }
}

impl Targets<op::ChangePassword> for Iam {
    /// The account's policy, or a password that must be set anew, gives the right by themselves; a Deny still denies.
    async fn targets(&self, cx: &Cx, _input: &Value) -> Result<Vec<Target>, ApiError> {
        let target = Target::new("iam:ChangePassword", cx.principal.arn.clone());
        let PrincipalIdentity::User { name } = &cx.principal.identity else { return Ok(vec![target]) };
        let verdict = cx.decide_as(&cx.principal, &target).await?;
        if verdict.effect != Effect::ImplicitDeny || verdict.slot != Slot::Identity {
            return Ok(vec![target]);
        }
        let account = self.account(cx);
        let user = load::<UserRecord>(&*self.store, &UserRecord::key(account, name)).await?;
        let must = user.and_then(|user| user.record.login).is_some_and(|login| login.reset_required);
        let may = must || self.password_policy(account).await?.is_some_and(|policy| policy.users_may_change);
        Ok(if may { Vec::new() } else { vec![target] })
    }
}

impl Targets<op::GetAccessKeyLastUsed> for Iam {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let id = input.str_member("AccessKeyId").unwrap_or_default();
        let key = load::<AccessKeyRecord>(&*self.store, &key_key(id)).await?;
        let own = key.filter(|key| key.record.account == *self.account(cx));
        let target = match own.and_then(|key| key.record.user) {
            Some(user) => self.holder_target::<UserRecord>(cx, "iam:GetAccessKeyLastUsed", &user).await?,
            None => Target::new("iam:GetAccessKeyLastUsed", "*"),
        };
        Ok(vec![target])
    }
}
