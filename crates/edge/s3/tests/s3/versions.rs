//! Versions, lifecycle, CORS, notifications and forms as requests and answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use stoa_audit::Phase;

use crate::support::{Answer, World, ask, secret_of};

const ENABLED: &str = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

async fn versioned() -> World {
    let world = World::with_bucket().await;
    world.send(ask("PUT", "/data?versioning").body(ENABLED)).await.ok();
    world
}

fn last(world: &World) -> (String, String) {
    world.authority.decided.lock().last().cloned().unwrap()
}

#[tokio::test]
async fn versions_on_the_wire() {
    let world = versioned().await;
    let first = world.send(ask("PUT", "/data/k").body("one")).await.ok().header("x-amz-version-id").to_owned();
    let second = world.send(ask("PUT", "/data/k").body("two")).await.ok().header("x-amz-version-id").to_owned();
    assert_eq!(world.send(ask("GET", &format!("/data/k?versionId={first}"))).await.ok().text(), "one");
    assert_eq!(last(&world).0, "s3:GetObjectVersion");
    let newest = world.send(ask("GET", "/data/k")).await.ok();
    assert_eq!((newest.text(), newest.header("x-amz-version-id")), ("two", second.as_str()));
    assert_eq!(last(&world).0, "s3:GetObject");
    let marker = world.send(ask("DELETE", "/data/k")).await.ok();
    assert_eq!(marker.header("x-amz-delete-marker"), "true");
    let marker = marker.header("x-amz-version-id").to_owned();
    let gone = world.send(ask("GET", "/data/k")).await;
    assert_eq!((gone.status.as_u16(), gone.code(), gone.header("x-amz-delete-marker")), (404, "NoSuchKey", "true"));
    for method in ["GET", "HEAD"] {
        let read = world.send(ask(method, &format!("/data/k?versionId={marker}"))).await;
        assert_eq!((read.status.as_u16(), read.header("x-amz-delete-marker")), (405, "true"), "{method}");
        assert!(!read.header("last-modified").is_empty());
    }
    assert_eq!(world.send(ask("GET", "/data/k?versionId=nonsense")).await.code(), "InvalidArgument");
    assert_eq!(world.send(ask("GET", "/data/k?versionId=")).await.code(), "InvalidArgument");
    let other = format!("/data/other?versionId={first}");
    assert_eq!(world.send(ask("GET", &other)).await.code(), "NoSuchVersion");
    // The right to read objects is not the right to read versions of them.
    let reader = world.send(ask("GET", &format!("/data/k?versionId={first}")).by("READER")).await;
    assert_eq!(reader.code(), "AccessDenied");
    let copied = ask("PUT", "/data/k").with("x-amz-copy-source", format!("/data/k?versionId={first}"));
    let copied = world.send(copied).await.ok();
    assert_eq!(copied.header("x-amz-copy-source-version-id"), first);
    assert_eq!(world.send(ask("GET", "/data/k")).await.ok().text(), "one");
    let listed = world.send(ask("GET", "/data?versions")).await.ok();
    assert_eq!((listed.all("IsLatest").len(), listed.all("VersionId").len()), (4, 4));
    assert!(listed.text().contains("<DeleteMarker>"));
    assert_eq!(last(&world).0, "s3:ListBucketVersions");
    let page = world.send(ask("GET", "/data?max-keys=1&versions")).await.ok();
    assert_eq!((page.all("NextKeyMarker"), page.all("IsTruncated")), (vec!["k"], vec!["true"]));
    let removed = world.send(ask("DELETE", &format!("/data/k?versionId={second}"))).await.ok();
    assert_eq!((removed.header("x-amz-version-id"), removed.header("x-amz-delete-marker")), (second.as_str(), ""));
    assert_eq!(last(&world).0, "s3:DeleteObjectVersion");
    let many = format!(
        "<Delete><Object><Key>k</Key><VersionId>{marker}</VersionId></Object><Object><Key>k</Key></Object></Delete>"
    );
    let many = world.send(ask("POST", "/data?delete").body(many)).await.ok();
    assert_eq!(many.all("DeleteMarker"), ["true", "true"]);
    assert_eq!(many.all("DeleteMarkerVersionId").len(), 2);
    assert_eq!(world.send(ask("DELETE", "/data")).await.code(), "BucketNotEmpty");
}

