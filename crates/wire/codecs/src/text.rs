//! Scalars as text: what queries, forms, headers and XML have in common.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stoa_schema::{Kind, Shape, TimestampFormat, Value};
use stoa_types::Timestamp;

use crate::number;

/// A scalar from its text; the error says what was expected.
pub(crate) fn parse(shape: &Shape, text: &str, format: TimestampFormat) -> Result<Value, &'static str> {
    match &shape.kind {
        Kind::String { .. } => Ok(Value::String(text.to_owned())),
        Kind::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(expected(shape)),
        },
        Kind::Integer { .. } => text.trim().parse().map(Value::Int).map_err(|_| expected(shape)),
        Kind::Float { .. } => number::parse_float(text.trim()).map(Value::Float).ok_or(expected(shape)),
        Kind::Timestamp(own) => {
            timestamp(text.trim(), own.unwrap_or(format)).map(Value::Timestamp).ok_or(expected(shape))
        }
        Kind::Blob { .. } => STANDARD.decode(text).map(|bytes| Value::Blob(bytes.into())).map_err(|_| expected(shape)),
        _ => Err(expected(shape)),
    }
}

/// A scalar as text; none for lists, maps and structures.
pub(crate) fn write(value: &Value, format: TimestampFormat) -> Option<String> {
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number::write_float(*number),
        Value::Timestamp(time) => write_timestamp(*time, format),
        Value::Blob(bytes) => STANDARD.encode(bytes),
        Value::Document(json) => json.to_string(),
        Value::List(_) | Value::Map(_) | Value::Struct(_) => return None,
    })
}

/// A time in the format, or in one of the others: clients are not exact about it.
pub(crate) fn timestamp(text: &str, format: TimestampFormat) -> Option<Timestamp> {
    let seconds = || number::parse_float(text).and_then(number::timestamp);
    match format {
        TimestampFormat::Rfc822 => {
            Timestamp::parse_http_date(text).ok().or_else(|| Timestamp::parse_iso8601(text).ok())
        }
        TimestampFormat::Iso8601 => Timestamp::parse_iso8601(text).ok().or_else(seconds),
        TimestampFormat::UnixTimestamp => seconds().or_else(|| Timestamp::parse_iso8601(text).ok()),
    }
}

/// A time in the format.
pub(crate) fn write_timestamp(time: Timestamp, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::Rfc822 => time.http_date(),
        TimestampFormat::Iso8601 if time.millis().rem_euclid(1000) == 0 => time.iso8601(),
        TimestampFormat::Iso8601 => time.iso8601_millis(),
        TimestampFormat::UnixTimestamp => number::epoch_seconds(time),
    }
}

/// What a shape's values look like, for messages.
pub(crate) fn expected(shape: &Shape) -> &'static str {
    match &shape.kind {
        Kind::Boolean => "expected true or false",
        Kind::Integer { .. } => "expected an integer",
        Kind::Float { .. } => "expected a number",
        Kind::String { .. } => "expected a string",
        Kind::Blob { .. } => "expected base64",
        Kind::Timestamp(_) => "expected a timestamp",
        Kind::List { .. } => "expected a list",
        Kind::Map { .. } => "expected a map",
        Kind::Structure(_) | Kind::Union(_) => "expected an object",
        Kind::Document => "expected a document",
    }
}
