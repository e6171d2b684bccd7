//! Facts and overlay joined and checked: what is generated for each service.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::authz::{Authz, KnownActions, resolve};
use crate::derive::has_facts;
use crate::error::Error;
use crate::facts::{Actions, GlobalKeys, Model, read_json, read_toml};
use crate::files::list;
use crate::overlay::Overlay;

/// Everything.
#[derive(Debug)]
pub struct Plan {
    pub services: Vec<Service>,
    /// The IAM actions of every prefix, those of services without a model too.
    pub known: KnownActions,
}

/// One AWS service.
#[derive(Debug)]
pub struct Service {
    /// The folder under `facts`.
    pub name: String,
    pub action_prefix: String,
    pub model: Model,
    pub overlay: Overlay,
    pub operations: Vec<Operation>,
    /// Shapes reachable from implemented operations, and from the inputs of those that are decided.
    pub shapes: BTreeSet<String>,
    /// Shapes that handlers see, so that they are types too.
    pub typed: BTreeSet<String>,
}

/// One modelled operation.
#[derive(Debug)]
pub struct Operation {
    pub name: String,
    pub implemented: bool,
    /// Not implemented, yet decoded and bound.
    pub decided: bool,
    pub family: Option<String>,
    pub authz: Authz,
    pub access: String,
    pub data_event: bool,
}

impl Plan {
    /// Reads and checks every service under `facts`.
    pub fn load(facts: &Path) -> Result<Plan, Error> {
        let mut names = Vec::new();
        let entries = std::fs::read_dir(facts).map_err(|source| Error::File { path: facts.to_owned(), source })?;
        for entry in entries {
            let entry = entry.map_err(|source| Error::File { path: facts.to_owned(), source })?;
            if entry.path().join("model.json").is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();

        let globals: GlobalKeys = read_json(&facts.join("global_keys.json"))?;
        let mut loaded = Vec::new();
        let mut known = KnownActions::new(globals.keys);
        for name in names {
            let folder = facts.join(&name);
            let model: Model = read_json(&folder.join("model.json"))?;
            let actions: Actions = read_json(&folder.join("actions.json"))?;
            let overlay: Overlay = read_toml(&folder.join("overlay.toml"))?;
            let prefix = overlay.service.action_prefix.clone().unwrap_or_else(|| name.clone());
            known.add(&prefix, actions);
            loaded.push((name, prefix, model, overlay));
        }
        for (prefix, actions) in prefixes(&facts.join("prefixes"))? {
            known.add(&prefix, actions);
        }
        let mut services = Vec::new();
        for (name, prefix, model, overlay) in loaded {
            services.push(Service::join(name, prefix, model, overlay, &known)?);
        }
        Ok(Plan { services, known })
    }

    /// The families, each with its implemented operations by service.
    pub fn families(&self) -> BTreeMap<&str, Vec<(&Service, &Operation)>> {
        let mut families: BTreeMap<&str, Vec<(&Service, &Operation)>> = BTreeMap::new();
        for service in &self.services {
            for operation in &service.operations {
                if let Some(family) = &operation.family {
                    families.entry(family).or_default().push((service, operation));
                }
            }
        }
        families
    }
}

impl Service {
    fn join(
        name: String,
        action_prefix: String,
        mut model: Model,
        overlay: Overlay,
        known: &KnownActions,
    ) -> Result<Service, Error> {
        apply_overlay(&name, &mut model, &overlay)?;
        if let Some(unknown) = overlay.operations.keys().find(|operation| !model.operations.contains_key(*operation)) {
            return Err(Error::Facts(format!("{name}: the overlay implements `{unknown}`, which is not modelled")));
        }
        let mut operations = Vec::new();
        for (operation, facts) in &model.operations {
            let ours = overlay.operations.get(operation);
            let input = facts.input.as_deref();
            let authz = resolve(&action_prefix, operation, &overlay, &model, input, known)
                .map_err(|message| Error::Facts(format!("{name}: {operation}: {message}")))?;
            let access = ours.and_then(|ours| ours.access.clone());
            let family = ours.and_then(|ours| ours.family.clone());
            let looked_at = overlay.service.decide && has_facts(known, &action_prefix, operation);
            operations.push(Operation {
                name: operation.clone(),
                implemented: family.is_some(),
                decided: family.is_none() && (ours.is_some() || looked_at),
                family,
                authz,
                access: access.unwrap_or_else(|| known.access(&action_prefix, operation)),
                data_event: ours.and_then(|ours| ours.audit.as_deref()) == Some("data"),
            });
        }
        let mut typed = BTreeSet::new();
        let mut shapes = BTreeSet::new();
        for operation in operations.iter().filter(|operation| operation.implemented || operation.decided) {
            let Some(facts) = model.operations.get(&operation.name) else { continue };
            let output = facts.output.as_ref().map(|output| &output.shape).filter(|_| operation.implemented);
            for root in facts.input.iter().chain(output) {
                let seen = if operation.implemented { &mut typed } else { &mut shapes };
                reach(&model, root, operation.implemented, seen)
                    .map_err(|message| Error::Facts(format!("{name}: {message}")))?;
            }
        }
        shapes.extend(typed.iter().cloned());
        check_patterns(&name, &model, &typed)?;
        Ok(Service { name, action_prefix, model, overlay, operations, shapes, typed })
    }

