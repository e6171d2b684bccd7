//! From JSON text to a [`Document`]: the grammar common to all kinds of policies, with the place of the first error.
//!
//! INVARIANT: size is bounded here ([`MAX_BYTES`], [`MAX_STATEMENTS`]) and depth by serde_json's own limit of 128;
//! repeated and unknown elements are refused, since guessing would change what is allowed.

mod json;
mod place;

use std::borrow::Cow;
use std::sync::Arc;

use crate::action::Actions;
use crate::condition::{Condition, Operator};
use crate::glob::{Pattern, Syntax};
use crate::statement::{Named, Principals, Resources, Statement, named_aws};
use crate::{Document, PolicyError};
pub(crate) use json::Json;
use place::At;

/// The longest text that is looked at. AWS's own limits (a few KiB) are for the services to apply.
pub(crate) const MAX_BYTES: usize = 4 << 20;
const MAX_STATEMENTS: usize = 20_000;

type Parsed<T> = Result<T, PolicyError>;

/// Parses a whole document.
pub(crate) fn document(text: &str) -> Parsed<Document> {
    let root = At::Root;
    let Json::Object(members) = json(text)? else { return wrong("a policy must be a JSON object", root) };
    no_repeats(&members, root)?;
    let (mut version, mut id, mut statements) = (None, None, None);
    for (name, value) in &members {
        let at = At::Member(&root, name);
        match &**name {
            "Version" => version = Some(text_of(value, at)?),
            "Id" => id = Some(Arc::from(text_of(value, at)?)),
            "Statement" => statements = Some(value),
            _ => return wrong(&format!("unknown element `{name}`"), at),
        }
    }
    let variables = match version {
        Some("2012-10-17") => true,
        None | Some("2008-10-17") => false,
        Some(other) => return wrong(&format!("unknown version `{other}`"), At::Member(&root, "Version")),
    };
    let under = At::Member(&root, "Statement");
    let list: &[Json<'_>] = match statements {
        Some(Json::List(list)) => list,
        Some(one @ Json::Object(_)) => std::slice::from_ref(one),
        Some(_) => return wrong("`Statement` must be an object or a list of objects", under),
        None => return wrong("missing element `Statement`", root),
    };
    if list.is_empty() || list.len() > MAX_STATEMENTS {
        return wrong(&format!("a policy must have between 1 and {MAX_STATEMENTS} statements"), under);
    }
    let mut parsed: Vec<Arc<Statement>> = Vec::with_capacity(list.len());
    for (index, json) in list.iter().enumerate() {
        parsed.push(Arc::new(statement(json, index, variables, At::Item(&under, index))?));
    }
    unique_sids(&parsed, under)?;
    Ok(Document { statements: parsed.into(), variables, id })
}

/// Reads the text as JSON.
pub(crate) fn json(text: &str) -> Parsed<Json<'_>> {
    if text.len() > MAX_BYTES {
        return wrong(&format!("document of {} bytes is longer than {MAX_BYTES}", text.len()), At::Root);
    }
    serde_json::from_str(text).map_err(|error| {
        let full = error.to_string();
        let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
        let place = format!("line {} column {}", error.line(), error.column());
        PolicyError::new(format!("syntax errors in policy: {message}"), place)
    })
}

fn wrong<T>(message: &str, at: At<'_>) -> Parsed<T> {
    Err(PolicyError::new(message, at.to_string()))
}

fn unique_sids(statements: &[Arc<Statement>], under: At<'_>) -> Parsed<()> {
    let mut sids: Vec<(&str, u32)> =
        statements.iter().filter_map(|statement| Some((statement.sid.as_deref()?, statement.index))).collect();
    sids.retain(|(sid, _)| !sid.is_empty());
    sids.sort_unstable();
    for pair in sids.windows(2) {
        if let [(first, _), (second, index)] = pair
            && first == second
        {
            let statement = At::Item(&under, *index as usize);
            return wrong(
                &format!("statement ids in one policy must be unique, `{first}` is not"),
                At::Member(&statement, "Sid"),
            );
        }
    }
    Ok(())
}

/// An element that has a negated twin, by the name that was used.
struct Element<'a> {
    name: &'a str,
    value: &'a Json<'a>,
}

impl Element<'_> {
    fn is_negated(&self) -> bool {
        self.name.starts_with("Not")
    }
}

