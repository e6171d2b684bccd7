//! Licences of gated models: who consented to which text, what an administrator decided, and what that opens.

use serde_json::json;
use sha2::{Digest, Sha256};
use stoa_kernel::ports::{HubAccess, ModelAccessRequest};
use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::operations::CreateHubContentPresignedUrls;
use stoa_models_sagemaker::types::{CreateHubContentPresignedUrlsRequest, HubContentType, PresignedUrlAccessConfig};
use stoa_models_stoa::operations::{ListEulaAcceptances, PutEulaDecision};
use stoa_models_stoa::types::{
    EulaAcceptance, EulaDecision, EulaDecisionKind, ListEulaAcceptancesRequest, PutEulaDecisionRequest,
};

use crate::support::*;

const LICENSED: &str = "acme-tabular-licensed";
const OTHER: &str = "444455556666";

/// A gated model of ours, with this text.
async fn licensed(world: &World, version: &str, text: &str) -> String {
    let folder = world.model_folder(LICENSED, version);
    change(&folder, |manifest| {
        manifest
            .as_object_mut()
            .unwrap()
            .extend([("gated".to_owned(), json!(true)), ("eula".to_owned(), json!("EULA.txt"))]);
    });
    std::fs::write(folder.join("EULA.txt"), text).unwrap();
    world.catalog.import_dir(&folder).await.unwrap();
    hex::encode(Sha256::digest(text))
}

async fn presign(world: &World, cx: &Cx, accept: Option<bool>) -> Result<(), ApiError> {
    let input = CreateHubContentPresignedUrlsRequest {
        hub_name: PUBLIC_HUB.to_owned(),
        hub_content_type: HubContentType::Model,
        hub_content_name: LICENSED.to_owned(),
        hub_content_version: None,
        access_config: accept
            .map(|accept| PresignedUrlAccessConfig { accept_eula: Some(accept), expected_s3_url: None }),
        max_results: None,
        next_token: None,
    };
    world.call::<CreateHubContentPresignedUrls>(cx, input).await.map(|_| ())
}

async fn deploy(world: &World, cx: &Cx, version: &str, accept: Option<bool>) -> Result<bool, ApiError> {
    let place =
        format!("s3://jumpstart-private-cache-prod-{REGION}/{LICENSED}/artifacts/inference-prepack/v{version}/");
    let request = ModelAccessRequest { s3_uri: place, hub_content_arn: None, accept_eula: accept };
    world.hubs.check(cx, &request).await
}

async fn decide(
    world: &World,
    cx: &Cx,
    decision: EulaDecisionKind,
    digest: Option<&str>,
) -> Result<Option<String>, ApiError> {
    let input =
        PutEulaDecisionRequest { model_name: LICENSED.to_owned(), decision, eula_digest: digest.map(str::to_owned) };
    world.call::<PutEulaDecision>(cx, input).await.map(|answer| answer.eula_digest)
}

async fn records(world: &World, cx: &Cx) -> (Vec<EulaAcceptance>, Vec<EulaDecision>) {
    let input = ListEulaAcceptancesRequest { model_name: None, max_results: None, next_token: None };
    let found = world.call::<ListEulaAcceptances>(cx, input).await.unwrap();
    assert_eq!(found.next_token, None);
    (found.acceptances, found.decisions)
}

