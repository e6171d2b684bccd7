//! Suggestions are proven: each is applied to the JSON of the case, and the naive evaluator, which shares no code with the
//! engine, must then allow the request.

use proptest::prelude::*;
use serde_json::{Value, json};
use stoa_policy::cases::explain_case;
use stoa_policy::{Change, Effect, Explanation};

use crate::{naive, properties};

/// The case with the changes made.
fn applied(case: &Value, changes: &[Change]) -> Value {
    let mut case = case.clone();
    for change in changes {
        match change {
            Change::SetKey { key, values, .. } => set_key(&mut case, key, values),
            Change::AddStatement { slot, level, statement } => {
                let document = json!({"Version": "2012-10-17", "Statement": [statement]});
                add(&mut case["policies"][slot.name()], slot.name(), *level, document);
            }
            Change::Exempt { slot, level, policy, index, condition, .. } => {
                let statement = find(&mut case["policies"][slot.name()], slot.name(), *level, policy, *index);
                for (operator, keys) in condition.as_object().unwrap() {
                    for (key, value) in keys.as_object().unwrap() {
                        // A negated operator over several values is their NOR, so a value joins those that are there.
                        let mut values = match &statement["Condition"][operator][key] {
                            Value::Null => vec![],
                            Value::Array(list) => list.clone(),
                            one => vec![one.clone()],
                        };
                        values.push(value.clone());
                        statement["Condition"][operator][key] = json!(values);
                    }
                }
            }
            Change::RemoveStatement { slot, level, policy, index, .. } => {
                // What never matches is as good as gone, and keeps the positions of the others.
                let statement = find(&mut case["policies"][slot.name()], slot.name(), *level, policy, *index);
                *statement = json!({"Effect": "Deny", "Action": "none:None", "Resource": "arn:none"});
            }
        }
    }
    case
}

fn set_key(case: &mut Value, key: &str, values: &[String]) {
    let context = case["context"].as_object_mut().unwrap();
    let old: Vec<String> = context.keys().filter(|name| name.eq_ignore_ascii_case(key)).cloned().collect();
    for name in old {
        context.remove(&name);
    }
    context.insert(key.to_owned(), json!(values));
}

fn add(slot: &mut Value, name: &str, level: usize, document: Value) {
    match name {
        "scp" | "rcp" => slot[level].as_array_mut().unwrap().push(document),
        _ => {
            let mut all = match slot.take() {
                Value::Null => vec![],
                Value::Array(list) => list,
                one => vec![one],
            };
            all.push(document);
            *slot = json!(all);
        }
    }
}

/// The statement that a change speaks of, whose policy is named `slot[n]` by the runner of cases.
fn find<'a>(slot: &'a mut Value, name: &str, level: usize, policy: &str, index: usize) -> &'a mut Value {
    let at: usize = policy[name.len() + 1..policy.len() - 1].parse().unwrap();
    let slot = if matches!(name, "scp" | "rcp") { &mut slot[level] } else { slot };
    let document = if slot.is_array() { &mut slot[at] } else { slot };
    let statement = &mut document["Statement"];
    if statement.is_array() { &mut statement[index] } else { statement }
}

fn proven(case: &Value) -> Result<Explanation, TestCaseError> {
    let explanation = explain_case(&case.to_string()).map_err(TestCaseError::fail)?;
    prop_assert_eq!(explanation.effect == Effect::Allow, naive::decide(case) == "allow");
    if explanation.effect == Effect::Allow {
        prop_assert!(explanation.suggestions.is_empty());
    }
    for suggestion in &explanation.suggestions {
        let changed = applied(case, &suggestion.changes);
        prop_assert_eq!(naive::decide(&changed), "allow", "{:?}\n{}\n{}", suggestion, case, changed);
    }
    Ok(explanation)
}

