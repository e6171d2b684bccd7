//! Decisions out of audit records, whole and broken.

use serde_json::json;
use stoa_policy::Context;

use super::*;

fn record(additional: Json) -> AuditRecord {
    serde_json::from_value(json!({
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/ana", "principalId": "AIDAX"},
        "eventTime": "2026-11-21T00:00:00Z",
        "eventSource": "sagemaker.amazonaws.com",
        "eventName": "CreateModel",
        "awsRegion": "us-west-2",
        "sourceIPAddress": "127.0.0.1",
        "additionalEventData": additional,
        "requestID": "r",
        "eventID": "e",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }))
    .unwrap()
}

fn decision() -> Json {
    json!({"stoaDecision": {
        "id": "r",
        "principalArn": "arn:aws:iam::111122223333:user/ana",
        "global": {"aws:username": "ana", "aws:calledvia": ["a", "b"], "x:both": "global"},
        "targets": [
            {"action": "sagemaker:CreateModel", "resource": "arn:m", "keys": {"x:both": "own"}, "effect": "allow", "slot": "identity"},
            {"action": "s3:GetObject", "resource": "arn:o", "keys": {}, "effect": "explicit_deny", "slot": "resource",
             "matched": "bucket#7#NoReads", "dependent": true,
             "principalArn": "arn:aws:sts::111122223333:assumed-role/Exec/SageMaker", "global": {"x:both": "role's"}},
            {"action": "iam:PassRole", "resource": "arn:r", "keys": {}, "effect": "implicit_deny", "slot": "scp", "matched": "p#3"},
        ],
        "omitted": 4,
    }})
}

#[test]
fn a_decision_is_read_with_the_keys_each_target_saw() {
    let call = RecordedCall::read(&record(decision())).unwrap();
    assert_eq!((call.targets.len(), call.omitted, call.allowed()), (3, 4, false));
    let own = &call.targets[0];
    assert_eq!(
        (own.principal.arn.as_str(), own.principal.id.as_deref()),
        ("arn:aws:iam::111122223333:user/ana", Some("AIDAX"))
    );
    let key =
        |target: &RecordedTarget, key: &str| target.target.keys.get(key).map(|values| values.to_strings().join(","));
    assert_eq!(key(own, "aws:username").as_deref(), Some("ana"));
    assert_eq!(key(own, "aws:calledvia").as_deref(), Some("a,b"));
    assert_eq!(key(own, "x:both").as_deref(), Some("own"), "a target's own key counts");
    let role = &call.targets[1];
    assert!(role.principal.arn.ends_with("assumed-role/Exec/SageMaker") && role.principal.id.is_none());
    assert_eq!((key(role, "aws:username"), key(role, "x:both").as_deref()), (None, Some("role's")));
    assert_eq!((role.effect, role.slot), (Effect::ExplicitDeny, Slot::Resource));
    let place = role.matched.clone().unwrap();
    assert_eq!((place.policy.as_str(), place.sid.as_deref()), ("bucket#7", Some("NoReads")));
    let place = call.targets[2].matched.clone().unwrap();
    assert_eq!((place.policy.as_str(), place.sid, place.index), ("p", None, 3));
}

#[test]
fn what_is_no_decision_is_none() {
    for additional in [
        Json::Null,
        json!({}),
        json!({"stoaDecision": {}}),
        json!({"stoaDecision": {"targets": [{"action": "a:B", "resource": "*", "effect": "perhaps", "slot": "scp"}]}}),
        json!({"stoaDecision": {"targets": [{"action": "a:B", "resource": "*", "effect": "allow", "slot": "pocket"}]}}),
        json!({"stoaDecision": {"targets": "many"}}),
    ] {
        assert!(RecordedCall::read(&record(additional.clone())).is_none(), "{additional}");
    }
}
