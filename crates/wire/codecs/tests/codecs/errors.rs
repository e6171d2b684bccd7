//! Error envelopes, and what a refused request is told.

use http::HeaderMap;
use stoa_codecs::{WireError, match_uri};
use stoa_schema::{ProtocolName, Value};

use crate::support::*;

fn error() -> WireError {
    WireError {
        code: "ResourceNotFound".to_owned(),
        message: "no hub `<x>` & so on".to_owned(),
        status: 404,
        sender: true,
        fields: vec![("OriginalStatusCode", Value::Int(500))],
    }
}

#[test]
fn envelopes() {
    let json = encode_error(ProtocolName::AwsJson11, &error());
    assert_eq!(
        text(&json),
        r#"{"__type":"ResourceNotFound","message":"no hub `<x>` & so on","OriginalStatusCode":500}"#
    );
    assert_eq!((json.status, header(&json, "x-amzn-requestid")), (404, "request-1"));
    assert_eq!(header(&json, "x-amzn-query-error"), "ResourceNotFound;Sender");

    let rest = encode_error(ProtocolName::RestJson1, &error());
    assert_eq!(header(&rest, "x-amzn-errortype"), "ResourceNotFound");
    assert!(text(&rest).contains(r#""Message":"no hub `<x>` & so on""#));

    let query = encode_error(ProtocolName::AwsQuery, &error());
    assert_eq!(
        text(&query),
        "<ErrorResponse xmlns=\"https://example.com/doc/\"><Error><Type>Sender</Type><Code>ResourceNotFound</Code>\
         <Message>no hub `&lt;x&gt;` &amp; so on</Message><OriginalStatusCode>500</OriginalStatusCode></Error>\
         <RequestId>request-1</RequestId></ErrorResponse>"
    );
    let ours = encode_error(ProtocolName::AwsQuery, &WireError { sender: false, ..error() });
    assert!(text(&ours).contains("<Type>Receiver</Type>"));

    let cbor = encode_error(ProtocolName::RpcV2Cbor, &error());
    let read: ciborium::Value = ciborium::from_reader(&cbor.body[..]).unwrap();
    let entry =
        |name: &str| read.as_map().unwrap().iter().find(|(key, _)| key.as_text() == Some(name)).unwrap().1.clone();
    assert_eq!(entry("__type").as_text(), Some("ResourceNotFound"));
    assert_eq!(entry("message").as_text(), Some("no hub `<x>` & so on"));
    assert_eq!(header(&cbor, "smithy-protocol"), "rpc-v2-cbor");
}

#[test]
fn json_mismatches_name_the_member_and_no_value() {
    for (body, path, expected) in [
        (r#"{"Text":5}"#, "Text", "expected a string at `Text`"),
        (r#"{"Int":1.5}"#, "Int", "expected an integer at `Int`"),
        (r#"{"Int":9223372036854775808}"#, "Int", "expected an integer at `Int`"),
        (r#"{"Int":"secret"}"#, "Int", "expected an integer at `Int`"),
        (r#"{"Flag":"true"}"#, "Flag", "expected true or false at `Flag`"),
        (r#"{"Float":"inf"}"#, "Float", "expected a number at `Float`"),
        (r#"{"Blob":"*"}"#, "Blob", "expected base64 at `Blob`"),
        (r#"{"Time":1e300}"#, "Time", "expected a timestamp at `Time`"),
        (r#"{"Time":"noon"}"#, "Time", "expected a timestamp at `Time`"),
        (r#"{"Texts":{"a":1}}"#, "Texts", "expected a list at `Texts`"),
        (r#"{"Texts":["a",[]]}"#, "Texts[1]", "expected a string at `Texts[1]`"),
        (r#"{"Numbers":{"k":true}}"#, "Numbers.k", "expected a number at `Numbers.k`"),
        (
            r#"{"Tree":{"Children":[{"Name":"x"},{"Name":1}]}}"#,
            "Tree.Children[1].Name",
            "expected a string at `Tree.Children[1].Name`",
        ),
        (r#"{"Choice":"x"}"#, "Choice", "expected an object at `Choice`"),
    ] {
        let error = decode(ProtocolName::AwsJson11, &SHOW, body.as_bytes()).unwrap_err();
        assert_eq!((error.path.as_str(), error.message.as_str()), (path, expected), "{body}");
    }
}

#[test]
fn bodies_that_are_no_json_object() {
    for body in
        ["[]", "null", "7", "\"x\"", "{", "{\"Text\":\"a", "{} {}", "{\"Text\":\"\u{1}\"}", "nonsense", "{\"a\":1,}"]
    {
        let error = decode(ProtocolName::AwsJson11, &SHOW, body.as_bytes()).unwrap_err();
        assert_eq!(error.path, "", "{body}");
        assert!(!error.message.is_empty());
    }
    assert!(decode(ProtocolName::AwsJson11, &SHOW, b"{\"Text\":\"\xff\"}").is_err());
}

#[test]
fn query_mismatches_name_the_member() {
    for (form, path) in [
        ("Int=1.5", "Int"),
        ("Flag=yes", "Flag"),
        ("Tree.Children.member.1.Name.x=1", "Tree.Children[0].Name"),
        ("renamed.1=x", "Flat[0]"),
        ("Numbers.entry.1.key=a", "Numbers"),
        ("Text.x=1", "Text"),
    ] {
        assert_eq!(decode(ProtocolName::AwsQuery, &SHOW, form.as_bytes()).unwrap_err().path, path, "{form}");
    }
    assert!(decode(ProtocolName::AwsQuery, &SHOW, b"Text=%ff").is_err());
    assert!(decode(ProtocolName::AwsQuery, &SHOW, b"Text=\xff").is_err());
}

#[test]
fn cbor_mismatches_name_the_member() {
    for (body, path) in [
        (&b"\xa1\x64Text\x01"[..], "Text"),
        (b"\xa1\x63Int\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00", "Int"),
        (b"\xa1\x63Int\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "Int"),
        (b"\xa1\x64Time\x01", "Time"),
        (b"\xa1\x65Texts\x82\x61a\x01", "Texts[1]"),
        (b"\xa1\x67Numbers\xa1\x61k\x60", "Numbers.k"),
        (b"\xa1\x64Tree\xa1\x64Name\x40", "Tree.Name"),
        (b"\x80", ""),
        (b"\xf6", ""),
        (b"\xa0\x00", ""),
    ] {
        assert_eq!(decode(ProtocolName::RpcV2Cbor, &SHOW, body).unwrap_err().path, path, "{body:x?}");
    }
}

#[test]
fn rest_mismatches_name_the_member() {
    let decode =
        |path: &str, query: &str| decode_at(ProtocolName::RestJson1, &PLACE, path, query, &HeaderMap::new(), b"");
    assert_eq!(decode("/things/x/parts", "count=many").unwrap_err().path, "Count");
    assert!(decode("/things//parts", "").is_err());
    assert!(decode("/other", "").is_err());
}

#[test]
fn uri_templates() {
    let labels = |template: &'static str, path: &str| match_uri(template, path);
    let one = |name: &'static str, value: &str| Some(vec![(name, value.to_owned())]);
    assert_eq!(labels("/endpoints/{E}/invocations", "/endpoints/a/invocations"), one("E", "a"));
    assert_eq!(labels("/endpoints/{E}/invocations", "/endpoints/a%2Fb/invocations"), one("E", "a/b"));
    assert_eq!(labels("/endpoints/{E}/invocations", "/endpoints/a/b/invocations"), None);
    assert_eq!(labels("/endpoints/{E}/invocations", "/endpoints/a"), None);
    assert_eq!(labels("/endpoints/{E}/invocations", "/endpoints/a/invocations/x"), None);
    assert_eq!(labels("/{Bucket}/{Key+}", "/b/k/1/2").map(|labels| labels[1].1.clone()), Some("k/1/2".to_owned()));
    assert_eq!(labels("/{Bucket}/{Key+}", "/b/"), None);
    assert_eq!(labels("/", "/"), Some(vec![]));
    assert_eq!(labels("/", "/x"), None);
    assert_eq!(labels("/a?list", "/a"), Some(vec![]));
    assert_eq!(labels("/a", "a"), None);
    assert_eq!(labels("/{X}", "/%ff"), None);
}
