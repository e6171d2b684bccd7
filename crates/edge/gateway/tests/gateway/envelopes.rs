//! Every kind of error in the form of its protocol, and where requests without a service go.

use crate::client::Call;
use crate::world::{NOBODY, World};

#[tokio::test]
async fn aws_json() {
    let world = World::start().await;
    let answer = Call::json("DescribeHub", r#"{"HubName":"missing"}"#).send(&world).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "ResourceNotFound"));
    assert_eq!(answer.message(), "hub `missing` does not exist");
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/x-amz-json-1.1"));
    assert!(answer.headers.contains_key("x-amzn-requestid"));
}

#[tokio::test]
async fn aws_query() {
    let world = World::start().await;
    let good = Call::query("GetCallerIdentity").send(&world).await;
    assert_eq!(good.status, 200, "{}", good.text());
    assert!(good.text().contains("<Arn>arn:aws:iam::111122223333:user/admin</Arn>"));
    let modelled = Call::query("AssumeRole").send(&world).await;
    assert_eq!(modelled.status, 403);
    assert!(modelled.text().contains("<Code>RegionDisabled</Code>"), "{}", modelled.text());
    let denied = Call::query("AssumeRole").by(NOBODY).send(&world).await;
    assert_eq!(denied.status, 403);
    assert!(denied.text().contains("<Code>AccessDenied</Code>"));
    let unknown = Call::query("Nothing").send(&world).await;
    assert!(unknown.text().contains("<Code>InvalidAction</Code>"), "{}", unknown.text());
    for answer in [modelled, denied, unknown] {
        assert!(answer.text().contains("<RequestId>"));
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/xml"));
    }
}

#[tokio::test]
async fn rest_json() {
    let world = World::start().await;
    let denied = Call::invoke("e1", "1").by(NOBODY).send(&world).await;
    assert_eq!(denied.status, 403);
    assert!(denied.headers["x-amzn-errortype"].to_str().unwrap().starts_with("AccessDeniedException"));
    let unknown = Call { path: "/endpoints/e1/nothing".to_owned(), ..Call::invoke("e1", "1") }.send(&world).await;
    assert!(unknown.headers["x-amzn-errortype"].to_str().unwrap().starts_with("UnknownOperationException"));
}

#[tokio::test]
async fn rpc_v2_cbor() {
    let world = World::start().await;
    let good = Call::cbor("ListMetrics").send(&world).await;
    assert_eq!((good.status.as_u16(), &good.headers["smithy-protocol"]), (200, &"rpc-v2-cbor".parse().unwrap()));
    let denied = Call::cbor("ListMetrics").by(NOBODY).send(&world).await;
    assert!(denied.status.is_client_error());
    assert!(String::from_utf8_lossy(&denied.body).contains("AccessDeniedException"));
    let unknown = Call::cbor("Nothing").send(&world).await;
    assert!(String::from_utf8_lossy(&unknown.body).contains("UnknownOperationException"));
}

#[tokio::test]
async fn malformed_bodies() {
    let world = World::start().await;
    for body in [
        r#"{"HubName":"h1""#.to_owned(),
        r#"{"HubName":7}"#.to_owned(),
        "[]".to_owned(),
        "\u{0}".to_owned(),
        "[".repeat(2_000_000),
        format!(r#"{{"HubName":"h1","Extra":{}}}"#, "[".repeat(2_000_000)),
        format!(r#"{{"HubName":"h1","Unknown":{}1{}}}"#, "[".repeat(900_000), "]".repeat(900_000)),
    ] {
        let answer = Call::json("DescribeHub", body.clone()).send(&world).await;
        let start: String = body.chars().take(40).collect();
        assert_eq!((answer.status.as_u16(), &*answer.code()), (400, "SerializationException"), "{start}");
        let record = world.journal.last();
        assert_eq!(record.error.unwrap().error_code, "SerializationException");
        assert_eq!(record.user_identity.kind, "IAMUser", "the caller was authenticated before the body was read");
    }
}

#[tokio::test]
async fn unknown_operations_and_services() {
    let world = World::start().await;
    let operation = Call::json("Nothing", "{}").send(&world).await;
    assert_eq!((operation.status.as_u16(), &*operation.code()), (400, "UnknownOperationException"));
    assert!(operation.message().contains("Nothing"));
    assert_eq!(world.journal.last().event_name, "Nothing");
    let service = Call::json("X", "{}").header("x-amz-target", "Comprehend_20171127.DetectEntities").send(&world).await;
    assert_eq!(service.code(), "UnknownOperationException");
    assert!(service.message().contains("`Comprehend_20171127` is not served"), "{}", service.message());
    let by_scope = Call { service: "ec2", ..Call::query("DescribeInstances") }.send(&world).await;
    assert!(by_scope.status.is_client_error());
    assert!(by_scope.text().contains("ec2"), "{}", by_scope.text());
    assert_eq!(world.journal.records().len(), 3);
}

#[tokio::test]
async fn what_is_s3s_goes_there() {
    let world = World::start().await;
    let base = "http://localhost";
    let unsigned = Call::plain("GET", "/bucket/key").send(&world).await;
    assert_eq!(unsigned.text(), format!("s3 GET /bucket/key {base}"));
    assert!(unsigned.headers.contains_key("x-amz-request-id"));
    let signed = Call { service: "s3", method: "PUT", ..Call::json("x", "body") };
    let mut signed = Call { path: "/bucket/key".to_owned(), ..signed };
    signed.headers.clear();
    assert!(signed.send(&world).await.text().starts_with("s3 PUT /bucket/key"));
    let presigned = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20261121%2Fus-west-2%2Fs3%2Faws4_request\
                     &X-Amz-Date=20261121T010000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=";
    let presigned = format!("{presigned}{}", "0".repeat(64));
    assert!(Call::plain("GET", &presigned).send(&world).await.text().starts_with("s3 GET /b/k"));
    let version_2 = Call::plain("GET", "/b/k?AWSAccessKeyId=A&Signature=x&Expires=1").send(&world).await;
    assert!(version_2.text().starts_with("s3 GET /b/k"));
    let virtual_host = Call { host: "b.s3.us-west-2.amazonaws.com".to_owned(), ..Call::plain("GET", "/k") };
    assert_eq!(virtual_host.send(&world).await.text(), "s3 GET /k https://s3.us-west-2.amazonaws.com");
}

#[tokio::test]
async fn own_pages() {
    let world = World::start().await;
    let health = Call::plain("GET", "/health").send(&world).await;
    assert_eq!(
        (health.status.as_u16(), &*health.json()["status"].as_str().unwrap_or_default().to_owned()),
        (200, "ok")
    );
    assert_eq!(Call::json("DescribeHub", r#"{"HubName":"h1"}"#).send(&world).await.status, 200);
    assert_eq!(Call::json("DescribeHub", r#"{"HubName":"missing"}"#).send(&world).await.status, 400);
    let text = Call::plain("GET", "/metrics").send(&world).await.text();
    for line in [
        r#"stoa_requests_total{service="sagemaker",operation="DescribeHub",status="2xx"} 1"#,
        r#"stoa_requests_total{service="sagemaker",operation="DescribeHub",status="4xx"} 1"#,
        r#"stoa_request_duration_seconds_count{service="sagemaker",operation="DescribeHub"} 2"#,
        "stoa_requests_in_flight 1",
        "stoa_connections_open 1",
    ] {
        // The connections of earlier calls may not have ended yet.
        let stem = line.rsplit_once(' ').unwrap().0;
        let found = if line.starts_with("stoa_connections") { text.contains(stem) } else { text.contains(line) };
        assert!(found, "{line} in\n{text}");
    }
}
