//! Bindings derived from the authorization facts: what an operation acts on follows from its action's resource types and
//! the input's members, its condition keys from the overlay's rules, its dependent actions from tags and roles.
//!
//! INVARIANT: a derived binding has at least one target of the operation's own action without a `when`; a required
//! resource type whose ARN the input cannot give is an error, not a wider decision.

use std::collections::BTreeSet;

use crate::authz::{Key, KnownActions, Target};
use crate::facts::{Action, Model};
use crate::overlay::{self, Overlay};
use crate::paths;

/// What a derivation looks at.
pub struct Deriver<'f> {
    pub prefix: &'f str,
    pub overlay: &'f Overlay,
    pub model: &'f Model,
    pub known: &'f KnownActions,
}

/// Whether the facts say anything about the operation that an empty input could not show.
pub fn has_facts(known: &KnownActions, prefix: &str, operation: &str) -> bool {
    known
        .action(prefix, operation)
        .is_some_and(|action| !action.keys.is_empty() || !action.legacy_keys.is_empty() || !action.resources.is_empty())
}

/// A resource of the operation's own action.
struct Own {
    kind: Option<String>,
    resource: String,
    when: Option<String>,
}

impl Deriver<'_> {
    /// The targets of an operation.
    pub fn derive(
        &self,
        operation: &str,
        input: Option<&str>,
        ours: Option<&overlay::Operation>,
    ) -> Result<Vec<Target>, String> {
        let facts = self.known.action(self.prefix, operation).ok_or("the facts have no action of this name")?;
        let paths = input.map(|input| paths::walk(self.model, input)).unwrap_or_default();
        let given = ours.map(|ours| ours.resources.as_slice()).unwrap_or_default();
        let own =
            if given.is_empty() { self.own_resources(facts, input, &paths)? } else { self.given(operation, given)? };
        let mut targets = Vec::new();
        for Own { kind, resource, when } in &own {
            let mut keys = Vec::new();
            for key in keys_of(facts, kind.as_deref()) {
                keys.extend(self.key(&key, operation, &paths, ours)?);
            }
            let action = format!("{}:{operation}", self.prefix);
            targets.push(Target { action, resource: resource.clone(), when: when.clone(), keys });
        }
        targets.extend(self.tagging(operation, facts, &own, &paths)?);
        targets.extend(self.pass_role(&paths));
        for (action, resource) in &self.overlay.dependents {
            if facts.dependent.contains(action) {
                let keys = self.tag_keys(action, &paths);
                targets.push(Target { action: action.clone(), resource: resource.clone(), when: None, keys });
            }
        }
        Ok(targets)
    }

    fn given(&self, operation: &str, resources: &[String]) -> Result<Vec<Own>, String> {
        let action = format!("{}:{operation}", self.prefix);
        let mut own = Vec::new();
        for resource in resources {
            let template = self.known.resource_template(&action, resource)?;
            own.push(Own { kind: self.known.type_of(self.prefix, &template), resource: template, when: None });
        }
        Ok(own)
    }

    fn own_resources(
        &self,
        facts: &Action,
        input: Option<&str>,
        paths: &[(String, String)],
    ) -> Result<Vec<Own>, String> {
        let mut own = Vec::new();
        for kind in facts.resources.iter().filter(|(_, rule)| rule.required).map(|(kind, _)| kind) {
            let resource = self.template(kind, input)?;
            own.push(Own { kind: Some(kind.clone()), resource, when: None });
        }
        if own.is_empty() {
            own.push(Own { kind: None, resource: "*".to_owned(), when: None });
        }
        // Types that a request may name besides: by name, or by their ARNs wherever these stand.
        for kind in facts.resources.iter().filter(|(_, rule)| !rule.required).map(|(kind, _)| kind) {
            let template = self.known.arn(self.prefix, kind)?;
            let names = paths::of_template(&template)?;
            if let Some(last) = names.last()
                && names.iter().all(|name| self.member(input, name).is_some())
            {
                let when = Some((*last).to_owned());
                own.push(Own { kind: Some(kind.clone()), resource: template.clone(), when });
            }
            for path in paths::expand(paths, &format!("**.{}", arn_member(kind))) {
                own.push(Own { kind: Some(kind.clone()), resource: format!("{{{path}}}"), when: Some(path) });
            }
        }
        Ok(own)
    }

    /// The ARN of a required resource type: its own template where the input has every name in it, its ARN where the
    /// input has that, or the members that the overlay names in place.
    fn template(&self, kind: &str, input: Option<&str>) -> Result<String, String> {
        if let Some(template) = self.overlay.arns.get(kind)
            && paths::of_template(template)?.iter().all(|path| paths::check(self.model, input, path).is_ok())
        {
            return Ok(template.clone());
        }
        let template = self.known.arn(self.prefix, kind)?;
        let whole = arn_member(kind);
        let mut out = String::new();
        let mut rest = template.as_str();
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or("a `{` without `}` in an ARN of the facts")?;
            out.push_str(literal);
            rest = tail;
            if matches!(name, "partition" | "region" | "account") {
                out.push_str(&format!("{{{name}}}"));
            } else if let Some(form) = self.member(input, name) {
                out.push_str(&form);
            } else if self.member(input, &whole).is_some() {
                return Ok(format!("{{{whole}}}"));
            } else {
                match self.alias(input, name) {
                    Some(member) if member == "*" => out.push('*'),
                    Some(member) if member.ends_with("Arn") => return Ok(format!("{{{member}}}")),
                    Some(member) => out.push_str(&self.member(input, &member).unwrap_or(format!("{{{member}}}"))),
                    None => return Err(format!("nothing in the input is `{name}` of the resource type `{kind}`")),
                }
            }
        }
        Ok(out + rest)
    }

    /// `{Name}`, or `{Name!}` where the member may also be an ARN.
    fn member(&self, input: Option<&str>, name: &str) -> Option<String> {
        let members = &self.model.shapes.get(input?)?.members;
        let (_, member) = members.iter().find(|(member, _)| member == name)?;
        let pattern = self.model.shapes.get(&member.shape)?.pattern.as_deref().unwrap_or_default();
        Some(if pattern.contains("arn") { format!("{{{name}!}}") } else { format!("{{{name}}}") })
    }

    fn alias(&self, input: Option<&str>, name: &str) -> Option<String> {
        let candidates = self.overlay.members.get(name)?;
        let there = |candidate: &&String| {
            let plain = candidate.trim_end_matches('?');
            *candidate == "*" || paths::check(self.model, input, plain).is_ok()
        };
        candidates.iter().find(there).cloned()
    }

    /// Where a key comes from in this input. None: the overlay has no rule that finds anything.
    fn key(
        &self,
        key: &str,
        operation: &str,
        paths: &[(String, String)],
        ours: Option<&overlay::Operation>,
    ) -> Result<Option<Key>, String> {
        let multivalued = self.known.key_type(&format!("{}:{operation}", self.prefix), key)?.starts_with("ArrayOf");
        let made = |from: String, shown: String| Some(Key { key: key.to_owned(), from, multivalued, shown });
        if let Some(from) = ours.and_then(|ours| ours.keys.get(key)) {
            return Ok(made(from.clone(), from.clone()));
        }
        if key == "aws:RequestTag/*" || key == "aws:TagKeys" {
            let tags = ["Tags", "TagKeys"].into_iter().find(|name| paths.iter().any(|(path, _)| path == name));
            return Ok(tags
                .filter(|tags| key == "aws:TagKeys" || *tags == "Tags")
                .and_then(|tags| made(tags.to_owned(), tags.to_owned())));
        }
        let (mut from, mut shown, mut default) = (Vec::new(), Vec::new(), None);
        for rule in self.overlay.keys.iter().filter(|rule| rule.key.iter().any(|name| name == key)) {
            if !rule.is_for(operation) {
                continue;
            }
            for source in &rule.from {
                let found = self.expand(rule, source, paths);
                if !found.is_empty() {
                    shown.push(source.clone());
                }
                from.extend(found);
            }
            default = rule.default.clone().or(default);
        }
        if from.is_empty() {
            return Ok(None);
        }
        if let Some(default) = default {
            shown.push(format!("={default}"));
            from.push(format!("={default}"));
        }
        Ok(made(from.join("|"), shown.join("|")))
    }

    fn expand(&self, rule: &overlay::KeyRule, source: &str, paths: &[(String, String)]) -> Vec<String> {
        if let Some(question) = source.strip_prefix('?') {
            let (path, members) = question.split_once(':').map_or((question, None), |(path, rest)| (path, Some(rest)));
            let found = paths::expand(paths, path).into_iter();
            return found
                .map(|path| members.map_or(format!("?{path}"), |members| format!("?{path}:{members}")))
                .collect();
        }
        let found = paths::expand(paths, source);
        match &rule.form {
            None => found,
            Some(form) => found.iter().map(|path| formed(form, path)).collect(),
        }
    }

    /// `AddTags` on what is created, where the facts say that tags in the request need it.
    fn tagging(
        &self,
        operation: &str,
        facts: &Action,
        own: &[Own],
        paths: &[(String, String)],
    ) -> Result<Option<Target>, String> {
        let action = format!("{}:AddTags", self.prefix);
        if !facts.dependent.contains(&action) || !paths.iter().any(|(path, _)| path == "Tags") {
            return Ok(None);
        }
        let created = created(operation, own).ok_or("it is not clear which of its resources is tagged")?;
        let mut keys = self.tag_keys(&action, paths);
        let tagging = format!("{}:TaggingAction", self.prefix);
        if self.known.key_type(&action, &tagging).is_ok() {
            keys.push(made(&tagging, &format!("={operation}"), false));
        }
        Ok(Some(Target { action, resource: created.resource.clone(), when: Some("Tags".to_owned()), keys }))
    }

    /// The keys of the request's tags that an action knows.
    fn tag_keys(&self, action: &str, paths: &[(String, String)]) -> Vec<Key> {
        let tagged = paths.iter().any(|(path, _)| path == "Tags");
        let keys = [made("aws:RequestTag/*", "Tags", false), made("aws:TagKeys", "Tags", true)];
        keys.into_iter().filter(|key| tagged && self.known.key_type(action, &key.key).is_ok()).collect()
    }

    fn pass_role(&self, paths: &[(String, String)]) -> Vec<Target> {
        let Some(rule) = &self.overlay.pass_role else { return Vec::new() };
        let found: BTreeSet<String> = rule.from.iter().flat_map(|source| paths::expand(paths, source)).collect();
        let service = format!("={}", rule.service);
        let key = made("iam:PassedToService", &service, false);
        let target = |path: String| Target {
            action: "iam:PassRole".to_owned(),
            resource: format!("{{{path}}}"),
            when: Some(path),
            keys: vec![key.clone()],
        };
        found.into_iter().map(target).collect()
    }
}

