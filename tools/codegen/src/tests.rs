//! Names, refusals, and that what is checked in is what the facts give.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::authz::{Authz, KnownActions, resolve};
use crate::facts::{Actions, Model, read_json};
use crate::names::{constant, field, snake, type_name, unique, variant, variants};
use crate::overlay;
use crate::plan::Plan;
use crate::{compatibility, files};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn plan() -> Plan {
    Plan::load(&root().join("facts")).unwrap()
}

#[test]
fn names() {
    for (name, wanted) in [
        ("HubContentArn", "hub_content_arn"),
        ("EnableSSMAccess", "enable_ssm_access"),
        ("S3OutputPath", "s3_output_path"),
        ("VolumeSizeInGB", "volume_size_in_gb"),
        ("policyScopeType", "policy_scope_type"),
        ("x", "x"),
    ] {
        assert_eq!(snake(name), wanted);
    }
    assert_eq!(field("Type"), "r#type");
    assert_eq!(field("Self"), "self_");
    assert_eq!(constant("CreateHub"), "CREATE_HUB");
    assert_eq!(type_name("arnType"), "ArnType");
    assert_eq!(type_name("Option"), "OptionShape");
    for (value, wanted) in [
        ("ml.t2.medium", "MlT2Medium"),
        ("SUCCEEDED", "Succeeded"),
        ("InService", "InService"),
        ("application/json", "ApplicationJson"),
        ("1.0", "V10"),
        ("", "Blank"),
        ("*", "Blank"),
        ("Self", "SelfValue"),
    ] {
        assert_eq!(variant(value), wanted);
    }
    let same = ["a-b".to_owned(), "a_b".to_owned(), "A.B".to_owned()];
    assert_eq!(variants(&same), ["AB", "AB2", "AB3"]);
    let shapes = ["tagType".to_owned(), "TagType".to_owned()];
    let unique: BTreeSet<String> = unique(shapes.iter(), type_name).into_values().collect();
    assert_eq!(unique, BTreeSet::from(["TagType".to_owned(), "TagType2".to_owned()]));
}

#[test]
fn what_is_checked_in_is_what_the_facts_give() {
    let files = files::all(&plan()).unwrap();
    files::check(&root(), &files).unwrap();
}

#[test]
fn a_difference_on_disk_is_named() {
    let mut files = files::all(&plan()).unwrap();
    files.insert(PathBuf::from("crates/models/sts/src/generated/no_such.rs"), String::new());
    let taken = files.remove(Path::new("crates/models/sts/src/generated/shapes.rs"));
    files.insert(PathBuf::from("crates/models/sts/src/generated/types.rs"), "changed".to_owned());
    let message = files::check(&root(), &files).unwrap_err().to_string();
    assert!(taken.is_some());
    for wanted in ["no_such.rs is missing", "shapes.rs is no longer generated", "types.rs differs"] {
        assert!(message.contains(wanted), "{message}");
    }
}

/// Loading compiles every pattern that is generated; here, that no exception is made without need.
#[test]
fn every_replaced_pattern_needs_it() {
    for service in plan().services {
        let model: Model = read_json(&root().join("facts").join(&service.name).join("model.json")).unwrap();
        for exception in &service.overlay.patterns {
            let given = model.shapes[&exception.shape].pattern.as_ref().unwrap();
            assert!(regex::Regex::new(&format!("^(?:{given})$")).is_err(), "{} would compile", exception.shape);
        }
    }
}

/// The replacements mean what the originals mean, shown by examples on both sides of each rule.
#[test]
fn replaced_patterns_mean_the_same() {
    let cases: &[(&str, &str, &[&str], &[&str])] = &[
        ("iam", "accountAliasType", &["abc", "a-b-c", "a1"], &["a--b", "-a", "a-", "A", ""]),
        ("sagemaker", "AlarmName", &["a", " a ", "a b"], &["", " ", "\t ", "a\nb"]),
        ("sagemaker", "MetricsEndpointPath", &["/a", "/.", "/a.b", "/.a.", "//"], &["/", "/..", "/a..b", "a", "/a b"]),
        (
            "sagemaker",
            "VersionedArnOrName",
            &["a", "a-b", "a/1", "arn:aws:sagemaker:us-west-2:123456789012:model-package/a-b/12"],
            &["a-", "-a", "a-/1", "a/", "a/1234567890", ""],
        ),
        ("sagemaker-runtime", "TargetModelHeader", &["m.tar.gz", "a b"], &[" a", "", "a\u{e9}", "a\n"]),
    ];
    let plan = plan();
    for (service, shape, good, bad) in cases {
        let service = plan.services.iter().find(|candidate| candidate.name == *service).unwrap();
        let pattern = service.model.shapes[*shape].pattern.as_ref().unwrap();
        let pattern = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
        for text in *good {
            assert!(pattern.is_match(text), "{shape} must take {text:?}");
        }
        for text in *bad {
            assert!(!pattern.is_match(text), "{shape} must refuse {text:?}");
        }
    }
}

fn model() -> Model {
    serde_json::from_str(
        r#"{"metadata":{"apiVersion":"1","endpointPrefix":"t","protocols":["json"],"serviceFullName":"T"},"operations":{},
        "shapes":{"In":{"type":"structure","members":[["Name",{"shape":"S"}],["Tags",{"shape":"L"}]]},
        "S":{"type":"string"},"L":{"type":"list","member":{"shape":"In"}}}}"#,
    )
    .unwrap()
}

