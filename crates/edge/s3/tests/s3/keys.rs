//! Every operation sets the condition keys that the overlay of S3 says it does (`facts/s3/overlay.toml`, checked against
//! AWS's authorization facts), shown by the record of a request that has everything in it.

use stoa_models_authz::hand_written;

use crate::support::{World, ask};

const PLACE: &str = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>us-west-2</LocationConstraint></CreateBucketConfiguration>";
const TAGS: &str = "<Tagging><TagSet><Tag><Key>stage</Key><Value>raw</Value></Tag></TagSet></Tagging>";
const OWNED: &str =
    "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
const ENCRYPTION: &str = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
const DELETE: &str = "<Delete><Object><Key>k</Key><ETag>e</ETag></Object></Delete>";

/// Method, target and body of a request of each operation.
const REQUESTS: &[(&str, &str, &str, &str)] = &[
    ("AbortMultipartUpload", "DELETE", "/data/k?uploadId=u", ""),
    ("CompleteMultipartUpload", "POST", "/data/k?uploadId=u", "<CompleteMultipartUpload></CompleteMultipartUpload>"),
    ("CopyObject", "PUT", "/data/copy", ""),
    ("CreateBucket", "PUT", "/another", PLACE),
    ("CreateMultipartUpload", "POST", "/data/k?uploads", ""),
    ("DeleteBucket", "DELETE", "/data", ""),
    ("DeleteBucketEncryption", "DELETE", "/data?encryption", ""),
    ("DeleteBucketPolicy", "DELETE", "/data?policy", ""),
    ("DeleteBucketTagging", "DELETE", "/data?tagging", ""),
    ("DeleteObject", "DELETE", "/data/gone", ""),
    ("DeleteObjectTagging", "DELETE", "/data/k?tagging", ""),
    ("DeleteObjects", "POST", "/data?delete", DELETE),
    ("DeletePublicAccessBlock", "DELETE", "/data?publicAccessBlock", ""),
    ("GetBucketAcl", "GET", "/data?acl", ""),
    ("GetBucketEncryption", "GET", "/data?encryption", ""),
    ("GetBucketLocation", "GET", "/data?location", ""),
    ("GetBucketOwnershipControls", "GET", "/data?ownershipControls", ""),
    ("GetBucketPolicy", "GET", "/data?policy", ""),
    ("GetBucketPolicyStatus", "GET", "/data?policyStatus", ""),
    ("GetBucketTagging", "GET", "/data?tagging", ""),
    ("GetBucketVersioning", "GET", "/data?versioning", ""),
    ("GetObject", "GET", "/data/k", ""),
    ("GetObjectAcl", "GET", "/data/k?acl", ""),
    ("GetObjectAttributes", "GET", "/data/k?attributes", ""),
    ("GetObjectTagging", "GET", "/data/k?tagging", ""),
    ("GetPublicAccessBlock", "GET", "/data?publicAccessBlock", ""),
    ("HeadBucket", "HEAD", "/data", ""),
    ("HeadObject", "HEAD", "/data/k", ""),
    ("ListBuckets", "GET", "/", ""),
    ("ListMultipartUploads", "GET", "/data?uploads", ""),
    ("ListObjects", "GET", "/data?prefix=a&delimiter=b&max-keys=1", ""),
    ("ListObjectsV2", "GET", "/data?delimiter=b&list-type=2&max-keys=1&prefix=a", ""),
    ("ListParts", "GET", "/data/k?uploadId=u", ""),
    ("PutBucketEncryption", "PUT", "/data?encryption", ENCRYPTION),
    ("PutBucketPolicy", "PUT", "/data?policy", "{}"),
    ("PutBucketTagging", "PUT", "/data?tagging", TAGS),
    ("PutObject", "PUT", "/data/k", ""),
    ("PutObjectTagging", "PUT", "/data/k?tagging", TAGS),
    ("PutPublicAccessBlock", "PUT", "/data?publicAccessBlock", "<PublicAccessBlockConfiguration/>"),
    ("UploadPart", "PUT", "/data/k?partNumber=1&uploadId=u", ""),
    ("UploadPartCopy", "PUT", "/data/k?partNumber=1&uploadId=u", ""),
    ("DeleteBucketCors", "DELETE", "/data?cors", ""),
    ("DeleteBucketLifecycle", "DELETE", "/data?lifecycle", ""),
    ("DeleteBucketOwnershipControls", "DELETE", "/data?ownershipControls", ""),
    ("GetBucketCors", "GET", "/data?cors", ""),
    ("GetBucketLifecycleConfiguration", "GET", "/data?lifecycle", ""),
    ("GetBucketNotificationConfiguration", "GET", "/data?notification", ""),
    ("ListObjectVersions", "GET", "/data?versions&prefix=a&delimiter=b&max-keys=1", ""),
    ("PutBucketCors", "PUT", "/data?cors", "<CORSConfiguration/>"),
    ("PutBucketLifecycleConfiguration", "PUT", "/data?lifecycle", "<LifecycleConfiguration/>"),
    ("PutBucketNotificationConfiguration", "PUT", "/data?notification", "<NotificationConfiguration/>"),
    ("PutBucketOwnershipControls", "PUT", "/data?ownershipControls", OWNED),
    ("PutBucketVersioning", "PUT", "/data?versioning", "<VersioningConfiguration/>"),
];

