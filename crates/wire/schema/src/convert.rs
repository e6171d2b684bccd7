//! Between [`Value`] trees and generated types.

use bytes::Bytes;
use stoa_types::Timestamp;

use crate::Value;

/// The value has not the form its schema promises: after validation this is a bug of ours, never the caller's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{member}` is missing or has not its modelled form")]
pub struct ConvertError {
    /// The member at fault.
    pub member: &'static str,
}

/// A type made from a value.
pub trait FromValue: Sized {
    /// Takes the value apart.
    fn from_value(value: Value) -> Result<Self, ConvertError>;
}

/// A type that becomes a value.
pub trait ToValue {
    /// Builds the value.
    fn to_value(self) -> Value;
}

macro_rules! scalar {
    // scalar!(bool, Bool) expands to FromValue and ToValue of `bool` through `Value::Bool`.
    ($type:ty, $variant:ident) => {
        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self, ConvertError> {
                match value {
                    Value::$variant(inner) => Ok(inner),
                    _ => Err(ConvertError { member: stringify!($type) }),
                }
            }
        }
        impl ToValue for $type {
            fn to_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

scalar!(bool, Bool);
scalar!(i64, Int);
scalar!(String, String);
scalar!(Bytes, Blob);
scalar!(Timestamp, Timestamp);
scalar!(serde_json::Value, Document);

impl FromValue for f64 {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Float(number) => Ok(number),
            Value::Int(number) => Ok(number as f64),
            _ => Err(ConvertError { member: "f64" }),
        }
    }
}

impl ToValue for f64 {
    fn to_value(self) -> Value {
        Value::Float(self)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::List(items) => items.into_iter().map(T::from_value).collect(),
            _ => Err(ConvertError { member: "list" }),
        }
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(self) -> Value {
        Value::List(self.into_iter().map(T::to_value).collect())
    }
}

impl<T: FromValue> FromValue for std::collections::BTreeMap<String, T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        match value {
            Value::Map(entries) => entries.into_iter().map(|(key, item)| Ok((key, T::from_value(item)?))).collect(),
            _ => Err(ConvertError { member: "map" }),
        }
    }
}

impl<T: ToValue> ToValue for std::collections::BTreeMap<String, T> {
    fn to_value(self) -> Value {
        Value::Map(self.into_iter().map(|(key, item)| (key, item.to_value())).collect())
    }
}

impl<T: FromValue> FromValue for Box<T> {
    fn from_value(value: Value) -> Result<Self, ConvertError> {
        T::from_value(value).map(Box::new)
    }
}

impl<T: ToValue> ToValue for Box<T> {
    fn to_value(self) -> Value {
        (*self).to_value()
    }
}

/// Takes a structure's members out one by one; generated `FromValue` impls are made of it.
#[derive(Debug)]
pub struct FieldReader(Vec<(&'static str, Value)>);

impl FieldReader {
    /// Opens a structure.
    pub fn open(value: Value, shape: &'static str) -> Result<FieldReader, ConvertError> {
        match value {
            Value::Struct(members) => Ok(FieldReader(members)),
            _ => Err(ConvertError { member: shape }),
        }
    }
    /// A member that may be absent.
    pub fn optional<T: FromValue>(&mut self, member: &'static str) -> Result<Option<T>, ConvertError> {
        match self.0.iter().position(|(name, _)| *name == member) {
            Some(index) => T::from_value(self.0.swap_remove(index).1).map(Some).map_err(|_| ConvertError { member }),
            None => Ok(None),
        }
    }
    /// A member that must be there.
    pub fn required<T: FromValue>(&mut self, member: &'static str) -> Result<T, ConvertError> {
        self.optional(member)?.ok_or(ConvertError { member })
    }
}

/// Puts a structure together member by member; generated `ToValue` impls are made of it.
#[derive(Debug)]
pub struct FieldWriter(Vec<(&'static str, Value)>);

impl FieldWriter {
    /// A structure with room for so many members.
    pub fn new(members: usize) -> FieldWriter {
        FieldWriter(Vec::with_capacity(members))
    }
    /// A member that is always there.
    #[must_use]
    pub fn required<T: ToValue>(mut self, member: &'static str, value: T) -> FieldWriter {
        self.0.push((member, value.to_value()));
        self
    }
    /// A member that may be absent.
    #[must_use]
    pub fn optional<T: ToValue>(mut self, member: &'static str, value: Option<T>) -> FieldWriter {
        if let Some(value) = value {
            self.0.push((member, value.to_value()));
        }
        self
    }
    /// The structure.
    pub fn finish(self) -> Value {
        Value::Struct(self.0)
    }
}

/// What every generated enum of texts has beyond `as_str` and `FromStr`: `Display`, values, serde as its text.
///
/// `text_enum!(HubStatus)` expands to the impls of `Display`, `FromValue`, `ToValue`, `Serialize` and `Deserialize`.
#[macro_export]
macro_rules! text_enum {
    ($name:ident) => {
        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
        impl $crate::FromValue for $name {
            fn from_value(value: $crate::Value) -> ::std::result::Result<Self, $crate::ConvertError> {
                match value.as_str() {
                    Some(text) => text.parse(),
                    None => Err($crate::ConvertError { member: stringify!($name) }),
                }
            }
        }
        impl $crate::ToValue for $name {
            fn to_value(self) -> $crate::Value {
                $crate::Value::String(self.as_str().to_owned())
            }
        }
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> ::std::result::Result<Self, D::Error> {
                let text = <::std::string::String as ::serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(::serde::de::Error::custom)
            }
        }
    };
}
