//! The fullest value of a shape: every member there, every list and map with one element. Tests drive with it what must
//! look at all of an input; recursion stops at a shape's second time.

use bytes::Bytes;
use stoa_types::Timestamp;

use crate::{Kind, Shape, Value};

/// A value with everything in it. `text` gives a string member its text, by member name; None leaves the member out.
pub fn fullest(shape: &'static Shape, text: &dyn Fn(&str) -> Option<String>) -> Value {
    fill(shape, "", text, &mut Vec::new()).unwrap_or_else(Value::empty)
}

fn fill(
    shape: &'static Shape,
    name: &str,
    text: &dyn Fn(&str) -> Option<String>,
    above: &mut Vec<&'static str>,
) -> Option<Value> {
    if above.contains(&shape.name) {
        return None;
    }
    above.push(shape.name);
    let value = match &shape.kind {
        Kind::Boolean => Some(Value::Bool(true)),
        Kind::Integer { min, .. } => Some(Value::Int(min.unwrap_or(1).max(1))),
        Kind::Float { min, .. } => Some(Value::Float(min.unwrap_or(1.0))),
        Kind::String { values, .. } => match values.first() {
            Some(value) => Some(Value::String((*value).to_owned())),
            None => text(name).map(Value::String),
        },
        Kind::Blob { .. } => Some(Value::Blob(Bytes::from_static(b"x"))),
        Kind::Timestamp(_) => Timestamp::parse_iso8601("2026-01-01T00:00:00Z").ok().map(Value::Timestamp),
        Kind::List { member, .. } => fill(member, name, text, above).map(|element| Value::List(vec![element])),
        Kind::Map { value, .. } => {
            fill(value, name, text, above).map(|element| Value::Map(vec![("key".to_owned(), element)]))
        }
        Kind::Structure(members) | Kind::Union(members) => {
            let filled = members
                .iter()
                .filter_map(|member| fill(member.shape, member.name, text, above).map(|value| (member.name, value)));
            Some(Value::Struct(filled.collect()))
        }
        Kind::Document => Some(Value::Document(serde_json::Value::Null)),
    };
    above.pop();
    value
}
