//! What a hub gives out is what it was when it was asked for: URLs of imported content, files of repositories, licences.

use stoa_kernel::ports::{HubContentName, HubRepositories, LicenceText, Licences, ObjectSource};
use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::operations::{CreateHubContentPresignedUrls, CreateHubContentReference, DeleteHubContent};
use stoa_models_sagemaker::types::{
    CreateHubContentPresignedUrlsRequest, CreateHubContentReferenceRequest, DeleteHubContentRequest, HubContentType,
    PresignedUrlAccessConfig,
};
use stoa_models_stoa::operations::PutHubSettings;
use stoa_models_stoa::types::{EulaDecisionKind, HubSettings, PutEulaDecisionRequest, PutHubSettingsRequest};

use crate::own::{OwnBuckets, download, import, own_world};
use crate::presigned::request;
use crate::support::*;

const MODEL: HubContentType = HubContentType::Model;
const KEY: &str = "m/model.onnx";

/// The digests of two blobs that are there.
async fn blobs(world: &World) -> [String; 2] {
    let bucket = format!("jumpstart-cache-prod-{REGION}");
    let place = format!("{IRIS}/artifacts/inference-prepack/v1.1.0/");
    let found = world.hubs.objects(&bucket, &place, None, 10).await.unwrap();
    [found[0].digest.clone(), found[1].digest.clone()]
}

async fn url(world: &World, cx: &Cx, name: &str) -> String {
    let page = world.call::<CreateHubContentPresignedUrls>(cx, request("h", MODEL, name)).await.unwrap();
    page.authorized_url_configs[0].url.clone().unwrap()
}

async fn read(world: &World, url: &str) -> Result<(), ApiError> {
    world.hubs.check_read(&download(world, url), "own", KEY).await
}

async fn revoke_urls(world: &World, on: bool) {
    let settings = HubSettings { revoke_urls: Some(on), ..HubSettings::default() };
    let input = PutHubSettingsRequest { hub_name: "h".to_owned(), settings };
    world.call::<PutHubSettings>(&world.admin(), input).await.unwrap();
}

async fn delete(world: &World, name: &str) {
    let input = DeleteHubContentRequest {
        hub_name: "h".to_owned(),
        hub_content_type: MODEL,
        hub_content_name: name.to_owned(),
        hub_content_version: "1.0.0".to_owned(),
    };
    world.call::<DeleteHubContent>(&world.admin(), input).await.unwrap();
}

/// With a content `own` of one file.
async fn own() -> (World, std::sync::Arc<OwnBuckets>, [String; 2]) {
    let (world, buckets) = own_world().await;
    let digests = blobs(&world).await;
    buckets.put_blob("own", KEY, &digests[0]);
    import(&world, "own", "s3://own/m/").await;
    (world, buckets, digests)
}

#[tokio::test]
async fn a_url_of_imported_content_opens_the_bytes_that_it_was_made_for() {
    let (world, buckets, [first, second]) = own().await;
    let user = || world.user(ACCOUNT, "u", &[allow_all()]);
    let made = url(&world, &user(), "own").await;
    read(&world, &made).await.unwrap();
    buckets.put_blob("own", KEY, &second);
    refused(read(&world, &made).await, "AccessDenied", &["revoked", "written over"]);
    buckets.put_blob("own", KEY, &first);
    read(&world, &made).await.unwrap();
    // Bytes that were tampered with under the same name.
    buckets.put_blob("own", KEY, &"0".repeat(64));
    let other = url(&world, &user(), "own").await;
    refused(read(&world, &other).await, "AccessDenied", &["bytes have changed"]);
    buckets.put_blob("own", KEY, &first);
    // As AWS: neither the right nor the content counts once the URL is made.
    world.user(ACCOUNT, "u", &[]);
    read(&world, &made).await.unwrap();
    delete(&world, "own").await;
    read(&world, &made).await.unwrap();
    // Without a grant the service opens no bucket of anybody's.
    refused(read(&world, "x").await, "AccessDenied", &["no grant"]);
    refused(read(&world, "x&grant=0123").await, "AccessDenied", &["revoked"]);
    world.clock.advance_millis(900_000);
    refused(read(&world, &made).await, "AccessDenied", &["expired"]);
}

#[tokio::test]
async fn with_the_setting_the_rights_on_the_object_count_too() {
    let (world, _, _) = own().await;
    let user = || world.user(ACCOUNT, "u", &[allow_all()]);
    let made = url(&world, &user(), "own").await;
    let hub_only = statement("Allow", "*", &["arn:aws:sagemaker:*:*:*"]);
    world.user(ACCOUNT, "u", std::slice::from_ref(&hub_only));
    read(&world, &made).await.unwrap();
    // Also for URLs that were made before it was turned on.
    revoke_urls(&world, true).await;
    refused(read(&world, &made).await, "AccessDenied", &["revoked", "s3:GetObject", KEY]);
    user();
    read(&world, &made).await.unwrap();
    delete(&world, "own").await;
    refused(read(&world, &made).await, "AccessDenied", &["revoked", "does not exist"]);
}

