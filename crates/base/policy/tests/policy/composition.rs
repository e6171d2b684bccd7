//! What decisions say: the slot, the statement and AWS's wording.

use std::sync::Arc;

use stoa_policy::{Decision, Document, Effect, MapContext, PolicySet, PrincipalRef, Request, Slot, Slots, decide};

const USER: &str = "arn:aws:iam::111122223333:user/alice";
const MODEL: &str = "arn:aws:sagemaker:us-west-2:111122223333:model/m-1";
const FULL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const NONE: &str = r#"{"Statement":{"Sid":"Reads","Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#;
const DENY: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"},
    {"Sid":"NoModels","Effect":"Deny","Action":"sagemaker:createmodel","Resource":"*","Principal":"*"}]}"#;

fn set(text: &str) -> PolicySet {
    let document = Document::parse(text).unwrap();
    PolicySet::compile([(Arc::from("the-policy"), &document)])
}

fn ask(slots: &Slots<'_>, check: impl FnOnce(Decision<'_>, &Request<'_>)) {
    let (principal, context) = (PrincipalRef::parse(USER), MapContext::new());
    let request = Request {
        principal: &principal,
        action: "sagemaker:CreateModel",
        resource: MODEL,
        resource_account: None,
        management_account: false,
        context: &context,
    };
    check(decide(slots, &request), &request);
}

#[test]
fn an_allow_names_its_statement() {
    let (one, two) = (set(NONE), set(FULL));
    ask(&Slots { identity: &[&one, &two], ..Slots::default() }, |decision, _| {
        assert!(decision.is_allowed());
        assert_eq!(decision.slot, Slot::Identity);
        let matched = decision.matched.unwrap();
        assert_eq!((matched.policy, matched.sid, matched.index), ("the-policy", None, 0));
    });
}

#[test]
fn explicit_denies_are_worded_by_slot() {
    let (full, deny) = (set(FULL), set(DENY));
    let base = Slots { identity: &[&full], ..Slots::default() };
    let session: &[&PolicySet] = &[&deny];
    for (slots, words) in [
        (Slots { identity: &[&full, &deny], ..base }, "an identity-based policy"),
        (Slots { scp: &[&full, &deny], ..base }, "a service control policy"),
        (Slots { rcp: &[&deny], ..base }, "a resource control policy"),
        (Slots { boundary: Some(&deny), ..base }, "a permissions boundary"),
        (Slots { session: Some(session), ..base }, "a session policy"),
        (Slots { resource: Some(&deny), ..base }, "a resource-based policy"),
        (Slots { endpoint: Some(&deny), ..base }, "a VPC endpoint policy"),
        (Slots { trust: Some(&deny), ..base }, "the role trust policy"),
    ] {
        ask(&slots, |decision, request| {
            assert_eq!(decision.effect, Effect::ExplicitDeny, "{words}");
            let matched = decision.matched.unwrap();
            assert_eq!((matched.sid, matched.index), (Some("NoModels"), 1));
            assert_eq!(
                decision.message(request),
                format!(
                    "User: {USER} is not authorized to perform: sagemaker:CreateModel on resource: {MODEL} \
                     with an explicit deny in {words}"
                )
            );
        });
    }
}

#[test]
fn implicit_denies_are_worded_by_slot() {
    let (full, none) = (set(FULL), set(NONE));
    let base = Slots { identity: &[&full], ..Slots::default() };
    let session: &[&PolicySet] = &[&none];
    for (slots, words) in [
        (Slots { identity: &[&none], ..base }, "identity-based policy"),
        (Slots { identity: &[], ..base }, "identity-based policy"),
        (Slots { scp: &[&full, &none], ..base }, "service control policy"),
        (Slots { rcp: &[&none], ..base }, "resource control policy"),
        (Slots { boundary: Some(&none), ..base }, "permissions boundary"),
        (Slots { session: Some(session), ..base }, "session policy"),
        (Slots { endpoint: Some(&none), ..base }, "VPC endpoint policy"),
        (Slots { trust: Some(&none), ..base }, "role trust policy"),
    ] {
        ask(&slots, |decision, request| {
            assert_eq!((decision.effect, decision.matched), (Effect::ImplicitDeny, None), "{words}");
            assert_eq!(
                decision.message(request),
                format!(
                    "User: {USER} is not authorized to perform: sagemaker:CreateModel on resource: {MODEL} \
                     because no {words} allows the sagemaker:CreateModel action"
                )
            );
        });
    }
}

#[test]
fn an_account_without_a_key_policy_grant_is_told_so() {
    let (full, key) = (
        set(FULL),
        set(r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"444455556666"},"Action":"kms:*","Resource":"*"}}"#),
    );
    let principal = PrincipalRef::parse(USER);
    let request = Request {
        principal: &principal,
        action: "kms:Decrypt",
        resource: "arn:aws:kms:us-west-2:111122223333:key/1",
        resource_account: None,
        management_account: false,
        context: &MapContext::new(),
    };
    let slots = Slots { identity: &[&full], resource: Some(&key), ..Slots::default() };
    assert_eq!(
        decide(&slots, &request).reason_text("kms:Decrypt"),
        "no resource-based policy allows the kms:Decrypt action"
    );
}

#[test]
fn a_known_role_arn_is_compared_whole() {
    let allow = |arn: &str| {
        set(&format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{arn}"}},"Action":"s3:*","Resource":"*"}}}}"#
        ))
    };
    let session = "arn:aws:sts::111122223333:assumed-role/DS/alice";
    let known = PrincipalRef::parse(session).with_role_arn("arn:aws:iam::111122223333:role/team/DS");
    for (named, expect) in [
        ("arn:aws:iam::111122223333:role/team/DS", Effect::Allow),
        ("arn:aws:iam::111122223333:role/DS", Effect::ImplicitDeny),
    ] {
        let policy = allow(named);
        let request = Request {
            principal: &known,
            action: "s3:GetObject",
            resource: "arn:aws:s3:::b/k",
            resource_account: Some("111122223333"),
            management_account: false,
            context: &MapContext::new(),
        };
        assert_eq!(decide(&Slots { resource: Some(&policy), ..Slots::default() }, &request).effect, expect, "{named}");
    }
}