#[tokio::test]
async fn refusals_by_name() {
    let world = World::with_bucket().await;
    let put = |target: &'static str, body: &'static str| world.send(ask("PUT", target).body(body));
    let mfa =
        "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
    assert_eq!(put("/data?versioning", mfa).await.code(), "NotImplemented");
    let none = put("/data?versioning", "<VersioningConfiguration/>").await;
    assert_eq!(none.code(), "IllegalVersioningConfigurationException");
    let transition = "<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition></Rule></LifecycleConfiguration>";
    let transition = put("/data?lifecycle", transition).await;
    assert!(transition.code() == "NotImplemented" && transition.text().contains("Transition"));
    assert_eq!(put("/data?lifecycle", "<LifecycleConfiguration/>").await.code(), "MalformedXML");
    let queue = "<NotificationConfiguration><QueueConfiguration><Queue>arn:aws:sqs:us-west-2:1:q</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>";
    let queue = put("/data?notification", queue).await;
    assert!(queue.code() == "InvalidArgument" && queue.text().contains("QueueConfiguration"));
    let writer = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
    assert_eq!(put("/data?ownershipControls", writer).await.code(), "NotImplemented");
    let enforced = writer.replace("ObjectWriter", "BucketOwnerEnforced");
    world.send(ask("PUT", "/data?ownershipControls").body(enforced)).await.ok();
    world.send(ask("DELETE", "/data?ownershipControls")).await.ok();
    assert_eq!(world.send(ask("GET", "/data?ownershipControls")).await.code(), "OwnershipControlsNotFoundError");
}

#[tokio::test]
async fn settings_come_back() {
    let world = World::with_bucket().await;
    let event_bridge = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
    assert!(!world.send(ask("GET", "/data?notification")).await.ok().text().contains("EventBridge"));
    world.send(ask("PUT", "/data?notification").body(event_bridge)).await.ok();
    assert!(world.send(ask("GET", "/data?notification")).await.ok().text().contains("EventBridgeConfiguration"));
    assert_eq!(world.send(ask("GET", "/data?lifecycle")).await.code(), "NoSuchLifecycleConfiguration");
    let rule = "<LifecycleConfiguration><Rule><ID>a b</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>t</Key><Value>v</Value></Tag></And></Filter><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>";
    world.send(ask("PUT", "/data?lifecycle").body(rule)).await.ok();
    let shown = world.send(ask("GET", "/data?lifecycle")).await.ok();
    assert_eq!((shown.all("ID"), shown.all("Days"), shown.all("Prefix")), (vec!["a b"], vec!["3"], vec!["logs/"]));
    let tagged = world.send(ask("PUT", "/data/logs/1").with("x-amz-tagging", "t=v").body("x")).await.ok();
    assert!(tagged.header("x-amz-expiration").ends_with("rule-id=\"a%20b\""), "{tagged:?}");
    for method in ["GET", "HEAD"] {
        let read = world.send(ask(method, "/data/logs/1")).await.ok();
        assert_eq!(read.header("x-amz-expiration"), tagged.header("x-amz-expiration"));
    }
    assert_eq!(world.send(ask("PUT", "/data/logs/2").body("x")).await.ok().header("x-amz-expiration"), "");
    world.send(ask("DELETE", "/data?lifecycle")).await.ok();
    assert_eq!(world.send(ask("GET", "/data?lifecycle")).await.code(), "NoSuchLifecycleConfiguration");
}

async fn preflight(world: &World, origin: &str, method: &str, headers: &str) -> Answer {
    let request = Request::builder()
        .method("OPTIONS")
        .uri("/data/k")
        .header("host", "127.0.0.1:4566")
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers);
    world.answer(request.body(Full::new(Bytes::new())).unwrap()).await
}

