//! Explanations name every statement and each element that failed.

use std::sync::Arc;

use stoa_policy::{Document, Effect, Failed, MapContext, PolicySet, PrincipalRef, Request, Slot, Slots, explain};

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Sid":"Other","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b"},
    {"Sid":"Tagged","Effect":"Allow","Action":"sagemaker:*","Resource":"*","Condition":{
        "StringEquals":{"aws:ResourceTag/Owner":"${aws:username}"},"Bool":{"aws:SecureTransport":"true"}}},
    {"Sid":"Fits","Effect":"Deny","Action":"sagemaker:CreateModel","Resource":"*"}]}"#;

#[test]
fn every_statement_is_considered() {
    let document = Document::parse(POLICY).unwrap();
    let set = PolicySet::compile([(Arc::from("p"), &document)]);
    let principal = PrincipalRef::parse("arn:aws:iam::111122223333:user/alice");
    let context = MapContext::new().with("aws:username", "alice").with("aws:ResourceTag/owner", "bob");
    let request = Request {
        principal: &principal,
        action: "sagemaker:CreateModel",
        resource: "arn:aws:sagemaker:us-west-2:111122223333:model/m",
        resource_account: None,
        management_account: true,
        context: &context,
    };
    let explanation = explain(&Slots { identity: &[&set], scp: &[&set], ..Slots::default() }, &request);
    assert_eq!((explanation.effect, explanation.slot), (Effect::ExplicitDeny, Slot::Identity));
    assert_eq!(explanation.matched.as_ref().unwrap().sid.as_deref(), Some("Fits"));
    assert_eq!(explanation.reason, "with an explicit deny in an identity-based policy");
    assert_eq!(
        explanation.slots.iter().map(|slot| (slot.slot, slot.applies)).collect::<Vec<_>>(),
        vec![(Slot::Scp, false), (Slot::Identity, true)]
    );
    let [other, tagged, fits] = &explanation.slots[1].statements[..] else { panic!() };
    let resource = Failed::Resource { wanted: vec!["arn:aws:s3:::b".to_owned()], unresolved: vec![] };
    assert_eq!(other.failed, vec![Failed::Action, resource]);
    let failed = |operator: &str, name: &str, wanted: &str, values: Option<&str>| Failed::Condition {
        operator: operator.to_owned(),
        key: name.to_ascii_lowercase(),
        name: name.to_owned(),
        wanted: vec![wanted.to_owned()],
        unresolved: vec![],
        values: values.map(|value| vec![value.to_owned()]),
    };
    assert_eq!(
        tagged.failed,
        vec![
            failed("StringEquals", "aws:ResourceTag/Owner", "${aws:username}", Some("bob")),
            failed("Bool", "aws:SecureTransport", "true", None)
        ]
    );
    assert!(fits.matches && fits.failed.is_empty());
    let json = serde_json::to_value(&explanation).unwrap();
    assert_eq!(json["slots"][1]["statements"][1]["failed"][0]["element"], "Condition");
    assert_eq!(json["effect"], "explicit_deny");
}
