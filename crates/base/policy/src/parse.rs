//! From JSON text to a [`Document`]: the grammar common to all kinds of policies, with the place of the first error.
//!
//! INVARIANT: size is bounded here ([`MAX_BYTES`], [`MAX_STATEMENTS`]) and depth by serde_json's own limit of 128;
//! repeated and unknown elements are refused, since guessing would change what is allowed.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::action::Actions;
use crate::condition::{Condition, Operator};
use crate::glob::{Pattern, Syntax};
use crate::statement::{Named, Principals, Resources, Statement, named_aws};
use crate::{Document, PolicyError};

/// The longest text that is looked at. AWS's own limits (a few KiB) are for the services to apply.
pub(crate) const MAX_BYTES: usize = 4 << 20;
const MAX_STATEMENTS: usize = 20_000;

/// JSON as written: objects keep their order and their repeated names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

type Parsed<T> = Result<T, PolicyError>;

/// Parses a whole document.
pub(crate) fn document(text: &str) -> Parsed<Document> {
    if text.len() > MAX_BYTES {
        return Err(PolicyError::new(format!("document of {} bytes is longer than {MAX_BYTES}", text.len()), "$"));
    }
    let json = json(text)?;
    let Json::Object(members) = json else { return wrong("a policy must be a JSON object", "$") };
    no_repeats(&members, "$")?;
    let (mut version, mut id, mut statements) = (None, None, None);
    for (name, value) in &members {
        let path = format!("$.{name}");
        match name.as_str() {
            "Version" => version = Some(text_of(value, &path)?),
            "Id" => id = Some(Arc::from(text_of(value, &path)?)),
            "Statement" => statements = Some(value),
            _ => return wrong(&format!("unknown element `{name}`"), &path),
        }
    }
    let variables = match version {
        Some("2012-10-17") => true,
        None | Some("2008-10-17") => false,
        Some(other) => return wrong(&format!("unknown version `{other}`"), "$.Version"),
    };
    let list: &[Json] = match statements {
        Some(Json::List(list)) => list,
        Some(one @ Json::Object(_)) => std::slice::from_ref(one),
        Some(_) => return wrong("`Statement` must be an object or a list of objects", "$.Statement"),
        None => return wrong("missing element `Statement`", "$"),
    };
    if list.is_empty() || list.len() > MAX_STATEMENTS {
        return wrong(&format!("a policy must have between 1 and {MAX_STATEMENTS} statements"), "$.Statement");
    }
    let mut parsed: Vec<Arc<Statement>> = Vec::with_capacity(list.len());
    for (at, json) in list.iter().enumerate() {
        parsed.push(Arc::new(statement(json, at, variables)?));
    }
    unique_sids(&parsed)?;
    Ok(Document { statements: parsed.into(), variables, id })
}

/// Reads the text as JSON.
pub(crate) fn json(text: &str) -> Parsed<Json> {
    serde_json::from_str(text).map_err(|error| {
        let full = error.to_string();
        let message = full.split(" at line ").next().unwrap_or(&full).to_owned();
        PolicyError::new(format!("syntax errors in policy: {message}"), place(error.line(), error.column()))
    })
}

fn place(line: usize, column: usize) -> String {
    format!("line {line} column {column}")
}

fn wrong<T>(message: &str, path: &str) -> Parsed<T> {
    Err(PolicyError::new(message, path))
}

fn unique_sids(statements: &[Arc<Statement>]) -> Parsed<()> {
    let mut sids: Vec<(&str, u32)> =
        statements.iter().filter_map(|statement| Some((statement.sid.as_deref()?, statement.index))).collect();
    sids.retain(|(sid, _)| !sid.is_empty());
    sids.sort_unstable();
    for pair in sids.windows(2) {
        if let [(first, _), (second, at)] = pair
            && first == second
        {
            return wrong(
                &format!("statement ids in one policy must be unique, `{first}` is not"),
                &format!("$.Statement[{at}].Sid"),
            );
        }
    }
    Ok(())
}