#[tokio::test]
async fn other_origins() {
    let world = World::with_bucket().await;
    assert_eq!(preflight(&world, "https://a.example", "GET", "").await.code(), "AccessForbidden");
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule></CORSConfiguration>";
    world.send(ask("PUT", "/data?cors").body(rules)).await.ok();
    let allowed = preflight(&world, "https://a.example", "GET", "X-Amz-Date").await.ok();
    assert_eq!(allowed.header("access-control-allow-origin"), "https://a.example");
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    assert_eq!(allowed.header("access-control-allow-headers"), "x-amz-date");
    assert_eq!(allowed.header("access-control-max-age"), "60");
    let record = world.records().pop().unwrap();
    assert_eq!((record.event_name.as_str(), record.read_only), ("PreflightRequest", true));
    for (origin, method, headers) in [
        ("https://a.other", "GET", ""),
        ("https://a.example", "PUT", ""),
        ("https://a.example", "GET", "authorization"),
    ] {
        assert_eq!(preflight(&world, origin, method, headers).await.code(), "AccessForbidden");
    }
    world.send(ask("PUT", "/data/k").body("x")).await.ok();
    let read = world.send(ask("GET", "/data/k").with("origin", "https://b.example")).await.ok();
    assert_eq!(read.header("access-control-allow-origin"), "https://b.example");
    assert_eq!(read.header("access-control-expose-headers"), "ETag");
    let other = world.send(ask("GET", "/data/k").with("origin", "https://b.other")).await.ok();
    assert_eq!(other.header("access-control-allow-origin"), "");
    // An origin is no right.
    let denied = world.send(ask("DELETE", "/data/k").by("READER").with("origin", "https://b.example")).await;
    assert_eq!(denied.code(), "AccessDenied");
    let bad = rules.replace("GET", "PATCH");
    assert_eq!(world.send(ask("PUT", "/data?cors").body(bad)).await.code(), "InvalidRequest");
    world.send(ask("DELETE", "/data?cors")).await.ok();
    assert_eq!(world.send(ask("GET", "/data?cors")).await.code(), "NoSuchCORSConfiguration");
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    stoa_sigv4_hmac(key, text.as_bytes())
}

fn stoa_sigv4_hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    Hmac::<sha2::Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().to_vec()
}

