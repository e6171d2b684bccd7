//! Which documents are policies at all: random documents, most of them broken somewhere, are judged by a second, naive
//! reading of the grammar; both must refuse or both accept.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stoa_policy::Document;

use crate::properties;

/// Whether a document follows the grammar, by a plain reading of it.
pub fn is_policy(document: &Value) -> bool {
    let Some(members) = document.as_object() else { return false };
    let known = |name: &String| ["Version", "Id", "Statement"].contains(&name.as_str());
    let version = members.get("Version");
    let new = version == Some(&json!("2012-10-17"));
    if !members.keys().all(known) || !new && version.is_some() && version != Some(&json!("2008-10-17")) {
        return false;
    }
    if members.get("Id").is_some_and(|id| !id.is_string()) {
        return false;
    }
    let statements = match members.get("Statement") {
        Some(Value::Array(list)) => list.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => return false,
    };
    let sids: Vec<&str> =
        statements.iter().filter_map(|one| one["Sid"].as_str()).filter(|sid| !sid.is_empty()).collect();
    let unique = sids.iter().collect::<std::collections::BTreeSet<_>>().len() == sids.len();
    !statements.is_empty() && unique && statements.iter().all(|one| is_statement(one, new))
}

fn is_statement(statement: &Value, new: bool) -> bool {
    let Some(members) = statement.as_object() else { return false };
    let twins = [("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")];
    let known = |name: &String| {
        ["Sid", "Effect", "Condition"].contains(&name.as_str())
            || twins.iter().any(|(one, not)| name == one || name == not)
    };
    if !members.keys().all(known)
        || twins.iter().any(|(one, not)| members.contains_key(*one) && members.contains_key(*not))
    {
        return false;
    }
    let effect = matches!(members.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny"));
    let either = |one: &str, not: &str| members.get(one).or(members.get(not)).cloned();
    effect
        && members.get("Sid").is_none_or(Value::is_string)
        && either("Action", "NotAction")
            .is_some_and(|value| texts(&value).is_some_and(|all| all.iter().all(|one| is_action(one))))
        && either("Resource", "NotResource")
            .is_none_or(|value| texts(&value).is_some_and(|all| all.iter().all(|one| is_resource(one, new))))
        && either("Principal", "NotPrincipal").is_none_or(|value| is_principal(&value))
        && members.get("Condition").is_none_or(|value| is_condition(value, new))
}

/// One or several scalars.
fn texts(value: &Value) -> Option<Vec<String>> {
    let list = match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let text = |one: &Value| match one {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(one.to_string()),
        _ => None,
    };
    let all: Option<Vec<String>> = list.iter().map(text).collect();
    all.filter(|all| !all.is_empty())
}

fn is_action(text: &str) -> bool {
    if !text.is_empty() && text.chars().all(|c| c == '*') {
        return true;
    }
    let Some((service, name)) = text.split_once(':') else { return false };
    let ok = |part: &str, more: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    text.len() <= 512 && ok(service, "-_*?") && ok(name, "-_:/.*?")
}

fn is_resource(text: &str, new: bool) -> bool {
    let star = !text.is_empty() && text.chars().all(|c| c == '*');
    (star || text.starts_with("arn:")) && variables_ok(text, new)
}

/// Every `${` of the new version is closed and names a key, an escape, or a key with a quoted default.
fn variables_ok(text: &str, new: bool) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find("${").filter(|_| new) {
        let inner = &rest[at + 2..];
        let mut quotes = 0;
        let end = inner.char_indices().find(|(_, c)| {
            quotes += usize::from(*c == '\'');
            *c == '}' && quotes % 2 == 0
        });
        let Some((end, _)) = end else { return false };
        let body = &inner[..end];
        rest = &inner[end + 1..];
        if ["*", "?", "$"].contains(&body) {
            continue;
        }
        let (key, default) = body.split_once(',').map_or((body, None), |(key, default)| (key, Some(default.trim())));
        let quoted = default.is_none_or(|text| text.len() >= 2 && text.starts_with('\'') && text.ends_with('\''));
        if !quoted || key.trim().is_empty() || key.contains(['$', '{', '*', '?', '\'']) {
            return false;
        }
    }
    true
}

fn is_principal(value: &Value) -> bool {
    if value == "*" {
        return true;
    }
    let Some(members) = value.as_object().filter(|members| !members.is_empty()) else { return false };
    members.iter().all(|(kind, names)| {
        let Some(names) = texts(names) else { return false };
        match kind.as_str() {
            "AWS" => names.iter().all(|name| is_aws_principal(name)),
            "Service" => names.iter().all(|name| name != "*"),
            "Federated" | "CanonicalUser" => true,
            _ => false,
        }
    })
}

