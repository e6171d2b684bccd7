//! What is decided for a call: actions on resources with their condition keys, bound from the input by table.

use std::borrow::Cow;

use stoa_policy::MapContext;
use stoa_schema::{KeyBinding, OperationSpec, TargetSpec, Value, pick, pick_strings};

use crate::Cx;

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

/// The targets of a table-bound operation. A resource template with a list path gives one target for each value.
pub fn bind_targets(cx: &Cx, specs: &[TargetSpec], input: &Value) -> Vec<Target> {
    let mut targets = Vec::with_capacity(specs.len());
    for spec in specs {
        if let Some(path) = spec.when
            && pick(input, path).is_empty()
        {
            continue;
        }
        let keys = bind_keys(spec.keys, input);
        for resource in resources(cx, spec.resource, input) {
            targets.push(Target { action: Cow::Borrowed(spec.action), resource, keys: keys.clone() });
        }
    }
    targets
}

/// The default target of an operation without a binding: its own action on every resource.
pub fn default_target(prefix: &str, operation: &OperationSpec) -> Target {
    Target::new(format!("{prefix}:{}", operation.name), "*")
}

fn bind_keys(bindings: &[KeyBinding], input: &Value) -> MapContext {
    let mut keys = MapContext::new();
    for binding in bindings {
        if let Some(constant) = binding.from.strip_prefix('=') {
            keys.set(binding.key, constant);
            continue;
        }
        if binding.key == "aws:RequestTag/*" || binding.key == "aws:TagKeys" {
            request_tags(&mut keys, input, binding.from);
            continue;
        }
        let mut values = pick_strings(input, binding.from);
        if binding.multivalued {
            if !values.is_empty() {
                keys.set_many(binding.key, values);
            }
        } else if let Some(value) = values.pop() {
            keys.set(binding.key, value);
        }
    }
    keys
}

fn request_tags(keys: &mut MapContext, input: &Value, path: &str) {
    let Some(Value::List(tags)) = pick(input, path).into_iter().next() else { return };
    let mut names = Vec::new();
    for tag in tags {
        if let Some(name) = tag.str_member("Key") {
            keys.set(&format!("aws:RequestTag/{name}"), tag.str_member("Value").unwrap_or_default());
            names.push(name.to_owned());
        } else if let Some(name) = tag.as_str() {
            // DeleteTags and UntagRole name keys alone: those are aws:TagKeys, and no aws:RequestTag.
            names.push(name.to_owned());
        }
    }
    if !names.is_empty() {
        keys.set_many("aws:TagKeys", names);
    }
}

/// Fills a template. Every value of the (single) list path in it gives one resource; without a value there, `*`
/// stands for it, so that a request that lacks the member can only be allowed on everything.
fn resources(cx: &Cx, template: &str, input: &Value) -> Vec<String> {
    let mut done = vec![String::new()];
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        let values = match name {
            "partition" => vec![cx.partition.as_str().to_owned()],
            "region" => vec![cx.region.as_str().to_owned()],
            "account" => vec![cx.principal.account.as_str().to_owned()],
            path => pick_strings(input, path),
        };
        let values = if values.is_empty() { vec!["*".to_owned()] } else { values };
        done =
            done.iter().flat_map(|start| values.iter().map(move |value| format!("{start}{literal}{value}"))).collect();
        rest = tail;
    }
    for resource in &mut done {
        resource.push_str(rest);
    }
    done
}
