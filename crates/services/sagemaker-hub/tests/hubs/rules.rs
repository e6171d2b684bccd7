//! Rules of hubs: what they bring and take, what stays, the log, and that a pass can be cut off anywhere.

use std::sync::Arc;

use serde_json::json;
use sha2::Digest;
use stoa_kernel::Cx;
use stoa_models_sagemaker::operations::{
    CreateHubContentReference, DeleteHub, DeleteHubContentReference, ListHubContents, UpdateHubContentReference,
};
use stoa_models_sagemaker::types::{
    CreateHubContentReferenceRequest, DeleteHubContentReferenceRequest, DeleteHubRequest, HubContentInfo,
    HubContentSortBy, HubContentType, ListHubContentsRequest, SortOrder, UpdateHubContentReferenceRequest,
};
use stoa_models_stoa::operations::{
    DescribeHubRules, ListHubRuleChanges, PreviewHubRules, PutHubAdmissionPolicy, PutHubRules, PutHubSettings,
};
use stoa_models_stoa::types::{
    ArtifactFormat, DescribeHubRulesRequest, HubAdmissionPolicy, HubRuleCause, HubRuleChange, HubRulesStatus,
    HubSettings, ListHubRuleChangesRequest, PreviewHubRulesRequest, PutHubAdmissionPolicyRequest, PutHubRulesRequest,
    PutHubSettingsRequest, RuledContent,
};
use stoa_sagemaker_hub::HubRulesReconciler;
use stoa_store::{Document, Key, Transaction};
use stoa_work::Reconciler;

use crate::references::{list, versions};
use crate::support::*;

const REFERENCE: HubContentType = HubContentType::ModelReference;
const FLOWERS: &str = "acme-tabular-flowers";
const TREES: &str = "acme-tabular-trees";

fn put(hub: &str, rules: &str) -> PutHubRulesRequest {
    PutHubRulesRequest { hub_name: hub.to_owned(), rules: rules.to_owned() }
}

fn describing(hub: &str) -> DescribeHubRulesRequest {
    DescribeHubRulesRequest { hub_name: hub.to_owned() }
}

fn reconciler(world: &World) -> HubRulesReconciler {
    HubRulesReconciler::new(Arc::clone(&world.hubs), world.clock.clone())
}

/// Changes, as a pass reports them.
async fn pass(reconciler: &HubRulesReconciler) -> u64 {
    let report = reconciler.pass().await.unwrap();
    assert_eq!(report.failed, 0);
    report.changed
}

async fn names(world: &World, cx: &Cx, hub: &str) -> Vec<String> {
    let listed = world.call::<ListHubContents>(cx, list(hub, REFERENCE)).await.unwrap();
    listed.hub_content_summaries.into_iter().map(|one| one.hub_content_name).collect()
}

async fn log(world: &World, cx: &Cx, hub: &str) -> Vec<HubRuleChange> {
    let input = ListHubRuleChangesRequest { hub_name: hub.to_owned(), max_results: Some(100), next_token: None };
    world.call::<ListHubRuleChanges>(cx, input).await.unwrap().changes
}

fn ruled(contents: &[RuledContent]) -> Vec<(&str, Vec<&str>)> {
    contents
        .iter()
        .map(|one| (one.hub_content_name.as_str(), one.versions.iter().map(String::as_str).collect()))
        .collect()
}

/// Imports a version with other keys in its manifest.
async fn import_as(world: &World, id: &str, version: &str, keys: serde_json::Value) {
    let folder = world.model_folder(id, version);
    change(&folder, |manifest| manifest.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone()));
    world.catalog.import_dir(&folder).await.unwrap();
}

