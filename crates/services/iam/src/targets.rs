//! The targets that a table cannot name: ARNs of users and roles carry a path that only the store knows.
//!
//! For a name that does not exist the ARN is made with the path `/`, so that a refusal does not tell the two apart.

use stoa_kernel::{ApiError, Cx, PrincipalIdentity, Target, Targets};
use stoa_models_iam::operations as op;
use stoa_schema::Value;

use crate::Iam;
use crate::holder::Holder;
use crate::state::{AccessKeyRecord, RoleRecord, UserRecord, key_key, load};

const MISSING_USER: &str = "Must specify userName when calling with non-User credentials";

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

    async fn holder_target<H: Holder>(&self, cx: &Cx, action: &'static str, name: &str) -> Result<Target, ApiError> {
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
    UpdateAccessKey, DeleteAccessKey);
named_targets!(user_target: EnableMFADevice, ResyncMFADevice, DeactivateMFADevice, ListMFADevices, GetMFADevice);
named_targets!(role_target: GetRole, UpdateAssumeRolePolicy, UpdateRole, DeleteRole, TagRole, UntagRole, ListRoleTags,
    PutRolePolicy, GetRolePolicy, ListRolePolicies, DeleteRolePolicy, AttachRolePolicy, DetachRolePolicy,
    ListAttachedRolePolicies);

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

creating_targets!(CreateUser "user" "UserName", CreateRole "role" "RoleName", CreatePolicy "policy" "PolicyName");
creating_targets!(CreateVirtualMFADevice "mfa" "VirtualMFADeviceName");

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
