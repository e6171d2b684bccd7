//! Decisions over keys that are not known: "always" and "never" hold for every value that a key can have.

use std::sync::Arc;

use stoa_policy::{
    Context, Document, MapContext, PolicySet, Possible, PrincipalRef, Request, Slot, Slots, Values, decide, possible,
};

const ACTION: &str = "sagemaker:CreateModel";
const RESOURCE: &str = "arn:aws:sagemaker:us-west-2:111122223333:model/a";

/// `x:known` is `a`; `x:open` and `x:other` may hold anything.
struct Partly;

impl Context for Partly {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        (key == "x:known").then_some(Values::One("a"))
    }
    fn is_unknown(&self, key: &str) -> bool {
        key != "x:known"
    }
}

fn set(name: &str, statements: &[&str]) -> PolicySet {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    PolicySet::compile([(Arc::from(name), &Document::parse(&text).unwrap())])
}

fn statement(effect: &str, resource: &str, condition: &str) -> String {
    format!(r#"{{"Effect":"{effect}","Action":"sagemaker:*","Resource":"{resource}","Condition":{{{condition}}}}}"#)
}

fn ask<T>(slots: &Slots<'_>, context: &dyn Context, with: impl FnOnce(&Slots<'_>, &Request<'_>) -> T) -> T {
    let principal = PrincipalRef::parse("arn:aws:iam::111122223333:user/ana");
    let request = Request {
        principal: &principal,
        action: ACTION,
        resource: RESOURCE,
        resource_account: None,
        management_account: false,
        context,
    };
    with(slots, &request)
}

fn of(identity: &PolicySet) -> Possible {
    let sets = [identity];
    ask(&Slots { identity: &sets, ..Slots::default() }, &Partly, |slots, request| possible(slots, request).possible)
}

#[test]
fn certain_unknown_and_impossible() {
    let all = statement("Allow", "*", "");
    let known = statement("Allow", "*", r#""StringEquals":{"x:known":"a"}"#);
    let wrong = statement("Allow", "*", r#""StringEquals":{"x:known":"b"}"#);
    let open = statement("Allow", "*", r#""StringEquals":{"x:open":"a"}"#);
    let both = statement("Allow", "*", r#""StringEquals":{"x:known":"b","x:open":"a"}"#);
    let variable = statement("Allow", "arn:aws:sagemaker:us-west-2:111122223333:model/${x:open}", "");
    let elsewhere = statement("Allow", "arn:aws:sagemaker:us-west-2:111122223333:hub/${x:open}", "");
    let value = statement("Allow", "*", r#""StringEquals":{"x:known":"${x:open}"}"#);
    let absent = statement("Allow", "*", r#""Null":{"x:open":"true"}"#);
    let deny = statement("Deny", "*", r#""StringEquals":{"x:open":"a"}"#);
    let never = statement("Deny", "*", r#""StringEquals":{"x:known":"b"}"#);
    for (statements, want) in [
        (vec![&all], Possible::Always),
        (vec![&known], Possible::Always),
        (vec![&wrong], Possible::Never),
        (vec![&open], Possible::Conditional),
        (vec![&both], Possible::Never),
        (vec![&variable], Possible::Conditional),
        (vec![&elsewhere], Possible::Never),
        (vec![&value], Possible::Conditional),
        (vec![&absent], Possible::Conditional),
        (vec![&all, &open], Possible::Always),
        (vec![&all, &deny], Possible::Conditional),
        (vec![&open, &deny], Possible::Conditional),
        (vec![&all, &never], Possible::Always),
        (vec![&wrong, &deny], Possible::Never),
    ] {
        let texts: Vec<&str> = statements.iter().map(|text| text.as_str()).collect();
        assert_eq!(of(&set("p", &texts)), want, "{texts:?}");
    }
}

#[test]
fn the_conditions_that_decide_are_named_and_no_others() {
    let identity = set(
        "identity",
        &[
            &statement("Allow", "*", r#""StringEquals":{"x:open":["a","b"],"x:known":"a"}"#),
            &statement("Allow", "*", r#""StringEquals":{"x:known":"b","x:other":"a"}"#),
        ],
    );
    let boundary = set("boundary", &[&statement("Allow", "*", "")]);
    let scp =
        set("scp", &[&statement("Allow", "*", ""), &statement("Deny", "*", r#""StringNotLike":{"x:other":"t*"}"#)]);
    let (sets, levels) = ([&identity], [&scp]);
    let slots = Slots { identity: &sets, boundary: Some(&boundary), scp: &levels, ..Slots::default() };
    ask(&slots, &Partly, |slots, request| {
        let answer = possible(slots, request);
        assert_eq!(answer.possible, Possible::Conditional);
        assert_eq!(answer.decision.slot, Slot::Identity);
        let named: Vec<_> = answer
            .conditions
            .iter()
            .map(|one| (one.slot, one.deny, one.operator.as_str(), one.key, one.values.join(",")))
            .collect();
        assert_eq!(
            named,
            [
                (Slot::Scp, true, "StringNotLike", "x:other", "t*".to_owned()),
                (Slot::Identity, false, "StringEquals", "x:open", "a,b".to_owned()),
            ]
        );
    });
}

/// Every pair of statements over two keys, held against every value of the keys.
#[test]
fn what_is_certain_holds_for_every_value() {
    let conditions = [
        "",
        r#""StringEquals":{"x:open":"a"}"#,
        r#""StringNotEquals":{"x:open":"a"}"#,
        r#""StringEqualsIfExists":{"x:open":"a"}"#,
        r#""ForAllValues:StringEquals":{"x:open":"a"}"#,
        r#""ForAnyValue:StringLike":{"x:open":"?"}"#,
        r#""Null":{"x:open":"true"}"#,
        r#""Null":{"x:open":"false"},"StringEquals":{"x:other":"b"}"#,
        r#""StringEquals":{"x:known":"${x:open}"}"#,
        r#""StringEquals":{"x:known":"b"}"#,
    ];
    let resources = ["*", "arn:aws:sagemaker:us-west-2:111122223333:model/${x:open}"];
    let mut statements = Vec::new();
    for effect in ["Allow", "Deny"] {
        for resource in resources {
            statements.extend(conditions.iter().map(|condition| statement(effect, resource, condition)));
        }
    }
    let values = [None, Some("a"), Some("b"), Some("long")];
    let mut seen = [0; 3];
    for first in &statements {
        for second in &statements {
            let identity = set("p", &[first, second]);
            let sets = [&identity];
            let slots = Slots { identity: &sets, ..Slots::default() };
            let answer = of(&identity);
            let mut outcomes = Vec::new();
            for open in values {
                for other in values {
                    let mut context = MapContext::new().with("x:known", "a");
                    open.map(|value| context.set("x:open", value));
                    other.map(|value| context.set("x:other", value));
                    outcomes.push(ask(&slots, &context, |slots, request| decide(slots, request).is_allowed()));
                }
            }
            match answer {
                Possible::Always => assert!(outcomes.iter().all(|allowed| *allowed), "{first} {second}"),
                Possible::Never => assert!(!outcomes.contains(&true), "{first} {second}"),
                Possible::Conditional => {}
            }
            seen[answer as usize] += 1;
        }
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn a_policy_is_added_or_takes_the_place_of_another() {
    let allow = statement("Allow", "*", "");
    let deny = Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statement("Deny", "*", "")))
        .unwrap();
    let first = set("first", &[&allow]);
    let added = first.with(Arc::from("second"), &deny, None).unwrap();
    assert_eq!((first.len(), added.len()), (1, 2));
    assert_eq!((of(&first), of(&added)), (Possible::Always, Possible::Never));
    let back = Document::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{allow}]}}"#)).unwrap();
    let replaced = added.with(Arc::from("second"), &back, Some("second")).unwrap();
    assert_eq!((replaced.len(), of(&replaced)), (2, Possible::Always));
    assert!(first.with(Arc::from("x"), &deny, Some("none")).is_none(), "there is nothing to replace");
}

#[test]
fn whom_a_policy_names() {
    use stoa_policy::NamedPrincipal as Named;
    let text = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":["111122223333","arn:aws:iam::444455556666:role/R"],"Service":"sagemaker.amazonaws.com"}},
        {"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"AWS":"arn:aws:iam::777788889999:root"}},
        {"Effect":"Allow","Action":"sts:AssumeRoleWithSAML","Principal":{"Federated":"arn:aws:iam::111122223333:saml-provider/Idp"}}]}"#;
    let set = PolicySet::compile([(Arc::from("t"), &Document::parse(text).unwrap())]);
    let named: Vec<Named> = set.named_principals().into_iter().collect();
    assert_eq!(
        named,
        [
            Named::Account("111122223333".to_owned()),
            Named::Arn("arn:aws:iam::444455556666:role/R".to_owned()),
            Named::Service("sagemaker.amazonaws.com".to_owned()),
            Named::Federated("arn:aws:iam::111122223333:saml-provider/Idp".to_owned()),
        ]
    );
}
