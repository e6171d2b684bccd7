//! Golden wire forms, one of everything per protocol.

use bytes::Bytes;
use http::HeaderMap;
use stoa_schema::{ProtocolName, Value};
use stoa_types::Timestamp;

use crate::support::*;

fn everything() -> Value {
    let leaf = |name: &str| structure(vec![("Name", string(name))]);
    structure(vec![
        ("Text", string("a <b> & \"c\"\n\u{1f600}")),
        ("Int", Value::Int(-42)),
        ("Float", Value::Float(0.5)),
        ("Flag", Value::Bool(true)),
        ("Blob", Value::Blob(Bytes::from_static(&[0, 255, 16]))),
        ("Time", Value::Timestamp(Timestamp::from_millis(1_795_262_405_250))),
        ("Iso", Value::Timestamp(Timestamp::from_millis(1_795_262_405_000))),
        ("Texts", Value::List(vec![string("one"), string("")])),
        ("Flat", Value::List(vec![Value::Int(1), Value::Int(2)])),
        ("Named", Value::List(vec![string("x")])),
        (
            "Numbers",
            Value::Map(vec![("a.b".to_owned(), Value::Float(f64::NEG_INFINITY)), ("c".to_owned(), Value::Float(2.0))]),
        ),
        ("Choice", structure(vec![("Word", string("yes"))])),
        ("Tree", structure(vec![("Name", string("root")), ("Children", Value::List(vec![leaf("l"), leaf("r")]))])),
    ])
}

const JSON: &str = concat!(
    r#"{"Text":"a <b> & \"c\"\n😀","Int":-42,"Float":0.5,"Flag":true,"Blob":"AP8Q","Time":1795262405.25,"#,
    r#""Iso":"2026-11-21T12:00:05Z","Texts":["one",""],"renamed":[1,2],"Named":["x"],"#,
    r#""Numbers":{"a.b":"-Infinity","c":2.0},"Choice":{"Word":"yes"},"#,
    r#""Tree":{"Name":"root","Children":[{"Name":"l"},{"Name":"r"}]}}"#,
);

const FORM: &str = concat!(
    "Action=Show&Version=2026-11-21&Text=a+%3Cb%3E+%26+%22c%22%0A%F0%9F%98%80&Int=-42&Float=0.5&Flag=true&Blob=AP8Q",
    "&Time=2026-11-21T12%3A00%3A05.250Z&Iso=2026-11-21T12%3A00%3A05Z&Texts.member.2=&Texts.member.1=one&renamed.1=1",
    "&renamed.2=2&Named.item.1=x&Numbers.entry.1.key=a.b&Numbers.entry.1.value=-Infinity&Numbers.entry.2.key=c",
    "&Numbers.entry.2.value=2&Choice.Word=yes&Tree.Name=root&Tree.Children.member.1.Name=l&Tree.Children.member.2.Name=r",
    "&Unknown.member.1=x",
);

const XML: &str = concat!(
    "<ShowResponse xmlns=\"https://example.com/doc/\"><ShowResult><Text>a &lt;b&gt; &amp; &quot;c&quot;\n😀</Text><Int>-42</Int>",
    "<Float>0.5</Float><Flag>true</Flag><Blob>AP8Q</Blob><Time>2026-11-21T12:00:05.250Z</Time>",
    "<Iso>2026-11-21T12:00:05Z</Iso><Texts><member>one</member><member></member></Texts>",
    "<renamed>1</renamed><renamed>2</renamed><Named><item>x</item></Named>",
    "<Numbers><entry><key>a.b</key><value>-Infinity</value></entry><entry><key>c</key><value>2</value></entry></Numbers>",
    "<Choice><Word>yes</Word></Choice><Tree><Name>root</Name><Children><member><Name>l</Name></member>",
    "<member><Name>r</Name></member></Children></Tree></ShowResult>",
    "<ResponseMetadata><RequestId>request-1</RequestId></ResponseMetadata></ShowResponse>",
);

#[test]
fn aws_json_in_and_out() {
    for (name, content_type) in [
        (ProtocolName::AwsJson10, "application/x-amz-json-1.0"),
        (ProtocolName::AwsJson11, "application/x-amz-json-1.1"),
        (ProtocolName::RestJson1, "application/json"),
    ] {
        assert_eq!(decode(name, &SHOW, JSON.as_bytes()).unwrap(), everything());
        let encoded = encode(name, &SHOW, &everything());
        assert_eq!(text(&encoded), JSON);
        assert_eq!(header(&encoded, "content-type"), content_type);
        assert_eq!(header(&encoded, "x-amzn-requestid"), "request-1");
        assert_eq!(encoded.status, 200);
    }
}

#[test]
fn aws_query_in_and_out() {
    assert_eq!(sorted(decode(ProtocolName::AwsQuery, &SHOW, FORM.as_bytes()).unwrap()), sorted(everything()));
    let in_query = decode_at(ProtocolName::AwsQuery, &SHOW, "/", FORM, &HeaderMap::new(), b"").unwrap();
    assert_eq!(sorted(in_query), sorted(everything()));
    let encoded = encode(ProtocolName::AwsQuery, &SHOW, &everything());
    assert_eq!(text(&encoded), XML);
    assert_eq!(header(&encoded, "content-type"), "text/xml");
}

