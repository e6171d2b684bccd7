//! Targets from the table: resources and condition keys bound from the decoded, not yet validated input.
//!
//! The grammar of templates and bindings is documented where they are declared (`TargetSpec`, `KeyBinding`).
//!
//! INVARIANT: a member that is missing never makes a resource narrower: `*` stands for it, so that a request which lacks
//! it can only be allowed on everything.

use stoa_policy::MapContext;
use stoa_schema::{KeyBinding, TargetSpec, Value, pick, pick_strings};

use crate::{Cx, Target};

/// The targets of a table-bound operation. A resource template with a list path gives one target for each value.
pub fn bind_targets(cx: &Cx, specs: &[TargetSpec], input: &Value) -> Vec<Target> {
    let (partition, region, account) = (&cx.partition, &cx.region, &cx.principal.account);
    let place = Place { partition: partition.as_str(), region: region.as_str(), account: account.as_str() };
    bind_in(&place, specs, input)
}

/// Where a caller's own resources are.
struct Place<'p> {
    partition: &'p str,
    region: &'p str,
    account: &'p str,
}

fn bind_in(place: &Place<'_>, specs: &[TargetSpec], input: &Value) -> Vec<Target> {
    let mut targets = Vec::with_capacity(specs.len());
    for spec in specs {
        if let Some(path) = spec.when
            && pick(input, path).is_empty()
        {
            continue;
        }
        let keys = bind_keys(place, spec.keys, input);
        for resource in fill(place, spec.resource, input, Some("*")) {
            targets.push(Target { keys: keys.clone(), ..Target::new(spec.action, resource) });
        }
    }
    targets
}

fn bind_keys(place: &Place<'_>, bindings: &[KeyBinding], input: &Value) -> MapContext {
    let mut keys = MapContext::new();
    for binding in bindings {
        if binding.key == "aws:RequestTag/*" || binding.key == "aws:TagKeys" {
            request_tags(&mut keys, input, binding.from);
            continue;
        }
        if let Some(start) = binding.key.strip_suffix('*') {
            for (name, value) in binding.from.split('|').flat_map(|path| entries(input, path)) {
                keys.set(&format!("{start}{name}"), value);
            }
            continue;
        }
        let mut values = key_values(place, binding.from, input);
        // A key that AWS knows with one value has several where a request names several (the definitions of a tuning
        // job): a deny that names one of them is met.
        if binding.multivalued || values.len() > 1 {
            if !values.is_empty() {
                keys.set_many(binding.key, values);
            }
        } else if let Some(value) = values.pop() {
            keys.set(binding.key, value);
        }
    }
    keys
}

/// The values of a key, each once.
fn key_values(place: &Place<'_>, from: &str, input: &Value) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for alternative in from.split('|') {
        let found = match alternative.strip_prefix('=') {
            Some(constant) if values.is_empty() => vec![constant.to_owned()],
            Some(_) => Vec::new(),
            None => match alternative.strip_prefix('?') {
                Some(question) => vec![is_there(input, question).to_string()],
                None if alternative.contains('{') => fill(place, alternative, input, None),
                None => pick_strings(input, alternative),
            },
        };
        for value in found {
            if !values.contains(&value) {
                values.push(value);
            }
        }
    }
    values
}

/// `Path`, or `Path:A-B`: some element at the path has the member A and not B.
fn is_there(input: &Value, question: &str) -> bool {
    let Some((path, members)) = question.split_once(':') else { return !pick(input, question).is_empty() };
    let (has, lacks) = members.split_once('-').unwrap_or((members, ""));
    pick(input, path).into_iter().any(|element| element.member(has).is_some() && element.member(lacks).is_none())
}

/// The entries of a map, or of a list of `Key`/`Value` structures, whose values are scalars.
fn entries(input: &Value, path: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut found = Vec::new();
    for value in pick(input, path) {
        match value {
            Value::Map(entries) => {
                found.extend(entries.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))));
            }
            Value::List(items) => found.extend(items.iter().filter_map(|item| {
                Some((item.str_member("Key")?.to_owned(), item.str_member("Value").unwrap_or_default().to_owned()))
            })),
            _ => {}
        }
    }
    found
}

