//! Random policies and requests from a small alphabet, so that matches are frequent: the engine and the naive evaluator
//! must agree, whatever the number of statements, and explanations must agree with decisions.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use stoa_policy::Document;
use stoa_policy::cases::{CaseTotals, run_cases};

use crate::naive;

fn pick<T: Clone + std::fmt::Debug + 'static>(items: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(items.to_vec())
}

fn strings(items: &'static [&'static str], most: usize) -> impl Strategy<Value = Value> {
    prop_oneof![
        pick(items).prop_map(|one| json!(one)),
        prop::collection::vec(pick(items), 1..=most).prop_map(|list| json!(list)),
    ]
}

const ACTIONS: &[&str] = &[
    "*",
    "sagemaker:*",
    "sagemaker:Create*",
    "sagemaker:createmodel",
    "sagemaker:DescribeModel",
    "sagemaker:?e*",
    "s3:*",
    "sagemaker:*Model",
    "kms:*",
    "kms:Decrypt",
    "s3:GetObject",
    "s3:Ge?Object",
    "sts:*",
    "sts:AssumeRole",
    "*:*Model",
    "s*:D*",
];
const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:sagemaker:*:*:model/*",
    "arn:aws:sagemaker:us-west-2:111122223333:model/a",
    "arn:*:*/a*",
    "arn:aws:sagemaker:*:*:*/a-1",
    "arn:aws:sagemaker:*:*:model/${aws:username}*",
    "arn:aws:s3:::a*",
    "arn:aws:s3:::a/${aws:username}",
    "arn:aws:s3:::?/x",
    "arn:aws:sagemaker:*",
    "arn:aws:kms:*:*:key/*",
    "arn:aws:*a",
    "arn:aws:s3:::${x:t, 'a'}/*",
    "arn:aws:s3:::a/${*}",
    "arn:aws:*:model/*:1",
    "arn:aws:sagemaker:*:*:mod*",
    "arn:aws:iam::*:role/*",
    "arn:aws:s3:::*b/x",
    "arn:aws:s3:::a?*/x",
    "arn:aws:s3:::a*-c/x",
    "arn:aws:s3:::${x:t}b/x",
    "arn:aws:sagemaker",
    "arn:aws:s3",
    "arn:aws:${x:t}",
];
const ASKED_ACTIONS: &[&str] = &[
    "sagemaker:CreateModel",
    "SageMaker:describemodel",
    "s3:GetObject",
    "kms:Decrypt",
    "sts:AssumeRole",
    "s3:De",
    "x:y",
];
const ASKED: &[&str] = &[
    "*",
    "arn:aws:sagemaker:us-west-2:111122223333:model/a",
    "arn:aws:sagemaker:us-west-2:111122223333:model/a-1",
    "arn:aws:s3:::a/x",
    "arn:aws:sagemaker:us-west-2:111122223333:model/alice:1",
    "arn:aws:sagemaker:us-west-2:444455556666:endpoint/a",
    "arn:aws:s3:::a/*",
    "arn:aws:kms:us-west-2:111122223333:key/a",
    "arn:aws:s3:::a/alice",
    "arn:aws:s3:::é/x",
    "arn:aws:iam::111122223333:role/R",
    "arn:aws:sagemaker:us:west:2:111122223333:model/a",
    "arn:aws:s3:::ab/x",
    "arn:aws:s3:::ab-c/x",
];
const TEXTS: &[&str] = &["a", "A", "b", "a*", "${aws:username}", "alice", "${x:t, 'b'}", "?", "*", "${*}", "ab", ""];
const HAVE: &[&str] = &["a", "A", "b", "ab", "alice", "*", "", "5"];
const OPERATORS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];
const NUMBERS: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
];
const ROLE: &str = "arn:aws:iam::111122223333:role/R";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/R/s";
const USER: &str = "arn:aws:iam::111122223333:user/alice";
const ASKING: &[&str] = &[
    USER,
    SESSION,
    ROLE,
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::444455556666:user/alice",
    "sagemaker.amazonaws.com",
    "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForX/s",
    "arn:aws:sts::111122223333:federated-user/f",
];
const NAMED: &[&str] = &[
    "*",
    "111122223333",
    "arn:aws:iam::111122223333:root",
    ROLE,
    SESSION,
    USER,
    "444455556666",
    "arn:aws:sts::111122223333:federated-user/f",
];