/// The elements of a statement, before they are parsed.
#[derive(Default)]
struct Elements<'a> {
    sid: Option<&'a str>,
    effect: Option<&'a str>,
    action: Option<(bool, &'a Json)>,
    resource: Option<(bool, &'a Json)>,
    principal: Option<(bool, &'a Json)>,
    condition: Option<&'a Json>,
}

fn elements<'a>(json: &'a Json, path: &str) -> Parsed<Elements<'a>> {
    let Json::Object(members) = json else { return wrong("a statement must be an object", path) };
    no_repeats(members, path)?;
    let mut found = Elements::default();
    for (name, value) in members {
        let at = format!("{path}.{name}");
        match name.as_str() {
            "Sid" => found.sid = Some(text_of(value, &at)?),
            "Effect" => found.effect = Some(text_of(value, &at)?),
            "Condition" => found.condition = Some(value),
            "Action" | "NotAction" => once(&mut found.action, name.starts_with("Not"), value, "Action", &at)?,
            "Resource" | "NotResource" => once(&mut found.resource, name.starts_with("Not"), value, "Resource", &at)?,
            "Principal" | "NotPrincipal" => {
                once(&mut found.principal, name.starts_with("Not"), value, "Principal", &at)?;
            }
            _ => return wrong(&format!("unknown element `{name}`"), &at),
        }
    }
    Ok(found)
}

fn once<'a>(slot: &mut Option<(bool, &'a Json)>, not: bool, value: &'a Json, name: &str, path: &str) -> Parsed<()> {
    match slot.replace((not, value)) {
        None => Ok(()),
        Some(_) => wrong(&format!("a statement has either `{name}` or `Not{name}`"), path),
    }
}

fn statement(json: &Json, index: usize, variables: bool) -> Parsed<Statement> {
    let path = format!("$.Statement[{index}]");
    let found = elements(json, &path)?;
    let deny = match found.effect {
        Some("Allow") => false,
        Some("Deny") => true,
        Some(other) => return wrong(&format!("invalid effect `{other}`"), &format!("{path}.Effect")),
        None => return wrong("missing element `Effect`", &path),
    };
    let Some((not, action)) = found.action else { return wrong("policy statement must contain actions", &path) };
    let element = |name: &str, not: bool| format!("{path}.{}{name}", if not { "Not" } else { "" });
    let actions_at = element("Action", not);
    let texts = strings(action, &actions_at, "policy statement must contain actions")?;
    let actions = Actions::parse(&texts, not)
        .map_err(|(at, problem)| PolicyError::new(problem, item(&actions_at, action, at)))?;
    let resources = match found.resource {
        None => Resources::Absent,
        Some((not, value)) => {
            let patterns = resource_patterns(value, &element("Resource", not), variables)?;
            if not { Resources::AllBut(patterns) } else { Resources::Only(patterns) }
        }
    };
    let principals = match found.principal {
        None => Principals::Absent,
        Some((not, value)) => {
            let named = named(value, &element("Principal", not))?;
            if not { Principals::AllBut(named) } else { Principals::Only(named) }
        }
    };
    let conditions = match found.condition {
        None => Box::default(),
        Some(value) => conditions(value, &format!("{path}.Condition"), variables)?,
    };
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    Ok(Statement { sid: found.sid.map(Box::from), deny, principals, actions, resources, conditions, index })
}

fn resource_patterns(value: &Json, path: &str, variables: bool) -> Parsed<Box<[Pattern]>> {
    let texts = strings(value, path, "policy statement must contain resources")?;
    let mut patterns = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let all = !text.is_empty() && text.bytes().all(|byte| byte == b'*');
        if !all && !text.starts_with("arn:") {
            return wrong(&format!("resource `{text}` must be in ARN format or `*`"), &item(path, value, at));
        }
        let pattern = Pattern::parse(text, Syntax { wildcards: true, variables });
        patterns.push(pattern.map_err(|problem| PolicyError::new(problem, item(path, value, at)))?);
    }
    Ok(patterns.into())
}