fn known() -> KnownActions {
    let actions: Actions = serde_json::from_str(
        r#"{"actions":{"Make":{"access":"Write","keys":["t:Kinds"],"resources":{"thing":{}}}},
        "resources":{"thing":{"arn":"arn:${Partition}:t:${Region}:${Account}:thing/${Name}"}},
        "keys":{"t:Kinds":"ArrayOfString"}}"#,
    )
    .unwrap();
    let mut known = KnownActions::new(BTreeMap::new());
    known.add("t", actions);
    known
}

fn overlay_of(text: &str) -> overlay::Overlay {
    toml::from_str(&format!("[service]\ncrate = \"c\"\nevent_source = \"e\"\n{text}")).unwrap()
}

fn resolved(operation: &str) -> Result<Authz, String> {
    let overlay = overlay_of(&format!("[operations.Make]\nfamily = \"f\"\n{operation}"));
    resolve("t", "Make", &overlay, &model(), Some("In"), &known())
}

#[test]
fn a_good_entry_becomes_checked_targets() {
    let Authz::Targets(targets) =
        resolved("resource = \"thing\"\nkeys = { \"t:Kinds\" = \"Tags[].Name|Name\" }").unwrap()
    else {
        panic!("targets were given")
    };
    assert_eq!(targets[0].action, "t:Make");
    assert_eq!(targets[0].resource, "arn:{partition}:t:{region}:{account}:thing/{Name}");
    assert!(targets[0].keys[0].multivalued, "its type is ArrayOfString");
}

#[test]
fn an_entry_that_could_open_a_door_is_refused() {
    for (overlay, wanted) in [
        ("", "exactly one of"),
        ("resource = \"*\"\ncustom = \"x\"", "exactly one of"),
        ("none = \" \"", "need a reason"),
        ("unsigned = \"\"", "need a reason"),
        ("unsigned = \"x\"\nnone = \"y\"", "exactly one of"),
        ("resource = \"thingy\"", "does not apply to"),
        ("resource = \"{Nmae}\"", "has no `Nmae`"),
        ("resource = \"{Name\"", "without"),
        ("resource = \"*\"\nkeys = { \"t:Kind\" = \"Name\" }", "no condition key"),
        ("resource = \"*\"\nkeys = { \"t:Kinds\" = \"Tags[].Nope\" }", "has no `Tags[].Nope`"),
        ("targets = [{ action = \"t:Mkae\", resource = \"*\" }]", "no action"),
        ("targets = [{ action = \"t:Make\", resource = \"*\", when = \"Nope\" }]", "has no `Nope`"),
    ] {
        let message = resolved(overlay).unwrap_err();
        assert!(message.contains(wanted), "{overlay}: {message}");
    }
    assert!(
        toml::from_str::<overlay::Operation>("family = \"f\"\nresorce = \"*\"").is_err(),
        "a typing error in a name"
    );
}

#[test]
fn what_is_not_implemented_is_decided_all_the_same() {
    let Authz::Targets(targets) = resolve("t", "Break", &overlay_of(""), &model(), None, &known()).unwrap() else {
        panic!("its own action on everything")
    };
    assert_eq!((targets[0].action.as_str(), targets[0].resource.as_str()), ("t:Break", "*"));
}

#[test]
fn every_implemented_operation_is_in_the_compatibility_page() {
    let plan = plan();
    let page = compatibility::markdown(&plan);
    let mut implemented = 0;
    for service in &plan.services {
        for operation in service.operations.iter().filter(|operation| operation.implemented) {
            assert!(page.contains(&format!("\n| {} |", operation.name)), "{}", operation.name);
            implemented += 1;
        }
    }
    assert!(implemented > 70, "{implemented}");
    let s3 = plan.services.iter().find(|service| service.name == "s3").unwrap();
    for operation in &s3.operations {
        let name = &operation.name;
        let told = [
            format!("\n| {name} |"),
            format!("\n- {name} is an older name of "),
            format!(" {name},"),
            format!(" {name}."),
        ];
        assert!(told.iter().any(|text| page.contains(text)), "{}", operation.name);
    }
}

#[test]
fn a_structure_keeps_the_members_that_the_overlay_names() {
    let plan = plan();
    let sagemaker = plan.services.iter().find(|service| service.name == "sagemaker").unwrap();
    let kept: Vec<&str> =
        sagemaker.shape("SearchRecord").unwrap().members.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(kept, ["HubContent"]);
    assert!(sagemaker.typed.contains("HubContent") && !sagemaker.typed.contains("TrialComponent"));
}

#[test]
fn members_that_are_needed_cannot_be_dropped() {
    let facts = || crate::facts::read_json::<Model>(&root().join("facts/sagemaker/model.json")).unwrap();
    for (shape, members, wanted) in [
        ("SearchRecord", &["HubContent", "Nothing"][..], "SearchRecord.Nothing"),
        ("HubContent", &["HubContentName"][..], "required"),
        ("CreateHubRequest", &["HubName", "HubDescription"][..], "clients send"),
        ("NoSuchShape", &[][..], "NoSuchShape"),
    ] {
        let members: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
        let message = crate::plan::keep_members(&mut facts(), shape, &members).unwrap_err();
        assert!(message.contains(wanted), "{shape}: {message}");
    }
}