/// Headers that conditions look at. Most requests are then refused for one of them: after the decision.
const HEADERS: &[(&str, &str)] = &[
    ("if-match", "*"),
    ("if-none-match", "*"),
    ("x-amz-acl", "private"),
    ("x-amz-bucket-namespace", "global"),
    ("x-amz-grant-full-control", "id=1"),
    ("x-amz-grant-read", "id=1"),
    ("x-amz-grant-read-acp", "id=1"),
    ("x-amz-grant-write", "id=1"),
    ("x-amz-grant-write-acp", "id=1"),
    ("x-amz-metadata-directive", "COPY"),
    ("x-amz-object-annotation-directive", "COPY"),
    ("x-amz-object-attributes", "ETag"),
    ("x-amz-object-lock-legal-hold", "OFF"),
    ("x-amz-object-lock-mode", "GOVERNANCE"),
    ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
    ("x-amz-object-ownership", "BucketOwnerEnforced"),
    ("x-amz-server-side-encryption", "AES256"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "k"),
    ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ("x-amz-storage-class", "STANDARD"),
    ("x-amz-tagging", "stage=raw"),
    ("x-amz-website-redirect-location", "/"),
];

/// The targets of the last record: each action with its keys.
fn decided(world: &World) -> Vec<(String, Vec<String>)> {
    let record = world.records().pop().unwrap();
    let targets = record.additional_event_data["stoaDecision"]["targets"].as_array().cloned().unwrap_or_default();
    let keys = |target: &serde_json::Value| target["keys"].as_object().unwrap().keys().cloned().collect();
    targets.iter().map(|target| (target["action"].as_str().unwrap().to_owned(), keys(target))).collect()
}

#[tokio::test]
async fn every_operation_sets_the_keys_it_is_said_to_set() {
    let mut missing = Vec::new();
    for declared in hand_written("s3") {
        let found = REQUESTS.iter().find(|(operation, ..)| *operation == declared.operation);
        let (_, method, target, body) =
            found.unwrap_or_else(|| panic!("{} needs a request in the table of this test", declared.operation));
        let world = World::with_bucket().await;
        world.send(ask("PUT", "/data/k").with("x-amz-tagging", "stage=raw").body("x")).await.ok();
        // The bodies that must be read for the decision are read only where no header is refused before.
        let plain = matches!(declared.operation, "DeleteObjects" | "PutObjectTagging");
        let copy = declared.operation.contains("Copy");
        let mut request = ask(method, target).body(*body);
        for (name, value) in HEADERS.iter().filter(|_| !plain) {
            request = request.with(name, *value);
        }
        if copy {
            request = request.with("x-amz-copy-source", "/data/k");
        }
        world.send(request).await;
        let decided = decided(&world);
        missing.extend(declared.missing(&decided).iter().map(|what| format!("{}: {what}", declared.operation)));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[tokio::test]
async fn how_old_a_signature_is_and_what_it_covers() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data/k").body("x")).await.ok();
    let url = world.presigned("ADMIN", None, "GET", "127.0.0.1:4566", "/data/k", 600);
    world.clock.advance_millis(90_000);
    world.raw("GET", "127.0.0.1:4566", &url).await.ok();
    let record = world.records().pop().unwrap();
    let keys = &record.additional_event_data["stoaDecision"]["targets"][0]["keys"];
    assert_eq!(keys["s3:signatureage"], "90000");
    assert_eq!(keys["s3:x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    assert_eq!(keys["s3:authtype"], "REST-QUERY-STRING");
}

#[tokio::test]
async fn where_a_bucket_is_to_be_is_decided() {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/another").body(PLACE)).await.ok();
    let (action, keys) = decided(&world).remove(0);
    assert_eq!(action, "s3:CreateBucket");
    assert!(keys.contains(&"s3:locationconstraint".to_owned()), "{keys:?}");
    let refused = world.send(ask("PUT", "/third").by("READER").body(PLACE)).await;
    assert_eq!(refused.code(), "AccessDenied");
    assert_eq!(world.send(ask("HEAD", "/third")).await.status, 404, "nothing was made");
}
