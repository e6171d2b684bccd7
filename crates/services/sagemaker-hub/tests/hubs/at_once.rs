//! Two calls at once: whichever commits first, what is left is what one of the two orders would leave.

use serde_json::json;
use stoa_models_sagemaker::operations::{
    CreateHubContentReference, DeleteHub, DeleteHubContent, DescribeHub, ImportHubContent, UpdateHubContentReference,
};
use stoa_models_sagemaker::types::{
    DeleteHubRequest, DescribeHubRequest, HubContentType, HubStatus, ImportHubContentRequest, Tag,
    UpdateHubContentReferenceRequest,
};
use stoa_models_stoa::operations::{DescribeModelProvenance, PutHubAdmissionPolicy, PutHubSettings};
use stoa_models_stoa::types::{
    DescribeModelProvenanceRequest, HubAdmissionPolicy, HubSettings, PutHubAdmissionPolicyRequest,
    PutHubSettingsRequest,
};
use stoa_store::{Key, Transaction};

use crate::contents::{delete, import};
use crate::meddled::meddled_world;
use crate::references::{describe, versions};
use crate::support::*;

const MODEL: HubContentType = HubContentType::Model;
const DOCUMENT: HubContentType = HubContentType::JsonDoc;
const FLOWERS: &str = "acme-tabular-flowers";

fn tagged(version: &str) -> ImportHubContentRequest {
    let tags = Some(vec![Tag { key: "k".to_owned(), value: "v".to_owned() }]);
    ImportHubContentRequest { tags, ..import("own", Some(version)) }
}

#[tokio::test]
async fn the_last_of_two_deletions_at_once_takes_the_tags_along() {
    let (world, store) = meddled_world();
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.call::<ImportHubContent>(&admin, tagged("1.0.0")).await.unwrap();
    world.call::<ImportHubContent>(&admin, import("own", Some("1.1.0"))).await.unwrap();
    let other = world.clone();
    store.before(|| async move {
        other.call::<DeleteHubContent>(&other.admin(), delete(MODEL, "own", "1.1.0")).await.unwrap();
    });
    world.call::<DeleteHubContent>(&admin, delete(MODEL, "own", "1.0.0")).await.unwrap();
    assert!(store.is_done());
    refused(versions(&world, "h", MODEL, "own").await, "ResourceNotFound", &["own"]);
    assert!(world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap().is_empty());
    world.call::<ImportHubContent>(&admin, import("own", None)).await.unwrap();
    assert!(world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap().is_empty(), "a new content inherits none");
}

#[tokio::test]
async fn a_version_imported_while_the_last_one_goes_keeps_the_tags() {
    let (world, store) = meddled_world();
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.call::<ImportHubContent>(&admin, tagged("1.0.0")).await.unwrap();
    let other = world.clone();
    store.before(|| async move {
        other.call::<ImportHubContent>(&other.admin(), import("own", Some("1.1.0"))).await.unwrap();
    });
    world.call::<DeleteHubContent>(&admin, delete(MODEL, "own", "1.0.0")).await.unwrap();
    assert!(store.is_done());
    assert_eq!(versions(&world, "h", MODEL, "own").await.unwrap(), ["1.1.0"]);
    assert_eq!(world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap().len(), 1);
    // The other way round: the deletion comes first, and the import is one of a new content.
    let other = world.clone();
    store.before(|| async move {
        other.call::<DeleteHubContent>(&other.admin(), delete(MODEL, "own", "1.1.0")).await.unwrap();
    });
    let made = world.call::<ImportHubContent>(&admin, import("own", None)).await.unwrap();
    assert!(store.is_done());
    assert_eq!(made.hub_content_arn, arn("hub-content/h/Model/own/1.0.0"));
    assert!(world.store.tags(&arn("hub-content/h/Model/own")).await.unwrap().is_empty());
}

#[tokio::test]
async fn imports_of_one_content_at_once_get_a_version_each() {
    let (world, store) = meddled_world();
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let other = world.clone();
    store.before(|| async move {
        other.call::<ImportHubContent>(&other.admin(), import("own", None)).await.unwrap();
    });
    let made = world.call::<ImportHubContent>(&admin, import("own", None)).await.unwrap();
    assert_eq!(made.hub_content_arn, arn("hub-content/h/Model/own/1.0.1"));
    let other = world.clone();
    store.before(|| async move {
        other.call::<ImportHubContent>(&other.admin(), import("own", Some("2.0.0"))).await.unwrap();
    });
    let taken = world.call::<ImportHubContent>(&admin, import("own", Some("2.0.0"))).await;
    refused(taken, "ResourceInUse", &["2.0.0", "already exists"]);
    assert_eq!(versions(&world, "h", MODEL, "own").await.unwrap(), ["1.0.0", "1.0.1", "2.0.0"]);
}

fn policy(policy: HubAdmissionPolicy) -> PutHubAdmissionPolicyRequest {
    PutHubAdmissionPolicyRequest { hub_name: "h".to_owned(), policy }
}