fn decide(model: &str, decision: EulaDecisionKind) -> PutEulaDecisionRequest {
    PutEulaDecisionRequest { model_name: model.to_owned(), decision, eula_digest: None }
}

async fn decided(world: &World, model: &str, decision: EulaDecisionKind) -> Result<(), ApiError> {
    let admin = world.admin();
    let input = decide(model, decision);
    let made = world.hubs.put_eula_decision(&admin.principal.account, "admin", admin.now, &input).await;
    made.map(|_| ())
}

#[tokio::test]
async fn a_licence_that_was_forbidden_ends_urls_where_the_hub_says_so() {
    let (world, _) = own_world().await;
    let admin = world.admin();
    world.reference(&admin, "h", GATED).await;
    let asked = CreateHubContentPresignedUrlsRequest {
        access_config: Some(PresignedUrlAccessConfig { accept_eula: Some(true), expected_s3_url: None }),
        ..request("h", HubContentType::ModelReference, GATED)
    };
    revoke_urls(&world, true).await;
    let page = world.call::<CreateHubContentPresignedUrls>(&admin, asked).await.unwrap();
    let made = page.authorized_url_configs[0].url.clone().unwrap();
    let bucket = format!("jumpstart-private-cache-prod-{REGION}");
    let key = made.split(&format!("/{bucket}/")).nth(1).unwrap().split('?').next().unwrap().to_owned();
    let read = async || world.hubs.check_read(&download(&world, &made), &bucket, &key).await;
    read().await.unwrap();
    decided(&world, GATED, EulaDecisionKind::Forbidden).await.unwrap();
    refused(read().await, "AccessDenied", &["revoked", "forbade"]);
    decided(&world, GATED, EulaDecisionKind::Undecided).await.unwrap();
    read().await.unwrap();
}

#[tokio::test]
async fn decisions_are_about_gated_models_that_are_there() {
    let world = world().await;
    for decision in [EulaDecisionKind::Accepted, EulaDecisionKind::Forbidden, EulaDecisionKind::Undecided] {
        refused(decided(&world, "nobody", decision).await, "ResourceNotFoundException", &["nobody"]);
        refused(decided(&world, IRIS, decision).await, "ValidationException", &["not gated"]);
        decided(&world, GATED, decision).await.unwrap();
    }
}

#[tokio::test]
async fn a_repository_gives_out_the_files_that_it_listed() {
    let (world, buckets, [_, second]) = own().await;
    let hub = arn("hub/h");
    let content =
        HubContentName { kind: "Model".to_owned(), name: "own".to_owned(), arn: arn("hub-content/h/Model/own") };
    let admin = world.admin();
    let listed = world.hubs.revision(&admin, &hub, &content, "main").await.unwrap().unwrap();
    let file = &listed.files[0];
    let check = async |cx: &Cx| world.hubs.check_file(cx, &hub, &content, "1.0.0", file).await;
    check(&admin).await.unwrap();
    let hub_only = world.user(ACCOUNT, "u", &[statement("Allow", "*", &["arn:aws:sagemaker:*:*:*"])]);
    refused(check(&hub_only).await, "AccessDeniedException", &["s3:GetObject", KEY]);
    buckets.put_blob("own", KEY, &second);
    refused(check(&admin).await, "ValidationException", &["not what it was"]);
    // The commit follows from the files: what is there now is another revision.
    let again = world.hubs.revision(&admin, &hub, &content, "main").await.unwrap().unwrap();
    assert_ne!(again.commit, listed.commit);
    world.hubs.check_file(&admin, &hub, &content, "1.0.0", &again.files[0]).await.unwrap();
    delete(&world, "own").await;
    refused(check(&admin).await, "ResourceNotFound", &["own 1.0.0"]);
}

#[tokio::test]
async fn a_licence_is_found_by_what_the_caller_calls_the_model() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let alias =
        CreateHubContentReferenceRequest { hub_content_name: Some("theirs".to_owned()), ..reference("h", GATED) };
    world.call::<CreateHubContentReference>(&admin, alias).await.unwrap();
    let hub = arn("hub/h");
    let found = world.hubs.licence(&admin, &hub, "theirs").await.unwrap();
    assert_eq!((found.model.as_str(), found.digest.len()), (GATED, 64));
    let public = format!("arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}");
    assert_eq!(world.hubs.licence(&admin, &public, GATED).await.unwrap(), found);
    let content = world.hubs.repository(&hub, "theirs").await.unwrap().unwrap();
    let revision = world.hubs.revision(&admin, &hub, &content, "main").await.unwrap().unwrap();
    assert_eq!(revision.licence, Some(LicenceText { ..found }));
    refused(world.hubs.licence(&admin, &hub, GATED).await, "ValidationException", &["no model called", GATED]);
    refused(world.hubs.licence(&admin, &public, IRIS).await, "ValidationException", &["not gated"]);
    // Who may not describe it is told nothing, be it there or not.
    let blind = world.user(ACCOUNT, "blind", &[]);
    for name in ["theirs", "nothing"] {
        refused(world.hubs.licence(&blind, &hub, name).await, "AccessDeniedException", &["DescribeHubContent"]);
    }
}
