//! GetFederationToken and DecodeAuthorizationMessage.

use serde_json::json;
use stoa_kernel::ports::Authority;
use stoa_kernel::{Cx, PrincipalIdentity};
use stoa_models_iam::operations as iam_op;
use stoa_models_iam::types::DeleteUserRequest;
use stoa_models_sts::operations as op;
use stoa_models_sts::types::*;
use stoa_policy::{Context, Values};

use crate::support::{ALLOW_ALL, World, code, statement, world};
use crate::users::{new_key, new_user, put_policy};

async fn anna(world: &World) -> Cx {
    new_user(world, "anna").await;
    let key = new_key(world, "anna").await;
    world.cx(world.principal(&key.access_key_id, None).await.unwrap())
}

async fn as_session(world: &World, credentials: &Credentials) -> Cx {
    let token = Some(&*credentials.session_token);
    world.cx(world.principal(&credentials.access_key_id, token).await.unwrap())
}

fn bob() -> GetFederationTokenRequest {
    GetFederationTokenRequest { name: "bob".to_owned(), ..Default::default() }
}

fn tag(key: &str) -> Tag {
    Tag { key: key.to_owned(), value: "v".to_owned() }
}

#[tokio::test]
async fn a_user_makes_a_federated_session_that_ends_with_it() {
    let world = world().await;
    let anna = anna(&world).await;
    assert_eq!(code(world.call::<op::GetFederationToken>(&anna, bob()).await.map(|_| ())).0, "AccessDeniedException");
    let mine = format!("arn:aws:sts::{}:federated-user/bob", world.management);
    put_policy(&world, "anna", "may", &statement("Allow", "sts:GetFederationToken", &mine)).await;
    let other = GetFederationTokenRequest { name: "carl".to_owned(), ..bob() };
    assert!(world.call::<op::GetFederationToken>(&anna, other).await.is_err());
    let input = GetFederationTokenRequest { policy: Some(ALLOW_ALL.to_owned()), ..bob() };
    let output = world.call::<op::GetFederationToken>(&anna, input).await.unwrap();
    let user = output.federated_user.unwrap();
    assert_eq!((user.arn, user.federated_user_id), (mine.clone(), format!("{}:bob", world.management)));
    assert!(output.packed_policy_size.is_some());
    let credentials = output.credentials.unwrap();
    assert_eq!(credentials.expiration, anna.now.plus_millis(43_200_000));
    let session = as_session(&world, &credentials).await;
    assert_eq!(session.principal.arn, mine);
    let identity = PrincipalIdentity::FederatedUser { name: "bob".to_owned(), user: Some("anna".to_owned()) };
    assert_eq!(session.principal.identity, identity);
    assert_eq!(session.global_keys.get("aws:principaltype"), Some(Values::One("FederatedUser")));
    assert_eq!(session.principal.session.as_ref().unwrap().policies, [ALLOW_ALL]);
    let who = world.call::<op::GetCallerIdentity>(&session, GetCallerIdentityRequest {}).await.unwrap();
    assert_eq!(who.user_id, Some(format!("{}:bob", world.management)));
    let admin = world.admin();
    for name in [&anna.principal.access_key_id] {
        let key = stoa_models_iam::types::DeleteAccessKeyRequest {
            user_name: Some("anna".to_owned()),
            access_key_id: name.clone(),
        };
        world.call::<iam_op::DeleteAccessKey>(&admin, key).await.unwrap();
    }
    let policy =
        stoa_models_iam::types::DeleteUserPolicyRequest { user_name: "anna".to_owned(), policy_name: "may".to_owned() };
    world.call::<iam_op::DeleteUserPolicy>(&admin, policy).await.unwrap();
    world.call::<iam_op::DeleteUser>(&admin, DeleteUserRequest { user_name: "anna".to_owned() }).await.unwrap();
    assert!(world.principal(&credentials.access_key_id, Some(&credentials.session_token)).await.is_none());
}