pub(crate) fn request_tags(keys: &mut MapContext, input: &Value, path: &str) {
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

/// What stands in a template so far, or an ARN that took the place of all of it.
#[derive(Clone)]
struct Filled {
    text: String,
    whole: bool,
}

/// Fills a template. Every value of a list path in it gives one result. A member without a value becomes `missing`, or
/// leaves no result at all.
fn fill(place: &Place<'_>, template: &str, input: &Value, missing: Option<&str>) -> Vec<String> {
    let mut done = vec![Filled { text: String::new(), whole: false }];
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        let (path, form) = form_of(name);
        let mut values = match path {
            "partition" => vec![place.partition.to_owned()],
            "region" => vec![place.region.to_owned()],
            "account" => vec![place.account.to_owned()],
            path => path.split('|').flat_map(|path| member_values(input, path)).collect(),
        };
        if values.is_empty() {
            let Some(missing) = missing else { return Vec::new() };
            values.push(missing.to_owned());
        }
        done = done.iter().flat_map(|start| values.iter().map(move |value| start.with(literal, form, value))).collect();
        rest = tail;
    }
    let close = |filled: Filled| if filled.whole { filled.text } else { filled.text + rest };
    done.into_iter().map(close).collect()
}

/// The values at a path, each followed by `/*` where the path says so.
fn member_values(input: &Value, path: &str) -> Vec<String> {
    match path.strip_suffix("/*") {
        Some(path) => pick_strings(input, path).into_iter().map(|value| value + "/*").collect(),
        None => pick_strings(input, path),
    }
}

/// How a member's text goes into a template.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    NameOrArn,
    ArnOnly,
    KmsKey,
    Kind,
}

fn form_of(name: &str) -> (&str, Form) {
    for (suffix, form) in [("!", Form::NameOrArn), ("?", Form::ArnOnly), (":kms", Form::KmsKey), (":kind", Form::Kind)]
    {
        if let Some(path) = name.strip_suffix(suffix) {
            return (path, form);
        }
    }
    (name, Form::Plain)
}

impl Filled {
    fn with(&self, literal: &str, form: Form, value: &str) -> Filled {
        if self.whole {
            return self.clone();
        }
        let text = format!("{}{literal}", self.text);
        match form {
            Form::NameOrArn | Form::ArnOnly if same_type(&text, value) => {
                Filled { text: value.to_owned(), whole: true }
            }
            Form::ArnOnly => Filled { text: text + "*", whole: false },
            Form::KmsKey if value.starts_with("arn:") => Filled { text: value.to_owned(), whole: true },
            Form::KmsKey if value.starts_with("alias/") => Filled { text: text + value, whole: false },
            Form::KmsKey => Filled { text: format!("{text}key/{value}"), whole: false },
            Form::Kind => Filled { text: text + kind(value), whole: false },
            Form::Plain | Form::NameOrArn => Filled { text: text + value, whole: false },
        }
    }
}

/// Whether a value is an ARN of the service and resource type that a template has so far. Else it is text like any
/// other: an ARN of something else must not be decided in place of what the operation is about.
fn same_type(so_far: &str, value: &str) -> bool {
    let parts = |text| -> Option<(String, String)> {
        let mut fields = str::splitn(text, 6, ':');
        let (arn, service) = (fields.next()?, fields.nth(1)?);
        let resource = fields.nth(2)?;
        (arn == "arn").then(|| (service.to_owned(), resource.to_owned()))
    };
    match (parts(so_far), parts(value)) {
        (Some((service, start)), Some((given, resource))) => service == given && resource.starts_with(&start),
        _ => false,
    }
}

/// `private-crowd` in `arn:aws:sagemaker:us-west-2:111122223333:workteam/private-crowd/labelers`.
fn kind(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests;
