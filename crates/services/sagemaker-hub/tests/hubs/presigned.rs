//! CreateHubContentPresignedUrls.

use stoa_kernel::ApiError;
use stoa_kernel::ports::ObjectSource;
use stoa_models_sagemaker::operations::{CreateHubContentPresignedUrls, DeleteHubContentReference};
use stoa_models_sagemaker::types::{
    CreateHubContentPresignedUrlsRequest, CreateHubContentPresignedUrlsResponse, DeleteHubContentReferenceRequest,
    HubContentType, PresignedUrlAccessConfig,
};
use stoa_models_stoa::operations::PutHubSettings;
use stoa_models_stoa::types::{HubSettings, PutHubSettingsRequest};

use crate::own::{download, import, own_world};
use crate::support::*;

pub fn request(hub: &str, kind: HubContentType, name: &str) -> CreateHubContentPresignedUrlsRequest {
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

fn paths(page: &CreateHubContentPresignedUrlsResponse) -> Vec<&str> {
    page.authorized_url_configs.iter().map(|entry| entry.local_path.as_deref().unwrap()).collect()
}

#[tokio::test]
async fn imported_content_is_presigned_as_far_as_the_caller_may_read_it() {
    let (world, buckets) = own_world().await;
    buckets.put("own-bucket", ["model/", "model/a.bin", "model/sub/b.bin", "other/c", "one.tar.gz"].map(str::to_owned));
    import(&world, "own", "s3://own-bucket/model/").await;
    let own = || request("h", HubContentType::Model, "own");
    let page = call(&world, own()).await.unwrap();
    assert_eq!(paths(&page), ["/a.bin", "/sub/b.bin"], "the folder's marker is no file");
    assert!(page.authorized_url_configs[0].url.as_deref().unwrap().contains("/own-bucket/model/a.bin?"));
    let narrow = statement("Allow", "*", &["arn:aws:sagemaker:*:*:*"]);
    let listing = statement("Allow", "s3:ListBucket", &["arn:aws:s3:::own-bucket"]);
    let nobody = world.user(ACCOUNT, "nobody", std::slice::from_ref(&narrow));
    let lister = world.user(ACCOUNT, "lister", &[narrow, listing]);
    let asked = world.call::<CreateHubContentPresignedUrls>(&nobody, own()).await;
    refused(asked, "AccessDeniedException", &["s3:ListBucket", "own-bucket"]);
    let asked = world.call::<CreateHubContentPresignedUrls>(&lister, own()).await;
    refused(asked, "AccessDeniedException", &["s3:GetObject", "model/a.bin"]);
    import(&world, "single", "s3://own-bucket/one.tar.gz").await;
    assert_eq!(paths(&call(&world, request("h", HubContentType::Model, "single")).await.unwrap()), ["/one.tar.gz"]);
    let elsewhere = CreateHubContentPresignedUrlsRequest {
        access_config: access(None, Some("s3://own-bucket/other/".to_owned())),
        ..own()
    };
    refused(call(&world, elsewhere).await, "ValidationException", &["ExpectedS3Url", "s3://own-bucket/model/"]);
    for (name, place, word) in [
        ("none", "s3://nobody-s-bucket/x/", "nobody-s-bucket"),
        ("empty", "s3://own-bucket/nothing/", "no file"),
        ("odd", "file:///etc/", "HostingArtifactUri"),
    ] {
        import(&world, name, place).await;
        refused(call(&world, request("h", HubContentType::Model, name)).await, "ValidationException", &[word]);
    }
}

#[tokio::test]
async fn no_key_of_a_bucket_becomes_a_path_that_climbs() {
    let (world, buckets) = own_world().await;
    for (number, bad) in ["../up", "a/../../up", "/absolute", "a//b", "a\\b", "./a", "a\nb"].iter().enumerate() {
        let name = format!("bad{number}");
        buckets.put(&name, [format!("m/{bad}")]);
        import(&world, &name, &format!("s3://{name}/m/")).await;
        let asked = call(&world, request("h", HubContentType::Model, &name)).await;
        refused(asked, "ValidationException", &["LocalPath", "rename"]);
    }
    buckets.put("gates", ["m/gated.bin".to_owned()]);
    import(&world, "gates", "s3://gates/m/").await;
    refused(call(&world, request("h", HubContentType::Model, "gates")).await, "AccessDeniedException", &["gated"]);
}

/// Every page of a content, each path once and in order.
async fn all_pages(world: &World, first: CreateHubContentPresignedUrlsRequest) -> Vec<String> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page =
            call(world, CreateHubContentPresignedUrlsRequest { next_token: next, ..first.clone() }).await.unwrap();
        assert!(page.authorized_url_configs.len() <= 100);
        found.extend(paths(&page).into_iter().map(str::to_owned));
        next = page.next_token;
        if next.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn thousands_of_files_are_paged_without_loss() {
    let (world, buckets) = own_world().await;
    let names: Vec<String> = (0..3000).map(|number| format!("shard-{:04}", number)).collect();
    buckets.put("big", names.iter().map(|name| format!("m/{name}")));
    import(&world, "big", "s3://big/m/").await;
    let wanted: Vec<String> = names.iter().map(|name| format!("/{name}")).collect();
    assert_eq!(all_pages(&world, request("h", HubContentType::Model, "big")).await, wanted);
    // A file that comes between two pages is shown when its turn comes, and shifts nothing.
    let first =
        CreateHubContentPresignedUrlsRequest { max_results: Some(7), ..request("h", HubContentType::Model, "big") };
    let page = call(&world, first.clone()).await.unwrap();
    buckets.put("big", ["m/shard-0000x".to_owned(), "m/shard-0007x".to_owned()]);
    let page =
        call(&world, CreateHubContentPresignedUrlsRequest { next_token: page.next_token, ..first }).await.unwrap();
    assert_eq!(paths(&page)[..2], ["/shard-0007", "/shard-0007x"]);
    // The same of a public model.
    let folder = world.model_folder("acme-tabular-shards", "1.0.0");
    std::fs::remove_dir_all(folder.join("artifact")).unwrap();
    std::fs::create_dir(folder.join("artifact")).unwrap();
    for name in &names {
        std::fs::write(folder.join("artifact").join(name), "same").unwrap();
    }
    world.catalog.import_dir(&folder).await.unwrap();
    assert_eq!(all_pages(&world, request(PUBLIC_HUB, HubContentType::Model, "acme-tabular-shards")).await, wanted);
}

#[tokio::test]
async fn with_the_setting_a_url_ends_with_the_right_the_content_or_its_time() {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    world.reference(&admin, "h", IRIS).await;
    let bucket = format!("jumpstart-cache-prod-{REGION}");
    let key = format!("{IRIS}/artifacts/inference-prepack/v1.1.0/model.onnx");
    let user = || world.user(ACCOUNT, "u", &[allow_all()]);
    let url = async || {
        let page = world.call::<CreateHubContentPresignedUrls>(&user(), request("h", REFERENCE, IRIS)).await.unwrap();
        page.authorized_url_configs[0].url.clone().unwrap()
    };
    assert!(!url().await.contains("grant="), "off by default, as AWS");
    let on = HubSettings { revoke_urls: Some(true), ..HubSettings::default() };
    let input = PutHubSettingsRequest { hub_name: "h".to_owned(), settings: on };
    world.call::<PutHubSettings>(&admin, input).await.unwrap();
    let check = async |url: &str| world.hubs.check_read(&download(&world, url), &bucket, &key).await;
    let first = url().await;
    check(&first).await.unwrap();
    check("x&grant=0123").await.unwrap_err();
    // The right goes.
    world.user(ACCOUNT, "u", &[]);
    refused(check(&first).await, "AccessDenied", &["revoked", "sagemaker:CreateHubContentPresignedUrls"]);
    user();
    check(&first).await.unwrap();
    // Time goes.
    world.clock.advance_millis(900_000);
    refused(check(&first).await, "AccessDenied", &["expired"]);
    // The content goes.
    let second = url().await;
    check(&second).await.unwrap();
    let gone = DeleteHubContentReferenceRequest {
        hub_name: "h".to_owned(),
        hub_content_type: REFERENCE,
        hub_content_name: IRIS.to_owned(),
    };
    world.call::<DeleteHubContentReference>(&admin, gone).await.unwrap();
    refused(check(&second).await, "AccessDenied", &["revoked", "does not exist"]);
}
