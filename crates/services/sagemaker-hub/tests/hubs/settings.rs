//! Settings of hubs: what they say, whom they concern, and what they withhold.

use serde_json::json;
use stoa_models_sagemaker::operations::{
    CreateHubContentPresignedUrls, CreateHubContentReference, ListHubContentVersions, ListHubContents, ListHubs,
};
use stoa_models_sagemaker::types::{
    CreateHubContentPresignedUrlsRequest, CreateHubContentReferenceRequest, HubContentSupportStatus, HubContentType,
    ListHubsRequest,
};
use stoa_models_stoa::operations::{DescribeHubSettings, PutHubSettings};
use stoa_models_stoa::types::{DescribeHubSettingsRequest, HubSettings, PutHubSettingsRequest};

use crate::references::{describe, list, list_versions, versions};
use crate::support::*;

const REFERENCE: HubContentType = HubContentType::ModelReference;
const FLOWERS: &str = "acme-tabular-flowers";

fn put(hub: &str, settings: HubSettings) -> PutHubSettingsRequest {
    PutHubSettingsRequest { hub_name: hub.to_owned(), settings }
}

fn describing(hub: &str) -> DescribeHubSettingsRequest {
    DescribeHubSettingsRequest { hub_name: hub.to_owned() }
}

fn filtered() -> HubSettings {
    HubSettings { filter_lists: Some(true), ..HubSettings::default() }
}

#[tokio::test]
async fn settings_are_off_until_they_are_set_and_keep_what_is_not_named() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let off = HubSettings {
        filter_lists: Some(false),
        withhold_deprecated: Some(false),
        withhold_vulnerable: Some(false),
        revoke_urls: Some(false),
    };
    let found = world.call::<DescribeHubSettings>(&admin, describing("h")).await.unwrap();
    assert_eq!((found.hub_arn, found.settings), (arn("hub/h"), off.clone()));
    let answer = world.call::<PutHubSettings>(&admin, put("h", filtered())).await.unwrap();
    let on = HubSettings { filter_lists: Some(true), ..off.clone() };
    assert_eq!(answer.settings, on);
    let more = HubSettings { revoke_urls: Some(true), ..HubSettings::default() };
    world.call::<PutHubSettings>(&admin, put(&arn("hub/h"), more)).await.unwrap();
    let found = world.call::<DescribeHubSettings>(&admin, describing("h")).await.unwrap();
    assert_eq!(found.settings, HubSettings { revoke_urls: Some(true), ..on });
    let back = world.call::<PutHubSettings>(&admin, put("h", off.clone())).await.unwrap();
    assert_eq!(back.settings, off);
    refused(world.call::<PutHubSettings>(&admin, put("nobody", off.clone())).await, "ResourceNotFoundException", &[]);
    refused(world.call::<PutHubSettings>(&admin, put(PUBLIC_HUB, off.clone())).await, "ValidationException", &[]);
    let theirs = arn("hub/h").replace(ACCOUNT, "444455556666");
    let theirs = world.call::<DescribeHubSettings>(&admin, describing(&theirs)).await;
    assert!(theirs.is_err(), "another account's hub");
    let alice = world.user(ACCOUNT, "alice", &[statement("Allow", "sagemaker:*", &["*"])]);
    let answer = world.call::<PutHubSettings>(&alice, put("h", off)).await;
    refused(answer, "AccessDeniedException", &["stoa:PutHubSettings", &arn("hub/h")]);
}

#[tokio::test]
async fn lists_show_what_may_be_described_where_the_hub_says_so() {
    let world = world().await;
    let admin = world.admin();
    for hub in ["h", "other"] {
        world.hub(&admin, hub).await;
        for model in [IRIS, TINY, GATED] {
            world.reference(&admin, hub, model).await;
        }
    }
    let content = |hub: &str, model: &str| arn(&format!("hub-content/{hub}/ModelReference/{model}"));
    let alice = world.user(
        ACCOUNT,
        "alice",
        &[
            statement("Allow", "sagemaker:List*", &["*"]),
            statement("Allow", "sagemaker:DescribeHubContent", &[&arn("hub/h"), &content("h", TINY)]),
            statement("Allow", "sagemaker:DescribeHub", &[&arn("hub/h")]),
        ],
    );
    let names = async |hub: &str, max: Option<i64>| {
        let mut input = list(hub, REFERENCE);
        input.max_results = max;
        let answer = world.call::<ListHubContents>(&alice, input).await.unwrap();
        let names: Vec<_> = answer.hub_content_summaries.into_iter().map(|info| info.hub_content_name).collect();
        (names, answer.next_token.is_some())
    };
    assert_eq!(names("h", None).await.0.len(), 3, "off by default, as AWS");
    world.call::<PutHubSettings>(&admin, put("h", filtered())).await.unwrap();
    assert_eq!(names("h", None).await, (vec![TINY.to_owned()], false));
    assert_eq!(names("h", Some(1)).await, (vec![TINY.to_owned()], false), "no token that tells of more");
    assert_eq!(names("other", None).await.0.len(), 3, "another hub's business");
    let hidden = world.call::<ListHubContentVersions>(&alice, list_versions("h", REFERENCE, IRIS)).await;
    let (code, message) = refusal(hidden);
    let gone = world.call::<ListHubContentVersions>(&alice, list_versions("h", REFERENCE, "nothing")).await;
    assert_eq!((code, message.replace(IRIS, "nothing")), refusal(gone), "as if it were not there");
    world.call::<ListHubContentVersions>(&alice, list_versions("h", REFERENCE, TINY)).await.unwrap();
    // Who may describe everything sees everything.
    let all = world.call::<ListHubContents>(&admin, list("h", REFERENCE)).await.unwrap();
    assert_eq!(all.hub_content_summaries.len(), 3);
    // Hubs too.
    let hubs = async |world: &World| {
        let answer = world.call::<ListHubs>(&alice, ListHubsRequest::default()).await.unwrap();
        answer.hub_summaries.into_iter().map(|hub| hub.hub_name).collect::<Vec<_>>()
    };
    assert_eq!(hubs(&world).await, [PUBLIC_HUB, "h", "other"]);
    world.call::<PutHubSettings>(&admin, put("other", filtered())).await.unwrap();
    assert_eq!(hubs(&world).await, [PUBLIC_HUB, "h"]);
}

