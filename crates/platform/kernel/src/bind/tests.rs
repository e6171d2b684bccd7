//! The grammar of templates and bindings, and that nothing in an input makes a decision narrower than the request.

use stoa_policy::Context;
use stoa_schema::{KeyBinding, TargetSpec, Value};

use super::{Place, bind_in};
use crate::Target;

const PLACE: Place<'_> = Place { partition: "aws", region: "us-west-2", account: "111122223333" };

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

fn texts(values: &[&str]) -> Value {
    Value::List(values.iter().map(|value| text(value)).collect())
}

fn bound(resource: &'static str, keys: &'static [KeyBinding], input: &Value) -> Vec<Target> {
    bind_in(&PLACE, &[TargetSpec { action: "t:Make", resource, when: None, keys }], input)
}

fn resources(template: &'static str, input: &Value) -> Vec<String> {
    bound(template, &[], input).into_iter().map(|target| target.resource).collect()
}

/// The values of one key, bound from `from`.
fn key(from: &'static str, multivalued: bool, input: &Value) -> Vec<String> {
    let keys: &'static [KeyBinding] = Box::leak(Box::new([KeyBinding { key: "t:Key", from, multivalued }]));
    values(&bound("*", keys, input), "t:Key")
}

fn values(targets: &[Target], key: &str) -> Vec<String> {
    let found = targets.first().and_then(|target| target.keys.get(&key.to_ascii_lowercase()));
    found.map(|values| values.to_strings()).unwrap_or_default()
}

#[test]
fn resources_from_names() {
    let input = Value::Struct(vec![("Name", text("a")), ("Names", texts(&["x", "y"]))]);
    assert_eq!(
        resources("arn:{partition}:t:{region}:{account}:thing/{Name}", &input),
        ["arn:aws:t:us-west-2:111122223333:thing/a"]
    );
    assert_eq!(resources("thing/{Name}/part/{Names}", &input), ["thing/a/part/x", "thing/a/part/y"]);
    assert_eq!(resources("thing/{Nothing}", &input), ["thing/*"], "missing: only a right on everything");
    assert_eq!(resources("thing/{Nothing|Name/*}", &input), ["thing/a/*"]);
    assert_eq!(resources("thing/{Name|Nothing/*}", &input), ["thing/a"]);
}

#[test]
fn an_arn_takes_the_place_of_a_name_only_where_it_is_of_the_same_type() {
    const TEMPLATE: &str = "arn:{partition}:t:{region}:{account}:thing/{Name!}";
    let named = |name: &str| resources(TEMPLATE, &Value::Struct(vec![("Name", text(name))]));
    assert_eq!(named("a"), ["arn:aws:t:us-west-2:111122223333:thing/a"]);
    assert_eq!(named("arn:aws:t:us-east-1:444455556666:thing/b"), ["arn:aws:t:us-east-1:444455556666:thing/b"]);
    for other in ["arn:aws:t:us-east-1:444455556666:other/b", "arn:aws:u:us-east-1:444455556666:thing/b", "arn:x"] {
        assert_eq!(named(other), [format!("arn:aws:t:us-west-2:111122223333:thing/{other}")]);
    }
    let only = |name: &str| {
        resources("arn:{partition}:t:{region}:{account}:thing/{Name?}", &Value::Struct(vec![("Name", text(name))]))
    };
    assert_eq!(only("arn:aws:t:us-east-1:444455556666:thing/b"), ["arn:aws:t:us-east-1:444455556666:thing/b"]);
    assert_eq!(only("a"), ["arn:aws:t:us-west-2:111122223333:thing/*"], "its ARN has another name");
}

#[test]
fn alternatives_defaults_and_each_value_once() {
    let input = Value::Struct(vec![("A", text("x")), ("B", texts(&["x", "y"]))]);
    assert_eq!(key("A|B|=z", true, &input), ["x", "y"]);
    assert_eq!(key("C|=z", true, &input), ["z"]);
    assert_eq!(key("C", true, &input), [""; 0]);
    assert_eq!(key("=z", false, &input), ["z"]);
    assert_eq!(key("B", false, &input), ["x", "y"], "several values of a key that AWS knows with one");
}

