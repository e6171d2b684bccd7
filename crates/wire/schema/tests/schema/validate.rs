//! Constraints, and AWS's words for what breaks them.

use bytes::Bytes;
use proptest::prelude::*;
use stoa_schema::{Value, validate, validation_message};

use crate::shapes::*;

fn message(value: &Value) -> String {
    validation_message(&validate(&INPUT, value))
}

fn one(members: Vec<(&'static str, Value)>) -> String {
    let value = input(members);
    let found = validate(&INPUT, &value);
    assert_eq!(found.len(), 1, "{found:?}");
    validation_message(&found)
}

#[test]
fn a_good_value_breaks_nothing() {
    let value = input(vec![
        ("Secret", string("abc")),
        ("Sort", string("Ascending")),
        ("Count", Value::Int(100)),
        ("Weight", Value::Float(1.0)),
        ("Body", Value::Blob(Bytes::from_static(b"1234"))),
        ("Tags", Value::List(vec![tag("a", ""), tag("b-b", "x")])),
        ("Map", Value::Map(vec![("k".to_owned(), Value::Int(1))])),
        ("Choice", Value::Struct(vec![("Word", string("w"))])),
    ]);
    assert_eq!(validate(&INPUT, &value), vec![]);
}

#[test]
fn every_failure_is_reported_at_once_in_the_models_order() {
    let value = Value::Struct(vec![("Count", Value::Int(0)), ("Sort", string("up")), ("HubName", string("bad name!"))]);
    assert_eq!(
        message(&value),
        "4 validation errors detected: Value 'bad name!' at 'hubName' failed to satisfy constraint: Member must have \
         length less than or equal to 8; Value 'bad name!' at 'hubName' failed to satisfy constraint: Member must \
         satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9])*; Value 'up' at 'sort' failed to satisfy \
         constraint: Member must satisfy enum value set: [Ascending, Descending]; Value '0' at 'count' failed to \
         satisfy constraint: Member must have value greater than or equal to 1"
    );
}

#[test]
fn a_missing_member_is_null() {
    assert_eq!(
        message(&Value::empty()),
        "1 validation error detected: Value null at 'hubName' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn paths_go_into_lists_and_maps() {
    let bad_key = one(vec![("Tags", Value::List(vec![tag("a", ""), tag("-", "")]))]);
    assert!(bad_key.contains("Value '-' at 'tags.2.member.key'"), "{bad_key}");
    let no_value = one(vec![("Tags", Value::List(vec![Value::Struct(vec![("Key", string("a"))])]))]);
    assert!(no_value.contains("Value null at 'tags.1.member.value'"), "{no_value}");
    let entry = one(vec![("Map", Value::Map(vec![("k".to_owned(), Value::Int(101))]))]);
    assert!(entry.contains("Value '101' at 'map.k.member'"), "{entry}");
    let too_many = one(vec![("Tags", Value::List(vec![tag("a", ""), tag("b", ""), tag("c", "")]))]);
    assert!(
        too_many.contains("at 'tags' failed to satisfy constraint: Member must have length less than or equal to 2")
    );
}

#[test]
fn a_pattern_must_match_the_whole() {
    for (name, good) in [("a-b", true), ("a-", false), ("-a", false), ("a\n", false), ("a/b", false), ("\u{e9}", false)]
    {
        assert_eq!(validate(&NAME, &string(name)).is_empty(), good, "{name:?}");
    }
}

#[test]
fn length_is_in_characters_and_bytes_where_due() {
    assert!(validate(&NAME, &string("abcdefgh")).is_empty());
    let letters = validate(&SECRET, &string("\u{1f600}\u{1f600}"));
    assert_eq!(letters.len(), 1, "two characters are fewer than three, whatever their bytes");
    assert!(one(vec![("Body", Value::Blob(Bytes::from_static(b"12345")))]).contains("'5 bytes' at 'body'"));
}

#[test]
fn a_union_has_exactly_one_member() {
    assert!(one(vec![("Choice", Value::Struct(vec![]))]).contains("at 'choice'"));
    let two = Value::Struct(vec![("Word", string("w")), ("Number", Value::Int(1))]);
    assert!(one(vec![("Choice", two)]).contains("exactly one"));
}

#[test]
fn secrets_and_long_values_are_not_repeated() {
    let secret = one(vec![("Secret", string("ab"))]);
    assert!(secret.contains("Value '***' at 'secret'"), "{secret}");
    let long = one(vec![("Sort", string(&"x".repeat(1_000_000)))]);
    assert!(long.len() < 2_000);
}

proptest! {
    #[test]
    fn no_name_makes_the_walk_panic(name in "\\PC{0,20}") {
        let found = validate(&NAME, &string(&name));
        let plain = name.len() <= 8
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
            && name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
            && name.ends_with(|letter: char| letter.is_ascii_alphanumeric());
        prop_assert_eq!(found.is_empty(), plain, "{:?}", found);
    }
}
