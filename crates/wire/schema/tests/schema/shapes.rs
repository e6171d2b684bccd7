//! A small model.

use stoa_schema::{Kind, Location, Member, Shape, Value};

pub const fn shape(name: &'static str, kind: Kind) -> Shape {
    Shape { name, kind, sensitive: false }
}

const fn member(name: &'static str, shape: &'static Shape, required: bool) -> Member {
    Member {
        name,
        wire_name: None,
        location: Location::Body,
        shape,
        required,
        idempotency_token: false,
        timestamp_format: None,
    }
}

const fn text(name: &'static str, min: Option<u64>, max: Option<u64>, pattern: Option<&'static str>) -> Shape {
    shape(name, Kind::String { min, max, pattern, values: &[] })
}

pub static NAME: Shape = text("Name", Some(1), Some(8), Some("[a-zA-Z0-9](-*[a-zA-Z0-9])*"));
pub static ANY: Shape = text("Any", None, None, None);
pub static SECRET: Shape = Shape { sensitive: true, ..text("Secret", Some(3), None, None) };
pub static SORT: Shape =
    shape("Sort", Kind::String { min: None, max: None, pattern: None, values: &["Ascending", "Descending"] });
pub static COUNT: Shape = shape("Count", Kind::Integer { min: Some(1), max: Some(100) });
pub static WEIGHT: Shape = shape("Weight", Kind::Float { min: Some(0.0), max: Some(1.0) });
pub static BLOB: Shape = shape("Blob", Kind::Blob { min: None, max: Some(4) });
pub static TAG: Shape = shape("Tag", Kind::Structure(&[member("Key", &NAME, true), member("Value", &ANY, true)]));
pub static TAGS: Shape =
    shape("Tags", Kind::List { member: &TAG, member_name: None, flattened: false, min: None, max: Some(2) });
pub static MAP: Shape = shape("Map", Kind::Map { key: &NAME, value: &COUNT, min: None, max: Some(2) });
pub static CHOICE: Shape =
    shape("Choice", Kind::Union(&[member("Word", &NAME, false), member("Number", &COUNT, false)]));
pub static INPUT: Shape = shape(
    "Input",
    Kind::Structure(&[
        member("HubName", &NAME, true),
        member("Secret", &SECRET, false),
        member("Sort", &SORT, false),
        member("Count", &COUNT, false),
        member("Weight", &WEIGHT, false),
        member("Body", &BLOB, false),
        member("Tags", &TAGS, false),
        member("Map", &MAP, false),
        member("Choice", &CHOICE, false),
    ]),
);

pub fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

pub fn tag(key: &str, value: &str) -> Value {
    Value::Struct(vec![("Key", string(key)), ("Value", string(value))])
}

pub fn input(members: Vec<(&'static str, Value)>) -> Value {
    let mut all = Value::Struct(members);
    if all.member("HubName").is_none() {
        all.set_member("HubName", string("hub"));
    }
    all
}
