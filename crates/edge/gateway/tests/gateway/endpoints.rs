//! VPC endpoints: the listener, never a header, says that a call came through one, and which services it leads to.
//! And what an answer's headers tell beside it.

use crate::client::Call;
use crate::world::{NOBODY, World};

#[tokio::test]
async fn the_socket_makes_the_keys_and_the_record_names_the_endpoint() {
    let world = World::behind_endpoint(&[]).await;
    let call = Call::json("DescribeHub", r#"{"HubName":"h1"}"#).header("x-amz-source-vpce", "vpce-forged");
    let answer = call.send(&world).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let record = world.journal.last();
    assert_eq!(record.vpc_endpoint_id.as_deref(), Some("vpce-1"));
    let global = &record.additional_event_data["stoaDecision"]["global"];
    assert_eq!(global["aws:sourcevpcarn"], "arn:aws:ec2:us-west-2:444455556666:vpc/vpc-1");
    assert_eq!(global["aws:vpcsourceip"], "127.0.0.1");
    assert!(global["aws:sourceip"].is_null());
    let elsewhere = World::start().await;
    assert_eq!(call.send(&elsewhere).await.status, 200);
    assert_eq!(elsewhere.journal.last().vpc_endpoint_id, None);
}

#[tokio::test]
async fn an_endpoint_leads_to_its_services_only() {
    for services in [["api.sagemaker"], ["sagemaker.api"], ["com.amazonaws.us-west-2.sagemaker.api"], ["sagemaker"]] {
        let world = World::behind_endpoint(&services).await;
        let answer = Call::json("DescribeHub", r#"{"HubName":"h1"}"#).send(&world).await;
        assert_eq!(answer.status, 200, "{services:?}: {}", answer.text());
        let refused = Call::invoke("e1", "1").send(&world).await;
        assert_eq!((refused.status.as_u16(), &*refused.code()), (404, "UnknownOperationException"), "{services:?}");
        assert_eq!(refused.message(), "the VPC endpoint `vpce-1` does not lead to the service `sagemaker-runtime`");
        assert_eq!(world.journal.last().error.unwrap().error_code, "UnknownOperationException");
    }
    let world = World::behind_endpoint(&["s3"]).await;
    assert_eq!(Call::json("DescribeHub", r#"{"HubName":"h1"}"#).send(&world).await.status, 404);
}

#[tokio::test]
async fn warnings_reach_the_caller_and_the_journal() {
    let world = World::start().await;
    let answer = Call::json("DescribeHub", r#"{"HubName":"odd"}"#).send(&world).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["x-stoa-warning"], "the hub `odd` is 100 %25 odd%0Aand %C3%BCbel");
    let told = &world.journal.last().additional_event_data;
    assert_eq!(told["stoaWarnings"][0], "the hub `odd` is 100 % odd\nand übel");
    assert_eq!(told["stoaDecision"]["targets"][0]["effect"], "allow");
}

#[tokio::test]
async fn a_mutation_records_its_decisions_once() {
    let world = World::start().await;
    assert_eq!(Call::json("CreateHub", r#"{"HubName":"h1"}"#).send(&world).await.status, 200);
    let records = world.journal.records();
    assert_eq!(records[0].additional_event_data["stoaDecision"]["targets"][0]["action"], "sagemaker:CreateHub");
    assert!(records[1].additional_event_data.is_null(), "nothing was decided since");
    let whole = stoa_audit::AuditRecord::merge(records[0].clone(), records[1].clone());
    assert_eq!(whole.additional_event_data["stoaDecision"]["id"], *whole.request_id);
}

#[tokio::test]
async fn a_referer_is_recorded_without_its_query() {
    let world = World::start().await;
    let call = Call::json("DescribeHub", r#"{"HubName":"h1"}"#).by(NOBODY);
    let answer = call.header("referer", "https://x.test/page?X-Amz-Signature=secret").send(&world).await;
    assert_eq!(answer.status, 400);
    let record = serde_json::to_string(&world.journal.last()).unwrap();
    assert!(record.contains("https://x.test/page") && !record.contains("X-Amz-Signature"), "{record}");
}

#[tokio::test]
async fn a_front_below_a_path_has_it_alone() {
    let told = async |world: &World, call: Call| call.send(world).await.text();
    let world = World::start().await;
    let base = format!("http://{}", "localhost");
    assert_eq!(told(&world, Call::plain("GET", "/hf/a/b")).await, format!("hf GET /hf/a/b {base}"));
    let bearer = Call::plain("GET", "/hf/a/b").header("authorization", "Bearer hf_x");
    assert!(told(&world, bearer.clone()).await.starts_with("hf "));
    assert!(told(&world, Call::plain("PUT", "/hf/a/b")).await.starts_with("hf "));
    // Signed, under another path, or under the name of a bucket, it is what it was.
    let signed = Call { service: "s3", signed: true, ..Call::plain("GET", "/hf/a/b") };
    assert!(told(&world, signed).await.starts_with("s3 "));
    assert!(told(&world, Call::plain("GET", "/hfx/a")).await.starts_with("s3 "));
    for host in ["bucket.s3.us-west-2.amazonaws.com", "bucket.localhost"] {
        let call = Call { host: host.to_owned(), ..Call::plain("GET", "/hf/a/b") };
        assert!(told(&world, call).await.starts_with("s3 "), "{host}");
    }
    // An endpoint that leads to its service leads there, and no other does.
    let inside = World::behind_endpoint(&["api.sagemaker"]).await;
    assert!(told(&inside, bearer.clone()).await.starts_with("hf "));
    let elsewhere = World::behind_endpoint(&["s3"]).await;
    assert!(!told(&elsewhere, bearer).await.starts_with("hf "));
}
