//! Imported contents, and the public hub's.

use stoa_models_sagemaker::operations::{
    DeleteHub, DeleteHubContent, ImportHubContent, ListHubContentVersions, ListHubContents, UpdateHubContent,
};
use stoa_models_sagemaker::types::{
    DeleteHubContentRequest, DeleteHubRequest, HubContentSortBy, HubContentSupportStatus, HubContentType,
    ImportHubContentRequest, ListHubContentVersionsRequest, ListHubContentsRequest, SortOrder, Tag,
    UpdateHubContentRequest,
};

use serde_json::json;

use crate::references::{describe, list, list_versions, versions};
use crate::support::*;

const MODEL: HubContentType = HubContentType::Model;

pub fn import(name: &str, version: Option<&str>) -> ImportHubContentRequest {
    ImportHubContentRequest {
        hub_content_name: name.to_owned(),
        hub_content_version: version.map(str::to_owned),
        hub_content_type: MODEL,
        document_schema_version: "2.3.0".to_owned(),
        hub_name: "h".to_owned(),
        hub_content_display_name: None,
        hub_content_description: None,
        hub_content_markdown: None,
        hub_content_document: own_document("s3://own/model/").to_string(),
        support_status: None,
        hub_content_search_keywords: None,
        tags: None,
    }
}

pub fn delete(kind: HubContentType, name: &str, version: &str) -> DeleteHubContentRequest {
    DeleteHubContentRequest {
        hub_name: "h".to_owned(),
        hub_content_type: kind,
        hub_content_name: name.to_owned(),
        hub_content_version: version.to_owned(),
    }
}

pub fn update(kind: HubContentType, version: &str) -> UpdateHubContentRequest {
    UpdateHubContentRequest {
        hub_name: "h".to_owned(),
        hub_content_name: "own".to_owned(),
        hub_content_type: kind,
        hub_content_version: version.to_owned(),
        hub_content_display_name: None,
        hub_content_description: None,
        hub_content_markdown: None,
        hub_content_search_keywords: None,
        support_status: None,
    }
}

#[tokio::test]
async fn a_content_is_imported_changed_and_deleted() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let input = ImportHubContentRequest {
        hub_content_markdown: Some("# card".to_owned()),
        tags: Some(vec![Tag { key: "k".to_owned(), value: "v".to_owned() }]),
        ..import("own", None)
    };
    let made = world.call::<ImportHubContent>(&admin, input).await.unwrap();
    assert_eq!(made.hub_content_arn, arn("hub-content/h/Model/own/1.0.0"), "the first version");
    let tags = world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap();
    assert_eq!(tags.len(), 1);
    let made = world.call::<ImportHubContent>(&admin, import("own", None)).await.unwrap();
    assert_eq!(made.hub_content_arn, arn("hub-content/h/Model/own/1.0.1"), "one more");
    world.call::<ImportHubContent>(&admin, import("own", Some("1.0.10"))).await.unwrap();
    assert_eq!(versions(&world, "h", MODEL, "own").await.unwrap(), ["1.0.0", "1.0.1", "1.0.10"]);
    assert_eq!(
        world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap().len(),
        1,
        "a further version leaves them"
    );
    let again = world.call::<ImportHubContent>(&admin, import("own", Some("1.0.1"))).await;
    refused(again, "ResourceInUse", &["own", "1.0.1", "already exists"]);

    let one = describe(&world, "h", MODEL, "own", Some("1.0.0")).await.unwrap();
    assert_eq!(one.hub_content_document, import("own", None).hub_content_document, "as it was given");
    assert_eq!(one.hub_content_markdown.as_deref(), Some("# card"));
    assert_eq!(one.support_status, Some(HubContentSupportStatus::Supported));
    let change = UpdateHubContentRequest {
        hub_content_description: Some("better".to_owned()),
        hub_content_markdown: Some("# better".to_owned()),
        support_status: Some(HubContentSupportStatus::Deprecated),
        ..update(MODEL, "1.0.0")
    };
    world.call::<UpdateHubContent>(&admin, change).await.unwrap();
    let one = describe(&world, "h", MODEL, "own", Some("1.0.0")).await.unwrap();
    assert_eq!(one.hub_content_description.as_deref(), Some("better"));
    assert_eq!(one.hub_content_markdown.as_deref(), Some("# better"));
    assert_eq!(one.support_status, Some(HubContentSupportStatus::Deprecated));
    assert_eq!(
        describe(&world, "h", MODEL, "own", None).await.unwrap().hub_content_description,
        None,
        "one version only"
    );

    let delete_hub = || DeleteHubRequest { hub_name: "h".to_owned() };
    refused(world.call::<DeleteHub>(&admin, delete_hub()).await, "ResourceInUse", &["3 contents"]);
    for version in ["1.0.0", "1.0.1"] {
        world.call::<DeleteHubContent>(&admin, delete(MODEL, "own", version)).await.unwrap();
    }
    assert_eq!(world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap().len(), 1);
    world.call::<DeleteHubContent>(&admin, delete(MODEL, "own", "1.0.10")).await.unwrap();
    assert!(world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap().is_empty());
    let gone = world.call::<DeleteHubContent>(&admin, delete(MODEL, "own", "1.0.10")).await;
    refused(gone, "ResourceNotFound", &["own", "1.0.10"]);
    refused(world.call::<UpdateHubContent>(&admin, update(MODEL, "1.0.10")).await, "ResourceNotFound", &["own"]);
    world.call::<DeleteHub>(&admin, delete_hub()).await.unwrap();
}

