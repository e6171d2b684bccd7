//! Policies printed by AWS: managed ones, guardrails, endpoint and trust policies. Each must parse, and keep the rules of
//! its kind.

use std::sync::Arc;

use stoa_policy::{Document, PolicyKind, PolicySet};

fn all() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/policies");
    let mut texts: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn every_printed_policy_parses() {
    let texts = all();
    assert!(texts.len() >= 50, "{}", texts.len());
    for (name, text) in &texts {
        let document = Document::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let identity = document.check(PolicyKind::Identity).is_ok();
        let named = document.check(PolicyKind::Resource).is_ok() || document.check(PolicyKind::Trust).is_ok();
        assert!(identity != named, "{name} is of one kind");
    }
}

#[test]
fn managed_policies_compile_together() {
    let documents: Vec<(Arc<str>, Document)> = all()
        .into_iter()
        .filter(|(name, _)| name.starts_with("AmazonSageMaker"))
        .map(|(name, text)| (Arc::from(name), Document::parse(&text).unwrap()))
        .collect();
    let set = PolicySet::compile(documents.iter().map(|(name, document)| (Arc::clone(name), document)));
    assert_eq!(set.len(), documents.iter().map(|(_, document)| document.statement_count()).sum::<usize>());
    assert!(set.len() > 50, "{}", set.len());
}