#[tokio::test]
async fn rules_bring_models_follow_the_catalog_and_leave_hand_made_references_alone() {
    let world = empty_world();
    let admin = world.admin();
    let rules = reconciler(&world);
    import_as(&world, FLOWERS, "1.0.0", json!({})).await;
    import_as(&world, TREES, "1.0.0", json!({"licence": "apache-2.0"})).await;
    world.hub(&admin, "h").await;
    world.hub(&admin, "other").await;
    world.reference(&admin, "h", TREES).await;
    let mine = reference("h", FLOWERS);
    let mine = CreateHubContentReferenceRequest { hub_content_name: Some("by-hand".to_owned()), ..mine };
    world.call::<CreateHubContentReference>(&admin, mine).await.unwrap();
    assert_eq!(pass(&rules).await, 0);

    let set = world.call::<PutHubRules>(&admin, put("h", "licence in (mit, apache-2.0)")).await.unwrap();
    assert_eq!(set.status, HubRulesStatus::Applying);
    assert_eq!(names(&world, &admin, "h").await, [TREES, "by-hand"].map(str::to_owned));
    assert_eq!(pass(&rules).await, 1);
    assert_eq!(names(&world, &admin, "h").await, [FLOWERS, TREES, "by-hand"].map(str::to_owned));
    let found = world.call::<DescribeHubRules>(&admin, describing("h")).await.unwrap();
    assert_eq!((found.status, found.rules.as_str()), (HubRulesStatus::Applied, "licence in (mit, apache-2.0)"));
    assert_eq!(found.set_by, Some(admin.principal.arn.clone()));
    assert!(names(&world, &admin, "other").await.is_empty());
    assert_eq!(pass(&rules).await, 0, "nothing is left to do");

    // A version is shown once it was judged; one that the rules do not let in never is.
    import_as(&world, FLOWERS, "1.1.0", json!({})).await;
    import_as(&world, FLOWERS, "2.0.0", json!({"licence": "proprietary"})).await;
    import_as(&world, "acme-tabular-weeds", "1.0.0", json!({"licence": "proprietary"})).await;
    let shown = async |name: &str| versions(&world, "h", REFERENCE, name).await.unwrap();
    assert_eq!(shown(FLOWERS).await, ["1.0.0"]);
    assert_eq!(shown("by-hand").await, ["1.0.0", "1.1.0", "2.0.0"]);
    assert_eq!(pass(&rules).await, 1);
    assert_eq!(shown(FLOWERS).await, ["1.0.0", "1.1.0"]);

    let changes = log(&world, &admin, "h").await;
    assert_eq!(
        changes.iter().map(|one| (one.change_number, one.cause)).collect::<Vec<_>>(),
        [(2, HubRuleCause::Catalog), (1, HubRuleCause::Rules)]
    );
    assert_eq!(ruled(&changes[0].updated), [(FLOWERS, vec!["1.0.0", "1.1.0"])]);
    assert_eq!(changes[0].updated[0].reason, "1.1.0: licence in (mit, apache-2.0) (MIT)");
    assert_eq!(ruled(&changes[1].added), [(FLOWERS, vec!["1.0.0"])]);

    // Marks count from the next pass on.
    let set = world.call::<PutHubRules>(&admin, put("h", "licence is mit and not deprecated")).await.unwrap();
    assert_eq!(set.status, HubRulesStatus::Applying);
    assert_eq!(pass(&rules).await, 0, "the same models");
    import_as(&world, FLOWERS, "1.1.0", json!({"deprecated": "Use 1.0.0."})).await;
    assert_eq!(pass(&rules).await, 1);
    assert_eq!(shown(FLOWERS).await, ["1.0.0"]);
    import_as(&world, FLOWERS, "1.0.0", json!({"deprecated": "Use another."})).await;
    assert_eq!(pass(&rules).await, 1);
    assert_eq!(names(&world, &admin, "h").await, [TREES, "by-hand"].map(str::to_owned));
    let changes = log(&world, &admin, "h").await;
    assert_eq!(ruled(&changes[0].removed), [(FLOWERS, vec!["1.0.0"])]);
    assert_eq!(changes[0].removed[0].reason, "1.0.0: `not deprecated` does not hold (true)");
    assert_eq!(changes.len(), 5);
}

