//! A decoded wire value. Structures keep their members' names from the schema, so no name is ever allocated.

use bytes::Bytes;
use stoa_types::Timestamp;

/// A value in the shape its schema gives it. JSON nulls and absent members are simply not there.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// Byte, short, integer, long.
    Int(i64),
    /// Float, double.
    Float(f64),
    /// A string or an enum value.
    String(String),
    /// Raw bytes.
    Blob(Bytes),
    /// A point in time.
    Timestamp(Timestamp),
    /// A list.
    List(Vec<Value>),
    /// A map with string keys, in the order given.
    Map(Vec<(String, Value)>),
    /// A structure or (with exactly one member) a union: modelled member name and value, in wire order.
    Struct(Vec<(&'static str, Value)>),
    /// A document: free-form JSON.
    Document(serde_json::Value),
}

impl Value {
    /// An empty structure.
    pub fn empty() -> Value {
        Value::Struct(Vec::new())
    }
    /// The member of a structure, by modelled name.
    pub fn member(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Struct(members) => members.iter().find(|(member, _)| *member == name).map(|(_, value)| value),
            _ => None,
        }
    }
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
    /// The text of a structure's string member.
    pub fn str_member(&self, name: &str) -> Option<&str> {
        self.member(name).and_then(Value::as_str)
    }
    /// Adds or replaces a structure's member.
    pub fn set_member(&mut self, name: &'static str, value: Value) {
        if let Value::Struct(members) = self {
            match members.iter_mut().find(|(member, _)| *member == name) {
                Some((_, old)) => *old = value,
                None => members.push((name, value)),
            }
        }
    }
}
