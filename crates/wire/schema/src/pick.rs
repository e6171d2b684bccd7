//! Picks values out of an input by path: `A.B`, `A[].B` (each element), `A` alone.

use crate::Value;

/// Every value at the path, in order. A step over a list or map takes each element.
pub fn pick<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in path.split('.') {
        let (name, each) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
        let mut next = Vec::new();
        for value in found {
            let Some(member) = value.member(name) else { continue };
            match member {
                Value::List(items) if each => next.extend(items.iter()),
                Value::Map(entries) if each => next.extend(entries.iter().map(|(_, value)| value)),
                other => next.push(other),
            }
        }
        found = next;
    }
    found
}

/// The values at the path as the texts that condition keys and ARNs are made of. `A|B` takes those of both paths.
pub fn pick_strings(value: &Value, paths: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for found in paths.split('|').flat_map(|path| pick(value, path)) {
        match found {
            Value::List(items) => texts.extend(items.iter().filter_map(text)),
            other => texts.extend(text(other)),
        }
    }
    texts
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Timestamp(time) => Some(time.iso8601()),
        _ => None,
    }
}
