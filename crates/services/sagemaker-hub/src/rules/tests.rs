//! The rule language: what matches, what is said of it, and what is wrong where.

use serde_json::{Value, json};
use stoa_types::Timestamp;

use super::RulesBody;
use super::operations::told;
use super::parser::parse;
use crate::catalog::PublicModel;

fn model(change: Value) -> PublicModel {
    let mut body = json!({
        "manifest": {
            "id": "pytorch-textgeneration-small", "version": "1.2.0", "display_name": "Small", "description": "d",
            "task": "Text Generation", "framework": "pytorch", "provider": "Acme", "licence": "apache-2.0",
            "keywords": ["chat", "small"], "default_instance_type": "ml.m5.large",
            "supported_instance_types": ["ml.m5.large"], "image": "i", "content_types": ["application/json"],
            "accept_types": ["application/json"], "min_memory_mb": 64,
            "huggingface": {"repository": "acme/small", "languages": ["en", "de"], "parameters": {"BF16": 7_000_000_000_u64}},
        },
        "card": "c", "eula": null,
        "files": [
            {"path": "a", "digest": "a".repeat(64), "size": 1_500_000_000_u64, "md5": "m"},
            {"path": "b", "digest": "b".repeat(64), "size": 500_000_000_u64, "md5": "m"},
        ],
    });
    if let (Some(manifest), Value::Object(change)) = (body["manifest"].as_object_mut(), change) {
        manifest.extend(change);
    }
    PublicModel::new(serde_json::from_value(body).unwrap(), Timestamp::default(), Timestamp::default())
}

fn decided(rules: &str, model: &PublicModel) -> Option<bool> {
    parse(rules).unwrap_or_else(|error| panic!("{rules}: {error}")).expect("rules").decide(model)
}

#[test]
fn the_issues_own_rule() {
    let rules = "framework is pytorch and licence is apache-2.0 and size below 20 GB and not gated";
    assert_eq!(decided(rules, &model(json!({}))), Some(true));
    assert_eq!(decided(rules, &model(json!({"gated": true}))), Some(false));
    assert_eq!(decided(rules, &model(json!({"licence": "MIT"}))), Some(false));
    assert_eq!(decided(rules, &model(json!({"framework": "jax"}))), Some(false));
}

#[test]
fn tests_of_every_form() {
    let model = model(json!({"deprecated": "use another"}));
    for yes in [
        "name is PyTorch-TextGeneration-Small",
        "task is text-generation",
        "task is 'Text Generation'",
        "task is \"text generation\" # a comment\n and framework is pytorch",
        "FRAMEWORK IS NOT jax",
        "license in (mit, Apache-2.0)",
        "licence is in (apache-2.0)",
        "licence not in (mit, gpl)",
        "licence is not in (mit, gpl)",
        "name contains TEXTGEN",
        "name not contains image",
        "name matches pytorch-*-s?all",
        "name matches *",
        "name not matches jax-*",
        "version matches 1.*",
        "language is de",
        "languages not in (fr, es)",
        "keyword contains cha",
        "repository matches acme/*",
        "size is 2GB",
        "size at most 2 GB and size at least 2 GB",
        "size above 1.99 GB and size below 2.01GB",
        "size above 1 GiB",
        "size is not 3 GB",
        "files is 2",
        "memory is 64 MiB",
        "parameters is 7 B and parameters below 7.1B and parameters above 6900 M",
        "deprecated and not vulnerable and gated is false and gated is not true",
        "deprecated is yes",
        "not (gated or framework is jax)",
        "not not deprecated",
        "gated or deprecated and size below 3 GB",
        "(gated or deprecated) and size below 3 GB",
        "library is unknown",
        "repository is not unknown",
        "not library is not unknown",
        "vulnerability not contains CVE",
    ] {
        assert_eq!(decided(yes, &model), Some(true), "{yes}");
        let no = format!("not ({yes}\n)");
        assert_eq!(decided(&no, &model), Some(false), "{no}");
    }
    // `and` binds closer than `or`.
    assert_eq!(decided("deprecated or gated and gated", &model), Some(true));
    assert_eq!(decided("(deprecated or gated) and gated", &model), Some(false));
}

#[test]
fn what_is_not_known_is_neither_yes_nor_no() {
    let bare = model(json!({"huggingface": null}));
    for unknown in [
        "parameters below 7B",
        "not parameters above 7 B",
        "language is not fr",
        "not (language is fr)",
        "not gated and parameters below 7 B",
        "gated or parameters below 7 B",
    ] {
        assert_eq!(decided(unknown, &bare), None, "{unknown}");
    }
    assert_eq!(decided("gated and parameters below 7 B", &bare), Some(false));
    assert_eq!(decided("not gated or parameters below 7 B", &bare), Some(true));
    assert_eq!(decided("parameters is unknown or parameters below 7 B", &bare), Some(true));
}

#[test]
fn reasons_are_the_deciding_parts() {
    let model = model(json!({}));
    let reason = |rules: &str| parse(rules).unwrap().unwrap().reason(&model);
    assert_eq!(
        reason("framework  is pytorch and (licence is mit or size below 20 GB) and not gated"),
        "framework is pytorch (pytorch); size below 20 GB (2.0 GB); not gated (false)"
    );
    assert_eq!(
        reason("framework is pytorch and size below 1 GB and gated"),
        "`size below 1 GB` does not hold (2.0 GB)"
    );
    assert_eq!(
        reason("gated or licence is mit"),
        "`gated` does not hold (false); `licence is mit` does not hold (apache-2.0)"
    );
    assert_eq!(reason("not gated and library is vllm"), "`library is vllm` cannot be told (unknown)");
}

