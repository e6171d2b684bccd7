//! Bearer tokens for Hugging Face's clients: whose they are, what ends them, and what is no token.

use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ports::{BearerTokens, LicenceText, Licences};
use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::operations as iam_op;
use stoa_models_iam::types::{StatusType, UpdateAccessKeyRequest};
use stoa_models_stoa::operations::CreateHuggingFaceToken;
use stoa_models_stoa::types::{CreateHuggingFaceTokenRequest, CreateHuggingFaceTokenResponse};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::GetSessionTokenRequest;

use crate::support::{ALLOW_ALL, World, world};
use crate::users::{new_key, new_user, put_policy};

/// A hub whose models all have one licence, which names hub and model.
struct Texts;

#[async_trait]
impl Licences for Texts {
    async fn licence(&self, _: &Cx, hub_arn: &str, name: &str) -> Result<LicenceText, ApiError> {
        if name == "free" {
            return Err(ApiError::validation("free is not gated"));
        }
        Ok(text(hub_arn, name))
    }
}

fn text(hub_arn: &str, name: &str) -> LicenceText {
    LicenceText { model: name.to_owned(), digest: format!("text of {name} in {hub_arn}") }
}

async fn made(world: &World, cx: &Cx, input: CreateHuggingFaceTokenRequest) -> CreateHuggingFaceTokenResponse {
    world.call::<CreateHuggingFaceToken>(cx, input).await.unwrap()
}

/// A user with a key, and the key's id.
async fn user(world: &World) -> (Cx, String) {
    new_user(world, "anna").await;
    put_policy(world, "anna", "all", ALLOW_ALL).await;
    let key = new_key(world, "anna").await;
    (world.cx(world.principal(&key.access_key_id, None).await.unwrap()), key.access_key_id)
}

#[tokio::test]
async fn a_token_is_the_credential_it_was_made_with() {
    let world = world().await;
    let (anna, key) = user(&world).await;
    world.iam.set_licences(Arc::new(Texts));
    let input = CreateHuggingFaceTokenRequest {
        hub_name: Some("h".to_owned()),
        accepted_eulas: Some(vec!["a-b-c".to_owned(), "a-b-c".to_owned()]),
        duration_seconds: Some(900),
    };
    let token = made(&world, &anna, input).await;
    let bearer = world.iam.bearer(&token.token).await.unwrap().unwrap();
    assert_eq!(*bearer.credential.principal, *anna.principal);
    assert_eq!(bearer.expires_at, anna.now.plus_millis(900_000));
    let hub = format!("arn:aws:sagemaker:{}:{}:hub/h", anna.region, world.management);
    assert_eq!((bearer.hub_arn.as_deref(), bearer.accepted), (Some(hub.as_str()), vec![text(&hub, "a-b-c")]));
    let free = CreateHuggingFaceTokenRequest { accepted_eulas: Some(vec!["free".to_owned()]), ..Default::default() };
    assert!(world.call::<CreateHuggingFaceToken>(&anna, free).await.is_err());
    let everywhere =
        CreateHuggingFaceTokenRequest { accepted_eulas: Some(vec!["a-b-c".to_owned()]), ..Default::default() };
    let bearer = world.iam.bearer(&made(&world, &anna, everywhere).await.token).await.unwrap().unwrap();
    let public = format!("arn:aws:sagemaker:{}:aws:hub/SageMakerPublicHub", anna.region);
    assert_eq!(bearer.accepted, [text(&public, "a-b-c")]);
    // An inactive key opens nothing, and everything again when it is active.
    let status = async |status| {
        let input = UpdateAccessKeyRequest { user_name: Some("anna".to_owned()), access_key_id: key.clone(), status };
        world.call::<iam_op::UpdateAccessKey>(&world.root(&world.management), input).await.unwrap();
    };
    status(StatusType::Inactive).await;
    assert!(world.iam.bearer(&token.token).await.unwrap().is_none());
    status(StatusType::Active).await;
    assert!(world.iam.bearer(&token.token).await.unwrap().is_some());
    for bad in
        ["", "hf_", "hf_x", &token.token[3..], &token.token[..token.token.len() - 2], &format!("{}A", token.token)]
    {
        assert!(world.iam.bearer(bad).await.unwrap().is_none(), "{bad}");
    }
}

#[tokio::test]
async fn a_sessions_token_ends_with_the_session() {
    let world = world().await;
    let (anna, _) = user(&world).await;
    let session = GetSessionTokenRequest { duration_seconds: Some(1800), ..Default::default() };
    let session = world.call::<op::GetSessionToken>(&anna, session).await.unwrap().credentials.unwrap();
    let principal = world.principal(&session.access_key_id, Some(&session.session_token)).await.unwrap();
    let cx = world.cx(principal);
    let token = made(&world, &cx, CreateHuggingFaceTokenRequest::default()).await;
    assert_eq!(token.expiration, session.expiration, "not the twelve hours that a key's lasts");
    let bearer = world.iam.bearer(&token.token).await.unwrap().unwrap();
    assert_eq!(bearer.credential.principal.access_key_id, session.access_key_id);
    // A session token is no bearer token, whatever is put before it.
    assert!(world.iam.bearer(&format!("hf_{}", session.session_token)).await.unwrap().is_none());
}