#[tokio::test]
async fn what_rules_made_is_theirs_and_goes_with_them() {
    let world = world().await;
    let admin = world.admin();
    let rules = reconciler(&world);
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", IRIS).await;
    world.call::<PutHubRules>(&admin, put("h", "framework in (sklearn, stoa) and not gated")).await.unwrap();
    assert_eq!(pass(&rules).await, 1);
    assert_eq!(names(&world, &admin, "h").await, [IRIS, TINY].map(str::to_owned));
    let delete = |name: &str| DeleteHubContentReferenceRequest {
        hub_name: "h".to_owned(),
        hub_content_type: REFERENCE,
        hub_content_name: name.to_owned(),
    };
    refused(
        world.call::<DeleteHubContentReference>(&admin, delete(TINY)).await,
        "ValidationException",
        &["made by the rules", "PutHubRules"],
    );
    let update = UpdateHubContentReferenceRequest {
        hub_name: "h".to_owned(),
        hub_content_type: REFERENCE,
        hub_content_name: TINY.to_owned(),
        min_version: Some("1.0.0".to_owned()),
    };
    refused(
        world.call::<UpdateHubContentReference>(&admin, update).await,
        "ValidationException",
        &["made by the rules"],
    );
    refused(
        world.call::<CreateHubContentReference>(&admin, reference("h", TINY)).await,
        "ResourceInUse",
        &["already exists"],
    );
    // A hand-made reference that is deleted makes way for the rules' own.
    world.call::<DeleteHubContentReference>(&admin, delete(IRIS)).await.unwrap();
    assert_eq!(names(&world, &admin, "h").await, [TINY.to_owned()]);
    assert_eq!(pass(&rules).await, 1);
    assert_eq!(names(&world, &admin, "h").await, [IRIS, TINY].map(str::to_owned));
    let last = &log(&world, &admin, "h").await[0];
    assert_eq!((last.cause, ruled(&last.added)[0].0), (HubRuleCause::Reference, IRIS), "why it came");
    let hub = DeleteHubRequest { hub_name: "h".to_owned() };
    refused(world.call::<DeleteHub>(&admin, hub.clone()).await, "ResourceInUse", &["2 contents", "PutHubRules"]);
    world.call::<PutHubRules>(&admin, put("h", " # none\n")).await.unwrap();
    assert_eq!(pass(&rules).await, 2);
    assert_eq!(log(&world, &admin, "h").await[0].removed[0].reason, "the hub has no rules any more");
    world.call::<DeleteHub>(&admin, hub).await.unwrap();
    world.hub(&admin, "h").await;
    let found = world.call::<DescribeHubRules>(&admin, describing("h")).await.unwrap();
    assert_eq!((found.status, found.rules.as_str(), found.set_by), (HubRulesStatus::None, "", None));
    assert!(log(&world, &admin, "h").await.is_empty(), "a new hub has nothing of the old one");
    assert_eq!(pass(&rules).await, 0);
}

#[tokio::test]
async fn a_preview_tells_and_changes_nothing() {
    let world = world().await;
    let admin = world.admin();
    let rules = reconciler(&world);
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", GATED).await;
    world.call::<PutHubRules>(&admin, put("h", "framework is stoa")).await.unwrap();
    pass(&rules).await;
    assert_eq!(names(&world, &admin, "h").await, [GATED, TINY].map(str::to_owned));
    let preview = async |text: Option<&str>| {
        let input = PreviewHubRulesRequest { hub_name: "h".to_owned(), rules: text.map(str::to_owned) };
        world.call::<PreviewHubRules>(&admin, input).await.unwrap()
    };
    let own = preview(None).await;
    assert_eq!((own.matched, own.unchanged, own.by_hand.as_slice()), (2, 1, &[GATED.to_owned()][..]));
    assert!(own.added.is_empty() && own.removed.is_empty() && own.updated.is_empty());
    let other = preview(Some("framework is sklearn")).await;
    assert_eq!((other.matched, other.unchanged, other.left_out), (1, 0, 0));
    assert_eq!(ruled(&other.added).iter().map(|one| one.0).collect::<Vec<_>>(), [IRIS]);
    assert!(other.added[0].reason.ends_with(": framework is sklearn (sklearn)"), "{}", other.added[0].reason);
    assert_eq!(ruled(&other.removed).iter().map(|one| one.0).collect::<Vec<_>>(), [TINY]);
    assert_eq!(names(&world, &admin, "h").await, [GATED, TINY].map(str::to_owned));
    assert_eq!(log(&world, &admin, "h").await.len(), 1);
    for bad in ["framework is", "licence = mit"] {
        let input = PreviewHubRulesRequest { hub_name: "h".to_owned(), rules: Some(bad.to_owned()) };
        let words = ["Rules: line 1, column "];
        refused(world.call::<PreviewHubRules>(&admin, input).await, "ValidationException", &words);
        refused(world.call::<PutHubRules>(&admin, put("h", bad)).await, "ValidationException", &words);
    }
    let nobody = world.call::<PutHubRules>(&admin, put("nobody", "gated")).await;
    refused(nobody, "ResourceNotFoundException", &["nobody"]);
    refused(world.call::<PutHubRules>(&admin, put(PUBLIC_HUB, "gated")).await, "ValidationException", &[PUBLIC_HUB]);
}

