//! What hubs say about model data: rights, consent, and references that lead where they should.

use stoa_kernel::ports::{HubAccess, ModelAccessRequest};
use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::operations::{CreateHubContentReference, ImportHubContent};
use stoa_models_sagemaker::types::{CreateHubContentReferenceRequest, HubContentType, ImportHubContentRequest};

use crate::support::*;

const DEPLOY: &str = "sagemaker:DeployHubModel";

fn place(model: &str, version: &str, private: &str) -> String {
    format!("s3://jumpstart-{private}cache-prod-{REGION}/{model}/artifacts/inference-prepack/v{version}/")
}

fn request(s3_uri: String, hub_content_arn: Option<String>, accept_eula: Option<bool>) -> ModelAccessRequest {
    ModelAccessRequest { s3_uri, hub_content_arn, accept_eula }
}

fn reference_arn(name: &str, version: &str) -> Option<String> {
    Some(arn(&format!("hub-content/h/ModelReference/{name}/{version}")))
}

/// As hosting does it: the targets are decided, then the rules are checked.
async fn deploy(world: &World, cx: &Cx, request: &ModelAccessRequest) -> Result<bool, ApiError> {
    cx.decide(&world.hubs.access_targets(cx, DEPLOY, request).await?).await?;
    world.hubs.check(cx, request).await
}

async fn hub_with(models: &[&str]) -> World {
    let world = world().await;
    let admin = world.admin();
    world.hub(&admin, "h").await;
    for model in models {
        world.reference(&admin, "h", model).await;
    }
    world
}

/// What the two blog posts attach: this hub, and nothing of the public one.
fn data_scientist(world: &World) -> Cx {
    let hub = [arn("hub/h"), arn("hub-content/h/*")];
    let public = [
        format!("arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}"),
        format!("arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/*/*"),
    ];
    let allow = statement("Allow", "sagemaker:*", &[&hub[0], &hub[1]]);
    let deny = statement("Deny", "sagemaker:*", &[&public[0], &public[1]]);
    world.user(ACCOUNT, "alice", &[allow, deny])
}

#[tokio::test]
async fn the_data_scientist_deploys_what_is_in_the_hub_and_nothing_else() {
    let world = hub_with(&[IRIS]).await;
    let alice = data_scientist(&world);
    let approved = request(place(IRIS, "1.1.0", ""), reference_arn(IRIS, "1.1.0"), Some(false));
    assert!(deploy(&world, &alice, &approved).await.unwrap(), "the hub vouches for it");
    // Directly, without the hub.
    let direct = request(place(TINY, "1.0.0", ""), None, None);
    let words = ["sagemaker:DeployHubModel", "SageMakerPublicHub", "explicit deny"];
    refused(deploy(&world, &alice, &direct).await, "AccessDeniedException", &words);
    // With a permit for another model.
    let borrowed = request(place(TINY, "1.0.0", ""), reference_arn(IRIS, "1.1.0"), None);
    refused(deploy(&world, &alice, &borrowed).await, "ValidationException", &["does not lead to", TINY]);
    // By a reference of her own making.
    let own = world.call::<CreateHubContentReference>(&alice, reference("h", TINY)).await;
    refused(own, "AccessDeniedException", &["CreateHubContentReference", "SageMakerPublicHub"]);
    // By a content of her own that names the public data.
    let input = ImportHubContentRequest {
        hub_content_name: "own".to_owned(),
        hub_content_version: None,
        hub_content_type: HubContentType::Model,
        document_schema_version: "2.3.0".to_owned(),
        hub_name: "h".to_owned(),
        hub_content_display_name: None,
        hub_content_description: None,
        hub_content_markdown: None,
        hub_content_document: own_document(&place(TINY, "1.0.0", "")).to_string(),
        support_status: None,
        hub_content_search_keywords: None,
        tags: None,
    };
    world.call::<ImportHubContent>(&alice, input).await.unwrap();
    let smuggled = request(place(TINY, "1.0.0", ""), Some(arn("hub-content/h/Model/own/1.0.0")), None);
    refused(deploy(&world, &alice, &smuggled).await, "AccessDeniedException", &words);
    // The whole bucket as one prefix.
    let everything = request(format!("s3://jumpstart-cache-prod-{REGION}/"), None, None);
    refused(deploy(&world, &alice, &everything).await, "AccessDeniedException", &words[..1]);
    // Another region's bucket, and another account's hub.
    let elsewhere = request(place(TINY, "1.0.0", "").replace(REGION, "eu-central-1"), None, None);
    refused(deploy(&world, &alice, &elsewhere).await, "AccessDeniedException", &words);
    let theirs = reference_arn(IRIS, "1.1.0").unwrap().replace(ACCOUNT, "444455556666");
    let theirs = request(place(IRIS, "1.1.0", ""), Some(theirs), None);
    refused(deploy(&world, &alice, &theirs).await, "AccessDeniedException", &["444455556666"]);
}

