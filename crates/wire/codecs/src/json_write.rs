//! Values to JSON, straight into the buffer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stoa_schema::{Kind, Location, Shape, TimestampFormat, Value};

use crate::{number, text};

/// Writes the value in its shape. With `body_only`, members that travel elsewhere are left out.
pub(crate) fn write(out: &mut Vec<u8>, shape: &Shape, value: &Value, body_only: bool) {
    value_of(out, Some(shape), None, value, body_only);
}

/// Writes a value whose shape is not at hand (members of errors), in the protocol's default formats.
pub(crate) fn write_plain(out: &mut Vec<u8>, value: &Value) {
    value_of(out, None, None, value, false);
}

/// Writes a string with its quotes.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    // Writing to a Vec cannot fail, nor can serializing a string.
    let _ = serde_json::to_writer(out, text);
}

fn value_of(out: &mut Vec<u8>, shape: Option<&Shape>, format: Option<TimestampFormat>, value: &Value, body_only: bool) {
    match value {
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes()),
        Value::Float(number) => match number::special(*number) {
            Some(special) => string(out, special),
            None => {
                let _ = serde_json::to_writer(out, number);
            }
        },
        Value::String(text) => string(out, text),
        Value::Blob(bytes) => string(out, &STANDARD.encode(bytes)),
        Value::Timestamp(time) => {
            let own = shape.and_then(|shape| if let Kind::Timestamp(own) = shape.kind { own } else { None });
            match format.or(own).unwrap_or(TimestampFormat::UnixTimestamp) {
                TimestampFormat::UnixTimestamp => out.extend_from_slice(number::epoch_seconds(*time).as_bytes()),
                other => string(out, &text::write_timestamp(*time, other)),
            }
        }
        Value::List(items) => {
            let element =
                shape.and_then(|shape| if let Kind::List { member, .. } = shape.kind { Some(member) } else { None });
            sequence(out, b'[', b']', items, |out, item| value_of(out, element, None, item, false));
        }
        Value::Map(entries) => {
            let element =
                shape.and_then(|shape| if let Kind::Map { value, .. } = shape.kind { Some(value) } else { None });
            sequence(out, b'{', b'}', entries, |out, (key, item)| {
                string(out, key);
                out.push(b':');
                value_of(out, element, None, item, false);
            });
        }
        Value::Struct(members) => structure(out, shape, members, body_only),
        Value::Document(json) => {
            let _ = serde_json::to_writer(out, json);
        }
    }
}

fn structure(out: &mut Vec<u8>, shape: Option<&Shape>, members: &[(&'static str, Value)], body_only: bool) {
    out.push(b'{');
    let mut first = true;
    for (name, value) in members {
        let member = shape.and_then(|shape| shape.member(name));
        if shape.is_some() && !member.is_some_and(|member| !body_only || member.location == Location::Body) {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        string(out, member.map_or(name, |member| member.wire()));
        out.push(b':');
        value_of(
            out,
            member.map(|member| member.shape),
            member.and_then(|member| member.timestamp_format),
            value,
            false,
        );
    }
    out.push(b'}');
}

fn sequence<T>(out: &mut Vec<u8>, open: u8, close: u8, items: &[T], each: impl Fn(&mut Vec<u8>, &T)) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        each(out, item);
    }
    out.push(close);
}
