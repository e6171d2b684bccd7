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
    /// Patterns that our regular expression engine cannot take as they are.
    #[serde(default)]
    pub patterns: Vec<Pattern>,
    /// Corrections of the model, each with its reason.
    #[serde(default)]
    pub quirks: Vec<Quirk>,
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
}

/// An implemented operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The service crate that handles it.
    pub family: String,
    /// One target: the operation's own action on this resource.
    pub resource: Option<String>,
    /// The condition keys of that one target.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Targets are named by hand-written code, because …
    pub custom: Option<String>,
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