#[tokio::test]
async fn documents_that_no_client_could_use_are_refused() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let with = |kind, document: &str| ImportHubContentRequest {
        hub_content_type: kind,
        hub_content_document: document.to_owned(),
        ..import("own", None)
    };
    for (kind, document, word) in [
        (MODEL, "{not json", "JSON"),
        (MODEL, "[]", "object"),
        (MODEL, "", "JSON"),
        (MODEL, r#"{"ModelTypes": ["open_weights"]}"#, "OPEN_WEIGHTS"),
        (HubContentType::Notebook, "{}", "NotebookLocation"),
        (HubContentType::ModelReference, "{}", "CreateHubContentReference"),
    ] {
        refused(world.call::<ImportHubContent>(&admin, with(kind, document)).await, "ValidationException", &[word]);
    }
    let good = own_document("s3://own/model/");
    for (key, word) in [
        ("DefaultInferenceInstanceType", "DefaultInferenceInstanceType"),
        ("SageMakerSdkPredictorSpecifications", "SageMakerSdkPredictorSpecifications.DefaultContentType"),
        ("HostingEcrUri", "HostingEcrUri"),
    ] {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(key);
        let answer = world.call::<ImportHubContent>(&admin, with(MODEL, &without.to_string())).await;
        refused(answer, "ValidationException", &[word, "missing"]);
    }
    for (edit, word) in [
        (json!({ "ModelTypes": ["PROPRIETARY"] }), "HostingModelPackageArn"),
        (json!({ "TrainingSupported": true }), "TrainingArtifactUri"),
    ] {
        let mut edited = good.clone();
        edited.as_object_mut().unwrap().extend(edit.as_object().unwrap().clone());
        let answer = world.call::<ImportHubContent>(&admin, with(MODEL, &edited.to_string())).await;
        refused(answer, "ValidationException", &[word]);
    }
    let longest = |length: usize| {
        let mut document = good.clone();
        document["k"] = json!("");
        let rest = length - document.to_string().len();
        document["k"] = json!("x".repeat(rest));
        document.to_string()
    };
    let too_long = world.call::<ImportHubContent>(&admin, with(MODEL, &longest(327_681))).await;
    refused(too_long, "ValidationException", &["327680"]);
    world.call::<ImportHubContent>(&admin, with(MODEL, &longest(327_680))).await.unwrap();
    for kind in [HubContentType::DataSet, HubContentType::JsonDoc] {
        world.call::<ImportHubContent>(&admin, with(kind, "{}")).await.unwrap();
    }
    let notebook = json!({ "NotebookLocation": "s3://b/n", "Dependencies": [{ "DependencyOriginPath": "s3://b/d", "DependencyCopyPath": "d", "DependencyType": "Other" }] });
    let notebook = with(HubContentType::Notebook, &notebook.to_string());
    world.call::<ImportHubContent>(&admin, notebook).await.unwrap();
    let described = describe(&world, "h", HubContentType::Notebook, "own", None).await.unwrap();
    let dependencies = described.hub_content_dependencies.unwrap();
    assert_eq!(dependencies.len(), 1);
    assert_eq!(dependencies[0].dependency_origin_path.as_deref(), Some("s3://b/d"));
    let schema = ImportHubContentRequest { document_schema_version: "2x3x0".to_owned(), ..import("own", None) };
    refused(world.call::<ImportHubContent>(&admin, schema).await, "ValidationException", &["DocumentSchemaVersion"]);
    let nowhere = ImportHubContentRequest { hub_name: "nobody".to_owned(), ..import("own", None) };
    refused(world.call::<ImportHubContent>(&admin, nowhere).await, "ResourceNotFound", &["nobody"]);
    let public = ImportHubContentRequest { hub_name: PUBLIC_HUB.to_owned(), ..import("own", None) };
    refused(world.call::<ImportHubContent>(&admin, public).await, "AccessDeniedException", &["catalog import"]);
    let references = HubContentType::ModelReference;
    refused(
        world.call::<UpdateHubContent>(&admin, update(references, "1.0.0")).await,
        "ValidationException",
        &["UpdateHubContentReference"],
    );
    let as_content = world.call::<DeleteHubContent>(&admin, delete(references, "own", "1.0.0")).await;
    refused(as_content, "ValidationException", &["DeleteHubContentReference"]);
}