#[tokio::test]
async fn its_limits() {
    let world = world().await;
    let anna = anna(&world).await;
    put_policy(&world, "anna", "may", &statement("Allow", "sts:*", "*")).await;
    let root = world.root(&world.management);
    let long = GetFederationTokenRequest { duration_seconds: Some(129_600), ..bob() };
    let hours = |output: GetFederationTokenResponse, from: &Cx| {
        (output.credentials.unwrap().expiration.millis() - from.now.millis()) / 3_600_000
    };
    assert_eq!(hours(world.call::<op::GetFederationToken>(&anna, long.clone()).await.unwrap(), &anna), 36);
    assert_eq!(hours(world.call::<op::GetFederationToken>(&root, long).await.unwrap(), &root), 1);
    let bad = GetFederationTokenRequest { policy: Some("{}".to_owned()), ..bob() };
    let bad = world.call::<op::GetFederationToken>(&anna, bad).await.map(|_| ());
    assert_eq!(code(bad).0, "MalformedPolicyDocumentException");
    let twice = GetFederationTokenRequest { tags: Some(vec![tag("a"), tag("A")]), ..bob() };
    let twice = world.call::<op::GetFederationToken>(&anna, twice).await.map(|_| ());
    assert_eq!(code(twice).0, "ValidationException");
    let session = world.call::<op::GetFederationToken>(&anna, bob()).await.unwrap().credentials.unwrap();
    let session = as_session(&world, &session).await;
    let nested = world.call::<op::GetFederationToken>(&session, bob()).await.unwrap_err();
    assert_eq!(nested.message(), "Cannot call GetFederationToken with session credentials");
    let list = stoa_models_iam::types::ListUsersRequest::default();
    let iam = world.call::<iam_op::ListUsers>(&session, list).await.map(|_| ());
    assert_eq!(code(iam).0, "InvalidClientTokenId");
}

#[tokio::test]
async fn tags_need_the_right_to_tag() {
    let world = world().await;
    let anna = anna(&world).await;
    put_policy(&world, "anna", "may", &statement("Allow", "sts:GetFederationToken", "*")).await;
    let tagged = || GetFederationTokenRequest { tags: Some(vec![tag("Team")]), ..bob() };
    let refused = world.call::<op::GetFederationToken>(&anna, tagged()).await.unwrap_err();
    assert!(refused.message().contains("sts:TagSession"), "{}", refused.message());
    put_policy(&world, "anna", "tag", &statement("Allow", "sts:TagSession", "*")).await;
    let session = world.call::<op::GetFederationToken>(&anna, tagged()).await.unwrap().credentials.unwrap();
    let session = as_session(&world, &session).await;
    assert_eq!(session.global_keys.get("aws:principaltag/team"), Some(Values::One("v")));
}

#[tokio::test]
async fn a_sealed_refusal_opens_in_its_account_alone() {
    let world = world().await;
    let admin = world.admin();
    let message = json!({"allowed": false, "explicitDeny": true});
    let encoded = world.iam.encode_refusal(&world.management, &message.to_string()).unwrap();
    let input = |text: &str| DecodeAuthorizationMessageRequest { encoded_message: text.to_owned() };
    let decoded = world.call::<op::DecodeAuthorizationMessage>(&admin, input(&encoded)).await.unwrap();
    let decoded: serde_json::Value = serde_json::from_str(&decoded.decoded_message.unwrap()).unwrap();
    assert_eq!(decoded, message);
    let invalid = ("InvalidAuthorizationMessageException".to_owned(), 400);
    let other = world.iam.encode_refusal(&"999999999999".parse().unwrap(), &message.to_string()).unwrap();
    for text in ["nonsense", &encoded[..encoded.len() - 4], &other] {
        assert_eq!(code(world.call::<op::DecodeAuthorizationMessage>(&admin, input(text)).await.map(|_| ())), invalid);
    }
}