#[tokio::test]
async fn rules_are_a_right_on_the_hub_and_on_what_they_bring() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let hub = arn("hub/h");
    let public = public_arn("*");
    let only = world.user(ACCOUNT, "only", &[statement("Allow", "stoa:*", &[&hub])]);
    let words = ["sagemaker:CreateHubContentReference"];
    refused(world.call::<PutHubRules>(&only, put("h", "gated")).await, "AccessDeniedException", &words);
    world.call::<DescribeHubRules>(&only, describing("h")).await.unwrap();
    let policies = [statement("Allow", "stoa:*", &[&hub]), statement("Allow", words[0], &[&public])];
    let both = world.user(ACCOUNT, "both", &policies);
    world.call::<PutHubRules>(&both, put("h", "gated")).await.unwrap();
    let elsewhere = world.user(ACCOUNT, "elsewhere", &[statement("Allow", "*", &[&arn("hub/x"), &public])]);
    refused(world.call::<PutHubRules>(&elsewhere, put("h", "gated")).await, "AccessDeniedException", &["hub/h"]);
    refused(world.call::<DescribeHubRules>(&elsewhere, describing("h")).await, "AccessDeniedException", &["hub/h"]);
    // Another account's hub is none of one's business, whatever one's own policies say.
    let other = world.user("444455556666", "admin", &[allow_all()]);
    let theirs = world.call::<DescribeHubRules>(&other, describing(&hub)).await;
    assert!(theirs.is_err(), "{theirs:?}");
}

#[tokio::test]
async fn a_new_process_goes_on_where_the_old_one_stopped() {
    let world = world().await;
    let admin = world.admin();
    for hub in ["a", "b"] {
        world.hub(&admin, hub).await;
        world.call::<PutHubRules>(&admin, put(hub, "not gated")).await.unwrap();
    }
    let first = reconciler(&world);
    assert!(pass(&first).await > 0);
    let before = names(&world, &admin, "a").await;
    // The catalog changes while nobody reconciles; another process then sees all at its first pass.
    world.import(FLOWERS, "1.0.0").await;
    let second = reconciler(&world);
    assert_eq!(pass(&second).await, 2);
    assert_eq!(pass(&first).await, 0, "what is done is not done again");
    assert_eq!(names(&world, &admin, "a").await.len(), before.len() + 1);
    assert_eq!(names(&world, &admin, "a").await, names(&world, &admin, "b").await);
    assert_eq!(log(&world, &admin, "a").await.len(), 2);
    // A hub that is changed meanwhile is tried again, not skipped.
    let settings = HubSettings { withhold_deprecated: Some(true), ..HubSettings::default() };
    let input = PutHubSettingsRequest { hub_name: "a".to_owned(), settings };
    world.call::<PutHubSettings>(&admin, input).await.unwrap();
    world.import(TREES, "1.0.0").await;
    assert_eq!(pass(&second).await, 2);
}

#[tokio::test]
async fn pages_by_name_are_the_same_list_whatever_their_size_and_direction() {
    let world = empty_world();
    let admin = world.admin();
    world.hub(&admin, "h").await;
    for number in 0..13 {
        let id = format!("acme-tabular-m{number:02}");
        world.import(&id, "1.0.0").await;
        world.import(&id, "1.2.0").await;
        world.reference(&admin, "h", &id).await;
    }
    let all = async |hub: &str, kind, size: i64, order, part: Option<&str>, sort_by| {
        let mut found = Vec::new();
        let mut input = ListHubContentsRequest {
            max_results: Some(size),
            sort_order: order,
            name_contains: part.map(str::to_owned),
            sort_by,
            ..list(hub, kind)
        };
        loop {
            let page = world.call::<ListHubContents>(&admin, input.clone()).await.unwrap();
            assert!(page.hub_content_summaries.len() <= usize::try_from(size).unwrap());
            let row = |one: HubContentInfo| (one.hub_content_name, one.hub_content_version);
            found.extend(page.hub_content_summaries.into_iter().map(row));
            match page.next_token {
                Some(next) => input.next_token = Some(next),
                None => return found,
            }
        }
    };
    for (hub, kind) in [("h", REFERENCE), (PUBLIC_HUB, HubContentType::Model)] {
        let whole = all(hub, kind, 100, None, None, None).await;
        assert_eq!(whole.len(), 13);
        assert!(whole.is_sorted() && whole.iter().all(|one| one.1 == "1.2.0"));
        for size in [1, 2, 5, 12, 13, 14] {
            assert_eq!(all(hub, kind, size, Some(SortOrder::Ascending), None, None).await, whole);
            let mut down = all(hub, kind, size, Some(SortOrder::Descending), None, None).await;
            down.reverse();
            assert_eq!(down, whole);
            let some = all(hub, kind, size, None, Some("LAR-M1"), None).await;
            assert_eq!(some, whole[10..].to_vec());
            let mut by_time = all(hub, kind, size, None, None, Some(HubContentSortBy::CreationTime)).await;
            by_time.sort();
            assert_eq!(by_time, whole);
        }
    }
}

