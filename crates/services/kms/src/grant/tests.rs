//! Which grants fit which requests.

use stoa_models_kms::types::GrantOperation as Operation;
use stoa_types::Timestamp;

use super::*;

fn pairs(list: &[(&str, &str)]) -> BTreeMap<String, String> {
    list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn grant(operations: &[Operation]) -> GrantRecord {
    GrantRecord {
        id: "g".to_owned(),
        key_id: "k".to_owned(),
        key_arn: "a".to_owned(),
        name: None,
        grantee: "arn:aws:iam::111122223333:user/u".to_owned(),
        retiring: None,
        operations: operations.to_vec(),
        subset: None,
        equals: None,
        issuer: String::new(),
        created: Timestamp::from_millis(0),
        token_key: String::new(),
    }
}

#[test]
fn a_grant_covers_its_operations_alone() {
    let grant = grant(&[Operation::Encrypt]);
    assert!(fitting(&grant, &Wanted::with_context("Encrypt", &pairs(&[]))));
    assert!(!fitting(&grant, &Wanted::with_context("Decrypt", &pairs(&[]))));
}

#[test]
fn constraints_are_exact() {
    let mut subset = grant(&[Operation::Decrypt, Operation::DescribeKey]);
    subset.subset = Some(pairs(&[("a", "1")]));
    let mut equals = grant(&[Operation::Decrypt]);
    equals.equals = Some(pairs(&[("a", "1")]));
    let cases = [
        (pairs(&[]), false, false),
        (pairs(&[("a", "1")]), true, true),
        (pairs(&[("a", "1"), ("b", "2")]), true, false),
        (pairs(&[("A", "1")]), false, false),
        (pairs(&[("a", "2")]), false, false),
    ];
    for (context, by_subset, by_equals) in cases {
        let wanted = Wanted::with_context("Decrypt", &context);
        assert_eq!(fitting(&subset, &wanted), by_subset, "{context:?}");
        assert_eq!(fitting(&equals, &wanted), by_equals, "{context:?}");
    }
    assert!(fitting(&subset, &Wanted::with_context("DescribeKey", &pairs(&[]))));
}

#[test]
fn a_grant_passes_on_no_more_than_it_gives() {
    let mut parent = grant(&[Operation::Encrypt, Operation::CreateGrant]);
    let child = |operations: &[&str], context: &[(&str, &str)], equals| Wanted {
        action: "CreateGrant".to_owned(),
        context: pairs(context),
        operations: operations.iter().map(|name| (*name).to_owned()).collect(),
        equals,
    };
    assert!(fitting(&parent, &child(&["Encrypt"], &[], false)));
    assert!(!fitting(&parent, &child(&["Encrypt", "Decrypt"], &[], false)));
    parent.subset = Some(pairs(&[("a", "1")]));
    assert!(!fitting(&parent, &child(&["Encrypt"], &[], false)));
    assert!(fitting(&parent, &child(&["Encrypt"], &[("a", "1"), ("b", "2")], false)));
    assert!(fitting(&parent, &child(&["Encrypt"], &[("a", "1")], true)));
    parent.subset = None;
    parent.equals = Some(pairs(&[("a", "1")]));
    assert!(!fitting(&parent, &child(&["Encrypt"], &[("a", "1")], false)));
    assert!(fitting(&parent, &child(&["Encrypt"], &[("a", "1")], true)));
}
