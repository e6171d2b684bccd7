//! What is decided for a call: actions on resources with their condition keys.

use std::borrow::Cow;

use stoa_policy::MapContext;
use stoa_schema::{OperationSpec, Value};
use stoa_types::AccountId;

use crate::bind::request_tags;

/// One action on one resource, with the condition keys of this operation (global keys are added by [`Cx::decide`]).
#[derive(Debug, Clone)]
pub struct Target {
    /// `sagemaker:CreateHub`.
    pub action: Cow<'static, str>,
    /// The ARN, or `*`.
    pub resource: String,
    /// The service's and the request's condition keys.
    pub keys: MapContext,
    /// Whose it is besides, where it is decided as another account's (an invitation is its receiver's to answer, and its
    /// sender has a record of it).
    pub shared_by: Option<AccountId>,
}

impl Target {
    /// An action on a resource, without keys.
    pub fn new(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Target {
        Target { action: action.into(), resource: resource.into(), keys: MapContext::new(), shared_by: None }
    }
    /// Names the account that has a record of the call though it is decided as the caller's own.
    #[must_use]
    pub fn shared_by(mut self, account: AccountId) -> Target {
        self.shared_by = Some(account);
        self
    }
    /// The dependent `iam:PassRole` of an operation that gives a role to a service, for a resource that then has it.
    pub fn pass_role(role: &str, service: &str, resource: &str) -> Target {
        let target = Target::new("iam:PassRole", role).with_key("iam:PassedToService", service);
        if resource.starts_with("arn:") { target.with_key("iam:AssociatedResourceArn", resource) } else { target }
    }
    /// Adds a single-valued key.
    #[must_use]
    pub fn with_key(mut self, key: &str, value: impl Into<String>) -> Target {
        self.keys.set(key, value);
        self
    }
    /// Adds `aws:RequestTag/*` and `aws:TagKeys` from a list of `Key`/`Value` structures at the path.
    #[must_use]
    pub fn with_request_tags(mut self, input: &Value, path: &str) -> Target {
        request_tags(&mut self.keys, input, path);
        self
    }
}

/// The default target of an operation without a binding: its own action on every resource.
pub fn default_target(prefix: &str, operation: &OperationSpec) -> Target {
    Target::new(format!("{prefix}:{}", operation.name), "*")
}
