//! The two case files, by the engine's own runner and by the naive evaluator.

use std::io::BufReader;

use stoa_policy::cases::{CaseTotals, run_cases};

use crate::naive;

const GIVEN: &str = include_str!("../data/policy_cases.jsonl");
const OWN: &str = include_str!("../data/own_cases.jsonl");

fn run(text: &str) -> (CaseTotals, String) {
    let mut out = Vec::new();
    let totals = run_cases(BufReader::new(text.as_bytes()), &mut out).unwrap();
    (totals, String::from_utf8(out).unwrap())
}

#[test]
fn given_cases_all_pass() {
    let (totals, out) = run(GIVEN);
    assert_eq!(totals, CaseTotals { passed: 108, failed: 0 }, "{out}");
    assert_eq!(out, "108 passed, 0 failed\n");
}

#[test]
fn own_cases_all_pass() {
    let (totals, out) = run(OWN);
    assert_eq!(totals.failed, 0, "{out}");
    assert_eq!(totals.passed, OWN.lines().count());
}

#[test]
fn naive_evaluator_agrees_with_every_case() {
    for line in GIVEN.lines().chain(OWN.lines()) {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(naive::decide(&case), case["expect"].as_str().unwrap(), "{}: {}", case["id"], case["reason"]);
    }
}

#[test]
fn a_wrong_expectation_is_reported_with_what_decided() {
    let line = GIVEN.lines().find(|line| line.contains("LimitInstanceTypesforNotebooks/03")).unwrap();
    let (totals, out) = run(&line.replace(r#""expect":"explicit_deny""#, r#""expect":"allow""#));
    assert_eq!(totals, CaseTotals { passed: 0, failed: 1 });
    assert!(
        out.contains("expected allow, got explicit_deny: with an explicit deny in a service control policy"),
        "{out}"
    );
    assert!(out.contains("sid LimitInstanceTypesforNotebooks"), "{out}");
    assert!(out.ends_with("0 passed, 1 failed\n"), "{out}");
}

#[test]
fn what_cannot_be_read_fails() {
    let good = GIVEN.lines().next().unwrap();
    let unknown_slot = good.replacen(r#""identity":"#, r#""vibes":"#, 1);
    let bad_policy = good.replacen(r#""Effect":"Allow""#, r#""Effect":"Perhaps""#, 1);
    let (totals, out) = run(&format!("{unknown_slot}\n\nnot json\n{bad_policy}\n"));
    assert_eq!(totals, CaseTotals { passed: 0, failed: 3 }, "{out}");
    assert!(out.contains("unknown slot `vibes`"), "{out}");
    assert!(out.contains("$.Statement[0].Effect"), "{out}");
}

/// Case ids, contexts and verdicts of the own file, parsed.
fn own() -> Vec<serde_json::Value> {
    OWN.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn own_cases_name_their_source_and_themselves() {
    let mut ids = std::collections::BTreeSet::new();
    for case in own() {
        let source = case["source"].as_str().unwrap_or("");
        assert!(source.starts_with("https://docs.aws.amazon.com/"), "{}: {source}", case["id"]);
        assert!(ids.insert(case["id"].to_string()), "{} is there twice", case["id"]);
    }
}

#[test]
fn own_cases_cover_every_operator_with_every_qualifier() {
    let mut outcomes: std::collections::BTreeMap<String, std::collections::BTreeSet<String>> = Default::default();
    for case in own() {
        let text = case["policies"].to_string();
        let documents: Vec<&serde_json::Value> =
            case["policies"]["identity"].as_array().into_iter().flatten().collect();
        let [document] = documents[..] else { continue };
        let statements = document["Statement"].as_array().cloned().unwrap_or_default();
        let [statement] = &statements[..] else { continue };
        let Some(operators) = statement["Condition"].as_object().filter(|operators| operators.len() == 1) else {
            continue;
        };
        assert!(text.contains("Condition"));
        for operator in operators.keys() {
            outcomes.entry(operator.clone()).or_default().insert(case["expect"].as_str().unwrap().to_owned());
        }
    }
    let mut missing = Vec::new();
    for base in [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
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
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
    ] {
        for set in ["", "ForAllValues:", "ForAnyValue:"] {
            for suffix in ["", "IfExists"] {
                let operator = format!("{set}{base}{suffix}");
                if outcomes.get(&operator).map_or(0, |found| found.len()) < 2 {
                    missing.push(operator);
                }
            }
        }
    }
    assert!(missing.is_empty(), "without both an Allow and a refusal: {missing:?}");
    assert_eq!(outcomes["Null"].len(), 2);
}

#[test]
fn own_cases_cover_every_slot_and_rule_of_composition() {
    let cases = own();
    for slot in ["identity", "resource", "boundary", "session", "scp", "rcp", "endpoint", "trust"] {
        let of_slot = |expect: &str| {
            let with = cases.iter().filter(|case| !case["policies"][slot].is_null());
            with.filter(|case| case["expect"] == expect).count()
        };
        for expect in ["allow", "implicit_deny"] {
            assert!(of_slot(expect) > 0, "no {expect} with {slot}");
        }
        let denies = cases.iter().any(|case| {
            case["expect"] == "explicit_deny" && case["policies"][slot].to_string().contains(r#""Effect":"Deny""#)
        });
        assert!(denies || slot == "trust", "no Deny in {slot}");
    }
    // Groups by the beginning of their id, as written in the file.
    for group in [
        "same-account",
        "cross-account",
        "boundary",
        "boundary-user",
        "session",
        "session-named",
        "scp",
        "scp-levels",
        "rcp",
        "rcp-levels",
        "endpoint",
        "endpoint-policy",
        "trust",
        "trust-kinds",
        "root",
        "service-principal",
        "key-policy",
        "federated-user",
        "notprincipal",
        "notprincipal-boundary",
        "anonymous",
        "role-path",
        "incomplete-arn",
        "resource",
        "notresource",
        "action",
        "notaction",
        "variable-resource",
        "version-2008",
        "deny-wins",
    ] {
        let prefix = format!("{group}/");
        assert!(cases.iter().any(|case| case["id"].as_str().unwrap().starts_with(&prefix)), "no case of {group}");
    }
}
