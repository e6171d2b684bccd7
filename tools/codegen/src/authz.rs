//! From the overlay's authorisation entry to checked targets.
//!
//! INVARIANT: an operation in the overlay has exactly one of resource, targets, derived, custom, none and unsigned; every
//! action, resource type, condition key and member path named is known to the facts. So a typing error never opens a door.

use std::collections::BTreeMap;

use crate::derive::{Deriver, binding_name, has_facts};
use crate::facts::{Action, Actions, Model};
use crate::overlay::{self, Overlay};
use crate::paths;

/// Who may call an operation.
#[derive(Debug, Clone)]
pub enum Authz {
    None { reason: String },
    Unsigned { reason: String },
    Custom,
    Targets(Vec<Target>),
}

/// A checked target.
#[derive(Debug, Clone)]
pub struct Target {
    pub action: String,
    pub resource: String,
    pub when: Option<String>,
    pub keys: Vec<Key>,
}

/// A checked condition key.
#[derive(Debug, Clone)]
pub struct Key {
    pub key: String,
    pub from: String,
    pub multivalued: bool,
    /// `from` as a person reads it: the rule rather than the paths it stands for.
    pub shown: String,
}

/// The IAM actions of every service, by prefix.
#[derive(Debug)]
pub struct KnownActions {
    by_prefix: BTreeMap<String, Actions>,
    globals: BTreeMap<String, String>,
}

impl KnownActions {
    pub fn new(globals: BTreeMap<String, String>) -> KnownActions {
        KnownActions { by_prefix: BTreeMap::new(), globals }
    }

    /// Adds a service's actions; services that share a prefix are joined.
    pub fn add(&mut self, prefix: &str, actions: Actions) {
        match self.by_prefix.get_mut(prefix) {
            // The service that owns the prefix knows its own actions best, and all of them.
            Some(known) => {
                known.actions.extend(actions.actions);
                known.resources.extend(actions.resources);
                known.keys.extend(actions.keys);
            }
            None => {
                self.by_prefix.insert(prefix.to_owned(), actions);
            }
        }
    }

    /// The actions of every prefix.
    pub fn prefixes(&self) -> &BTreeMap<String, Actions> {
        &self.by_prefix
    }

    /// The types of the global keys.
    pub fn globals(&self) -> &BTreeMap<String, String> {
        &self.globals
    }

    /// The access level of an operation's own action; by its verb when the facts have no such action.
    pub fn access(&self, prefix: &str, operation: &str) -> String {
        if let Some(action) = self.by_prefix.get(prefix).and_then(|known| known.actions.get(operation)) {
            return action.access.clone();
        }
        let reads = ["Get", "Describe", "Head", "BatchGet", "Search", "Select"];
        match operation {
            _ if operation.starts_with("List") => "List".to_owned(),
            _ if reads.iter().any(|verb| operation.starts_with(verb)) => "Read".to_owned(),
            _ => "Write".to_owned(),
        }
    }

    /// The facts of an action.
    pub fn action(&self, prefix: &str, name: &str) -> Option<&Action> {
        self.by_prefix.get(prefix)?.actions.get(name)
    }

    /// The ARN template of a resource type.
    pub fn arn(&self, prefix: &str, kind: &str) -> Result<String, String> {
        let known = self.by_prefix.get(prefix).ok_or_else(|| format!("no facts about the prefix `{prefix}`"))?;
        let found = known.resources.get(kind).ok_or_else(|| format!("no ARN of resource type `{kind}`"))?;
        let template = found.arn.replace("${Partition}", "{partition}").replace("${Region}", "{region}");
        Ok(template.replace("${Account}", "{account}").replace("${", "{"))
    }

    /// The resource type whose ARNs begin as a template does.
    pub fn type_of(&self, prefix: &str, template: &str) -> Option<String> {
        let start =
            |arn: &str| arn.splitn(6, ':').nth(5).and_then(|resource| resource.split('/').next().map(str::to_owned));
        let wanted = start(template)?;
        let resources = &self.by_prefix.get(prefix)?.resources;
        resources
            .iter()
            .find(|(_, resource)| start(&resource.arn).as_ref() == Some(&wanted))
            .map(|(kind, _)| kind.clone())
    }

    /// A template as the overlay gives it: itself, `*`, or a resource type that the action applies to.
    pub fn resource_template(&self, action: &str, resource: &str) -> Result<String, String> {
        if resource == "*" || resource.contains('{') {
            return Ok(resource.to_owned());
        }
        let (prefix, name) = action.split_once(':').unwrap_or_default();
        if !self.action(prefix, name).is_some_and(|action| action.resources.contains_key(resource)) {
            return Err(format!("`{action}` does not apply to resources of type `{resource}`"));
        }
        self.arn(prefix, resource)
    }

