//! Buckets and listings over the wire.

use stoa_audit::Phase;

use crate::support::{ALICE, World, ask};

#[tokio::test]
async fn the_life_of_a_bucket() {
    let world = World::with_bucket().await;
    let made = world.records();
    let events: Vec<_> = made.iter().map(|record| (record.event_name.as_str(), record.phase)).collect();
    assert_eq!(events, [("CreateBucket", Phase::Begin), ("CreateBucket", Phase::Complete)]);
    assert_eq!(made[1].user_identity.arn, "arn:aws:iam::111122223333:user/ADMIN");
    assert_eq!(made[1].request_parameters["bucketName"], "data");
    assert!(!made[1].read_only && made[1].management_event && made[1].source_ip_address == "10.0.0.7");

    let list = world.send(ask("GET", "/")).await.ok();
    assert_eq!(list.all("Name"), ["data"]);
    assert_eq!(list.all("ID"), [ALICE]);
    let head = world.send(ask("HEAD", "/data")).await.ok();
    assert_eq!(head.header("x-amz-bucket-region"), "us-west-2");
    let location = world.send(ask("GET", "/data?location")).await.ok();
    assert!(location.text().contains(">us-west-2</LocationConstraint>"), "{}", location.text());
    let again = world.send(ask("PUT", "/data")).await;
    assert_eq!(again.code(), "IllegalLocationConstraintException");
    assert_eq!(world.send(ask("PUT", "/Data_1")).await.code(), "InvalidBucketName");

    world.send(ask("PUT", "/data/k").body("x")).await.ok();
    let full = world.send(ask("DELETE", "/data")).await;
    assert_eq!((full.status.as_u16(), full.code()), (409, "BucketNotEmpty"));
    assert_eq!(world.send(ask("DELETE", "/data/k")).await.status, 204);
    assert_eq!(world.send(ask("DELETE", "/data")).await.status, 204);
    let gone = world.send(ask("HEAD", "/data")).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (404, 0));
    assert_eq!(world.records().last().unwrap().error.as_ref().unwrap().error_code, "NoSuchBucket");
}

#[tokio::test]
async fn listings_page_roll_up_and_encode() {
    let world = World::with_bucket().await;
    for key in ["a%20b", "dir/1", "dir/2", "e%26%C3%A9", "z"] {
        world.send(ask("PUT", &format!("/data/{key}")).body("x")).await.ok();
    }
    let all = world.send(ask("GET", "/data?list-type=2")).await.ok();
    assert_eq!(all.all("Key"), ["a b", "dir/1", "dir/2", "e&amp;é", "z"]);
    assert_eq!(all.all("KeyCount"), ["5"]);
    assert_eq!(all.all("ETag")[0].replace("&quot;", "\""), "\"9dd4e461268c8034f5c8564e155c67a6\"");
    let url = world.send(ask("GET", "/data?delimiter=%2F&encoding-type=url&list-type=2&max-keys=2")).await.ok();
    assert_eq!((url.all("Key"), url.all("IsTruncated")), (vec!["a%20b"], vec!["true"]));
    assert_eq!(url.all("Prefix").last(), Some(&"dir/"));
    let token = url.all("NextContinuationToken")[0];
    let rest = format!("/data?continuation-token={token}&delimiter=%2F&encoding-type=url&list-type=2");
    let rest = world.send(ask("GET", &rest)).await.ok();
    assert_eq!((rest.all("Key"), rest.all("IsTruncated")), (vec!["e%26%C3%A9", "z"], vec!["false"]));
    let forged = world.send(ask("GET", "/data?continuation-token=abc&list-type=2")).await;
    assert_eq!(forged.code(), "InvalidArgument");
    let old = world.send(ask("GET", "/data?delimiter=%2F&max-keys=2&prefix=")).await.ok();
    assert_eq!(old.all("NextMarker"), ["dir/"]);
    let old = world.send(ask("GET", "/data?marker=dir%2F2")).await.ok();
    assert_eq!(old.all("Key"), ["e&amp;é", "z"]);
    assert_eq!(world.records().last().unwrap().event_name, "ListObjects");
}