#[tokio::test]
async fn an_import_is_held_to_the_policy_that_is_there_when_it_commits() {
    let (world, store) = meddled_world();
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let other = world.clone();
    store.before(|| async move {
        let signed = HubAdmissionPolicy { signing_key_id: Some("alias/models".to_owned()), ..Default::default() };
        other.call::<PutHubAdmissionPolicy>(&other.admin(), policy(signed)).await.unwrap();
    });
    let input = ImportHubContentRequest {
        hub_content_type: DOCUMENT,
        hub_content_document: "{}".to_owned(),
        ..import("own", None)
    };
    world.call::<ImportHubContent>(&admin, input).await.unwrap();
    assert!(store.is_done());
    let found = describe(&world, "h", DOCUMENT, "own", None).await.unwrap();
    assert_eq!(found.hub_content_status.as_str(), "Importing", "it is to be judged");
    let input = DescribeModelProvenanceRequest {
        hub_name: "h".to_owned(),
        hub_content_type: stoa_models_stoa::types::ProvenanceContentType::JsonDoc,
        hub_content_name: "own".to_owned(),
        hub_content_version: None,
    };
    let found = world.call::<DescribeModelProvenance>(&admin, input).await.unwrap();
    assert_eq!(found.signature_valid, Some(true));
    assert_eq!(found.signing_key_arn, Some(format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/models")));
}

#[tokio::test]
async fn a_reference_is_held_to_the_policy_and_the_settings_that_are_there_when_it_commits() {
    let (world, store) = meddled_world();
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.import(FLOWERS, "1.0.0").await;
    let folder = world.model_folder(FLOWERS, "1.0.0");
    change(&folder, |manifest| {
        manifest.as_object_mut().unwrap().insert("deprecated".to_owned(), json!("Use another."));
    });
    world.catalog.import_dir(&folder).await.unwrap();
    let licences =
        || HubAdmissionPolicy { allowed_licences: Some(vec!["apache-2.0".to_owned()]), ..Default::default() };
    let other = world.clone();
    store.before(move || async move {
        other.call::<PutHubAdmissionPolicy>(&other.admin(), policy(licences())).await.unwrap();
    });
    let made = world.call::<CreateHubContentReference>(&admin, reference("h", FLOWERS)).await;
    assert!(store.is_done());
    refused(made, "ValidationException", &["admission policy", "MIT"]);
    world.call::<PutHubAdmissionPolicy>(&admin, policy(HubAdmissionPolicy::default())).await.unwrap();
    let withhold = |on| PutHubSettingsRequest {
        hub_name: "h".to_owned(),
        settings: HubSettings { withhold_deprecated: Some(on), ..HubSettings::default() },
    };
    let other = world.clone();
    store.before(move || async move {
        other.call::<PutHubSettings>(&other.admin(), withhold(true)).await.unwrap();
    });
    let made = world.call::<CreateHubContentReference>(&admin, reference("h", FLOWERS)).await;
    assert!(store.is_done());
    refused(made, "ValidationException", &["deprecated or vulnerable"]);
    world.call::<PutHubSettings>(&admin, withhold(false)).await.unwrap();
    // A reference that somebody else made is not made again.
    let other = world.clone();
    store.before(move || async move { other.reference(&other.admin(), "h", FLOWERS).await });
    let made = world.call::<CreateHubContentReference>(&admin, reference("h", FLOWERS)).await;
    refused(made, "ResourceInUse", &["already exists"]);
    // An update, too.
    let update = |least: &str| UpdateHubContentReferenceRequest {
        hub_name: "h".to_owned(),
        hub_content_name: FLOWERS.to_owned(),
        hub_content_type: HubContentType::ModelReference,
        min_version: Some(least.to_owned()),
    };
    world.import(FLOWERS, "2.0.0").await;
    world.call::<UpdateHubContentReference>(&admin, update("2.0.0")).await.unwrap();
    let other = world.clone();
    store.before(move || async move {
        other.call::<PutHubAdmissionPolicy>(&other.admin(), policy(licences())).await.unwrap();
    });
    let lower = world.call::<UpdateHubContentReference>(&admin, update("1.0.0")).await;
    assert!(store.is_done());
    refused(lower, "ValidationException", &["admission policy", "1.0.0", "MIT"]);
}

#[tokio::test]
async fn a_hub_whose_mark_another_deletion_took_off_is_not_deleted() {
    let (world, store) = meddled_world();
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let key = Key {
        kind: "sagemaker:hub",
        account: admin.principal.account.clone(),
        region: Some(admin.region.clone()),
        id: "h".to_owned(),
    };
    let other = world.clone();
    store.after(|| async move {
        let marked = other.store.get(&key).await.unwrap().unwrap();
        assert_eq!(marked.status, "Deleting");
        let back = (*marked).clone().with_status("InService");
        other.store.commit(Transaction::new().update(back)).await.unwrap();
    });
    let input = DeleteHubRequest { hub_name: "h".to_owned() };
    refused(world.call::<DeleteHub>(&admin, input.clone()).await, "ResourceInUse", &["try again"]);
    assert!(store.is_done());
    let found = world.call::<DescribeHub>(&admin, DescribeHubRequest { hub_name: "h".to_owned() }).await.unwrap();
    assert_eq!(found.hub_status, HubStatus::InService);
    world.call::<DeleteHub>(&admin, input).await.unwrap();
}
