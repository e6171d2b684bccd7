//! Replaces what the schema marks sensitive, and blobs, so that logs, audit and errors can show the rest.

use crate::{Kind, Shape, Value};

/// What stands in place of a sensitive value.
pub const REDACTED: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// A copy of the value without what must not be seen.
pub fn redact(shape: &Shape, value: &Value) -> Value {
    if shape.sensitive {
        return Value::String(REDACTED.to_owned());
    }
    match (value, &shape.kind) {
        (Value::Blob(bytes), _) => Value::String(format!("{} bytes", bytes.len())),
        (Value::Struct(members), Kind::Structure(_) | Kind::Union(_)) => Value::Struct(
            members
                .iter()
                .filter_map(|(name, inner)| shape.member(name).map(|member| (*name, redact(member.shape, inner))))
                .collect(),
        ),
        (Value::List(items), Kind::List { member, .. }) => {
            Value::List(items.iter().map(|item| redact(member, item)).collect())
        }
        (Value::Map(entries), Kind::Map { value: inner, .. }) => {
            Value::Map(entries.iter().map(|(key, item)| (key.clone(), redact(inner, item))).collect())
        }
        _ => value.clone(),
    }
}