fn admission(licences: &[&str], formats: &[ArtifactFormat]) -> PutHubAdmissionPolicyRequest {
    let licences: Vec<String> = licences.iter().map(|licence| (*licence).to_owned()).collect();
    let policy = HubAdmissionPolicy {
        allowed_licences: Some(licences).filter(|licences| !licences.is_empty()),
        allowed_formats: Some(formats.to_vec()).filter(|formats| !formats.is_empty()),
        ..HubAdmissionPolicy::default()
    };
    PutHubAdmissionPolicyRequest { hub_name: "h".to_owned(), policy }
}

#[tokio::test]
async fn rules_bring_in_nothing_that_the_admission_policy_keeps_out() {
    let world = empty_world();
    let admin = world.admin();
    let rules = reconciler(&world);
    import_as(&world, FLOWERS, "1.0.0", json!({})).await;
    import_as(&world, TREES, "1.0.0", json!({"licence": "apache-2.0"})).await;
    world.hub(&admin, "h").await;
    let put_policy = async |input| world.call::<PutHubAdmissionPolicy>(&admin, input).await.unwrap();
    put_policy(admission(&["apache-2.0"], &[])).await;
    let text = "licence in (mit, apache-2.0)";
    let input = PreviewHubRulesRequest { hub_name: "h".to_owned(), rules: Some(text.to_owned()) };
    let preview = world.call::<PreviewHubRules>(&admin, input).await.unwrap();
    assert_eq!((preview.matched, preview.added_count, preview.refused_count), (2, 1, 1));
    assert_eq!(ruled(&preview.refused), [(FLOWERS, vec!["1.0.0"])]);
    let why = "1.0.0: refused by admission: the licence MIT is not allowed";
    assert_eq!(preview.refused[0].reason, why);
    world.call::<PutHubRules>(&admin, put("h", text)).await.unwrap();
    assert_eq!(pass(&rules).await, 1);
    assert_eq!(names(&world, &admin, "h").await, [TREES.to_owned()]);
    let found = world.call::<DescribeHubRules>(&admin, describing("h")).await.unwrap();
    assert_eq!((found.status, found.refused), (HubRulesStatus::Applied, 1));
    let entry = &log(&world, &admin, "h").await[0];
    assert_eq!((ruled(&entry.refused), entry.refused_count), (vec![(FLOWERS, vec!["1.0.0"])], 1));
    assert_eq!(entry.refused[0].reason, why);
    assert_eq!(pass(&rules).await, 0);
    assert_eq!(log(&world, &admin, "h").await.len(), 1, "the same is not told twice");
    // A version that is kept out is told when it comes, though nothing changes in the hub.
    import_as(&world, TREES, "1.1.0", json!({"licence": "MIT"})).await;
    assert_eq!(pass(&rules).await, 0);
    assert_eq!(versions(&world, "h", REFERENCE, TREES).await.unwrap(), ["1.0.0"]);
    let entry = &log(&world, &admin, "h").await[0];
    assert_eq!((entry.change_number, entry.cause, entry.refused_count), (2, HubRuleCause::Catalog, 2));
    // Another policy is another answer.
    put_policy(admission(&["MIT"], &[])).await;
    assert_eq!(pass(&rules).await, 2);
    assert_eq!(names(&world, &admin, "h").await, [FLOWERS, TREES].map(str::to_owned));
    assert_eq!(versions(&world, "h", REFERENCE, TREES).await.unwrap(), ["1.1.0"]);
    assert_eq!(log(&world, &admin, "h").await[0].cause, HubRuleCause::Admission);
    put_policy(admission(&["gpl-3.0"], &[])).await;
    assert_eq!(pass(&rules).await, 2);
    let entry = &log(&world, &admin, "h").await[0];
    assert_eq!(ruled(&entry.removed).iter().map(|one| one.0).collect::<Vec<_>>(), [FLOWERS, TREES]);
    assert_eq!(entry.removed[0].reason, "1.0.0: refused by admission: the licence MIT is not allowed");
    let after = world.call::<DescribeHubRules>(&admin, describing("h")).await.unwrap().last_modified_time;
    assert_eq!(after, found.last_modified_time, "nobody changed the rules");
}

