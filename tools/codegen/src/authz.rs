//! From the overlay's authorisation entry to checked targets.
//!
//! INVARIANT: an implemented operation has exactly one of resource, targets, custom, none and unsigned; every action, resource
//! type, condition key and member path named is known to the facts. So a typing error never opens a door.

use std::collections::BTreeMap;

use crate::facts::{Actions, Model};
use crate::overlay;

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

    fn resource_template(&self, action: &str, resource: &str) -> Result<String, String> {
        if resource == "*" || resource.contains('{') {
            return Ok(resource.to_owned());
        }
        let (prefix, name) = action.split_once(':').unwrap_or_default();
        let known = self.by_prefix.get(prefix).ok_or_else(|| format!("no facts about the prefix `{prefix}`"))?;
        let applies = known.actions.get(name).is_some_and(|action| action.resources.contains_key(resource));
        if !applies {
            return Err(format!("`{action}` does not apply to resources of type `{resource}`"));
        }
        let found = known.resources.get(resource).ok_or_else(|| format!("no ARN of resource type `{resource}`"))?;
        let template = found.arn.replace("${Partition}", "{partition}").replace("${Region}", "{region}");
        Ok(template.replace("${Account}", "{account}").replace("${", "{"))
    }

    /// The type of a condition key that the action knows.
    fn key_type(&self, action: &str, key: &str) -> Result<&str, String> {
        let template = key.strip_suffix("/*").map_or_else(|| key.to_owned(), |start| format!("{start}/${{TagKey}}"));
        let (prefix, name) = action.split_once(':').unwrap_or_default();
        let known = self.by_prefix.get(prefix).ok_or_else(|| format!("no facts about the prefix `{prefix}`"))?;
        let facts = known.actions.get(name).ok_or_else(|| format!("there is no action `{action}`"))?;
        let named = facts.keys.contains(&template)
            || facts.legacy_keys.contains(&template)
            || facts.resources.values().any(|resource| resource.keys.contains(&template));
        if !named {
            return Err(format!("`{action}` knows no condition key `{key}`"));
        }
        let found = known.keys.get(&template).or_else(|| self.globals.get(&template));
        found.map(String::as_str).ok_or_else(|| format!("the type of condition key `{key}` is not known"))
    }

    fn knows(&self, action: &str) -> bool {
        let Some((prefix, name)) = action.split_once(':') else { return false };
        self.by_prefix.get(prefix).is_some_and(|known| known.actions.contains_key(name))
    }
}

/// The checked authorisation of an operation; the default (its own action on `*`) where it is not implemented.
pub fn resolve(
    prefix: &str,
    operation: &str,
    ours: Option<&overlay::Operation>,
    model: &Model,
    input: Option<&str>,
    known: &KnownActions,
) -> Result<Authz, String> {
    let own_action = format!("{prefix}:{operation}");
    let Some(ours) = ours else {
        let target = Target { action: own_action, resource: "*".to_owned(), when: None, keys: Vec::new() };
        return Ok(Authz::Targets(vec![target]));
    };
    let given = [
        ours.resource.is_some(),
        !ours.targets.is_empty(),
        ours.custom.is_some(),
        ours.none.is_some(),
        ours.unsigned.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err(
            "an implemented operation needs exactly one of resource, targets, custom, none, unsigned".to_owned()
        );
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
        Some(resource) => {
            vec![overlay::Target {
                action: own_action,
                resource: resource.clone(),
                when: None,
                keys: ours.keys.clone(),
            }]
        }
        None => ours.targets.clone(),
    };
    let checked = targets.into_iter().map(|target| check_target(target, model, input, known));
    checked.collect::<Result<Vec<_>, String>>().map(Authz::Targets)
}

fn check_target(
    target: overlay::Target,
    model: &Model,
    input: Option<&str>,
    known: &KnownActions,
) -> Result<Target, String> {
    if !known.knows(&target.action) {
        return Err(format!("there is no action `{}`", target.action));
    }
    let resource = known.resource_template(&target.action, &target.resource)?;
    for piece in resource.split('{').skip(1) {
        let path = piece.split_once('}').map(|(path, _)| path).ok_or("a `{` without `}` in the resource")?;
        if !matches!(path, "partition" | "region" | "account") {
            check_path(model, input, path)?;
        }
    }
    if let Some(path) = &target.when {
        check_path(model, input, path)?;
    }
    let mut keys = Vec::new();
    for (key, from) in target.keys {
        let multivalued = known.key_type(&target.action, &key)?.starts_with("ArrayOf");
        if !from.starts_with('=') {
            from.split('|').try_for_each(|path| check_path(model, input, path))?;
        }
        keys.push(Key { key, from, multivalued });
    }
    Ok(Target { action: target.action, resource, when: target.when, keys })
}

/// Whether the input has a member at this path.
fn check_path(model: &Model, input: Option<&str>, path: &str) -> Result<(), String> {
    let unknown = || format!("the input has no `{path}`");
    let mut shape = input.and_then(|input| model.shapes.get(input)).ok_or_else(unknown)?;
    for step in path.split('.') {
        let (name, each) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
        let (_, member) = shape.members.iter().find(|(member, _)| member == name).ok_or_else(unknown)?;
        shape = model.shapes.get(&member.shape).ok_or_else(unknown)?;
        if each {
            let element = shape.member.as_ref().or(shape.value.as_ref()).ok_or_else(unknown)?;
            shape = model.shapes.get(&element.shape).ok_or_else(unknown)?;
        }
    }
    Ok(())
}
