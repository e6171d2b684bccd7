//! Who is let in: the errors each protocol's clients expect, none of which reaches a handler, all of which are recorded.

use crate::client::Call;
use crate::world::{ENDED, SESSION, World};

fn describe() -> Call {
    Call::json("DescribeHub", r#"{"HubName":"h1"}"#)
}

async fn refused(world: &World, call: Call, code: &str, part: &str) {
    let answer = call.send(world).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (400, code), "{}", answer.text());
    assert!(answer.message().contains(part), "{}", answer.message());
    let record = world.journal.last();
    assert_eq!(record.error.unwrap().error_code, code);
    assert_eq!((&*record.user_identity.kind, &*record.event_name), ("Unknown", "DescribeHub"));
    assert!(record.user_identity.arn.is_empty(), "a claim is no identity");
}

#[tokio::test]
async fn json_services() {
    let world = World::start().await;
    let unsigned = Call { signed: false, ..describe() };
    refused(&world, unsigned, "MissingAuthenticationTokenException", "Missing Authentication Token").await;
    let wrong = Call { secret: "wrong", ..describe() };
    refused(&world, wrong, "InvalidSignatureException", "does not match the signature you provided").await;
    assert_eq!(world.journal.last().user_identity.access_key_id, "AKIAADMIN", "the claimed key is recorded");
    refused(&world, describe().by("AKIAUNKNOWN"), "UnrecognizedClientException", "security token included").await;
    refused(&world, describe().by(ENDED), "ExpiredTokenException", "expired").await;
    let tokenless = Call { token: None, ..describe().by(SESSION) };
    refused(&world, tokenless, "UnrecognizedClientException", "invalid").await;
    let other = Call { token: Some("another"), ..describe().by(SESSION) };
    refused(&world, other, "UnrecognizedClientException", "invalid").await;
    let uninvited = Call { token: Some("some"), ..describe() };
    refused(&world, uninvited, "UnrecognizedClientException", "invalid").await;
    let elsewhere = Call { service: "sts", ..describe() };
    refused(&world, elsewhere, "InvalidSignatureException", "correct service: 'sagemaker'").await;
    let odd = Call { signed: false, ..describe() }.header("authorization", "Bearer abc");
    refused(&world, odd, "IncompleteSignatureException", "Bearer").await;
    assert!(!serde_json::to_string(&world.journal.records()).unwrap().contains("the-session-token"));
}

#[tokio::test]
async fn a_changed_body_or_target_does_not_pass() {
    let world = World::start().await;
    let stream = tokio::net::TcpStream::connect(world.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = describe().request();
    *request.body_mut() = http_body_util::Full::new(r#"{"HubName":"h2"}"#.into());
    request.headers_mut().remove("content-length");
    let answer = crate::client::answer(sender.send_request(request).await.unwrap()).await;
    assert_eq!(answer.code(), "InvalidSignatureException");
    let mut request = describe().request();
    request.headers_mut().insert("x-amz-target", "SageMaker.CreateHub".parse().unwrap());
    let answer = crate::client::answer(sender.send_request(request).await.unwrap()).await;
    assert_eq!(answer.code(), "InvalidSignatureException");
}

#[tokio::test]
async fn skew_is_fifteen_minutes() {
    let world = World::start().await;
    world.clock.advance_millis(900_000);
    assert_eq!(describe().send(&world).await.status, 200);
    world.clock.advance_millis(1000);
    refused(&world, describe(), "InvalidSignatureException", "Signature expired: 20261121T010000Z").await;
}

#[tokio::test]
async fn query_services() {
    let world = World::start().await;
    for (call, status, code) in [
        (Call { secret: "wrong", ..Call::query("GetCallerIdentity") }, 403, "SignatureDoesNotMatch"),
        (Call::query("GetCallerIdentity").by("AKIAUNKNOWN"), 403, "InvalidClientTokenId"),
        (Call::query("GetCallerIdentity").by(ENDED), 403, "ExpiredToken"),
        (Call { signed: false, ..Call::query("GetCallerIdentity") }, 403, "MissingAuthenticationToken"),
    ] {
        let answer = call.send(&world).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_operation_whose_assertion_is_its_credential_needs_no_signature() {
    let world = World::start().await;
    let answer = Call { signed: false, ..Call::query("AssumeRoleWithWebIdentity") }.send(&world).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("<Arn>*</Arn>"), "nobody calls: {}", answer.text());
    let record = world.journal.last();
    let identity = &record.user_identity;
    assert_eq!((&*identity.kind, &*identity.principal_id), ("WebIdentityUser", "provider:client:anna"));
    assert_eq!(
        (identity.user_name.as_deref(), identity.identity_provider.as_deref()),
        (Some("anna"), Some("provider"))
    );
    assert!(identity.arn.is_empty() && identity.access_key_id.is_empty());
    assert_eq!(record.recipient_account_id, "111122223333");
    // A signature that is there must hold all the same.
    let wrong = Call { secret: "wrong", ..Call::query("AssumeRoleWithWebIdentity") }.send(&world).await;
    assert!(wrong.text().contains("<Code>SignatureDoesNotMatch</Code>"), "{}", wrong.text());
}

#[tokio::test]
async fn regions_that_are_not_served_are_refused() {
    let config = stoa_gateway::GatewayConfig {
        regions: vec!["us-west-2".parse().unwrap()],
        ..stoa_gateway::GatewayConfig::default()
    };
    let world = World::with(config).await;
    assert_eq!(describe().send(&world).await.status, 200);
    let elsewhere = Call { region: "eu-west-1", ..describe() };
    refused(&world, elsewhere, "InvalidSignatureException", "valid region").await;
    let crossed = Call { host: "sagemaker.eu-west-1.amazonaws.com".to_owned(), ..describe() };
    refused(&world, crossed, "InvalidSignatureException", "valid region").await;
}
