//! Shapes that have everything, and small helpers.

use bytes::Bytes;
use http::{HeaderMap, Method};
use stoa_codecs::{DecodeError, Encoded, RequestParts, WireError, protocol};
use stoa_schema::{
    Access, AuditKind, Authz, HttpBinding, Kind, Location, Member, OperationSpec, ProtocolName, ServiceSpec, Shape,
    TimestampFormat, Value,
};

pub const fn scalar(name: &'static str, kind: Kind) -> Shape {
    Shape { name, kind, sensitive: false }
}

pub const fn member(name: &'static str, shape: &'static Shape) -> Member {
    Member {
        name,
        wire_name: None,
        location: Location::Body,
        shape,
        required: false,
        idempotency_token: false,
        timestamp_format: None,
    }
}

const fn at(name: &'static str, location: Location, shape: &'static Shape) -> Member {
    Member { location, ..member(name, shape) }
}

pub static TEXT: Shape = scalar("Text", Kind::String { min: None, max: None, pattern: None, values: &[] });
pub static INT: Shape = scalar("Int", Kind::Integer { min: None, max: None });
pub static FLOAT: Shape = scalar("Float", Kind::Float { min: None, max: None });
pub static FLAG: Shape = scalar("Flag", Kind::Boolean);
pub static BLOB: Shape = scalar("Blob", Kind::Blob { min: None, max: None });
pub static TIME: Shape = scalar("Time", Kind::Timestamp(None));
pub static ISO: Shape = scalar("Iso", Kind::Timestamp(Some(TimestampFormat::Iso8601)));
pub static TEXTS: Shape = list(&TEXT, None, false);
pub static FLAT: Shape = list(&INT, None, true);
pub static NAMED: Shape = list(&TEXT, Some("item"), false);
pub static NUMBERS: Shape = scalar("Numbers", Kind::Map { key: &TEXT, value: &FLOAT, min: None, max: None });
pub static CHOICE: Shape = scalar("Choice", Kind::Union(&[member("Word", &TEXT), member("Tree", &TREE)]));
/// Refers to itself.
pub static TREE: Shape = scalar("Tree", Kind::Structure(&[member("Name", &TEXT), member("Children", &TREES)]));
pub static TREES: Shape = list(&TREE, None, false);
pub static ALL: Shape = scalar(
    "All",
    Kind::Structure(&[
        member("Text", &TEXT),
        member("Int", &INT),
        member("Float", &FLOAT),
        member("Flag", &FLAG),
        member("Blob", &BLOB),
        member("Time", &TIME),
        member("Iso", &ISO),
        member("Texts", &TEXTS),
        Member { wire_name: Some("renamed"), ..member("Flat", &FLAT) },
        member("Named", &NAMED),
        member("Numbers", &NUMBERS),
        member("Choice", &CHOICE),
        member("Tree", &TREE),
    ]),
);
pub static PARTS: Shape = scalar(
    "Parts",
    Kind::Structure(&[
        at("Label", Location::Uri("Label"), &TEXT),
        at("Count", Location::Query("count"), &INT),
        at("Kinds", Location::Query("kind"), &TEXTS),
        at("Since", Location::Header("x-since"), &TIME),
        at("Names", Location::Header("x-names"), &TEXTS),
        at("Status", Location::StatusCode, &INT),
        member("Text", &TEXT),
    ]),
);

const fn list(member: &'static Shape, member_name: Option<&'static str>, flattened: bool) -> Shape {
    scalar("List", Kind::List { member, member_name, flattened, min: None, max: None })
}

const fn operation(name: &'static str, uri: &'static str, shape: &'static Shape) -> OperationSpec {
    OperationSpec {
        implemented: true,
        input: Some(shape),
        output: Some(shape),
        result_wrapper: Some("ShowResult"),
        xml_namespace: "https://example.com/doc/",
        audit: AuditKind::Management,
        ..OperationSpec::not_implemented("test", name, "POST", uri, Authz::Custom, Access::Read)
    }
}

pub static SHOW: OperationSpec = operation("Show", "/", &ALL);
pub static PLACE: OperationSpec =
    OperationSpec { success_status: 201, ..operation("Place", "/things/{Label}/parts", &PARTS) };
pub static NOTHING: OperationSpec = OperationSpec {
    input: None,
    output: None,
    result_wrapper: None,
    http: HttpBinding { method: "POST", uri: "/" },
    ..operation("Nothing", "/", &ALL)
};
pub static SERVICE: ServiceSpec = ServiceSpec {
    name: "test",
    signing_name: "test",
    action_prefix: "test",
    endpoint_prefix: "test",
    target_prefix: "Test",
    api_version: "2026-11-21",
    xml_namespace: "https://example.com/doc/",
    event_source: "test.amazonaws.com",
    protocols: &[ProtocolName::RpcV2Cbor, ProtocolName::AwsQuery],
    operations: &[&NOTHING, &PLACE, &SHOW],
    global: false,
};

pub const PROTOCOLS: [ProtocolName; 5] = [
    ProtocolName::AwsJson10,
    ProtocolName::AwsJson11,
    ProtocolName::AwsQuery,
    ProtocolName::RestJson1,
    ProtocolName::RpcV2Cbor,
];

pub fn decode(name: ProtocolName, spec: &OperationSpec, body: &[u8]) -> Result<Value, DecodeError> {
    decode_at(name, spec, "/", "", &HeaderMap::new(), body)
}

pub fn decode_at(
    name: ProtocolName,
    spec: &OperationSpec,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, DecodeError> {
    let request = RequestParts { method: &Method::POST, path, query, headers };
    protocol(name).decode(spec, &request, &Bytes::copy_from_slice(body))
}

pub fn encode(name: ProtocolName, spec: &OperationSpec, value: &Value) -> Encoded {
    protocol(name).encode(spec, value, "request-1")
}

pub fn encode_error(name: ProtocolName, error: &WireError) -> Encoded {
    protocol(name).encode_error(Some(&SHOW), &SERVICE, error, "request-1")
}

pub fn header<'e>(encoded: &'e Encoded, name: &str) -> &'e str {
    encoded.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

pub fn text(encoded: &Encoded) -> &str {
    std::str::from_utf8(&encoded.body).unwrap()
}

pub fn structure(members: Vec<(&'static str, Value)>) -> Value {
    Value::Struct(members)
}

pub fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// The value with the members of structures and entries of maps in one order.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Struct(mut members) => {
            members.sort_by_key(|(name, _)| *name);
            Value::Struct(members.into_iter().map(|(name, inner)| (name, sorted(inner))).collect())
        }
        Value::Map(mut entries) => {
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Map(entries.into_iter().map(|(name, inner)| (name, sorted(inner))).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
