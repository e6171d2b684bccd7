//! Redaction, picking by path, and values as JSON for records.

use bytes::Bytes;
use stoa_schema::{
    Access, Authz, OperationSpec, ProtocolName, REDACTED, ServiceSpec, Value, pick, pick_strings, redact, to_json,
};
use stoa_types::Timestamp;

use crate::shapes::*;

#[test]
fn redaction_leaves_no_secret_and_no_payload() {
    let value = input(vec![
        ("Secret", string("hunter2")),
        ("Body", Value::Blob(Bytes::from_static(b"\x01\x02"))),
        ("Tags", Value::List(vec![tag("k", "v")])),
        ("Unmodelled", string("hunter2")),
    ]);
    let seen = redact(&INPUT, &value);
    assert!(!format!("{seen:?}").contains("hunter2"));
    assert_eq!(seen.str_member("Secret"), Some(REDACTED));
    assert_eq!(seen.str_member("Body"), Some("2 bytes"));
    assert_eq!(seen.member("Tags"), value.member("Tags"));
}

#[test]
fn picking() {
    let value = input(vec![
        ("Tags", Value::List(vec![tag("a", "1"), tag("b", "2")])),
        ("Map", Value::Map(vec![("x".to_owned(), Value::Int(1)), ("y".to_owned(), Value::Int(2))])),
        ("Count", Value::Int(7)),
        ("Weight", Value::Bool(true)),
    ]);
    assert_eq!(pick_strings(&value, "Tags[].Key"), ["a", "b"]);
    assert_eq!(pick_strings(&value, "Map[]"), ["1", "2"]);
    assert_eq!(pick_strings(&value, "Count"), ["7"]);
    assert_eq!(pick_strings(&value, "Weight"), ["true"]);
    assert_eq!(pick_strings(&value, "HubName|Tags[].Value|Nope"), ["hub", "1", "2"]);
    for nothing in ["Nope", "Tags.Key", "HubName.X", "HubName[].X", "Tags[].Nope", ""] {
        assert_eq!(pick_strings(&value, nothing), Vec::<String>::new(), "{nothing}");
    }
    assert_eq!(pick(&value, "Tags").len(), 1, "a list without [] is one value");
}

#[test]
fn json_for_records() {
    let value = Value::Struct(vec![
        ("HubName", string("h")),
        ("CreationTime", Value::Timestamp(Timestamp::from_millis(0))),
        ("Tags", Value::List(vec![tag("k", "v")])),
        ("Environment", Value::Map(vec![("KEEP".to_owned(), Value::Float(f64::NAN))])),
    ]);
    let json = r#"{"creationTime":"1970-01-01T00:00:00Z","environment":{"KEEP":null},"hubName":"h","tags":[{"key":"k","value":"v"}]}"#;
    assert_eq!(to_json(&value), serde_json::from_str::<serde_json::Value>(json).unwrap());
}

static ONE: OperationSpec = row("DescribeThing");
static TWO: OperationSpec = row("ListThings");

const fn row(name: &'static str) -> OperationSpec {
    OperationSpec::not_implemented("test", name, "POST", "/", Authz::Targets(&[]), Access::Read)
}

#[test]
fn operations_are_found_by_name() {
    static SERVICE: ServiceSpec = ServiceSpec {
        name: "test",
        signing_name: "test",
        action_prefix: "test",
        endpoint_prefix: "test",
        target_prefix: "Test",
        api_version: "2026-11-21",
        xml_namespace: "",
        event_source: "test.amazonaws.com",
        protocols: &[ProtocolName::AwsJson11],
        operations: &[&ONE, &TWO],
        global: false,
    };
    assert_eq!(SERVICE.operation("ListThings").map(|spec| spec.name), Some("ListThings"));
    assert!(SERVICE.operation("listThings").is_none());
    assert!(SERVICE.operation("").is_none());
    assert!(!ONE.implemented && !ONE.access.mutates());
}
