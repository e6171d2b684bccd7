//! `overlay.toml`: our decisions about a service, written by hand.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    pub service: Service,
    #[serde(default)]
    pub operations: BTreeMap<String, Operation>,
    /// Operations that are served outside the pipeline (S3), each with its action; their targets are hand-written.
    #[serde(default)]
    pub served: BTreeMap<String, String>,
    /// Older names of served operations, which send the same requests.
    #[serde(default)]
    pub older_names: BTreeMap<String, String>,
    /// Where the condition keys of derived bindings come from.
    #[serde(default)]
    pub keys: Vec<KeyRule>,
    /// Keys and dependent actions that the facts name and that are not set or decided, each with its reason.
    #[serde(default)]
    pub absent: Vec<Absent>,
    /// ARN templates of resource types, in place of the facts' own, where an input has all their members.
    #[serde(default)]
    pub arns: BTreeMap<String, String>,
    /// Members that stand for a placeholder of an ARN template, tried in order; `*`: the service makes the name up.
    #[serde(default)]
    pub members: BTreeMap<String, Vec<String>>,
    /// Roles that a call hands to the service.
    pub pass_role: Option<PassRole>,
    /// Dependent actions that are decided where the facts name them: on this resource.
    #[serde(default)]
    pub dependents: BTreeMap<String, String>,
    /// Patterns that our regular expression engine cannot take as they are.
    #[serde(default)]
    pub patterns: Vec<Pattern>,
    /// Corrections of the model, each with its reason.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
    /// Output structures of which only some members are ever answered; the others and their shapes are not generated.
    #[serde(default)]
    pub shapes: BTreeMap<String, Kept>,
}

/// Facts of the service that its model does not state.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The folder under `crates/models`.
    #[serde(rename = "crate")]
    pub crate_name: String,
    pub action_prefix: Option<String>,
    pub event_source: String,
    #[serde(default)]
    pub global: bool,
    /// Whether operations that are not implemented are bound and decided by what the facts say about them.
    #[serde(default)]
    pub decide: bool,
    /// Keys that the hand-written targets of this service set where the facts name them.
    #[serde(default)]
    pub custom_keys: Vec<String>,
}

/// Where condition keys come from, wherever the facts name them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRule {
    /// One key, or an older and a newer name of it.
    pub key: Vec<String>,
    /// Input paths; `**.A.B` is every path that ends so, and `*B` in it any member whose name ends so.
    #[serde(default)]
    pub from: Vec<String>,
    /// A template with `{}` (or `{:kms}`, `{:kind}`) for the value.
    pub form: Option<String>,
    /// The value where the input names none.
    pub default: Option<String>,
    /// Operations it is for (`Create*`); all when empty.
    #[serde(default)]
    pub only: Vec<String>,
}

impl KeyRule {
    pub fn is_for(&self, operation: &str) -> bool {
        applies(&self.only, operation)
    }
}

fn applies(only: &[String], operation: &str) -> bool {
    only.is_empty()
        || only.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => operation.starts_with(start),
            None => name == operation,
        })
}

/// Why something that the facts name is not there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// Condition keys, or actions the caller is said to need too.
    pub what: Vec<String>,
    pub why: String,
    /// Operations it is for; all when empty.
    #[serde(default)]
    pub only: Vec<String>,
}

impl Absent {
    pub fn is_for(&self, what: &str, operation: &str) -> bool {
        self.what.iter().any(|named| means(named, what)) && applies(&self.only, operation)
    }
}

/// Whether a name, which may begin or end with `*`, means this key or action.
pub fn means(named: &str, what: &str) -> bool {
    match (named.strip_suffix('*'), named.strip_prefix('*')) {
        _ if named == what => true,
        (Some(start), _) => what.starts_with(start),
        (None, Some(end)) => what.ends_with(end),
        (None, None) => false,
    }
}

/// `iam:PassRole` as a dependent action.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassRole {
    /// `iam:PassedToService`.
    pub service: String,
    /// Where roles are named, as in [`KeyRule::from`].
    pub from: Vec<String>,
}

/// An implemented operation, or one that is decided though not implemented.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The service crate that handles it.
    pub family: Option<String>,
    /// Instead of a family: decoded, bound and decided, then answered as not implemented.
    #[serde(default)]
    pub decided: bool,
    /// The binding is derived from the facts, as it is for operations that are not implemented.
    #[serde(default)]
    pub derived: bool,
    /// The resources of its own action in a derived binding, where the facts' types do not tell them.
    #[serde(default)]
    pub resources: Vec<String>,
    /// One target: the operation's own action on this resource.
    pub resource: Option<String>,
    /// The condition keys of that one target, or more of them in a derived binding.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Targets are named by hand-written code, because …
    pub custom: Option<String>,
    /// Keys that the hand-written targets set, besides those of the service.
    #[serde(default)]
    pub custom_keys: Vec<String>,
    /// Keys or dependent actions that are not there, each with its reason.
    #[serde(default)]
    pub absent: BTreeMap<String, String>,
    /// Nothing is decided, because …
    pub none: Option<String>,
    /// Callers need no signature, and the handler decides, because …
    pub unsigned: Option<String>,
    /// Overrides the access level of the facts.
    pub access: Option<String>,
    /// `management` (the default) or `data`.
    pub audit: Option<String>,
}

/// An action on a resource: a resource type of the facts, a template, or `*`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub action: String,
    pub resource: String,
    pub when: Option<String>,
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
}

/// A pattern to be replaced by an equal one, or dropped.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    pub shape: String,
    /// What to use instead; absent: no pattern is checked.
    pub replacement: Option<String>,
    /// Why; kept for the reader of the overlay.
    #[serde(rename = "reason")]
    pub _reason: String,
}

/// The members of a structure that are kept.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    pub members: Vec<String>,
    /// Why; kept for the reader of the overlay.
    #[serde(rename = "reason")]
    pub _reason: String,
}

/// A member whose facts are corrected.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    pub shape: String,
    pub member: Option<String>,
    pub sensitive: Option<bool>,
    pub required: Option<bool>,
    /// Why; kept for the reader of the overlay.
    #[serde(rename = "reason")]
    pub _reason: String,
}
