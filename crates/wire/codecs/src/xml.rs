//! Values to XML, as awsQuery writes results.

use stoa_schema::{Kind, Shape, TimestampFormat, Value};

use crate::text;

/// A text node: markup escaped, characters that XML cannot hold replaced.
pub(crate) fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(letter),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
}

/// `<name>text</name>`.
pub(crate) fn element(out: &mut String, name: &str, text: &str) {
    open(out, name);
    escape(out, text);
    close(out, name);
}

/// `<name>`.
pub(crate) fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

/// `</name>`.
pub(crate) fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// The members of a structure, one element each.
pub(crate) fn members(out: &mut String, shape: &Shape, value: &Value) {
    let Value::Struct(members) = value else { return };
    for (name, inner) in members {
        if let Some(member) = shape.member(name) {
            named(out, member.wire(), member.shape, member.timestamp_format, inner);
        }
    }
}

fn named(out: &mut String, name: &str, shape: &Shape, format: Option<TimestampFormat>, value: &Value) {
    match (&shape.kind, value) {
        (Kind::List { member, flattened: true, .. }, Value::List(items)) => {
            for item in items {
                named(out, name, member, None, item);
            }
        }
        (Kind::List { member, member_name, .. }, Value::List(items)) => {
            open(out, name);
            for item in items {
                named(out, member_name.unwrap_or("member"), member, None, item);
            }
            close(out, name);
        }
        (Kind::Map { value: inner, .. }, Value::Map(entries)) => {
            open(out, name);
            for (key, item) in entries {
                open(out, "entry");
                element(out, "key", key);
                named(out, "value", inner, None, item);
                close(out, "entry");
            }
            close(out, name);
        }
        (Kind::Structure(_) | Kind::Union(_), Value::Struct(_)) => {
            open(out, name);
            members(out, shape, value);
            close(out, name);
        }
        (kind, scalar) => {
            let own = if let Kind::Timestamp(own) = kind { *own } else { None };
            let format = format.or(own).unwrap_or(TimestampFormat::Iso8601);
            if let Some(text) = text::write(scalar, format) {
                element(out, name, &text);
            }
        }
    }
}