fn is_aws_principal(name: &str) -> bool {
    let digits = name.len() == 12 && name.chars().all(|c| c.is_ascii_digit());
    let id = name.len() >= 16 && name.chars().all(|c| c.is_ascii_alphanumeric());
    let arn = name.starts_with("arn:") && name.matches(':').count() >= 5 && !name.contains(['*', '?']);
    name == "*" || digits || id || arn
}

fn is_condition(value: &Value, new: bool) -> bool {
    let Some(operators) = value.as_object() else { return false };
    operators.iter().all(|(operator, keys)| {
        let Some(test) = operator_test(operator) else { return false };
        let Some(keys) = keys.as_object() else { return false };
        keys.iter().all(|(key, wanted)| {
            key.contains(':') && texts(wanted).is_some_and(|all| all.iter().all(|text| value_ok(test, text, new)))
        })
    })
}

/// What values an operator takes.
fn operator_test(operator: &str) -> Option<&'static str> {
    let lower = operator.to_lowercase();
    let (set, rest) = lower.split_once(':').unwrap_or(("", &lower));
    let base = rest.strip_suffix("ifexists").unwrap_or(rest);
    let plain = set.is_empty() && base == rest;
    let test = match base {
        "stringequals"
        | "stringnotequals"
        | "stringequalsignorecase"
        | "stringnotequalsignorecase"
        | "stringlike"
        | "stringnotlike"
        | "arnequals"
        | "arnlike"
        | "arnnotequals"
        | "arnnotlike" => "text",
        "numericequals"
        | "numericnotequals"
        | "numericlessthan"
        | "numericlessthanequals"
        | "numericgreaterthan"
        | "numericgreaterthanequals" => "number",
        "dateequals"
        | "datenotequals"
        | "datelessthan"
        | "datelessthanequals"
        | "dategreaterthan"
        | "dategreaterthanequals" => "date",
        "bool" => "bool",
        "binaryequals" => "base64",
        "ipaddress" | "notipaddress" => "ip",
        "null" if plain => "null",
        _ => return None,
    };
    ["", "forallvalues", "foranyvalue"].contains(&set).then_some(test)
}

/// Only values that the generator makes are judged; they are plainly right or plainly wrong.
fn value_ok(test: &str, text: &str, new: bool) -> bool {
    let boolean = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    match test {
        "text" => variables_ok(text, new),
        "number" => text.parse::<f64>().is_ok(),
        "date" => text.parse::<f64>().is_ok() || text.starts_with("20") && (text.ends_with('Z') || text.len() == 10),
        "bool" => boolean || new && text.contains("${") && variables_ok(text, new),
        "null" => boolean,
        "base64" => {
            let body = text.trim_end_matches('=');
            let letters = body.chars().all(|c| c.is_ascii_alphanumeric() || "+/-_".contains(c));
            letters && body.len() % 4 != 1 && text.len() - body.len() <= 2
        }
        "ip" => {
            let (address, length) = text.split_once('/').unwrap_or((text, "0"));
            let most = if address.contains(':') { 128 } else { 32 };
            address.parse::<std::net::IpAddr>().is_ok() && length.parse::<u32>().is_ok_and(|length| length <= most)
        }
        other => panic!("{other}"),
    }
}

/// Things to put in the place of something else.
fn oddity() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(7),
        json!(""),
        json!("x"),
        json!("*"),
        json!("**"),
        json!([]),
        json!({}),
        json!([null]),
        json!([[]]),
        json!("arn:aws:s3:::${"),
        json!("arn:aws:s3:::${aws:username}"),
        json!("${a, b}"),
        json!("${a:b, 'c}d'}"),
        json!("s3:"),
        json!(":Get"),
        json!("s3:Get Object"),
        json!("s3:Get*"),
        json!(["s3:GetObject", "s3"]),
        json!("Allow"),
        json!("allow"),
        json!("2012-10-17"),
        json!("2008-10-17"),
        json!("2011-01-01"),
        json!({"AWS": "111122223333"}),
        json!({"AWS": ["*", "bob"]}),
        json!({"AWS": "arn:aws:iam::1:user/*"}),
        json!({"AWS": "AIDAIOSFODNN7EXAMPLE"}),
        json!({"Service": "*"}),
        json!({"Who": "x"}),
        json!({"Federated": []}),
        json!({"Bool": {"a:b": "yes"}}),
        json!({"Bool": {"a:b": true}}),
        json!({"Null": {"a:b": "1"}}),
        json!({"NullIfExists": {"a:b": "true"}}),
        json!({"ForSome:StringLike": {"a:b": "x"}}),
        json!({"ForAnyValue:StringLike": {"ab": "x"}}),
        json!({"stringlikeifexists": {"a:b": ["x", 7]}}),
        json!({"IpAddress": {"a:b": "10.0.0.0/33"}}),
        json!({"NumericEquals": {"a:b": ["5", "five"]}}),
        json!({"DateLessThan": {"a:b": "soon"}}),
        json!({"BinaryEquals": {"a:b": "QQ==="}}),
    ])
}