fn named(value: &Json, path: &str) -> Parsed<Box<[Named]>> {
    let members = match value {
        Json::Text(text) if text == "*" => return Ok(Box::new([Named::Everyone])),
        Json::Object(members) if !members.is_empty() => members,
        _ => return wrong("`Principal` must be `*` or an object of principals", path),
    };
    no_repeats(members, path)?;
    let mut all = Vec::new();
    for (kind, value) in members {
        let at = format!("{path}.{kind}");
        for (position, text) in strings(value, &at, "a list of principals cannot be empty")?.iter().enumerate() {
            all.push(match kind.as_str() {
                "AWS" => named_aws(text).map_err(|problem| PolicyError::new(problem, item(&at, value, position)))?,
                "Service" if text == "*" => return wrong("invalid principal `*` under `Service`", &at),
                "Service" => Named::Service(text.as_str().into()),
                "Federated" => Named::Federated(text.as_str().into()),
                "CanonicalUser" => Named::Exact(text.as_str().into()),
                _ => return wrong(&format!("unknown kind of principal `{kind}`"), &at),
            });
        }
    }
    Ok(all.into())
}

fn conditions(value: &Json, path: &str, variables: bool) -> Parsed<Box<[Condition]>> {
    let Json::Object(operators) = value else { return wrong("`Condition` must be an object", path) };
    no_repeats(operators, path)?;
    let mut all = Vec::new();
    for (name, block) in operators {
        let at = format!("{path}.{name}");
        let operator = Operator::parse(name).map_err(|problem| PolicyError::new(problem, at.as_str()))?;
        let Json::Object(keys) = block else { return wrong("a condition operator needs an object of keys", &at) };
        no_repeats(keys, &at)?;
        for (key, wanted) in keys {
            let at = format!("{at}[\"{key}\"]");
            if key.is_empty() || !key.contains(':') {
                return wrong(&format!("`{key}` is not a condition key"), &at);
            }
            let texts = strings(wanted, &at, "a condition key needs at least one value")?;
            let condition = Condition::parse(name, operator, key, &texts, variables);
            all.push(condition.map_err(|(nth, problem)| PolicyError::new(problem, item(&at, wanted, nth)))?);
        }
    }
    Ok(all.into())
}

/// Path of the nth item, where the value is a list.
fn item(path: &str, value: &Json, nth: usize) -> String {
    if matches!(value, Json::List(_)) { format!("{path}[{nth}]") } else { path.to_owned() }
}

fn text_of<'a>(value: &'a Json, path: &str) -> Parsed<&'a str> {
    match value {
        Json::Text(text) => Ok(text),
        _ => wrong("must be a string", path),
    }
}

/// One or many scalars as text: AWS takes booleans and numbers for their text.
pub(crate) fn strings(value: &Json, path: &str, empty: &str) -> Parsed<Vec<String>> {
    let list = match value {
        Json::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.is_empty() {
        return wrong(empty, path);
    }
    let mut texts = Vec::with_capacity(list.len());
    for (at, json) in list.iter().enumerate() {
        texts.push(match json {
            Json::Text(text) | Json::Number(text) => text.clone(),
            Json::Bool(value) => value.to_string(),
            Json::Null | Json::List(_) | Json::Object(_) => {
                return wrong("must be a string or a list of strings", &item(path, value, at));
            }
        });
    }
    Ok(texts)
}

fn no_repeats(members: &[(String, Json)], path: &str) -> Parsed<()> {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        if let [first, second] = pair
            && first == second
        {
            return wrong(&format!("element `{first}` is repeated"), path);
        }
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            members.push(entry);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
#[path = "parse/tests.rs"]
mod tests;