#[tokio::test]
async fn the_latest_version_has_no_room_after_it() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.call::<ImportHubContent>(&admin, import("own", Some("1.0.9999"))).await.unwrap();
    let next = world.call::<ImportHubContent>(&admin, import("own", None)).await;
    refused(next, "ValidationException", &["1.0.9999", "HubContentVersion"]);
}

#[tokio::test]
async fn contents_are_filtered_by_schema_time_and_name() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let old = ImportHubContentRequest { document_schema_version: "1.0.0".to_owned(), ..import("b", Some("1.0.0")) };
    world.call::<ImportHubContent>(&admin, old).await.unwrap();
    world.clock.advance_millis(10);
    let later = world.admin();
    world.call::<ImportHubContent>(&later, import("b", Some("2.0.0"))).await.unwrap();
    world.call::<ImportHubContent>(&later, import("a", None)).await.unwrap();
    let names = async |input: ListHubContentsRequest| {
        let listed = world.call::<ListHubContents>(&later, input).await.unwrap();
        listed
            .hub_content_summaries
            .into_iter()
            .map(|one| format!("{}@{}", one.hub_content_name, one.hub_content_version))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(list("h", MODEL)).await, ["a@1.0.0", "b@2.0.0"], "one entry each, of the latest version");
    let schema = ListHubContentsRequest { max_schema_version: Some("2.0.0".to_owned()), ..list("h", MODEL) };
    assert_eq!(names(schema).await, ["b@1.0.0"], "the latest that the caller can read");
    let after = ListHubContentsRequest { creation_time_after: Some(admin.now), ..list("h", MODEL) };
    assert_eq!(names(after).await, ["a@1.0.0", "b@2.0.0"]);
    let before = ListHubContentsRequest { creation_time_before: Some(later.now), ..list("h", MODEL) };
    assert_eq!(names(before).await, Vec::<String>::new());
    let sorted = ListHubContentsRequest {
        sort_by: Some(HubContentSortBy::HubContentName),
        sort_order: Some(SortOrder::Descending),
        ..list("h", MODEL)
    };
    assert_eq!(names(sorted).await, ["b@2.0.0", "a@1.0.0"]);
    let numbers = async |input: ListHubContentVersionsRequest| {
        let listed = world.call::<ListHubContentVersions>(&later, input).await.unwrap();
        listed.hub_content_summaries.into_iter().map(|one| one.hub_content_version).collect::<Vec<_>>()
    };
    let all = || list_versions("h", MODEL, "b");
    assert_eq!(
        numbers(ListHubContentVersionsRequest { min_version: Some("1.5.0".to_owned()), ..all() }).await,
        ["2.0.0"]
    );
    let schema = ListHubContentVersionsRequest { max_schema_version: Some("1.0.0".to_owned()), ..all() };
    assert_eq!(numbers(schema).await, ["1.0.0"]);
    let newest = ListHubContentVersionsRequest {
        sort_by: Some(HubContentSortBy::CreationTime),
        sort_order: Some(SortOrder::Descending),
        ..all()
    };
    assert_eq!(numbers(newest).await, ["2.0.0", "1.0.0"]);
    let first = ListHubContentVersionsRequest { max_results: Some(1), ..all() };
    let page = world.call::<ListHubContentVersions>(&later, first).await.unwrap();
    let rest = ListHubContentVersionsRequest { max_results: Some(1), next_token: page.next_token, ..all() };
    let page = world.call::<ListHubContentVersions>(&later, rest).await.unwrap();
    assert_eq!((page.hub_content_summaries[0].hub_content_version.as_str(), page.next_token), ("2.0.0", None));
}