/// Whether some suggestion changes policies only: there always is one, since what denies can be exempted or removed.
fn has_policy_change(explanation: &Explanation) -> bool {
    explanation.suggestions.iter().any(|one| one.changes.iter().all(|change| !matches!(change, Change::SetKey { .. })))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn suggestions_allow_what_they_say(case in properties::case(3, 2, 0.3)) {
        let explanation = proven(&case)?;
        prop_assert!(explanation.effect == Effect::Allow || has_policy_change(&explanation), "{case}");
    }

    #[test]
    fn suggestions_allow_through_all_slots(case in properties::case(3, 1, 0.8)) {
        let explanation = proven(&case)?;
        prop_assert!(explanation.effect == Effect::Allow || has_policy_change(&explanation), "{case}");
    }
}

#[test]
fn suggestions_of_the_case_files_are_proven() {
    let (mut denied, mut one_change) = (0, 0);
    for text in [include_str!("../data/policy_cases.jsonl"), include_str!("../data/own_cases.jsonl")] {
        for line in text.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let explanation = proven(&case).unwrap_or_else(|error| panic!("{}: {error}", case["id"]));
            if explanation.effect == Effect::Allow {
                continue;
            }
            assert!(has_policy_change(&explanation), "{}", case["id"]);
            denied += 1;
            one_change += usize::from(explanation.suggestions[0].changes.len() == 1);
        }
    }
    assert!(denied > 150 && one_change * 10 > denied * 8, "{one_change} of {denied} by one change");
}

fn sentences(policies: Value, context: Value) -> Vec<String> {
    let case = json!({
        "principal": "arn:aws:sts::111122223333:assumed-role/DataScientist/alice",
        "action": "sagemaker:CreateNotebookInstance",
        "resource": "arn:aws:sagemaker:us-west-2:111122223333:notebook-instance/n",
        "context": context, "policies": policies, "expect": ""
    });
    let explanation = proven(&case).unwrap();
    explanation.suggestions.into_iter().map(|suggestion| suggestion.sentence).collect()
}

const ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

fn all() -> Value {
    serde_json::from_str(ALL).unwrap()
}

#[test]
fn wording() {
    let nothing = sentences(json!({"identity": []}), json!({}));
    assert_eq!(
        nothing,
        ["Add an Allow for sagemaker:CreateNotebookInstance on \
          arn:aws:sagemaker:us-west-2:111122223333:notebook-instance/n to an identity-based policy of role/DataScientist."]
    );
    let level = json!({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    let scp = sentences(json!({"identity": [all()], "scp": [[all()], [all()], [level]]}), json!({}));
    assert_eq!(scp.len(), 1);
    assert!(scp[0].ends_with("to a service control policy at level 2."), "{scp:?}");
    let deny = json!({"Version": "2012-10-17", "Statement": {"Sid": "DenyPublic", "Effect": "Deny", "Action": "sagemaker:*",
        "Resource": "*", "Condition": {"Null": {"sagemaker:VpcSubnets": "true"}}}});
    let arn = "arn:aws:iam::111122223333:role/DataScientist";
    let denied = sentences(json!({"identity": [all()], "scp": [[all(), deny]]}), json!({"aws:PrincipalArn": arn}));
    assert_eq!(
        denied,
        [
            "Make the request so that sagemaker:VpcSubnets is present (condition Null of the Deny statement DenyPublic of \
             scp[1]).",
            "Exempt role/DataScientist from the Deny statement DenyPublic of service control policy scp[1] at level 0 by \
             adding the condition {\"ArnNotEquals\":{\"aws:PrincipalArn\":\"arn:aws:iam::111122223333:role/DataScientist\"}}.",
            "Remove the Deny statement DenyPublic from service control policy scp[1] at level 0.",
        ]
    );
    let types = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sagemaker:*", "Resource": "*",
        "Condition": {"ForAnyValue:StringEquals": {"sagemaker:InstanceTypes": "ml.t3.medium"}}}});
    let types = sentences(json!({"identity": [types]}), json!({}));
    assert_eq!(
        types[0],
        "Make the request so that sagemaker:InstanceTypes is `ml.t3.medium` (condition ForAnyValue:StringEquals of the \
         Allow statement 0 of identity[0])."
    );
}