#[test]
fn reasons_have_an_end() {
    let long: Vec<String> = (0..1000).map(|number| format!("keyword-{number}")).collect();
    let model = model(json!({"keywords": long, "display_name": "ü".repeat(5000)}));
    let reason = |rules: &str| parse(rules).unwrap().unwrap().reason(&model);
    let many = ["not gated"; 100].join(" and ");
    assert_eq!(reason(&many), format!("{}; and 92 more", ["not gated (false)"; 8].join("; ")));
    let said = reason("keyword is keyword-999");
    assert!(said.starts_with("keyword is keyword-999 (keyword-0, keyword-1, ") && said.ends_with("…)"), "{said}");
    let said = reason("display-name is not x");
    assert_eq!(said, format!("display-name is not x ({}…)", "ü".repeat(200)));
    let said = reason(&format!("display-name is '{}'", "x".repeat(1000)));
    assert!(said.starts_with("`display-name is 'xxx") && said.contains("…` does not hold ("), "{said}");
    let worst = vec![format!("not keyword is '{}'", "x".repeat(120)); 100].join(" and ");
    assert!(reason(&worst).chars().count() < 8 * 500);
}

#[test]
fn a_rule_text_has_so_many_tests_and_no_more() {
    let tests = |count: usize| vec!["gated"; count].join(" or ");
    assert!(parse(&tests(100)).is_ok());
    let problem = parse(&tests(101)).expect_err("too many");
    assert_eq!((problem.line, problem.column), (1, 901));
    assert!(problem.message.contains("100 tests"), "{problem}");
    // Comments and the values of a list are none.
    let values = (0..500).map(|number| format!("v{number}")).collect::<Vec<_>>().join(", ");
    let rules = format!("# gated or gated\nlicence in (mit, {values}, APACHE-2.0, mit)");
    assert_eq!(decided(&rules, &model(json!({}))), Some(true));
    assert_eq!(decided(&rules, &model(json!({"licence": "BSD"}))), Some(false));
}

#[test]
fn problems_have_a_place_and_say_what_is_expected() {
    for (rules, line, column, words) in [
        ("frobnicate is 1", 1, 1, "is no field; fields are name"),
        ("framework is pytorch and", 1, 25, "a field is expected"),
        ("framework is", 1, 13, "a value is expected"),
        ("framework is and gated", 1, 14, "a value is expected"),
        ("framework pytorch", 1, 11, "`is`, `is not`"),
        ("task is Text Generation", 1, 14, "quote values of several words"),
        ("gated\nand size under 3", 2, 10, "`below`"),
        ("size below GB", 1, 12, "a number is expected"),
        ("size below 3 parsecs", 1, 14, "not expected here"),
        ("size below 3parsecs", 1, 12, "units are B, KB"),
        ("size below -3", 1, 12, "a number is expected"),
        ("size below 99999999999 TB", 1, 12, "a number is expected"),
        ("parameters below 3 GB", 1, 20, "not expected here"),
        ("(gated", 1, 7, "`)` is expected"),
        ("gated)", 1, 6, "there is no `(`"),
        ("licence in mit", 1, 12, "a list in parentheses"),
        ("licence in (mit apache)", 1, 17, "`,` or `)`"),
        ("licence in ()", 1, 13, "a value is expected"),
        ("licence is 'mit", 1, 12, "this quote is not closed"),
        ("licence is ''", 1, 12, "something in it"),
        ("licence = mit", 1, 9, "`=` is not expected"),
        ("gated is maybe", 1, 10, "`true` or `false`"),
        ("gated gated", 1, 7, "`and`, `or` or the end"),
        ("ünbekannt is x", 1, 1, "is no field"),
        ("licence is 'ü' und", 1, 16, "not expected"),
    ] {
        let problem = parse(rules).expect_err(rules);
        assert_eq!((problem.line, problem.column), (line, column), "{rules}: {problem}");
        assert!(problem.message.contains(words), "{rules}: {problem}");
    }
    assert!(parse(&format!("{}gated{}", "(".repeat(63), ")".repeat(63))).is_ok());
    let deep = format!("{}gated{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(parse(&deep).expect_err("too deep").message.contains("64 levels"));
    assert!(parse(&"not ".repeat(100_000)).is_err());
}

#[test]
fn nothing_is_no_rule() {
    for nothing in ["", " \n\t", "# only a comment", "# one\n# two\n"] {
        assert_eq!(parse(nothing).unwrap(), None);
    }
}

#[test]
fn globs_with_many_stars_end() {
    let model = model(json!({"display_name": "a".repeat(250)}));
    let glob = format!("display-name matches {}b", "a*".repeat(100));
    assert_eq!(decided(&glob, &model), Some(false));
    let stars = format!("display-name matches {}", "*".repeat(16_000));
    assert_eq!(decided(&stars, &model), Some(true));
    let longer = format!("display-name matches *{}", "?".repeat(251));
    assert_eq!(decided(&longer, &model), Some(false), "longer than the text");
    let exact = format!("display-name matches *{}*", "?".repeat(250));
    assert_eq!(decided(&exact, &model), Some(true));
}

#[test]
fn rules_that_an_older_release_stored_are_read() {
    let old = json!({"rules": "gated", "set_by": "somebody", "changes": 3});
    let body: RulesBody = serde_json::from_value(old).unwrap();
    assert_eq!((body.changes, body.left_out, body.refused, body.refused_digest, body.cause), (3, 0, 0, None, None));
}

#[test]
fn a_list_of_a_preview_is_counted_whole_and_told_in_part() {
    assert_eq!(told(vec![1, 2, 3]), (3, vec![1, 2, 3]));
    assert_eq!(told((0..5000).collect()), (5000, (0..1000).collect()));
}