#[tokio::test]
async fn the_public_hub_lists_its_models_with_keywords() {
    let world = world().await;
    let input = ListHubContentsRequest { max_results: Some(100), ..list(PUBLIC_HUB, MODEL) };
    let listed = world.call::<ListHubContents>(&world.admin(), input).await.unwrap();
    let iris = listed.hub_content_summaries.iter().find(|one| one.hub_content_name == IRIS).unwrap();
    assert_eq!(iris.hub_content_version, "1.1.0");
    assert_eq!(iris.hub_content_arn, format!("{}/1.1.0", public_arn(IRIS)));
    let keywords = iris.hub_content_search_keywords.as_ref().unwrap();
    for keyword in ["@task:tabular-classification", "@framework:sklearn"] {
        assert!(keywords.iter().any(|one| one == keyword), "{keywords:?}");
    }
    for kind in [HubContentType::ModelReference, HubContentType::Notebook] {
        let none = world.call::<ListHubContents>(&world.admin(), list(PUBLIC_HUB, kind)).await.unwrap();
        assert_eq!((none.hub_content_summaries.len(), none.next_token), (0, None));
    }
    assert_eq!(versions(&world, PUBLIC_HUB, MODEL, IRIS).await.unwrap(), ["1.0.0", "1.1.0"]);
    // The same in every region, under that region's names.
    let elsewhere = world.cx((*world.admin().principal).clone(), "eu-central-1");
    let input = ListHubContentsRequest { max_results: Some(100), ..list(PUBLIC_HUB, MODEL) };
    let there = world.call::<ListHubContents>(&elsewhere, input).await.unwrap();
    assert_eq!(there.hub_content_summaries.len(), listed.hub_content_summaries.len());
    assert!(there.hub_content_summaries[0].hub_content_arn.starts_with("arn:aws:sagemaker:eu-central-1:aws:"));
}

#[tokio::test]
async fn an_account_takes_everything_with_it() {
    use stoa_kernel::ports::DeleteAccountData;
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", IRIS).await;
    let tagged = ImportHubContentRequest {
        tags: Some(vec![Tag { key: "k".to_owned(), value: "v".to_owned() }]),
        ..import("own", None)
    };
    world.call::<ImportHubContent>(&admin, tagged).await.unwrap();
    let other = world.user("444455556666", "other", &[allow_all()]);
    world.hub(&other, "h").await;
    for _ in 0..2 {
        world.hubs.delete_account_data(&admin.principal.account).await.unwrap();
    }
    refused(world.call::<ListHubContents>(&admin, list("h", MODEL)).await, "ResourceNotFound", &["h"]);
    assert!(world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap().is_empty());
    // Made again, it is empty.
    world.hub(&admin, "h").await;
    for kind in [MODEL, HubContentType::ModelReference] {
        assert!(world.call::<ListHubContents>(&admin, list("h", kind)).await.unwrap().hub_content_summaries.is_empty());
    }
    assert!(world.call::<ListHubContents>(&other, list("h", MODEL)).await.is_ok());
}
