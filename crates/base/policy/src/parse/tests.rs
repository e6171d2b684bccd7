//! Malformed documents, each refused with its place; and the forms that AWS accepts.

use crate::{Document, PolicyKind};

fn refused(text: &str) -> (String, String) {
    let error = Document::parse(text).map(|_| text).unwrap_err();
    (error.path().to_owned(), error.message().to_owned())
}

/// A document around the members of one statement.
fn with(members: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{members}}}]}}"#)
}

#[test]
fn text_that_is_no_json() {
    assert_eq!(refused("{\n  \"Version\": }").0, "line 2 column 14");
    assert!(refused("").1.starts_with("syntax errors in policy"));
    assert!(refused(&"[".repeat(100_000)).1.contains("recursion limit"));
    assert!(refused(&"{\"Statement\":".repeat(100_000)).1.contains("recursion limit"));
    assert!(refused(&" ".repeat(5 << 20)).1.contains("longer than"));
    assert_eq!(refused("[]").0, "$");
    assert_eq!(refused(r#"{"Statement":[]} x"#).0, "line 1 column 18");
}

#[test]
fn documents_that_break_the_grammar() {
    for (text, path, words) in [
        (r#"{"Version":"2012-10-17"}"#, "$", "missing element `Statement`"),
        (r#"{"Version":"2013-01-01","Statement":{}}"#, "$.Version", "unknown version"),
        (r#"{"Version":2012,"Statement":{}}"#, "$.Version", "must be a string"),
        (r#"{"Statement":[]}"#, "$.Statement", "between 1 and"),
        (r#"{"Statement":"x"}"#, "$.Statement", "must be an object or a list"),
        (r#"{"Statement":[[]]}"#, "$.Statement[0]", "must be an object"),
        (r#"{"Statement":{},"Statement":{}}"#, "$", "`Statement` is repeated"),
        (r#"{"statement":{}}"#, "$.statement", "unknown element"),
    ] {
        let (at, message) = refused(text);
        assert_eq!(at, path, "{text}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn statements_that_break_the_grammar() {
    for (members, path, words) in [
        (r#""Action":"a:b","Resource":"*""#, "", "missing element `Effect`"),
        (r#""Effect":"allow","Action":"a:b","Resource":"*""#, ".Effect", "invalid effect"),
        (r#""Effect":"Allow","Resource":"*""#, "", "must contain actions"),
        (r#""Effect":"Allow","Action":[],"Resource":"*""#, ".Action", "must contain actions"),
        (r#""Effect":"Allow","Action":"create","Resource":"*""#, ".Action", "vendor"),
        (r#""Effect":"Allow","Action":["a:b","a b:c"],"Resource":"*""#, ".Action[1]", "not valid"),
        (r#""Effect":"Allow","NotAction":["a:b","a:"],"Resource":"*""#, ".NotAction[1]", "not valid"),
        (r#""Effect":"Allow","Action":"a:b","NotAction":"a:c","Resource":"*""#, ".NotAction", "either"),
        (r#""Effect":"Allow","Action":{"a":1},"Resource":"*""#, ".Action", "must be a string or a list"),
        (r#""Effect":"Allow","Action":"a:b","Resource":[]"#, ".Resource", "must contain resources"),
        (r#""Effect":"Allow","Action":"a:b","Resource":["*","bucket"]"#, ".Resource[1]", "ARN format"),
        (r#""Effect":"Allow","Action":"a:b","Resource":"arn:aws:s3:::${aws:username""#, ".Resource", "closing brace"),
        (r#""Effect":"Allow","Action":"a:b","Resource":[null]"#, ".Resource[0]", "must be a string"),
        (r#""Effect":"Allow","Action":"a:b","Resource":"*","Effects":1"#, ".Effects", "unknown element"),
        (r#""Effect":"Allow","Effect":"Deny","Action":"a:b","Resource":"*""#, "", "`Effect` is repeated"),
        (r#""Effect":"Allow","Action":"a:b","Principal":"x""#, ".Principal", "must be `*` or an object"),
        (r#""Effect":"Allow","Action":"a:b","Principal":{}"#, ".Principal", "must be `*` or an object"),
        (r#""Effect":"Allow","Action":"a:b","Principal":{"AWS":"bob"}"#, ".Principal.AWS", "invalid principal"),
        (
            r#""Effect":"Allow","Action":"a:b","Principal":{"AWS":["*","arn:aws:iam::1:user/*"]}"#,
            ".Principal.AWS[1]",
            "wildcards",
        ),
        (r#""Effect":"Allow","Action":"a:b","Principal":{"Who":"x"}"#, ".Principal.Who", "unknown kind"),
        (r#""Effect":"Allow","Action":"a:b","NotPrincipal":{"AWS":[]}"#, ".NotPrincipal.AWS", "cannot be empty"),
        (r#""Effect":"Allow","Action":"a:b","Condition":[]"#, ".Condition", "must be an object"),
        (r#""Effect":"Allow","Action":"a:b","Condition":{"Like":{}}"#, ".Condition.Like", "unknown condition operator"),
        (
            r#""Effect":"Allow","Action":"a:b","Condition":{"Bool":{"a:b":[]}}"#,
            ".Condition.Bool[\"a:b\"]",
            "at least one value",
        ),
        (
            r#""Effect":"Allow","Action":"a:b","Condition":{"Bool":{"key":"true"}}"#,
            ".Condition.Bool[\"key\"]",
            "not a condition key",
        ),
        (
            r#""Effect":"Allow","Action":"a:b","Condition":{"IpAddress":{"a:b":["::1","x"]}}"#,
            ".Condition.IpAddress[\"a:b\"][1]",
            "not an IP address",
        ),
        (r#""Sid":7,"Effect":"Allow","Action":"a:b""#, ".Sid", "must be a string"),
    ] {
        let (at, message) = refused(&with(members));
        assert_eq!(at, format!("$.Statement[0]{path}"), "{members}");
        assert!(message.contains(words), "{members}: {message}");
    }
}

#[test]
fn sids_are_unique() {
    let one = r#"{"Sid":"A","Effect":"Allow","Action":"a:b","Resource":"*"}"#;
    assert_eq!(refused(&format!(r#"{{"Statement":[{one},{one}]}}"#)).0, "$.Statement[1].Sid");
}

#[test]
fn forms_that_are_accepted() {
    for members in [
        r#""Effect":"Allow","Action":"*","Resource":"*""#,
        r#""Effect":"Allow","Action":"*:*","Resource":["arn:aws:s3:::*"]"#,
        r#""Effect":"Deny","NotAction":["a-b:C*"],"NotResource":"arn:*""#,
        r#""Effect":"Allow","Action":"a:b","Condition":{"Bool":{"a:b":true},"NumericLessThan":{"a:c":[5,"6"]}}"#,
        r#""Effect":"Allow","Action":"a:b","Condition":{}"#,
        r#""Effect":"Allow","Action":"a:b","Principal":{"AWS":["111122223333","AIDAIOSFODNN7EXAMPLE"],"Federated":"x","CanonicalUser":"y"}"#,
    ] {
        assert!(Document::parse(&with(members)).is_ok(), "{members}");
    }
    let document =
        Document::parse(r#"{"Id":"x","Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}"#).unwrap();
    assert_eq!((document.id(), document.statement_count(), document.has_variables()), (Some("x"), 1, false));
}

#[test]
fn rules_of_each_kind() {
    use PolicyKind::{Identity, Resource, Scp, Trust};
    let identity = with(r#""Effect":"Allow","Action":"a:b","Resource":"*""#);
    let resource = with(r#""Effect":"Allow","Principal":"*","Action":"a:b","Resource":"*""#);
    let trust = with(r#""Effect":"Allow","Principal":"*","Action":"sts:AssumeRole""#);
    let odd_trust = with(r#""Effect":"Allow","Principal":"*","Action":["sts:AssumeRole","*"]"#);
    let bare = with(r#""Effect":"Allow","Action":"a:b""#);
    for (text, kind, message) in [
        (&identity, Identity, None),
        (&identity, Scp, None),
        (&identity, Resource, Some("missing required field Principal")),
        (&resource, Resource, None),
        (&resource, Identity, Some("policy document should not specify a principal")),
        (&resource, Trust, Some("has prohibited field Resource")),
        (&trust, Trust, None),
        (&trust, Resource, Some("policy statement must contain resources")),
        (&odd_trust, Trust, Some("AssumeRole policy may only specify STS AssumeRole actions")),
        (&bare, Identity, Some("policy statement must contain resources")),
    ] {
        let error = Document::parse_as(text, kind).err();
        assert_eq!(error.as_ref().map(crate::PolicyError::message), message, "{text} as {kind:?}");
    }
}
