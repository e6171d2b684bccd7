//! The index's one law: every statement that matches is offered. And its shape: few others are.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use crate::keys::Prepared;
use crate::statement::Unnamed;
use crate::{Document, MapContext, PolicySet, PrincipalRef, Request};

fn document(statements: &[(String, String)]) -> Document {
    let list: Vec<_> = statements
        .iter()
        .map(|(action, resource)| json!({"Effect": "Allow", "Action": action, "Resource": resource}))
        .collect();
    Document::parse(&json!({"Version": "2012-10-17", "Statement": list}).to_string()).unwrap()
}

/// The ids offered for a request, and those that match it.
fn ask(set: &PolicySet, action: &str, resource: &str) -> (Vec<u32>, Vec<u32>) {
    ask_as("arn:aws:iam::111122223333:user/u", &MapContext::new(), set, action, resource)
}

fn ask_as(who: &str, context: &MapContext, set: &PolicySet, action: &str, resource: &str) -> (Vec<u32>, Vec<u32>) {
    let principal = PrincipalRef::parse(who);
    let request =
        Request { principal: &principal, action, resource, resource_account: None, management_account: false, context };
    let prepared = Prepared::new(&request, false);
    let mut offered = Vec::new();
    set.candidates(&prepared, |id, _| {
        offered.push(id);
        true
    });
    offered.sort_unstable();
    offered.dedup();
    let matching = (0..set.len() as u32)
        .filter(|id| set.statement(*id).unwrap().matches(&prepared, Unnamed::Applies).is_some())
        .collect();
    (offered, matching)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_matches_is_missed(
        statements in prop::collection::vec(("(s:[ab*?]{1,5}|[s*]:[*]|[*])", "(arn:[ab:/*?-]{0,8}|[*])"), 1..40),
        asked in prop::collection::vec(("s:[abAB]{1,4}", "arn:[ab:/-]{0,8}"), 8),
    ) {
        let document = document(&statements);
        let set = PolicySet::compile([(Arc::from("p"), &document)]);
        for (action, resource) in &asked {
            let (offered, matching) = ask(&set, action, resource);
            for id in matching {
                prop_assert!(offered.contains(&id), "{:?} for {action} on {resource}", statements[id as usize]);
            }
        }
    }
}

#[test]
fn few_are_offered_of_many() {
    let shapes = [
        "arn:aws:sagemaker:us-west-2:111122223333:model/team{}-*",
        "arn:aws:sagemaker:*:*:endpoint/team{}/*",
        "arn:*:sagemaker:*:*:*/x{}-*",
        "arn:aws:sagemaker:*:*:pipeline/p{}*",
        "arn:aws:s3:::bucket{}/${aws:username}/*",
    ];
    let statements: Vec<(String, String)> = (0..5000)
        .map(|n| {
            (
                ["sagemaker:*", "sagemaker:Describe*", "s3:GetObject"][n % 3].to_owned(),
                shapes[n % 5].replace("{}", &n.to_string()),
            )
        })
        .collect();
    let document = document(&statements);
    let set = PolicySet::compile([(Arc::from("p"), &document)]);
    for resource in [
        "arn:aws:sagemaker:us-west-2:111122223333:model/team2500-a",
        "arn:aws:sagemaker:us-west-2:111122223333:endpoint/team2501/a",
        "arn:aws:sagemaker:us-west-2:111122223333:app/x2502-b",
        "arn:aws:sagemaker:us-west-2:111122223333:pipeline/p2503",
    ] {
        let (offered, matching) = ask(&set, "sagemaker:DescribeModel", resource);
        assert!(offered.len() <= 4, "{} offered for {resource}", offered.len());
        assert!(matching.iter().all(|id| offered.contains(id)));
    }
}

/// What tells many statements apart that share their words and actions.
const MANY: usize = 600;

fn many(make: impl Fn(usize) -> serde_json::Value) -> PolicySet {
    let list: Vec<_> = (0..MANY).map(make).collect();
    let document = Document::parse(&json!({"Version": "2012-10-17", "Statement": list}).to_string()).unwrap();
    PolicySet::compile([(Arc::from("p"), &document)])
}