fn condition() -> impl Strategy<Value = (String, String, Value)> {
    let set = || pick(&["", "", "ForAllValues:", "ForAnyValue:"]);
    let suffix = || pick(&["", "", "IfExists"]);
    let key = || pick(&["x:t", "X:T", "x:m", "aws:username"]);
    let op = move |names: &'static [&'static str], values: &'static [&'static str]| {
        (set(), pick(names), suffix(), key(), strings(values, 3))
            .prop_map(|(set, name, suffix, key, values)| (format!("{set}{name}{suffix}"), key.to_owned(), values))
    };
    prop_oneof![
        3 => op(OPERATORS, TEXTS),
        1 => op(NUMBERS, &["5", "1780272000", "4.5"]),
        1 => op(&["Bool"], &["true", "false", "TRUE"]),
        1 => op(&["BinaryEquals"], &["QQ==", "Qg=="]),
        1 => op(&["IpAddress", "NotIpAddress"], &["10.0.0.0/8", "10.1.2.3", "::/0", "0.0.0.0/0"]),
        1 => op(&["ArnLike", "ArnNotLike", "ArnEquals", "ArnNotEquals"], &["arn:aws:s3:::*", "arn:*:*:*:*:a*", "*", "arn:aws:s3", "${x:t}",
            "arn:aws:s3:::${aws:username}"]),
        1 => (key(), strings(&["true", "false"], 1)).prop_map(|(key, values)| ("Null".to_owned(), key.to_owned(), values)),
    ]
}

fn statement(named: bool, conditions: usize) -> impl Strategy<Value = Value> {
    let conditions = prop::collection::vec(condition(), 0..=conditions);
    let principal = prop_oneof![
        1 => Just(json!("*")),
        4 => strings(NAMED, 3).prop_map(|names| json!({ "AWS": names })),
        1 => Just(json!({"Service": "sagemaker.amazonaws.com"})),
    ];
    (
        pick(&["Allow", "Allow", "Deny"]),
        strings(ACTIONS, 4),
        strings(RESOURCES, 4),
        conditions,
        any::<(u8, u8, u8)>(),
        principal,
    )
        .prop_map(move |(effect, actions, resources, conditions, (a, r, p), principal)| {
            let name = |dice: u8, name: &str| if dice < 30 { format!("Not{name}") } else { name.to_owned() };
            let mut made = Map::new();
            made.insert("Effect".into(), json!(effect));
            made.insert(name(a, "Action"), actions);
            if r < 245 {
                made.insert(name(r, "Resource"), resources);
            }
            if named && p < 240 {
                made.insert(name(p, "Principal"), principal);
            }
            let mut block = Map::new();
            for (operator, key, values) in conditions {
                let keys = block.entry(operator).or_insert_with(|| json!({}));
                // Keys compare without case: two spellings in one block would be two conditions for the engine.
                keys.as_object_mut().unwrap().insert(key, values);
            }
            if !block.is_empty() {
                made.insert("Condition".into(), Value::Object(block));
            }
            Value::Object(made)
        })
}

pub fn document(named: bool, most: usize, conditions: usize) -> impl Strategy<Value = Value> {
    (prop::collection::vec(statement(named, conditions), 1..=most), any::<u8>()).prop_map(|(statements, dice)| {
        match dice {
            0..40 => json!({ "Statement": statements }),
            40..60 => json!({ "Version": "2008-10-17", "Statement": statements[0] }),
            _ => json!({ "Version": "2012-10-17", "Statement": statements }),
        }
    })
}

