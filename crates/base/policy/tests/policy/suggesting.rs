//! Suggestions are proven: each is applied to the JSON of the case, and the naive evaluator, which shares no code with the
//! engine, must then allow the request.

use proptest::prelude::*;
use serde_json::{Value, json};
use stoa_policy::cases::explain_case;
use stoa_policy::{Change, Effect, Explanation};

use crate::applying::applied;
use crate::{naive, properties};

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
