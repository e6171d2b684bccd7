//! Rules of hubs: what they bring and take, what stays, the log, and that a pass can be cut off anywhere.

use std::sync::Arc;

use serde_json::json;
use stoa_kernel::Cx;
use stoa_models_sagemaker::operations::{
    CreateHubContentReference, DeleteHub, DeleteHubContentReference, ListHubContents, UpdateHubContentReference,
};
use stoa_models_sagemaker::types::{
    CreateHubContentReferenceRequest, DeleteHubContentReferenceRequest, DeleteHubRequest, HubContentInfo,
    HubContentSortBy, HubContentType, ListHubContentsRequest, SortOrder, UpdateHubContentReferenceRequest,
};
use stoa_models_stoa::operations::{
    DescribeHubRules, ListHubRuleChanges, PreviewHubRules, PutHubRules, PutHubSettings,
};
use stoa_models_stoa::types::{
    DescribeHubRulesRequest, HubRuleCause, HubRuleChange, HubRulesStatus, HubSettings, ListHubRuleChangesRequest,
    PreviewHubRulesRequest, PutHubRulesRequest, PutHubSettingsRequest, RuledContent,
};
use stoa_sagemaker_hub::HubRulesReconciler;
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