#[tokio::test]
async fn what_is_decided_is_the_hub_and_its_content() {
    let world = hub_with(&[IRIS]).await;
    let admin = world.admin();
    let resources = async |request: ModelAccessRequest| {
        let targets = world.hubs.access_targets(&admin, DEPLOY, &request).await.unwrap();
        assert!(targets.iter().all(|target| target.action == "sagemaker:DeployHubModel"));
        targets.into_iter().map(|target| target.resource).collect::<Vec<_>>()
    };
    let content = arn(&format!("hub-content/h/ModelReference/{IRIS}"));
    let versionless = Some(content.clone());
    for arn_given in [reference_arn(IRIS, "1.1.0"), versionless, reference_arn(IRIS, "None")] {
        assert_eq!(
            resources(request(place(IRIS, "1.1.0", ""), arn_given, None)).await,
            [arn("hub/h"), content.clone()]
        );
    }
    let public = format!("arn:aws:sagemaker:{REGION}:aws:hub/{PUBLIC_HUB}");
    assert_eq!(resources(request(place(IRIS, "1.1.0", ""), None, None)).await, [public.clone(), public_arn(IRIS)]);
    let bucket = request(format!("s3://jumpstart-cache-prod-{REGION}"), None, None);
    assert_eq!(resources(bucket).await, [public, public_arn("*")]);
    assert!(resources(request("s3://own-bucket/model.tar.gz".to_owned(), None, None)).await.is_empty());
    let bad = request(place(IRIS, "1.1.0", ""), Some("nonsense".to_owned()), None);
    refused(world.hubs.access_targets(&admin, DEPLOY, &bad).await, "ValidationException", &["nonsense"]);
}

#[tokio::test]
async fn gated_data_wants_consent_however_it_is_named() {
    let world = hub_with(&[GATED]).await;
    let admin = world.admin();
    let uri = place(GATED, "1.0.0", "private-");
    for arn_given in [None, reference_arn(GATED, "1.0.0")] {
        for consent in [None, Some(false)] {
            let refusal = deploy(&world, &admin, &request(uri.clone(), arn_given.clone(), consent)).await;
            refused(refusal, "ValidationException", &["EULA", GATED, "eula.txt", "AcceptEula"]);
        }
        assert!(deploy(&world, &admin, &request(uri.clone(), arn_given, Some(true))).await.unwrap());
    }
    for other in [
        format!("{uri}model.onnx"),
        format!("s3://jumpstart-private-cache-prod-{REGION}/"),
        uri.replace("s3://", "https://")
            .replace(&format!("prod-{REGION}/"), &format!("prod-{REGION}.s3.{REGION}.amazonaws.com/")),
    ] {
        refused(deploy(&world, &admin, &request(other, None, None)).await, "ValidationException", &["EULA"]);
    }
    assert!(world.hubs.is_direct_gated(&request(uri.clone(), None, Some(true))).await.unwrap());
    assert!(world.hubs.is_direct_gated(&request(uri.clone(), Some(public_arn(GATED)), None)).await.unwrap());
    assert!(!world.hubs.is_direct_gated(&request(uri, reference_arn(GATED, "1.0.0"), None)).await.unwrap());
    assert!(!world.hubs.is_direct_gated(&request(place(IRIS, "1.0.0", ""), None, None)).await.unwrap());
    // An open model does not mind what is said about a licence it has not.
    for consent in [None, Some(false), Some(true)] {
        assert!(deploy(&world, &admin, &request(place(IRIS, "1.0.0", ""), None, consent)).await.unwrap());
    }
}

#[tokio::test]
async fn references_must_be_there_and_lead_to_the_data() {
    let world = hub_with(&[IRIS]).await;
    let admin = world.admin();
    let alias = CreateHubContentReferenceRequest {
        hub_content_name: Some("new-only".to_owned()),
        min_version: Some("1.1.0".to_owned()),
        ..reference("h", IRIS)
    };
    world.call::<CreateHubContentReference>(&admin, alias).await.unwrap();
    let check =
        async |uri: String, arn_given: Option<String>| world.hubs.check(&admin, &request(uri, arn_given, None)).await;
    assert!(check(place(IRIS, "1.0.0", ""), reference_arn(IRIS, "1.0.0")).await.unwrap());
    assert!(check(place(IRIS, "1.1.0", ""), reference_arn("new-only", "1.1.0")).await.unwrap());
    assert!(check(format!("{}model.onnx", place(IRIS, "1.1.0", "")), reference_arn(IRIS, "1.1.0")).await.unwrap());
    refused(check(place(IRIS, "1.0.0", ""), reference_arn("new-only", "1.0.0")).await, "ResourceNotFound", &["1.0.0"]);
    let versionless = Some(arn("hub-content/h/ModelReference/new-only"));
    refused(check(place(IRIS, "1.0.0", ""), versionless).await, "ValidationException", &["does not lead to"]);
    refused(
        check(place(IRIS, "1.0.0", ""), reference_arn(IRIS, "1.1.0")).await,
        "ValidationException",
        &["does not lead to"],
    );
    refused(check(place(TINY, "1.0.0", ""), reference_arn(TINY, "1.0.0")).await, "ResourceNotFound", &[TINY]);
    let nowhere = reference_arn(IRIS, "1.0.0").unwrap().replace("/h/", "/nobody/");
    refused(check(place(IRIS, "1.0.0", ""), Some(nowhere)).await, "ResourceNotFound", &["nobody"]);
    // A permit for a model opens nobody's own bucket.
    refused(
        check("s3://own/model/".to_owned(), reference_arn(IRIS, "1.1.0")).await,
        "ValidationException",
        &["does not lead to"],
    );
    assert!(!check("s3://own/model/".to_owned(), None).await.unwrap(), "the role's rights decide");
    // Places in the buckets where no model is.
    for nothing in ["", "models_manifest.json", "no-such-model/artifacts/inference-prepack/v1.0.0/"] {
        let uri = format!("s3://jumpstart-cache-prod-{REGION}/{nothing}");
        refused(check(uri, None).await, "ValidationException", &["no model of SageMakerPublicHub"]);
    }
    let disguised = place(GATED, "1.0.0", "");
    refused(check(disguised, None).await, "ValidationException", &["no model of SageMakerPublicHub"]);
    let elsewhere = place(IRIS, "1.0.0", "").replace(REGION, "eu-central-1");
    refused(check(elsewhere, None).await, "ValidationException", &["eu-central-1"]);
}