#[test]
fn query_list_order_is_that_of_the_numbers() {
    let form = "Texts.member.10=c&Texts.member.2=b&Texts.member.1=a";
    let value = decode(ProtocolName::AwsQuery, &SHOW, form.as_bytes()).unwrap();
    assert_eq!(value.member("Texts"), Some(&Value::List(vec![string("a"), string("b"), string("c")])));
}

#[test]
fn xml_is_well_formed_whatever_the_text() {
    let value = structure(vec![("Text", string("\u{0}\u{b}\r ]]> <!-- é \u{ffff}"))]);
    let encoded = encode(ProtocolName::AwsQuery, &SHOW, &value);
    let mut reader = quick_xml::Reader::from_str(text(&encoded));
    loop {
        if let quick_xml::events::Event::Eof = reader.read_event().unwrap() {
            break;
        }
    }
    assert!(!text(&encoded).contains('\u{0}'));
}

#[test]
fn cbor_out_is_what_another_library_reads() {
    let encoded = encode(ProtocolName::RpcV2Cbor, &SHOW, &everything());
    assert_eq!(header(&encoded, "smithy-protocol"), "rpc-v2-cbor");
    assert_eq!(header(&encoded, "content-type"), "application/cbor");
    let read: ciborium::Value = ciborium::from_reader(&encoded.body[..]).unwrap();
    let entries = read.as_map().unwrap();
    let get = |name: &str| &entries.iter().find(|(key, _)| key.as_text() == Some(name)).unwrap().1;
    assert_eq!(get("Int"), &ciborium::Value::from(-42));
    assert_eq!(get("Blob"), &ciborium::Value::Bytes(vec![0, 255, 16]));
    assert_eq!(get("Time"), &ciborium::Value::Tag(1, Box::new(1_795_262_405.25_f64.into())));
    assert_eq!(get("Iso"), &ciborium::Value::Tag(1, Box::new(1_795_262_405_i64.into())));
    assert_eq!(get("renamed"), &ciborium::Value::Array(vec![1.into(), 2.into()]));
    assert_eq!(decode(ProtocolName::RpcV2Cbor, &SHOW, &encoded.body).unwrap(), everything());
}

#[test]
fn cbor_in_its_other_forms() {
    let cases: [(&[u8], Value); 6] = [
        // {_ "Int": 7, "Unknown": [_ {"a": [1]}, h''], "Texts": [_ (_ "o" "ne"), null]}
        (
            b"\xbf\x63Int\x07\x67Unknown\x9f\xa1\x61a\x81\x01\x40\xff\x65Texts\x9f\x7f\x61o\x62ne\xff\xf6\xff\xff",
            structure(vec![("Int", Value::Int(7)), ("Texts", Value::List(vec![string("one")]))]),
        ),
        // A half float, a single float; null and undefined members.
        (b"\xa3\x65Float\xf9\x3e\x00\x64Text\xf6\x63Int\xf7", structure(vec![("Float", Value::Float(1.5))])),
        (b"\xa1\x65Float\xfa\x3f\x80\x00\x00", structure(vec![("Float", Value::Float(1.0))])),
        // An integer where a float may be, a whole float where an integer may be.
        (b"\xa1\x65Float\x20", structure(vec![("Float", Value::Float(-1.0))])),
        (b"\xa1\x63Int\xfb\x40\x08\x00\x00\x00\x00\x00\x00", structure(vec![("Int", Value::Int(3))])),
        (b"\xa1\x64Blob\x5f\x41a\x41b\xff", structure(vec![("Blob", Value::Blob(Bytes::from_static(b"ab")))])),
    ];
    for (body, value) in cases {
        assert_eq!(decode(ProtocolName::RpcV2Cbor, &SHOW, body), Ok(value), "{body:x?}");
    }
}

