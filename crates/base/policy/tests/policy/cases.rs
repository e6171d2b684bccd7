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