fn values() -> impl Strategy<Value = Value> {
    let odd = &[
        "true",
        "FALSE",
        "QQ==",
        "10.1.2.3",
        "2001:db8::1",
        "5",
        "4.5",
        "2026-06-01T00:00:00Z",
        "arn:aws:s3:::alice",
        "arn:aws:s3:::a:b",
    ];
    prop_oneof![
        4 => pick(HAVE).prop_map(|one| json!(one)),
        3 => pick(odd).prop_map(|one| json!(one)),
        2 => prop::collection::vec(pick(HAVE), 0..4).prop_map(|list| json!(list)),
    ]
}

fn context() -> impl Strategy<Value = Value> {
    let keys = (prop::option::of(values()), prop::option::of(values()), prop::option::of(values()));
    (keys, prop::option::of(pick(&[USER, ROLE]))).prop_map(|((t, m, name), arn)| {
        let mut made = Map::new();
        let arn = arn.map(|arn| json!(arn));
        for (key, value) in [("x:t", t), ("x:m", m), ("aws:UserName", name), ("aws:PrincipalArn", arn)] {
            if let Some(value) = value {
                made.insert(key.to_owned(), value);
            }
        }
        Value::Object(made)
    })
}

pub fn case(identity: usize, conditions: usize, often: f64) -> impl Strategy<Value = Value> {
    let maybe = move |named| prop::option::weighted(often, document(named, 4, conditions));
    let slots = (
        prop::collection::vec(document(false, identity, conditions), 0..4),
        maybe(true),
        maybe(false),
        prop::option::weighted(0.2, prop::collection::vec(document(false, 3, conditions), 0..3)),
        prop::option::weighted(
            0.3,
            prop::collection::vec(prop::collection::vec(document(false, 3, conditions), 1..3), 0..3),
        ),
        maybe(true),
        maybe(true),
        prop::option::weighted(
            0.2,
            prop::collection::vec(prop::collection::vec(document(true, 3, conditions), 1..3), 0..3),
        ),
    );
    let account = prop::option::of(pick(&["111122223333", "444455556666", "aws"]));
    (pick(ASKING), pick(ASKED_ACTIONS), pick(ASKED), account, any::<bool>(), context(), slots).prop_map(
        |(principal, action, resource, account, management, context, slots)| {
            let mut policies = Map::new();
            let (identity, resource_policy, boundary, session, scp, endpoint, trust, rcp) = slots;
            policies.insert("identity".into(), json!(identity));
            for (name, value) in [
                ("resource", resource_policy), ("boundary", boundary), ("session", session.map(Value::Array)),
                ("scp", scp.map(|levels| json!(levels))), ("endpoint", endpoint), ("trust", trust),
                ("rcp", rcp.map(|levels| json!(levels))),
            ] {
                policies.extend(value.map(|value| (name.to_owned(), value)));
            }
            json!({"id": "p", "principal": principal, "action": action, "resource": resource, "resource_account": account,
                "management_account": management, "context": context, "policies": policies, "expect": ""})
        },
    )
}

pub fn agree(mut case: Value) -> Result<(), TestCaseError> {
    case["expect"] = json!(naive::decide(&case));
    let mut out = Vec::new();
    let totals = run_cases(case.to_string().as_bytes(), &mut out).unwrap();
    prop_assert_eq!(totals, CaseTotals { passed: 1, failed: 0 }, "{}\n{}", String::from_utf8_lossy(&out), case);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn they_agree_on_conditions(case in case(4, 2, 0.25)) {
        agree(case)?;
    }

    #[test]
    fn they_agree_on_composition(case in case(3, 0, 0.7)) {
        agree(case)?;
    }

    #[test]
    fn any_text_parses_or_is_refused(text in "\\PC{0,80}") {
        let _ = Document::parse(&text);
    }
}

proptest! {
    // Enough statements that every kind of bucket and of anchor is in use.
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn they_agree_on_large_sets(case in case(60, 2, 0.25)) {
        agree(case)?;
    }
}