#[tokio::test]
async fn each_consent_is_recorded_once_with_who_what_and_how() {
    let world = world().await;
    let admin = world.admin();
    let text = licensed(&world, "1.0.0", "Be good.").await;
    for refusing in [None, Some(false)] {
        refused(presign(&world, &admin, refusing).await, "AccessDeniedException", &["EULA"]);
        refused(deploy(&world, &admin, "1.0.0", refusing).await, "ValidationException", &["EULA", "AcceptEula"]);
    }
    assert_eq!(records(&world, &admin).await, (Vec::new(), Vec::new()), "a refusal is no consent");
    let first = admin.now;
    presign(&world, &admin, Some(true)).await.unwrap();
    world.clock.advance_millis(1000);
    presign(&world, &world.admin(), Some(true)).await.unwrap();
    assert!(deploy(&world, &world.admin(), "1.0.0", Some(true)).await.unwrap());
    let (found, decisions) = records(&world, &admin).await;
    let row = |one: &EulaAcceptance| (one.how.clone(), one.accepted_at);
    assert_eq!(
        found.iter().map(row).collect::<Vec<_>>(),
        [("CreateHubContentPresignedUrls".to_owned(), first), ("CreateModel".to_owned(), first.plus_millis(1000))]
    );
    for one in &found {
        assert_eq!((one.principal_arn.as_str(), one.eula_digest.as_str()), (admin.principal.arn.as_str(), &*text));
        assert_eq!((one.model_name.as_str(), one.model_version.as_deref()), (LICENSED, Some("1.0.0")));
    }
    assert!(decisions.is_empty());
    // A consent is one principal's: it opens nothing for another, nor is it another account's to see.
    let bob = world.user(ACCOUNT, "bob", &[allow_all()]);
    refused(presign(&world, &bob, None).await, "AccessDeniedException", &["EULA"]);
    let stranger = world.user(OTHER, "ana", &[allow_all()]);
    assert_eq!(records(&world, &stranger).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn an_administrator_s_decision_is_the_account_s_and_to_a_text() {
    let world = world().await;
    let admin = world.admin();
    let text = licensed(&world, "1.0.0", "Be good.").await;
    assert_eq!(decide(&world, &admin, EulaDecisionKind::Accepted, None).await.unwrap(), Some(text.clone()));
    let bob = world.user(ACCOUNT, "bob", &[allow_all()]);
    presign(&world, &bob, None).await.unwrap();
    assert!(deploy(&world, &bob, "1.0.0", None).await.unwrap());
    let stranger = world.user(OTHER, "ana", &[allow_all()]);
    refused(presign(&world, &stranger, None).await, "AccessDeniedException", &["EULA"]);
    let (acceptances, decisions) = records(&world, &admin).await;
    assert!(acceptances.is_empty(), "nobody but the administrator consented");
    assert_eq!(
        decisions.iter().map(|one| (one.decision, one.eula_digest.clone())).collect::<Vec<_>>(),
        [(EulaDecisionKind::Accepted, Some(text.clone()))]
    );
    assert_eq!(decisions[0].decided_by, admin.principal.arn);
    // Another text asks anew, and the earlier one stays accepted.
    let newer = licensed(&world, "2.0.0", "Be better.").await;
    refused(presign(&world, &bob, None).await, "AccessDeniedException", &["EULA"]);
    refused(
        deploy(&world, &bob, "2.0.0", None).await,
        "ValidationException",
        &["its text is not the one that was accepted for this account"],
    );
    assert!(deploy(&world, &bob, "1.0.0", None).await.unwrap());
    let unknown = decide(&world, &admin, EulaDecisionKind::Accepted, Some(&"0".repeat(64))).await;
    refused(unknown, "ValidationException", &["no version of", LICENSED, "digest"]);
    assert_eq!(decide(&world, &admin, EulaDecisionKind::Accepted, None).await.unwrap(), Some(newer));
    for version in ["1.0.0", "2.0.0"] {
        assert!(deploy(&world, &bob, version, None).await.unwrap(), "{version}");
    }
}

#[tokio::test]
async fn what_is_forbidden_no_consent_opens() {
    let world = world().await;
    let admin = world.admin();
    licensed(&world, "1.0.0", "Be good.").await;
    presign(&world, &admin, Some(true)).await.unwrap();
    decide(&world, &admin, EulaDecisionKind::Forbidden, None).await.unwrap();
    for accept in [None, Some(true)] {
        refused(presign(&world, &admin, accept).await, "AccessDeniedException", &["forbade", LICENSED, ACCOUNT]);
        refused(deploy(&world, &admin, "1.0.0", accept).await, "ValidationException", &["forbade"]);
    }
    assert_eq!(records(&world, &admin).await.0.len(), 1, "what was refused is recorded as nobody's consent");
    // It is this account's decision alone.
    presign(&world, &world.user(OTHER, "ana", &[allow_all()]), Some(true)).await.unwrap();
    decide(&world, &admin, EulaDecisionKind::Undecided, None).await.unwrap();
    assert!(records(&world, &admin).await.1.is_empty());
    presign(&world, &admin, Some(true)).await.unwrap();
    refused(presign(&world, &admin, None).await, "AccessDeniedException", &["EULA"]);
}