fn made(key: &str, from: &str, multivalued: bool) -> Key {
    Key { key: key.to_owned(), from: from.to_owned(), multivalued, shown: from.to_owned() }
}

/// The keys of an action on a resource of this type, as bindings write them; tags of resources come from elsewhere.
pub fn keys_of(facts: &Action, kind: Option<&str>) -> BTreeSet<String> {
    let by_type = kind.and_then(|kind| facts.resources.get(kind)).map(|rule| rule.keys.as_slice()).unwrap_or_default();
    let all = facts.keys.iter().chain(&facts.legacy_keys).chain(by_type);
    all.map(|key| binding_name(key)).filter(|key| !is_resource_tag(key)).collect()
}

/// `aws:RequestTag/${TagKey}` → `aws:RequestTag/*`, `s3:ExistingObjectTag/<key>` → `s3:ExistingObjectTag/*`.
pub fn binding_name(key: &str) -> String {
    match key.find(['$', '<']) {
        Some(at) => format!("{}*", key.get(..at).unwrap_or_default()),
        None => key.to_owned(),
    }
}

/// Set by the pipeline for every target with a full ARN, from the resource's tags.
pub fn is_resource_tag(key: &str) -> bool {
    key.ends_with(":ResourceTag/*")
}

/// `{}` in a form becomes `{path}`, `{:kms}` becomes `{path:kms}`; other placeholders stay.
fn formed(form: &str, path: &str) -> String {
    form.replace("{}", &format!("{{{path}}}")).replace("{:", &format!("{{{path}:"))
}

/// The member that names a resource of a type by ARN: `training-plan` → `TrainingPlanArn`.
fn arn_member(kind: &str) -> String {
    kind.split('-').map(crate::names::type_name).collect::<String>() + "Arn"
}

/// The resource that `CreateX` makes: the one whose type is named X, or ends so, or the only one.
fn created<'o>(operation: &str, own: &'o [Own]) -> Option<&'o Own> {
    let name = operation.strip_prefix("Create").or_else(|| operation.strip_prefix("Import")).unwrap_or(operation);
    let kind =
        |own: &Own| own.kind.as_deref().map(|kind| kind.split('-').map(crate::names::type_name).collect::<String>());
    let required: Vec<&Own> = own.iter().filter(|own| own.when.is_none()).collect();
    let exact = required.iter().find(|own| kind(own).is_some_and(|kind| kind == name));
    let ends = required.iter().find(|own| kind(own).is_some_and(|kind| kind.ends_with(name)));
    exact.or(ends).copied().or(match required.as_slice() {
        [only] => Some(only),
        _ => None,
    })
}
