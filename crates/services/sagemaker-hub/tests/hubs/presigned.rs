//! CreateHubContentPresignedUrls.

use stoa_kernel::ApiError;
use stoa_models_sagemaker::operations::{CreateHubContentPresignedUrls, ImportHubContent};
use stoa_models_sagemaker::types::{
    CreateHubContentPresignedUrlsRequest, CreateHubContentPresignedUrlsResponse, HubContentType,
    ImportHubContentRequest, PresignedUrlAccessConfig,
};

use crate::support::*;

fn request(hub: &str, kind: HubContentType, name: &str) -> CreateHubContentPresignedUrlsRequest {
    CreateHubContentPresignedUrlsRequest {
        hub_name: hub.to_owned(),
        hub_content_type: kind,
        hub_content_name: name.to_owned(),
        hub_content_version: None,
        access_config: None,
        max_results: None,
        next_token: None,
    }
}

fn access(accept_eula: Option<bool>, expected: Option<String>) -> Option<PresignedUrlAccessConfig> {
    Some(PresignedUrlAccessConfig { accept_eula, expected_s3_url: expected })
}

async fn call(
    world: &World,
    input: CreateHubContentPresignedUrlsRequest,
) -> Result<CreateHubContentPresignedUrlsResponse, ApiError> {
    world.call::<CreateHubContentPresignedUrls>(&world.admin(), input).await
}

const REFERENCE: HubContentType = HubContentType::ModelReference;

#[tokio::test]
async fn a_url_for_each_file_page_by_page() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.import("acme-tabular-flowers", "1.0.0").await;
    world.reference(&admin, "h", "acme-tabular-flowers").await;
    let first = CreateHubContentPresignedUrlsRequest {
        max_results: Some(1),
        ..request("h", REFERENCE, "acme-tabular-flowers")
    };
    let page = call(&world, first.clone()).await.unwrap();
    assert_eq!(page.authorized_url_configs.len(), 1);
    let entry = &page.authorized_url_configs[0];
    assert_eq!(entry.local_path.as_deref(), Some("/model.onnx"));
    let place = "jumpstart-cache-prod-us-west-2/acme-tabular-flowers/artifacts/inference-prepack/v1.0.0";
    assert_eq!(
        entry.url.as_deref().unwrap(),
        format!("http://127.0.0.1:4566/{place}/model.onnx?region={REGION}&expires=900")
    );
    let next = CreateHubContentPresignedUrlsRequest { next_token: page.next_token, ..first.clone() };
    let page = call(&world, next.clone()).await.unwrap();
    assert_eq!(page.authorized_url_configs[0].local_path.as_deref(), Some("/sub/labels.json"));
    assert_eq!(page.next_token, None);
    // A new version comes between two pages: the token was for the files of the old one.
    world.import("acme-tabular-flowers", "1.1.0").await;
    refused(call(&world, next).await, "ValidationException", &["NextToken"]);
    let named = CreateHubContentPresignedUrlsRequest {
        hub_content_version: Some("1.0.0".to_owned()),
        ..request(PUBLIC_HUB, HubContentType::Model, "acme-tabular-flowers")
    };
    let all = call(&world, named).await.unwrap();
    assert_eq!((all.authorized_url_configs.len(), all.next_token), (2, None));
    let many = CreateHubContentPresignedUrlsRequest {
        max_results: Some(101),
        ..request("h", REFERENCE, "acme-tabular-flowers")
    };
    refused(call(&world, many).await, "ValidationException", &["maxResults", "less than or equal to 100"]);
    refused(call(&world, request("h", REFERENCE, "nobody")).await, "ResourceNotFound", &["nobody"]);
}

#[tokio::test]
async fn gated_models_want_consent_and_the_expected_place() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", GATED).await;
    for config in [None, access(None, None), access(Some(false), None)] {
        let input = CreateHubContentPresignedUrlsRequest { access_config: config, ..request("h", REFERENCE, GATED) };
        refused(call(&world, input).await, "AccessDeniedException", &["EULA", "eula.txt", "AcceptEula"]);
    }
    let with =
        |config| CreateHubContentPresignedUrlsRequest { access_config: config, ..request("h", REFERENCE, GATED) };
    let granted = call(&world, with(access(Some(true), None))).await.unwrap();
    assert!(
        granted.authorized_url_configs.iter().all(|one| one
            .url
            .as_deref()
            .unwrap()
            .contains("jumpstart-private-cache-prod-us-west-2"))
    );
    let place = format!("s3://jumpstart-private-cache-prod-us-west-2/{GATED}/");
    call(&world, with(access(Some(true), Some(place)))).await.unwrap();
    let elsewhere = Some("s3://another-bucket/elsewhere/".to_owned());
    refused(
        call(&world, with(access(Some(true), elsewhere))).await,
        "ValidationException",
        &["ExpectedS3Url", "another-bucket"],
    );
}

#[tokio::test]
async fn files_of_imported_content_are_the_accounts_own() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    let input = ImportHubContentRequest {
        hub_content_name: "own".to_owned(),
        hub_content_version: None,
        hub_content_type: HubContentType::Model,
        document_schema_version: "2.3.0".to_owned(),
        hub_name: "h".to_owned(),
        hub_content_display_name: None,
        hub_content_description: None,
        hub_content_markdown: None,
        hub_content_document: own_document("s3://own-bucket/model/").to_string(),
        support_status: None,
        hub_content_search_keywords: None,
        tags: None,
    };
    world.call::<ImportHubContent>(&admin, input).await.unwrap();
    refused(
        call(&world, request("h", HubContentType::Model, "own")).await,
        "ValidationException",
        &["s3://own-bucket/model/"],
    );
}
