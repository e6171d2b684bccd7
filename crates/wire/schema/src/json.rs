//! A value as JSON for people and records (audit, logs), with CloudTrail's member names. Not a wire codec.

use serde_json::{Map, Number, Value as Json};

use crate::Value;

/// The value as JSON: member names with a lower-case first letter (as CloudTrail writes them), times as ISO 8601.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::Number((*number).into()),
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::String(text) => Json::String(text.clone()),
        Value::Blob(bytes) => Json::String(format!("{} bytes", bytes.len())),
        Value::Timestamp(time) => Json::String(time.iso8601()),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(entries) => Json::Object(entries.iter().map(|(key, item)| (key.clone(), to_json(item))).collect()),
        Value::Struct(members) => {
            let mut object = Map::new();
            for (name, item) in members {
                object.insert(lower_first(name), to_json(item));
            }
            Json::Object(object)
        }
        Value::Document(json) => json.clone(),
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}
