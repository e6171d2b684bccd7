//! What is decided for a call: actions on resources with their condition keys.

use std::borrow::Cow;

use stoa_policy::MapContext;
use stoa_schema::{OperationSpec, Value};

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
}

impl Target {
    /// An action on a resource, without keys.
    pub fn new(action: impl Into<Cow<'static, str>>, resource: impl Into<String>) -> Target {
        Target { action: action.into(), resource: resource.into(), keys: MapContext::new() }
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