/// A form with a policy that its maker signed, as a browser sends it.
fn form(by: &str, conditions: &str, fields: &[(&str, &str)], file: &[u8]) -> Request<Full<Bytes>> {
    let policy = format!(
        r#"{{"expiration":"2030-01-01T00:00:00Z","conditions":[["starts-with","$key",""],{{"bucket":"data"}},
        ["starts-with","$x-amz-algorithm",""],["starts-with","$x-amz-credential",""],["starts-with","$x-amz-date",""]{conditions}]}}"#
    );
    let policy = STANDARD.encode(policy);
    let mut key = format!("AWS4{}", secret_of(by).expose()).into_bytes();
    for part in ["20260921", "us-west-2", "s3", "aws4_request"] {
        key = hmac(&key, part);
    }
    let signature = hex::encode(hmac(&key, &policy));
    let credential = format!("{by}/20260921/us-west-2/s3/aws4_request");
    let own = [
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", credential.as_str()),
        ("x-amz-date", "20260921T140000Z"),
        ("Policy", policy.as_str()),
        ("x-amz-signature", signature.as_str()),
    ];
    let mut body = Vec::new();
    for (name, value) in own.iter().chain(fields) {
        body.extend(format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    body.extend(b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\a\\photo.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n");
    body.extend(file);
    body.extend(b"\r\n--edge\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nignored\r\n--edge--\r\n");
    let request = Request::builder().method("POST").uri("/data").header("host", "127.0.0.1:4566");
    let request = request.header("content-type", "multipart/form-data; boundary=edge");
    request.header("content-length", body.len()).body(Full::new(Bytes::from(body))).unwrap()
}

#[tokio::test]
async fn uploads_by_form() {
    let world = versioned().await;
    let post = |by: &str, conditions: &str, fields: &[(&str, &str)], file: &[u8]| {
        world.answer(form(by, conditions, fields, file))
    };
    let file = vec![7_u8; 300_000];
    let plain = post("ADMIN", "", &[("key", "up/${filename}")], &file).await.ok();
    assert_eq!((plain.status.as_u16(), plain.header("x-amz-version-id").len()), (204, 32));
    assert_eq!(world.send(ask("GET", "/data/up/photo.jpg")).await.ok().body, file);
    let record = world.records().into_iter().rfind(|record| record.event_name == "PutObject").unwrap();
    assert_eq!((record.phase, record.user_identity.access_key_id.as_str()), (Phase::Complete, "ADMIN"));
    assert_eq!(record.additional_event_data["AuthenticationMethod"], "HtmlForm");
    let keys = &record.additional_event_data["stoaDecision"]["targets"][0]["keys"];
    assert_eq!(keys["s3:authtype"], "POST");
    let fields = [
        ("key", "k"),
        ("success_action_status", "201"),
        ("Content-Type", "text/plain"),
        ("x-amz-meta-who", "me"),
        ("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b c</Value></Tag></TagSet></Tagging>"),
    ];
    let more = r#",{"success_action_status":"201"},["starts-with","$Content-Type","text/"],{"x-amz-meta-who":"me"},["starts-with","$tagging",""]"#;
    let made = post("ADMIN", more, &fields, b"hello").await.ok();
    assert_eq!((made.status.as_u16(), made.all("Key"), made.all("Bucket")), (201, vec!["k"], vec!["data"]));
    let read = world.send(ask("GET", "/data/k")).await.ok();
    assert_eq!((read.header("content-type"), read.header("x-amz-meta-who")), ("text/plain", "me"));
    assert_eq!(world.send(ask("GET", "/data/k?tagging")).await.ok().all("Value"), ["b c"]);
    let url = r#",["starts-with","$success_action_redirect","https://"]"#;
    let away = post("ADMIN", url, &[("key", "k"), ("success_action_redirect", "https://a.example/done")], b"x").await;
    assert_eq!(away.status, 303);
    assert!(away.header("location").starts_with("https://a.example/done?bucket=data&key=k&etag=%22"), "{away:?}");
}

#[tokio::test]
async fn forms_that_are_refused() {
    let world = World::with_bucket().await;
    let post = |by: &str, conditions: &str, fields: &[(&str, &str)], file: &[u8]| {
        world.answer(form(by, conditions, fields, file))
    };
    let key = ("key", "k");
    assert_eq!(post("READER", "", &[key], b"x").await.code(), "AccessDenied");
    let extra = post("ADMIN", "", &[key, ("x-amz-meta-a", "b")], b"x").await;
    assert!(extra.code() == "AccessDenied" && extra.text().contains("Extra input fields: x-amz-meta-a"));
    let range = r#",["content-length-range",3,5]"#;
    assert_eq!(post("ADMIN", range, &[key], b"x").await.code(), "EntityTooSmall");
    assert_eq!(post("ADMIN", range, &[key], b"123456").await.code(), "EntityTooLarge");
    // A field that would make it a copy is no field of an upload.
    let copy = post(
        "ADMIN",
        r#",["starts-with","$x-amz-copy-source",""]"#,
        &[key, ("x-amz-copy-source", "/data/secret")],
        b"x",
    )
    .await;
    assert_eq!(copy.ok().header("etag"), "\"9dd4e461268c8034f5c8564e155c67a6\"");
    world.send(ask("DELETE", "/data/k")).await.ok();
    assert_eq!(post("ADMIN", "", &[], b"x").await.code(), "InvalidArgument");
    assert_eq!(
        post("ADMIN", "", &[key, ("pad", &"p".repeat(30_000))], b"x").await.code(),
        "MaxPostPreDataLengthExceededError"
    );
    // A part whose head never ends is not kept in memory for ever.
    let endless = futures_util::stream::repeat_with(|| {
        Ok::<_, s3s::StdError>(http_body::Frame::data(Bytes::from(vec![b'a'; 8192])))
    });
    let start = Bytes::from_static(b"--edge\r\nContent-Disposition: form-data; name=\"");
    let endless =
        futures_util::StreamExt::chain(futures_util::stream::iter([Ok(http_body::Frame::data(start))]), endless);
    let request = Request::builder().method("POST").uri("/data").header("host", "127.0.0.1:4566");
    let request = request.header("content-type", "multipart/form-data; boundary=edge");
    let endless = request.body(http_body_util::StreamBody::new(endless)).unwrap();
    assert_eq!(world.answer(endless).await.code(), "MaxPostPreDataLengthExceededError");
    let altered = |from: &str, to: &str| {
        let (parts, body) = form("ADMIN", "", &[key], b"x").into_parts();
        let bytes =
            futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(body)).unwrap().unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap().replace(from, to);
        Request::from_parts(parts, Full::new(Bytes::from(text)))
    };
    assert_eq!(world.answer(altered("ADMIN/", "READER/")).await.code(), "SignatureDoesNotMatch");
    assert_eq!(world.answer(altered("\"x-amz-signature\"", "\"x-ignore-it\"")).await.code(), "InvalidArgument");
    assert_eq!(world.answer(altered("\"Policy\"", "\"x-ignore-it\"")).await.code(), "AccessDenied");
    let cut = world.answer(altered("\r\n--edge--\r\n", "").map(|body| body)).await;
    assert!(cut.status.is_success(), "what is behind the file does not matter");
    world.send(ask("DELETE", "/data/k")).await.ok();
    let torn = world
        .answer(altered(
            "\r\n--edge\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nignored\r\n--edge--\r\n",
            "",
        ))
        .await;
    assert!(!torn.status.is_success(), "{torn:?}");
    assert_eq!(world.send(ask("GET", "/data/k")).await.code(), "NoSuchKey");
}

#[tokio::test]
async fn uploads_are_rolled_up() {
    let world = World::with_bucket().await;
    for key in ["a/1", "a/2", "a/2", "b", "c/1", "d"] {
        world.send(ask("POST", &format!("/data/{key}?uploads"))).await.ok();
    }
    let all = world.send(ask("GET", "/data?delimiter=/&uploads")).await.ok();
    assert_eq!((all.all("Key"), all.all("Prefix")), (vec!["b", "d"], vec!["a/", "c/"]));
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let page = world.send(ask("GET", &format!("/data?delimiter=/&max-uploads=1&uploads{marker}"))).await.ok();
        let found: Vec<String> = page
            .all("Prefix")
            .into_iter()
            .chain(page.all("Key"))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect();
        seen.extend(found);
        if page.all("IsTruncated") == ["false"] {
            break;
        }
        marker = format!("&key-marker={}", page.all("NextKeyMarker")[0]);
        if let Some(id) = page.all("NextUploadIdMarker").first().filter(|id| !id.is_empty()) {
            marker = format!("{marker}&upload-id-marker={id}");
        }
    }
    assert_eq!(seen, ["a/", "b", "c/", "d"]);
}

#[tokio::test]
async fn a_policy_that_is_likely_wrong_is_saved_with_a_warning() {
    let world = World::with_bucket().await;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:GetObjekt","Resource":"arn:aws:s3:::data/*"}}"#;
    let saved = world.send(ask("PUT", "/data?policy").body(policy)).await.ok();
    assert!(saved.header("x-stoa-warning").contains("s3:GetObjekt"), "{saved:?}");
}

#[tokio::test]
async fn a_form_stays_in_its_bucket() {
    let world = World::with_bucket().await;
    let put = |host: &str, path: &str| {
        let mut request = form("ADMIN", "", &[("key", "k")], b"x");
        request.headers_mut().insert("host", host.parse().unwrap());
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    for (host, path) in
        [("data/admin#.localhost", "/"), ("data%2fadmin.localhost", "/"), ("127.0.0.1:4566", "/data%3Fpolicy&x=")]
    {
        let answer = world.answer(put(host, path)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "InvalidBucketName"), "{host} {path}");
    }
    let keyed = world.answer(put("127.0.0.1:4566", "/data/some/key")).await;
    assert_eq!((keyed.status.as_u16(), keyed.code()), (405, "MethodNotAllowed"));
    assert_eq!(world.blob_files(), 0);
}