#[tokio::test]
async fn files_are_looked_into_before_rules_show_what_they_are_of() {
    let world = empty_world();
    let admin = world.admin();
    let rules = reconciler(&world);
    // One is Text and JSON, and the other JSON alone.
    import_as(&world, FLOWERS, "1.0.0", json!({})).await;
    let folder = world.model_folder(TREES, "1.0.0");
    std::fs::write(folder.join("artifact/model.onnx"), "{}").unwrap();
    world.catalog.import_dir(&folder).await.unwrap();
    world.hub(&admin, "h").await;
    let input = admission(&[], &[ArtifactFormat::Json]);
    world.call::<PutHubAdmissionPolicy>(&admin, input).await.unwrap();
    world.call::<PutHubRules>(&admin, put("h", "licence is mit")).await.unwrap();
    let preview = async || {
        let input = PreviewHubRulesRequest { hub_name: "h".to_owned(), rules: None };
        let found = world.call::<PreviewHubRules>(&admin, input).await.unwrap();
        (found.added_count, found.refused_count, found.unscanned_count)
    };
    assert_eq!(preview().await, (0, 0, 2));
    let report = rules.pass().await.unwrap();
    assert_eq!((report.changed, report.failed, report.again_after), (0, 0, Some(std::time::Duration::ZERO)));
    assert!(names(&world, &admin, "h").await.is_empty());
    let status = async || world.call::<DescribeHubRules>(&admin, describing("h")).await.unwrap().status;
    assert_eq!(status().await, HubRulesStatus::Applying);
    assert_eq!(preview().await, (1, 1, 0));
    let report = rules.pass().await.unwrap();
    assert_eq!((report.changed, report.failed, report.again_after), (1, 0, None));
    assert_eq!((names(&world, &admin, "h").await, status().await), (vec![TREES.to_owned()], HubRulesStatus::Applied));
    let changes = log(&world, &admin, "h").await;
    assert_eq!((changes.len(), ruled(&changes[0].refused)), (1, vec![(FLOWERS, vec!["1.0.0"])]));
    assert!(changes[0].refused[0].reason.contains("model.onnx: the format Text is not allowed"));
    // What is shown stays while a stricter policy waits for files; what is not waits.
    world.call::<PutHubAdmissionPolicy>(&admin, admission(&[], &[])).await.unwrap();
    assert_eq!(pass(&rules).await, 1);
    import_as(&world, FLOWERS, "1.1.0", json!({})).await;
    std::fs::write(world.model_folder(TREES, "1.1.0").join("artifact/model.onnx"), "other weights").unwrap();
    world.catalog.import_dir(&folder.with_file_name("1.1.0")).await.unwrap();
    assert_eq!(pass(&rules).await, 2);
    let input = admission(&[], &[ArtifactFormat::Json, ArtifactFormat::Text]);
    world.call::<PutHubAdmissionPolicy>(&admin, input).await.unwrap();
    let report = rules.pass().await.unwrap();
    assert_eq!((report.changed, report.again_after), (0, Some(std::time::Duration::ZERO)));
    assert_eq!(versions(&world, "h", REFERENCE, TREES).await.unwrap(), ["1.0.0", "1.1.0"]);
    assert_eq!((pass(&rules).await, status().await), (0, HubRulesStatus::Applied));
}