#[test]
fn grams_tell_names_inside_words_apart() {
    let set = many(|n| json!({"Effect": "Allow", "Action": "s:Do", "Resource": format!("arn:aws:s:::*zone{n}x*")}));
    let (offered, matching) = ask(&set, "s:Do", "arn:aws:s:::myzone77xes");
    assert!(matching == vec![77] && offered.contains(&77) && offered.len() <= 12, "{offered:?}");
    let (offered, _) = ask(&set, "s:Do", "arn:aws:s:::nothing");
    assert!(offered.is_empty(), "{offered:?}");
}

#[test]
fn principals_tell_statements_apart() {
    let set = many(|n| {
        let named = match n % 4 {
            0 => json!({"AWS": format!("arn:aws:iam::111122223333:user/u{n}")}),
            1 => json!({"AWS": format!("arn:aws:iam::111122223333:role/path/r{n}")}),
            2 => json!({"AWS": format!("{:012}", n)}),
            _ => json!({"Service": format!("s{n}.amazonaws.com"), "Federated": "x"}),
        };
        json!({"Effect": "Allow", "Principal": named, "Action": "s:Do", "Resource": "*"})
    });
    for (who, id) in [
        ("arn:aws:iam::111122223333:user/u100", 100),
        ("arn:aws:sts::111122223333:assumed-role/r101/session", 101),
        ("arn:aws:iam::111122223333:role/path/r101", 101),
        ("arn:aws:iam::000000000102:user/anyone", 102),
        ("s103.amazonaws.com", 103),
    ] {
        let (offered, matching) = ask_as(who, &MapContext::new(), &set, "s:Do", "*");
        assert_eq!((offered, matching), (vec![id], vec![id]), "{who}");
    }
}

#[test]
fn required_values_tell_statements_apart() {
    let set = many(|n| {
        let operator = if n % 2 == 0 { "StringEquals" } else { "ForAnyValue:StringEquals" };
        json!({"Effect": "Deny", "Action": "s:*", "NotResource": "arn:aws:s:::x",
            "Condition": {operator: {"aws:PrincipalTag/Team": [format!("t{n}"), format!("u{n}")]}}})
    });
    let context = MapContext::new().with("aws:principaltag/team", "u40");
    let (offered, matching) = ask_as("*", &context, &set, "s:Do", "*");
    assert_eq!((offered, matching), (vec![40], vec![40]));
    let context = MapContext::new().with_many("aws:principaltag/team", ["t3", "u5"]);
    assert_eq!(ask_as("*", &context, &set, "s:Do", "*").0, vec![3, 5]);
    assert_eq!(ask(&set, "s:Do", "*").0, Vec::<u32>::new());
}

#[test]
fn conditions_that_an_absent_key_satisfies_do_not_file() {
    for operator in
        ["StringEqualsIfExists", "StringNotEquals", "ForAllValues:StringEquals", "StringLike", "StringEquals"]
    {
        let set = many(|n| {
            let value =
                if operator == "StringEquals" { format!("${{aws:username, 't{n}'}}") } else { format!("t{n}*") };
            json!({"Effect": "Deny", "Action": "s:*", "Resource": "*", "Condition": {operator: {"a:b": value}}})
        });
        let context = MapContext::new().with("a:b", "t7*");
        for context in [MapContext::new(), context] {
            let (offered, matching) = ask_as("*", &context, &set, "s:Do", "*");
            assert!(matching.iter().all(|id| offered.contains(id)), "{operator}");
        }
    }
}

#[test]
fn statements_on_everything_are_found_by_action() {
    let statements: Vec<(String, String)> = (0..1000).map(|n| (format!("service{n}:Do*"), "*".to_owned())).collect();
    let document = document(&statements);
    let set = PolicySet::compile([(Arc::from("p"), &document)]);
    assert_eq!(ask(&set, "Service7:doIt", "*"), (vec![7], vec![7]));
    assert_eq!(ask(&set, "other:DoIt", "*"), (vec![], vec![]));
}

#[test]
fn an_empty_set_offers_nothing() {
    let set = PolicySet::compile([]);
    assert!(set.is_empty());
    assert_eq!(ask(&set, "s3:GetObject", "*"), (vec![], vec![]));
}