#[tokio::test]
async fn what_a_list_asked_itself_is_not_in_the_record() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", IRIS).await;
    world.call::<PutHubSettings>(&admin, put("h", filtered())).await.unwrap();
    let lister = world.admin();
    world.call::<ListHubContents>(&lister, list("h", REFERENCE)).await.unwrap();
    assert_eq!(lister.decisions().len(), 1, "the call's own decision");
}

#[tokio::test]
async fn marked_versions_are_shown_as_such_and_withheld_where_the_hub_says_so() {
    let world = world().await;
    let admin = world.admin();
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        world.import(FLOWERS, version).await;
    }
    for hub in ["h", "strict"] {
        world.hub(&admin, hub).await;
        world.reference(&admin, hub, FLOWERS).await;
    }
    let strict =
        HubSettings { withhold_deprecated: Some(true), withhold_vulnerable: Some(true), ..HubSettings::default() };
    world.call::<PutHubSettings>(&admin, put("strict", strict)).await.unwrap();
    world.clock.advance_millis(5000);
    let mark = async |version: &str, key: &str, value: serde_json::Value| {
        let folder = world.model_folder(FLOWERS, version);
        change(&folder, |manifest| manifest[key] = value);
        world.catalog.import_dir(&folder).await
    };
    let done = mark("1.2.0", "vulnerabilities", json!(["CVE-2026-0001"])).await.unwrap();
    assert_eq!((done.imported.len(), done.unchanged.len(), done.marked.len()), (0, 0, 1));
    mark("1.1.0", "deprecated", json!("Use 1.0.0.")).await.unwrap();
    // Nothing else of an imported version changes, marks or not.
    refused(mark("1.1.0", "description", json!("Another.")).await, "ValidationException", &["new version"]);
    for (version, support) in [
        ("1.0.0", HubContentSupportStatus::Supported),
        ("1.1.0", HubContentSupportStatus::Deprecated),
        ("1.2.0", HubContentSupportStatus::Restricted),
    ] {
        for (hub, kind) in [(PUBLIC_HUB, HubContentType::Model), ("h", REFERENCE)] {
            let described = describe(&world, hub, kind, FLOWERS, Some(version)).await.unwrap();
            assert_eq!(described.support_status, Some(support), "{hub} {version}");
            let modified = described.last_modified_time.unwrap();
            assert_eq!(modified > described.creation_time, version != "1.0.0", "{hub} {version}");
        }
    }
    assert_eq!(versions(&world, "h", REFERENCE, FLOWERS).await.unwrap(), ["1.0.0", "1.1.0", "1.2.0"]);
    assert_eq!(versions(&world, "strict", REFERENCE, FLOWERS).await.unwrap(), ["1.0.0"]);
    let latest = describe(&world, "strict", REFERENCE, FLOWERS, None).await.unwrap();
    assert_eq!(latest.hub_content_version, "1.0.0");
    refused(describe(&world, "strict", REFERENCE, FLOWERS, Some("1.2.0")).await, "ResourceNotFound", &["1.2.0"]);
    let presigned = CreateHubContentPresignedUrlsRequest {
        hub_name: "strict".to_owned(),
        hub_content_type: REFERENCE,
        hub_content_name: FLOWERS.to_owned(),
        hub_content_version: Some("1.1.0".to_owned()),
        access_config: None,
        max_results: None,
        next_token: None,
    };
    refused(world.call::<CreateHubContentPresignedUrls>(&admin, presigned).await, "ResourceNotFound", &["1.1.0"]);
    // What is said of a MinVersion is what is so: there is a later version, and it is withheld.
    let above = |hub: &str, least: &str| CreateHubContentReferenceRequest {
        hub_content_name: Some("above".to_owned()),
        min_version: Some(least.to_owned()),
        ..reference(hub, FLOWERS)
    };
    let made = world.call::<CreateHubContentReference>(&admin, above("strict", "1.1.0")).await;
    let words =
        ["MinVersion 1.1.0 is above 1.0.0, the latest version", "neither deprecated nor vulnerable", "withhold"];
    refused(made, "ValidationException", &words);
    let made = world.call::<CreateHubContentReference>(&admin, above("h", "1.3.0")).await;
    let words = ["MinVersion 1.3.0 is above the latest version of acme-tabular-flowers, which is 1.2.0"];
    refused(made, "ValidationException", &words);
    // A mark can be taken back, and the version is there again.
    mark("1.1.0", "deprecated", serde_json::Value::Null).await.unwrap();
    assert_eq!(versions(&world, "strict", REFERENCE, FLOWERS).await.unwrap(), ["1.0.0", "1.1.0"]);
    // With all of them withheld there is nothing to refer to, and what is there shows nothing.
    for version in ["1.0.0", "1.1.0"] {
        mark(version, "deprecated", json!("Use none.")).await.unwrap();
    }
    let listed = world.call::<ListHubContents>(&admin, list("strict", REFERENCE)).await.unwrap();
    assert!(listed.hub_content_summaries.is_empty());
    let mut again = reference("strict", FLOWERS);
    again.hub_content_name = Some("again".to_owned());
    refused(world.call::<CreateHubContentReference>(&admin, again).await, "ValidationException", &["withhold"]);
}