    /// The type of a condition key that the action knows.
    pub fn key_type(&self, action: &str, key: &str) -> Result<&str, String> {
        let is = |template: &String| template == key || binding_name(template) == key;
        let (prefix, name) = action.split_once(':').unwrap_or_default();
        let known = self.by_prefix.get(prefix).ok_or_else(|| format!("no facts about the prefix `{prefix}`"))?;
        let facts = known.actions.get(name).ok_or_else(|| format!("there is no action `{action}`"))?;
        let by_type = facts.resources.values().flat_map(|resource| &resource.keys);
        if !facts.keys.iter().chain(&facts.legacy_keys).chain(by_type).any(is) {
            return Err(format!("`{action}` knows no condition key `{key}`"));
        }
        let found = known.keys.iter().chain(&self.globals).find(|(template, _)| is(template));
        found.map(|(_, kind)| kind.as_str()).ok_or_else(|| format!("the type of condition key `{key}` is not known"))
    }

    fn knows(&self, action: &str) -> bool {
        let Some((prefix, name)) = action.split_once(':') else { return false };
        self.by_prefix.get(prefix).is_some_and(|known| known.actions.contains_key(name))
    }
}

/// The checked authorisation of an operation; the default (its own action on `*`) where nobody says more.
pub fn resolve(
    prefix: &str,
    operation: &str,
    overlay: &Overlay,
    model: &Model,
    input: Option<&str>,
    known: &KnownActions,
) -> Result<Authz, String> {
    let own_action = format!("{prefix}:{operation}");
    let deriver = Deriver { prefix, overlay, model, known };
    let Some(ours) = overlay.operations.get(operation) else {
        let targets = if overlay.service.decide && has_facts(known, prefix, operation) {
            deriver.derive(operation, input, None)?
        } else {
            vec![Target { action: own_action, resource: "*".to_owned(), when: None, keys: Vec::new() }]
        };
        return check_targets(targets, model, input, known).map(Authz::Targets);
    };
    if ours.decided == ours.family.is_some() {
        return Err("an operation in the overlay has either a family or `decided = true`".to_owned());
    }
    let derived = ours.derived || !ours.resources.is_empty();
    let given = [
        ours.resource.is_some(),
        !ours.targets.is_empty(),
        derived,
        ours.custom.is_some(),
        ours.none.is_some(),
        ours.unsigned.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err("an operation needs exactly one of resource, targets, derived, custom, none, unsigned".to_owned());
    }
    if let Some(reason) = ours.custom.as_ref().or(ours.none.as_ref()).or(ours.unsigned.as_ref()) {
        if reason.trim().is_empty() {
            return Err("`custom`, `none` and `unsigned` need a reason".to_owned());
        }
        let reason = reason.clone();
        return Ok(match (&ours.none, &ours.unsigned) {
            (Some(_), _) => Authz::None { reason },
            (None, Some(_)) => Authz::Unsigned { reason },
            (None, None) => Authz::Custom,
        });
    }
    let targets = match &ours.resource {
        _ if derived => deriver.derive(operation, input, Some(ours))?,
        Some(resource) => {
            let (resource, keys) = (resource.clone(), ours.keys.clone());
            vec![explicit(overlay::Target { action: own_action, resource, when: None, keys }, known)?]
        }
        None => ours.targets.iter().cloned().map(|target| explicit(target, known)).collect::<Result<_, String>>()?,
    };
    check_targets(targets, model, input, known).map(Authz::Targets)
}

fn explicit(target: overlay::Target, known: &KnownActions) -> Result<Target, String> {
    if !known.knows(&target.action) {
        return Err(format!("there is no action `{}`", target.action));
    }
    let resource = known.resource_template(&target.action, &target.resource)?;
    let mut keys = Vec::new();
    for (key, from) in target.keys {
        let multivalued = known.key_type(&target.action, &key)?.starts_with("ArrayOf");
        keys.push(Key { key, shown: from.clone(), from, multivalued });
    }
    Ok(Target { action: target.action, resource, when: target.when, keys })
}

/// Every member path that a target names is in the input.
fn check_targets(
    targets: Vec<Target>,
    model: &Model,
    input: Option<&str>,
    known: &KnownActions,
) -> Result<Vec<Target>, String> {
    for target in &targets {
        let template = paths::of_template(&target.resource)?;
        template.iter().try_for_each(|path| paths::check(model, input, path))?;
        target.when.iter().try_for_each(|path| paths::check(model, input, path))?;
        for key in &target.keys {
            known.key_type(&target.action, &key.key)?;
            paths::of_key(&key.from)?.iter().try_for_each(|path| paths::check(model, input, path))?;
        }
    }
    Ok(targets)
}