const NAMES: &[&str] = &[
    "Version",
    "Id",
    "Statement",
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Principal",
    "NotPrincipal",
    "Condition",
    "effect",
    "AWS",
    "StringLike",
    "a:b",
];

/// Paths of every value in a document.
fn paths(value: &Value, at: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    out.push(at.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(nth, value)| (nth.to_string(), value)).collect(),
        _ => vec![],
    };
    for (name, child) in children {
        at.push(name);
        paths(child, at, out);
        at.pop();
    }
}

fn at<'a>(value: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match value {
        Value::Array(list) => &mut list[step.parse::<usize>().unwrap()],
        other => &mut other[step.as_str()],
    })
}

/// Replaces, removes or adds something somewhere.
fn broken(mut document: Value, place: usize, how: u8, odd: Value, name: &str) -> Value {
    let mut all = Vec::new();
    paths(&document, &mut Vec::new(), &mut all);
    let path = all[place % all.len()].clone();
    match (how % 4, path.split_last()) {
        (0, Some((last, up))) => match at(&mut document, up) {
            Value::Object(members) => drop(members.remove(last)),
            Value::Array(list) => drop(list.remove(last.parse().unwrap())),
            _ => {}
        },
        (1, _) => {
            if let Value::Object(members) = at(&mut document, &path) {
                members.insert(name.to_owned(), odd);
            }
        }
        (2, Some((last, up))) => {
            if let Value::Object(members) = at(&mut document, up) {
                let value = members.remove(last).unwrap_or_default();
                let mut renamed = Map::new();
                renamed.insert(name.to_owned(), value);
                members.extend(renamed);
            }
        }
        _ => *at(&mut document, &path) = odd,
    }
    document
}

fn documents() -> impl Strategy<Value = Value> {
    let steps =
        prop::collection::vec((any::<usize>(), any::<u8>(), oddity(), prop::sample::select(NAMES.to_vec())), 0..3);
    (properties::document(true, 2, 2), steps).prop_map(|(document, steps)| {
        steps.into_iter().fold(document, |document, (place, how, odd, name)| broken(document, place, how, odd, name))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, ..ProptestConfig::default() })]

    #[test]
    fn both_refuse_or_both_accept(document in documents()) {
        let parsed = Document::parse(&document.to_string());
        prop_assert_eq!(parsed.is_ok(), is_policy(&document), "{:?}\n{}", parsed.err(), document);
    }

    #[test]
    fn errors_have_a_place_that_exists(document in documents()) {
        let Err(error) = Document::parse(&document.to_string()) else { return Ok(()) };
        // The path leads to something in the document: read it back step by step.
        let mut rest = error.path().strip_prefix('$').unwrap();
        let mut value = &document;
        while !rest.is_empty() {
            let step = if let Some(after) = rest.strip_prefix("[\"") {
                let end = after.find("\"]").unwrap();
                rest = &after[end + 2..];
                value.get(&after[..end])
            } else if let Some(after) = rest.strip_prefix('[') {
                let end = after.find(']').unwrap();
                rest = &after[end + 1..];
                // A single statement may stand without a list.
                value.get(after[..end].parse::<usize>().unwrap()).or((value.is_object()).then_some(value))
            } else {
                let after = &rest[1..];
                let end = after.find(['.', '[']).unwrap_or(after.len());
                rest = &after[end..];
                value.get(&after[..end])
            };
            let Some(found) = step else {
                // `$.Statement`, `.Version` and so on name what is missing or what is wrong; nothing else may.
                prop_assert!(rest.is_empty(), "{}: {}", error, document);
                break;
            };
            value = found;
        }
    }

    #[test]
    fn cut_off_text_is_refused_with_line_and_column(document in documents(), cut in any::<prop::sample::Index>()) {
        let text = serde_json::to_string_pretty(&document).unwrap();
        let at = cut.index(text.len().max(1));
        let Some(part) = text.get(..at) else { return Ok(()) };
        if serde_json::from_str::<Value>(part).is_ok() {
            return Ok(());
        }
        let error = Document::parse(part).unwrap_err();
        prop_assert!(error.path().starts_with("line "), "{}", error);
        let line: usize = error.path().split(' ').nth(1).unwrap().parse().unwrap();
        prop_assert_eq!(line, part.matches('\n').count() + 1);
    }
}

#[test]
fn the_generator_makes_both_kinds() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let made: Vec<bool> = (0..600).map(|_| is_policy(&documents().new_tree(&mut runner).unwrap().current())).collect();
    let good = made.iter().filter(|good| **good).count();
    assert!((100..500).contains(&good), "{good} of 600 are policies");
}