#[tokio::test]
async fn bytes_that_cannot_be_judged_come_in_by_no_rule_and_hold_nobody_up() {
    let world = empty_world();
    let admin = world.admin();
    let rules = reconciler(&world);
    import_as(&world, FLOWERS, "1.0.0", json!({})).await;
    import_as(&world, TREES, "1.0.0", json!({})).await;
    // The one file that only TREES has is damaged on disk.
    let folder = world.model_folder(TREES, "1.1.0");
    std::fs::write(folder.join("artifact/model.onnx"), "to be damaged").unwrap();
    world.catalog.import_dir(&folder).await.unwrap();
    let digest = hex::encode(sha2::Sha256::digest("to be damaged"));
    let blob = find(world.folder.path(), &digest).expect("the blob");
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, "is now damaged").unwrap();
    world.hub(&admin, "h").await;
    let input = admission(&[], &[ArtifactFormat::Json, ArtifactFormat::Text]);
    world.call::<PutHubAdmissionPolicy>(&admin, input).await.unwrap();
    world.call::<PutHubRules>(&admin, put("h", "licence is mit")).await.unwrap();
    let report = rules.pass().await.unwrap();
    assert_eq!((report.failed, report.again_after), (1, Some(std::time::Duration::ZERO)));
    let report = rules.pass().await.unwrap();
    assert_eq!((report.changed, report.failed, report.again_after), (2, 0, None), "it is not read again and again");
    assert_eq!(names(&world, &admin, "h").await, [FLOWERS, TREES].map(str::to_owned));
    assert_eq!(versions(&world, "h", REFERENCE, TREES).await.unwrap(), ["1.0.0"]);
    let found = world.call::<DescribeHubRules>(&admin, describing("h")).await.unwrap();
    assert_eq!(found.status, HubRulesStatus::Applying, "something is still to be judged");
}

/// The file of a blob, wherever below a folder it is.
fn find(folder: &std::path::Path, digest: &str) -> Option<std::path::PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name()?.to_string_lossy().into_owned();
        let found = if entry.is_dir() { find(&entry, digest) } else { (name.contains(digest)).then_some(entry) };
        if found.is_some() {
            return found;
        }
    }
    None
}

#[tokio::test]
async fn a_hub_whose_deletion_died_is_left_alone_until_it_is_in_service_again() {
    let world = world().await;
    let admin = world.admin();
    let rules = reconciler(&world);
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", GATED).await;
    world.call::<PutHubRules>(&admin, put("h", "not gated and framework is stoa")).await.unwrap();
    let key = Key {
        kind: "sagemaker:hub",
        account: admin.principal.account.clone(),
        region: Some(admin.region.clone()),
        id: "h".to_owned(),
    };
    let document = world.store.get(&key).await.unwrap().unwrap();
    let marked = (*document).clone().with_status("Deleting");
    world.store.commit(Transaction::new().update(marked)).await.unwrap();
    for _ in 0..2 {
        let report = rules.pass().await.unwrap();
        assert_eq!((report.changed, report.failed, report.again_after), (0, 0, None), "there is no hurry");
    }
    // The hub has contents, so this takes the mark off.
    let hub = DeleteHubRequest { hub_name: "h".to_owned() };
    refused(world.call::<DeleteHub>(&admin, hub).await, "ResourceInUse", &["1 contents"]);
    assert_eq!(pass(&rules).await, 1);
    assert_eq!(names(&world, &admin, "h").await, [GATED, TINY].map(str::to_owned));
}

#[tokio::test]
async fn a_page_of_the_log_has_an_end() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let many: Vec<_> = (0..3000).map(|_| json!({"name": "m", "versions": ["1.0.0"], "reason": "r"})).collect();
    for number in 1..=3 {
        let body = json!({
            "number": number, "cause": "Catalog", "rules": "gated", "set_by": "somebody", "added": many,
            "removed": [], "updated": [], "left_out": 0,
        });
        let name = format!("{number:012}");
        let key = Key {
            kind: "sagemaker:hub-rules-log",
            account: admin.principal.account.clone(),
            region: Some(admin.region.clone()),
            id: format!("h/{name}"),
        };
        let document = Document::new(key, &name, admin.now, &body).unwrap().with_parent("h");
        world.store.commit(Transaction::new().create(document)).await.unwrap();
    }
    let (mut seen, mut next_token) = (Vec::new(), None);
    loop {
        let input = ListHubRuleChangesRequest { hub_name: "h".to_owned(), max_results: Some(100), next_token };
        let page = world.call::<ListHubRuleChanges>(&admin, input).await.unwrap();
        assert_eq!(page.changes.len(), 1, "two would be too large an answer");
        seen.extend(page.changes.iter().map(|change| change.change_number));
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!(seen, [3, 2, 1], "an entry of an older release is read as it is");
}