    /// The facts of a shape that [`Service::shapes`] names.
    pub fn shape(&self, name: &str) -> Result<&crate::facts::Shape, Error> {
        let shape = self.model.shapes.get(name);
        shape.ok_or_else(|| Error::Facts(format!("{}: there is no shape `{name}`", self.name)))
    }
}

/// The actions of services that have no model here.
fn prefixes(folder: &Path) -> Result<Vec<(String, Actions)>, Error> {
    let mut found = Vec::new();
    for path in list(folder)? {
        let prefix = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        found.push((prefix, read_json(&path)?));
    }
    Ok(found)
}

fn apply_overlay(name: &str, model: &mut Model, overlay: &Overlay) -> Result<(), Error> {
    for pattern in &overlay.patterns {
        let Some(shape) = model.shapes.get_mut(&pattern.shape) else {
            return Err(Error::Facts(format!("{name}: the overlay has a pattern for the unknown `{}`", pattern.shape)));
        };
        shape.pattern.clone_from(&pattern.replacement);
    }
    for quirk in &overlay.quirks {
        let missing = || Error::Facts(format!("{name}: the overlay has a quirk for the unknown `{}`", quirk.shape));
        let shape = model.shapes.get_mut(&quirk.shape).ok_or_else(missing)?;
        if let Some(sensitive) = quirk.sensitive {
            shape.sensitive = sensitive;
        }
        match (&quirk.member, quirk.required) {
            (Some(member), Some(true)) => shape.required.push(member.clone()),
            (Some(member), Some(false)) => shape.required.retain(|required| required != member),
            _ => {}
        }
    }
    for (shape, kept) in &overlay.shapes {
        keep_members(model, shape, &kept.members).map_err(|message| Error::Facts(format!("{name}: {message}")))?;
    }
    Ok(())
}

/// Leaves a structure only these members. INVARIANT: no required one goes, and no input can be reached through it, so
/// that nothing a client sends is lost.
pub fn keep_members(model: &mut Model, name: &str, kept: &[String]) -> Result<(), String> {
    let mut inputs = BTreeSet::new();
    for root in model.operations.values().filter_map(|operation| operation.input.as_ref()) {
        reach(model, root, false, &mut inputs)?;
    }
    let shape =
        model.shapes.get_mut(name).ok_or_else(|| format!("the overlay keeps members of the unknown `{name}`"))?;
    let known = |member: &&String| shape.members.iter().any(|(known, _)| known == *member);
    if let Some(unknown) = kept.iter().find(|member| !known(member)) {
        return Err(format!("the overlay keeps `{name}.{unknown}`, which is not modelled"));
    }
    if let Some(required) = shape.required.iter().find(|member| !kept.contains(member)) {
        return Err(format!("the overlay drops `{name}.{required}`, which is required"));
    }
    if inputs.contains(name) {
        return Err(format!("the overlay drops members of `{name}`, which clients send"));
    }
    shape.members.retain(|(member, _)| kept.contains(member));
    Ok(())
}

/// Adds a shape and all that it is made of. `handled`: handlers will see it; a mere decision can take JSON in a string as
/// the string that it is.
fn reach(model: &Model, root: &str, handled: bool, seen: &mut BTreeSet<String>) -> Result<(), String> {
    let mut todo = vec![root.to_owned()];
    while let Some(name) = todo.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let shape = model.shapes.get(&name).ok_or_else(|| format!("there is no shape `{name}`"))?;
        if shape.eventstream {
            return Err(format!("`{name}` is an event stream, which no codec reads yet"));
        }
        for (member, facts) in &shape.members {
            if facts.jsonvalue && handled {
                return Err(format!("`{name}.{member}` is a JSON value in a string, which no codec reads yet"));
            }
        }
        let parts =
            shape.members.iter().map(|(_, member)| member).chain(&shape.member).chain(&shape.key).chain(&shape.value);
        todo.extend(parts.map(|part| part.shape.clone()));
    }
    Ok(())
}

/// A pattern that our engine cannot compile would constrain nothing, silently.
fn check_patterns(name: &str, model: &Model, shapes: &BTreeSet<String>) -> Result<(), Error> {
    let mut broken = Vec::new();
    for shape in shapes {
        let Some(pattern) = model.shapes.get(shape).and_then(|shape| shape.pattern.as_ref()) else { continue };
        if let Err(error) = regex::Regex::new(&format!("^(?:{pattern})$")) {
            broken.push(format!("{name}: {shape}: {error}"));
        }
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(Error::Facts(format!("patterns that need a [[patterns]] entry in the overlay:\n{}", broken.join("\n"))))
}