#[test]
fn rest_members_travel_where_the_model_says() {
    let mut headers = HeaderMap::new();
    headers.insert("x-since", "Sat, 21 Nov 2026 12:00:05 GMT".parse().unwrap());
    headers.append("x-names", "a, b".parse().unwrap());
    headers.append("x-names", "c".parse().unwrap());
    let body = br#"{"Text":"t","Label":"not from here","Unknown":{"Text":[1]}}"#;
    let value = decode_at(
        ProtocolName::RestJson1,
        &PLACE,
        "/things/a%2Fb%20c/parts",
        "count=3&kind=x&kind=y+z",
        &headers,
        body,
    );
    let texts = |names: &[&str]| Value::List(names.iter().map(|name| string(name)).collect());
    assert_eq!(
        sorted(value.unwrap()),
        sorted(structure(vec![
            ("Label", string("a/b c")),
            ("Count", Value::Int(3)),
            ("Kinds", texts(&["x", "y z"])),
            ("Since", Value::Timestamp(Timestamp::from_millis(1_795_262_405_000))),
            ("Names", texts(&["a", "b", "c"])),
            ("Text", string("t")),
        ]))
    );

    let output = structure(vec![
        ("Since", Value::Timestamp(Timestamp::from_millis(1_795_262_405_000))),
        ("Names", texts(&["a", "b"])),
        ("Status", Value::Int(207)),
        ("Text", string("t")),
    ]);
    let encoded = encode(ProtocolName::RestJson1, &PLACE, &output);
    assert_eq!((encoded.status, text(&encoded)), (207, r#"{"Text":"t"}"#));
    assert_eq!(header(&encoded, "x-since"), "Sat, 21 Nov 2026 12:00:05 GMT");
    assert_eq!(header(&encoded, "x-names"), "a,b");
    assert_eq!(encode(ProtocolName::RestJson1, &PLACE, &structure(vec![])).status, 201);
}

#[test]
fn a_raw_payload_is_the_body() {
    let invoke = &stoa_models_sagemaker_runtime::operations::INVOKE_ENDPOINT;
    let output = structure(vec![
        ("Body", Value::Blob(Bytes::from_static(b"1,2\n"))),
        ("ContentType", string("text/csv")),
        ("InvokedProductionVariant", string("AllTraffic")),
    ]);
    let encoded = encode(ProtocolName::RestJson1, invoke, &output);
    assert_eq!(text(&encoded), "1,2\n");
    assert_eq!(header(&encoded, "content-type"), "text/csv");
    assert_eq!(header(&encoded, "x-amzn-invoked-production-variant"), "AllTraffic");
    // An empty body is a body: whether it may be empty is for the model to say.
    let input =
        decode_at(ProtocolName::RestJson1, invoke, "/endpoints/e/invocations", "", &HeaderMap::new(), b"").unwrap();
    assert_eq!(input.member("Body"), Some(&Value::Blob(Bytes::new())));
}

#[test]
fn operations_without_input_or_output() {
    let body = |name| text(&encode(name, &NOTHING, &Value::empty())).to_owned();
    assert_eq!(body(ProtocolName::AwsJson11), "{}");
    assert_eq!(body(ProtocolName::RestJson1), "{}");
    assert_eq!(
        body(ProtocolName::AwsQuery),
        "<NothingResponse xmlns=\"https://example.com/doc/\"><ResponseMetadata><RequestId>request-1</RequestId>\
         </ResponseMetadata></NothingResponse>"
    );
    assert_eq!(encode(ProtocolName::RpcV2Cbor, &NOTHING, &Value::empty()).body.as_ref(), b"\xa0");
    for name in PROTOCOLS {
        assert_eq!(decode(name, &NOTHING, b""), Ok(Value::empty()));
        assert_eq!(decode(name, &SHOW, b""), Ok(Value::empty()), "an absent body is an empty input in {name:?}");
    }
}

#[test]
fn nulls_and_unknown_members_are_dropped_and_the_last_of_two_counts() {
    let body = br#"{"Text":null,"Nope":{"Text":1,"x":[true,null,-1,0.5,"s",{}]},"Texts":["a",null,"b"],"Numbers":{"a":null,"b":1},"Int":1,"Int":2}"#;
    assert_eq!(
        sorted(decode(ProtocolName::AwsJson11, &SHOW, body).unwrap()),
        sorted(structure(vec![
            ("Texts", Value::List(vec![string("a"), string("b")])),
            ("Numbers", Value::Map(vec![("b".to_owned(), Value::Float(1.0))])),
            ("Int", Value::Int(2)),
        ]))
    );
}

#[test]
fn json_times_and_numbers_in_their_other_forms() {
    let get =
        |body: &str, name: &str| decode(ProtocolName::AwsJson11, &SHOW, body.as_bytes()).unwrap().member(name).cloned();
    let noon = Some(Value::Timestamp(Timestamp::from_millis(1_795_262_405_000)));
    assert_eq!(get(r#"{"Time":1795262405}"#, "Time"), noon);
    assert_eq!(get(r#"{"Time":1.795262405e9}"#, "Time"), noon);
    assert_eq!(get(r#"{"Time":"2026-11-21T12:00:05Z"}"#, "Time"), noon);
    assert_eq!(get(r#"{"Int":3.0}"#, "Int"), Some(Value::Int(3)));
    assert_eq!(get(r#"{"Int":-9223372036854775808}"#, "Int"), Some(Value::Int(i64::MIN)));
    assert_eq!(get(r#"{"Float":7}"#, "Float"), Some(Value::Float(7.0)));
    assert!(matches!(get(r#"{"Float":"NaN"}"#, "Float"), Some(Value::Float(number)) if number.is_nan()));
    let before_epoch = structure(vec![("Time", Value::Timestamp(Timestamp::from_millis(-1500)))]);
    assert_eq!(text(&encode(ProtocolName::AwsJson11, &SHOW, &before_epoch)), r#"{"Time":-1.5}"#);
}
