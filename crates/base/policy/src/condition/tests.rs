//! Operator names and the corners of single operators; whole statements are tested by the case files.

use super::*;
use crate::MapContext;

fn condition(name: &str, wanted: &[&str]) -> Result<Condition, String> {
    let operator = Operator::parse(name)?;
    let wanted: Vec<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
    Condition::parse(operator, "X:Key", &wanted, true).map_err(|(at, problem)| format!("{at}: {problem}"))
}

fn holds(name: &str, wanted: &[&str], have: &[&str]) -> bool {
    let context = match have {
        [one] => MapContext::new().with("x:KEY", *one),
        many => MapContext::new().with_many("x:KEY", many.iter().copied()),
    };
    condition(name, wanted).unwrap().holds(&context)
}

#[test]
fn operator_names() {
    for name in [
        "StringEquals",
        "stringnotequals",
        "ForAnyValue:StringLike",
        "forallvalues:ArnLikeIfExists",
        "NotIpAddress",
        "NumericLessThanEqualsIfExists",
        "Null",
        "BinaryEquals",
        "DateGreaterThanEquals",
        "BoolIfExists",
    ] {
        assert!(Operator::parse(name).is_ok(), "{name}");
    }
    for name in [
        "",
        "StringEqual",
        "NullIfExists",
        "ForAnyValue:Null",
        "ForSome:StringEquals",
        "IfExists",
        "Not",
        "BinaryNotEquals",
    ] {
        assert!(Operator::parse(name).is_err(), "{name}");
    }
}

#[test]
fn values_of_the_wrong_type_are_refused_with_their_place() {
    for (name, bad) in [
        ("NumericEquals", "ten"),
        ("DateLessThan", "soon"),
        ("Bool", "yes"),
        ("Null", "1"),
        ("IpAddress", "10.0.0.0/40"),
        ("BinaryEquals", "é"),
        ("StringLike", "${x"),
        ("ArnLike", "arn:aws:s3:::${}"),
    ] {
        let error = condition(name, &["x", bad]).or_else(|_| condition(name, &[bad])).unwrap_err();
        assert!(error.contains(bad) || error.contains("variable"), "{name}: {error}");
    }
    assert_eq!(condition("NumericEquals", &["1", "x"]).unwrap_err(), "1: `x` is not a number");
}

#[test]
fn several_values_without_a_set_operator() {
    assert!(holds("StringEquals", &["a"], &["b", "a"]), "some value is enough");
    assert!(!holds("StringNotEquals", &["a"], &["b", "a"]), "its negation");
}

#[test]
fn booleans_may_be_variables() {
    let context = MapContext::new().with("x:key", "true").with("x:other", "TRUE");
    assert!(condition("Bool", &["${x:other}"]).unwrap().holds(&context));
    assert!(!condition("Bool", &["${x:absent}"]).unwrap().holds(&context));
}

#[test]
fn arns_by_component() {
    assert!(holds("ArnLike", &["arn:aws:sns:*:*:t?pic*"], &["arn:aws:sns:us-east-1:1:topic:sub"]));
    assert!(!holds("ArnLike", &["arn:aws:sns:*"], &["arn:aws:sns:us-east-1:1:topic"]), "fewer than six components");
    assert!(holds("ArnEquals", &["${x:key}"], &["arn:aws:s3:::b"]), "a variable may be a whole ARN");
    assert!(!holds("ArnLike", &["arn:aws:s3:::*"], &["s3:b"]));
}

#[test]
fn pasted_variables_cannot_move_components() {
    let context = MapContext::new().with("x:key", "arn:aws:s3:a:b:c").with("x:tag", "a:b");
    assert!(!condition("ArnLike", &["arn:aws:s3:${x:tag}:c:*"]).unwrap().holds(&context));
}