#[test]
fn keys_of_kms_and_kinds() {
    const KMS: &str = "arn:{partition}:kms:{region}:{account}:{Key:kms}";
    let kms = |value: &str| key(KMS, false, &Value::Struct(vec![("Key", text(value))]));
    assert_eq!(kms("1234abcd"), ["arn:aws:kms:us-west-2:111122223333:key/1234abcd"]);
    assert_eq!(kms("alias/a"), ["arn:aws:kms:us-west-2:111122223333:alias/a"]);
    assert_eq!(kms("arn:aws:kms:us-east-1:444455556666:key/9"), ["arn:aws:kms:us-east-1:444455556666:key/9"]);
    assert_eq!(key(KMS, false, &Value::empty()), [""; 0], "no key, no value");
    let team = Value::Struct(vec![("Team", text("arn:aws:sagemaker:us-west-2:1:workteam/private-crowd/a"))]);
    assert_eq!(key("{Team:kind}", false, &team), ["private-crowd"]);
}

#[test]
fn presence() {
    let source = |members: Vec<(&'static str, Value)>| Value::Struct(members);
    let sources = |elements: Vec<Value>| Value::Struct(vec![("Sources", Value::List(elements))]);
    let consented = source(vec![("Consent", Value::empty())]);
    let brokered = source(vec![("Consent", Value::empty()), ("Hub", Value::empty())]);
    let question = "?Sources[]:Consent-Hub";
    assert_eq!(key(question, false, &sources(vec![brokered.clone(), consented])), ["true"]);
    assert_eq!(key(question, false, &sources(vec![brokered])), ["false"]);
    assert_eq!(key(question, false, &Value::empty()), ["false"]);
    assert_eq!(key("?Sources", false, &sources(Vec::new())), ["true"]);
}

#[test]
fn keys_with_names() {
    const KEYS: &[KeyBinding] = &[
        KeyBinding { key: "aws:RequestTag/*", from: "Tags", multivalued: false },
        KeyBinding { key: "aws:TagKeys", from: "Tags", multivalued: true },
        KeyBinding { key: "t:Meta/*", from: "Map|Pairs", multivalued: false },
    ];
    let pair = |key: &str, value: &str| Value::Struct(vec![("Key", text(key)), ("Value", text(value))]);
    let input = Value::Struct(vec![
        ("Tags", Value::List(vec![pair("team", "a"), pair("cost", "b")])),
        ("Map", Value::Map(vec![("m".to_owned(), text("1"))])),
        ("Pairs", Value::List(vec![pair("p", "2")])),
    ]);
    let targets = bound("*", KEYS, &input);
    for (key, wanted) in [
        ("aws:RequestTag/team", vec!["a"]),
        ("aws:RequestTag/cost", vec!["b"]),
        ("aws:TagKeys", vec!["team", "cost"]),
        ("t:Meta/m", vec!["1"]),
        ("t:Meta/p", vec!["2"]),
        ("t:Meta/*", vec![]),
    ] {
        assert_eq!(values(&targets, key), wanted, "{key}");
    }
}

#[test]
fn dependent_targets_come_with_their_member() {
    let spec = TargetSpec { action: "iam:PassRole", resource: "{Jobs[].Role}", when: Some("Jobs[].Role"), keys: &[] };
    let specs = std::slice::from_ref(&spec);
    assert!(bind_in(&PLACE, specs, &Value::empty()).is_empty());
    let job = |role: &str| Value::Struct(vec![("Role", text(role))]);
    let input = Value::Struct(vec![("Jobs", Value::List(vec![job("r1"), Value::empty(), job("r2")]))]);
    let roles: Vec<String> = bind_in(&PLACE, specs, &input).into_iter().map(|target| target.resource).collect();
    assert_eq!(roles, ["r1", "r2"]);
}