/// The elements of a statement, before they are parsed.
#[derive(Default)]
struct Elements<'a> {
    sid: Option<&'a str>,
    effect: Option<&'a str>,
    action: Option<Element<'a>>,
    resource: Option<Element<'a>>,
    principal: Option<Element<'a>>,
    condition: Option<&'a Json<'a>>,
}

fn elements<'a>(json: &'a Json<'a>, at: At<'_>) -> Parsed<Elements<'a>> {
    let Json::Object(members) = json else { return wrong("a statement must be an object", at) };
    no_repeats(members, at)?;
    let mut found = Elements::default();
    for (name, value) in members {
        let at = At::Member(&at, name);
        let element = Element { name, value };
        match &**name {
            "Sid" => found.sid = Some(text_of(value, at)?),
            "Effect" => found.effect = Some(text_of(value, at)?),
            "Condition" => found.condition = Some(value),
            "Action" | "NotAction" => once(&mut found.action, element, "Action", at)?,
            "Resource" | "NotResource" => once(&mut found.resource, element, "Resource", at)?,
            "Principal" | "NotPrincipal" => once(&mut found.principal, element, "Principal", at)?,
            _ => return wrong(&format!("unknown element `{name}`"), at),
        }
    }
    Ok(found)
}

fn once<'a>(slot: &mut Option<Element<'a>>, element: Element<'a>, name: &str, at: At<'_>) -> Parsed<()> {
    match slot.replace(element) {
        None => Ok(()),
        Some(_) => wrong(&format!("a statement has either `{name}` or `Not{name}`"), at),
    }
}

fn statement(json: &Json<'_>, index: usize, variables: bool, at: At<'_>) -> Parsed<Statement> {
    let found = elements(json, at)?;
    let deny = match found.effect {
        Some("Allow") => false,
        Some("Deny") => true,
        Some(other) => return wrong(&format!("invalid effect `{other}`"), At::Member(&at, "Effect")),
        None => return wrong("missing element `Effect`", at),
    };
    let Some(action) = found.action else { return wrong("policy statement must contain actions", at) };
    let under = At::Member(&at, action.name);
    let texts = strings(action.value, under, "policy statement must contain actions")?;
    let actions = Actions::parse(&texts, action.is_negated())
        .map_err(|(nth, problem)| PolicyError::new(problem, item(under, action.value, nth)))?;
    let resources = match found.resource {
        None => Resources::Absent,
        Some(element) => {
            let patterns = resource_patterns(element.value, At::Member(&at, element.name), variables)?;
            if element.is_negated() { Resources::AllBut(patterns) } else { Resources::Only(patterns) }
        }
    };
    let principals = match found.principal {
        None => Principals::Absent,
        Some(element) => {
            let named = named(element.value, At::Member(&at, element.name))?;
            if element.is_negated() { Principals::AllBut(named) } else { Principals::Only(named) }
        }
    };
    let conditions = match found.condition {
        None => Box::default(),
        Some(value) => conditions(value, At::Member(&at, "Condition"), variables)?,
    };
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    Ok(Statement { sid: found.sid.map(Box::from), deny, principals, actions, resources, conditions, index })
}

fn resource_patterns(value: &Json<'_>, at: At<'_>, variables: bool) -> Parsed<Box<[Pattern]>> {
    let texts = strings(value, at, "policy statement must contain resources")?;
    let mut patterns = Vec::with_capacity(texts.len());
    for (nth, text) in texts.iter().enumerate() {
        let all = !text.is_empty() && text.bytes().all(|byte| byte == b'*');
        if !all && !text.starts_with("arn:") {
            let message = format!("resource `{text}` must be in ARN format or `*`");
            return Err(PolicyError::new(message, item(at, value, nth)));
        }
        let pattern = Pattern::parse(&completed(text), Syntax { wildcards: true, variables });
        patterns.push(pattern.map_err(|problem| PolicyError::new(problem, item(at, value, nth)))?);
    }
    Ok(patterns.into())
}

