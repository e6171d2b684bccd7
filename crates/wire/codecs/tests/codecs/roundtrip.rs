//! What a codec writes it reads back, for any value of a shape that has everything.

use bytes::Bytes;
use proptest::prelude::*;
use stoa_schema::{ProtocolName, Value};
use stoa_types::Timestamp;

use crate::support::*;

fn float() -> impl Strategy<Value = Value> {
    prop_oneof![any::<f64>(), Just(f64::INFINITY), Just(0.1)]
        .prop_filter("NaN is not equal to itself", |n| !n.is_nan())
        .prop_map(Value::Float)
}

fn text() -> impl Strategy<Value = Value> {
    "\\PC{0,12}|[\\x00-\\x7f]{0,6}".prop_map(Value::String)
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = text().prop_map(|name| Value::Struct(vec![("Name", name)]));
    leaf.prop_recursive(4, 20, 4, |inner| {
        (text(), proptest::collection::vec(inner, 0..4))
            .prop_map(|(name, children)| Value::Struct(vec![("Name", name), ("Children", Value::List(children))]))
    })
}

fn member_value() -> impl Strategy<Value = (&'static str, Value)> {
    let time = (-62_135_596_800_i64..253_402_300_799)
        .prop_map(|seconds| Value::Timestamp(Timestamp::from_millis(seconds * 1000)));
    let recent = (0_i64..4_000_000_000_000).prop_map(|millis| Value::Timestamp(Timestamp::from_millis(millis)));
    let numbers = proptest::collection::btree_map("\\PC{0,8}", float(), 0..4);
    prop_oneof![
        text().prop_map(|value| ("Text", value)),
        any::<i64>().prop_map(|value| ("Int", Value::Int(value))),
        float().prop_map(|value| ("Float", value)),
        any::<bool>().prop_map(|value| ("Flag", Value::Bool(value))),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| ("Blob", Value::Blob(Bytes::from(bytes)))),
        time.prop_map(|value| ("Iso", value)),
        recent.prop_map(|value| ("Time", value)),
        proptest::collection::vec(text(), 0..4).prop_map(|items| ("Texts", Value::List(items))),
        proptest::collection::vec(any::<i64>().prop_map(Value::Int), 0..4)
            .prop_map(|items| ("Flat", Value::List(items))),
        numbers.prop_map(|map| ("Numbers", Value::Map(map.into_iter().collect()))),
        tree().prop_map(|value| ("Tree", value)),
        tree().prop_map(|value| ("Choice", Value::Struct(vec![("Tree", value)]))),
        text().prop_map(|value| ("Choice", Value::Struct(vec![("Word", value)]))),
    ]
}

fn everything() -> impl Strategy<Value = Value> {
    proptest::collection::vec(member_value(), 0..8).prop_map(|members| {
        let mut value = Value::empty();
        for (name, inner) in members {
            value.set_member(name, inner);
        }
        value
    })
}

/// A body that has most forms of CBOR, for tests that damage it.
pub fn sample_cbor() -> Vec<u8> {
    let value = structure(vec![
        ("Text", string("hello")),
        ("Int", Value::Int(-70_000)),
        ("Time", Value::Timestamp(Timestamp::from_millis(1_500))),
        ("Texts", Value::List(vec![string("one"), string(&"two".repeat(20))])),
        ("Numbers", Value::Map(vec![("a".to_owned(), Value::Float(0.5))])),
        ("Choice", structure(vec![("Tree", structure(vec![("Name", string("x"))]))])),
    ]);
    encode(ProtocolName::RpcV2Cbor, &SHOW, &value).body.to_vec()
}

proptest! {
    #[test]
    fn json_and_cbor(value in everything()) {
        for name in [ProtocolName::AwsJson10, ProtocolName::AwsJson11, ProtocolName::RestJson1, ProtocolName::RpcV2Cbor] {
            let encoded = encode(name, &SHOW, &value);
            prop_assert_eq!(decode(name, &SHOW, &encoded.body).unwrap(), value.clone());
        }
    }

    #[test]
    fn cbor_is_read_by_another_library_and_reads_it(value in everything()) {
        let encoded = encode(ProtocolName::RpcV2Cbor, &SHOW, &value);
        let theirs: ciborium::Value = ciborium::from_reader(&encoded.body[..]).unwrap();
        let mut again = Vec::new();
        ciborium::into_writer(&theirs, &mut again).unwrap();
        prop_assert_eq!(decode(ProtocolName::RpcV2Cbor, &SHOW, &again).unwrap(), value);
    }

    #[test]
    fn forms(name in "\\PC{0,12}", words in proptest::collection::vec("\\PC{0,12}", 1..4)) {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let mut form = format!("Tree.Name={}", encode(&name));
        for (index, word) in words.iter().enumerate() {
            form.push_str(&format!("&Texts.member.{}={}", index + 1, encode(word)));
        }
        let value = decode(ProtocolName::AwsQuery, &SHOW, form.as_bytes()).unwrap();
        let texts = Value::List(words.into_iter().map(Value::String).collect());
        prop_assert_eq!(value.member("Texts"), Some(&texts));
        prop_assert_eq!(value.member("Tree").unwrap().str_member("Name"), Some(name.as_str()));
    }

    #[test]
    fn xml_gives_the_text_back(given in "\\PC{0,30}") {
        let encoded = encode(ProtocolName::AwsQuery, &SHOW, &structure(vec![("Text", string(&given))]));
        let body = crate::support::text(&encoded);
        let inner = body.split_once("<Text>").unwrap().1.split_once("</Text>").unwrap().0;
        prop_assert_eq!(quick_xml::escape::unescape(inner).unwrap(), given);
    }
}
