//! Every line is read, and what is asked for is found as policies write it.

use std::collections::BTreeSet;

use crate::table::{Table, ValueType};
use crate::{Access, action, actions_matching, actions_of, global_keys, key, key_type, service, services};

#[test]
fn every_line_is_read() {
    let table = Table::get();
    assert_eq!(table.left_out, Vec::<&str>::new());
    let lines = include_str!("generated/table.txt").lines().filter(|line| !line.starts_with('#')).count();
    let mut read = table.globals.len();
    for service in services() {
        read += 1 + service.keys.len() + service.resources.len() + service.actions.len();
        read += service.actions.iter().map(|action| action.resources.len()).sum::<usize>();
    }
    assert_eq!(read, lines);
    assert!(services().len() >= 24, "{}", services().len());
}

#[test]
fn names_are_known_and_sorted() {
    for service in services() {
        assert!(service.actions.is_sorted_by_key(|action| action.name), "{}", service.prefix);
        assert!(service.keys.is_sorted_by_key(|key| key.name), "{}", service.prefix);
        for action in &service.actions {
            for resource in &action.resources {
                assert!(
                    service.resource(resource.kind).is_some(),
                    "{}:{} {}",
                    service.prefix,
                    action.name,
                    resource.kind
                );
            }
        }
    }
    assert!(services().is_sorted_by_key(|service| service.prefix));
}

/// A key that an action carries and whose type nobody knows cannot be linted; today there are none.
#[test]
fn every_key_has_a_type() {
    let mut unknown = BTreeSet::new();
    for action in services().iter().flat_map(|service| &service.actions) {
        let of_types = action.resources.iter().flat_map(|resource| &resource.keys);
        for name in action.keys.iter().chain(&action.legacy_keys).chain(of_types) {
            if key_type(&name.replace(['$', '<'], "x")).is_none() {
                unknown.insert(format!("{}: {name}", action.full_name()));
            }
        }
    }
    assert_eq!(unknown, BTreeSet::new());
}

#[test]
fn lookups() {
    let create = action("SageMaker:createmodel").unwrap();
    assert_eq!((create.name, create.access), ("CreateModel", Access::Write));
    assert!(create.dependent.contains(&"iam:PassRole"));
    assert!(create.carries("sagemaker:VpcSubnets"));
    assert!(create.carries("sagemaker:ResourceTag/team"));
    assert!(create.carries("aws:SourceVpce"));
    assert!(!create.carries("sagemaker:InstanceTypes"));
    assert!(action("sagemaker:CreateTrainingJob").unwrap().carries("sagemaker:volumekmskey"), "an older name");
    assert_eq!(action("iam:PassRole").unwrap().access, Access::PermissionsManagement);
    assert!(action("sagemaker:CreateModle").is_none());
    assert!(action("nonsense").is_none());
    assert!(actions_of("sagemaker").len() > 400);
    assert!(actions_of("nosuch").is_empty());
}

#[test]
fn keys() {
    let tag = key("aws:RequestTag/team").unwrap();
    assert_eq!(
        (tag.name, tag.kind.value, tag.kind.multivalued),
        ("aws:RequestTag/${TagKey}", ValueType::String, false)
    );
    assert!(key("aws:RequestTag/").is_none());
    let types = key_type("sagemaker:instancetypes").unwrap();
    assert_eq!((types.value, types.multivalued), (ValueType::String, true));
    assert_eq!(key_type("aws:MultiFactorAuthPresent").unwrap().value, ValueType::Bool);
    assert!(key_type("sagemaker:InstanceType").is_none());
    assert!(key_type("token.actions.githubusercontent.com:repository").is_some());
    assert!(key_type("SAML:aud").is_some());
    assert!(global_keys().len() > 50);
}

#[test]
fn patterns() {
    let names: Vec<String> = actions_matching("sagemaker:Create*Hub").iter().map(|action| action.full_name()).collect();
    assert_eq!(names, ["sagemaker:CreateHub"]);
    assert_eq!(actions_matching("sagemaker:*").len(), actions_of("sagemaker").len());
    assert_eq!(actions_matching("*").len(), services().iter().map(|service| service.actions.len()).sum::<usize>());
    let jobs = service("sagemaker").unwrap().resource("training-job").unwrap();
    assert_eq!(jobs.pattern(), "arn:*:sagemaker:*:*:training-job/*");
    assert!(jobs.matches("arn:aws:sagemaker:us-west-2:111122223333:training-job/a"));
    assert!(!jobs.matches("arn:aws:sagemaker:us-west-2:111122223333:model/a"));
}

#[test]
fn the_lint_gets_all_of_it() {
    let catalog = crate::lint_catalog();
    assert_eq!(catalog.services.len(), services().len());
    assert_eq!(catalog.globals.len(), global_keys().len());
}