/// An ARN of fewer than six fields has `*` in those that are missing: `arn:aws:sqs` is `arn:aws:sqs:*:*:*`. One with a
/// `*` in it is left as it is, since a `*` spans fields.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
fn completed(text: &str) -> Cow<'_, str> {
    let (mut colons, mut braces) = (0usize, false);
    for byte in text.bytes() {
        match byte {
            b'{' => braces = true,
            b'}' => braces = false,
            b':' if !braces => colons += 1,
            b'*' if !braces => return Cow::Borrowed(text),
            _ => {}
        }
        if colons == 5 {
            return Cow::Borrowed(text);
        }
    }
    Cow::Owned(text.to_owned() + &":*".repeat(5 - colons))
}

fn named(value: &Json<'_>, at: At<'_>) -> Parsed<Box<[Named]>> {
    let members = match value {
        Json::Text(text) if text == "*" => return Ok(Box::new([Named::Everyone])),
        Json::Object(members) if !members.is_empty() => members,
        _ => return wrong("`Principal` must be `*` or an object of principals", at),
    };
    no_repeats(members, at)?;
    let mut all = Vec::new();
    for (kind, value) in members {
        let at = At::Member(&at, kind);
        for (nth, text) in strings(value, at, "a list of principals cannot be empty")?.iter().enumerate() {
            all.push(match &**kind {
                "AWS" => named_aws(text).map_err(|problem| PolicyError::new(problem, item(at, value, nth)))?,
                "Service" if text == "*" => return wrong("invalid principal `*` under `Service`", at),
                "Service" => Named::Service(Box::from(&**text)),
                "Federated" => Named::Federated(Box::from(&**text)),
                "CanonicalUser" => Named::Exact(Box::from(&**text)),
                _ => return wrong(&format!("unknown kind of principal `{kind}`"), at),
            });
        }
    }
    Ok(all.into())
}

fn conditions(value: &Json<'_>, at: At<'_>, variables: bool) -> Parsed<Box<[Condition]>> {
    let Json::Object(operators) = value else { return wrong("`Condition` must be an object", at) };
    no_repeats(operators, at)?;
    let mut all = Vec::new();
    for (name, block) in operators {
        let at = At::Member(&at, name);
        let operator = Operator::parse(name).map_err(|problem| PolicyError::new(problem, at.to_string()))?;
        let Json::Object(keys) = block else { return wrong("a condition operator needs an object of keys", at) };
        no_repeats(keys, at)?;
        for (key, wanted) in keys {
            let at = At::Key(&at, key);
            if key.is_empty() || !key.contains(':') {
                return wrong(&format!("`{key}` is not a condition key"), at);
            }
            let texts = strings(wanted, at, "a condition key needs at least one value")?;
            let condition = Condition::parse(operator, key, &texts, variables);
            all.push(condition.map_err(|(nth, problem)| PolicyError::new(problem, item(at, wanted, nth)))?);
        }
    }
    Ok(all.into())
}

/// Path of the nth item, where the value is a list.
fn item(at: At<'_>, value: &Json<'_>, nth: usize) -> String {
    if matches!(value, Json::List(_)) { At::Item(&at, nth).to_string() } else { at.to_string() }
}

fn text_of<'a>(value: &'a Json<'_>, at: At<'_>) -> Parsed<&'a str> {
    match value {
        Json::Text(text) => Ok(text),
        _ => wrong("must be a string", at),
    }
}

/// One or many scalars as text: AWS takes booleans and numbers for their text.
fn strings<'a>(value: &'a Json<'_>, at: At<'_>, empty: &str) -> Parsed<Vec<Cow<'a, str>>> {
    let list = match value {
        Json::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.is_empty() {
        return wrong(empty, at);
    }
    let mut texts = Vec::with_capacity(list.len());
    for (nth, json) in list.iter().enumerate() {
        let Some(text) = json.scalar() else {
            return Err(PolicyError::new("must be a string or a list of strings", item(at, value, nth)));
        };
        texts.push(text);
    }
    Ok(texts)
}

fn no_repeats(members: &[(Cow<'_, str>, Json<'_>)], at: At<'_>) -> Parsed<()> {
    // A few names are compared with each other; many are sorted, so that no object takes more than n log n.
    if members.len() <= 8 {
        for (nth, (name, _)) in members.iter().enumerate() {
            if members.iter().take(nth).any(|(other, _)| other == name) {
                return wrong(&format!("element `{name}` is repeated"), at);
            }
        }
        return Ok(());
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        if let [first, second] = pair
            && first == second
        {
            return wrong(&format!("element `{first}` is repeated"), at);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
