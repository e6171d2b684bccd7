//! A server without a socket, callers with keys, and an authority that says why it decided.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use md5::{Digest as _, Md5};
use parking_lot::Mutex;
use stoa_audit::{AuditError, AuditQuery, AuditRecord, Journal};
use stoa_blob::FileSlice;
use stoa_blob_fs::FsBlobs;
use stoa_kernel::ports::*;
use stoa_kernel::{ApiError, Connection, Cx, Platform, Principal, PrincipalIdentity, Target};
use stoa_policy::{Context, Effect, Slot, Values};
use stoa_s3::{S3Service, S3Settings, ServerCall};
use stoa_s3_objects::{Encryption, S3Objects};
use stoa_seal::SealingKey;
use stoa_sigv4::{Signer, payload_hash, presign, sign_headers};
use stoa_store::MemoryStore;
use stoa_types::{Clock, FixedClock, Secret, SequentialIds, Timestamp};

pub const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);
pub const ALICE: &str = "111122223333";
pub const BOB: &str = "444455556666";

/// Keys: `ADMIN` and `READER` of Alice's account (`READER` may only get objects), `SESSION` with a token that ends an
/// hour after the start, `BOB` of another account.
#[derive(Default)]
pub struct TestAuthority {
    pub decided: Mutex<Vec<(String, String)>>,
    pub keys_of_last: Mutex<Vec<(String, String)>>,
}

pub fn secret_of(key: &str) -> Secret {
    Secret::new(format!("secret of {key}"))
}

#[async_trait]
impl Authority for TestAuthority {
    async fn credential(&self, key: &str, token: Option<&str>) -> Result<Option<Arc<Credential>>, ApiError> {
        let account = match key {
            "ADMIN" | "READER" => ALICE,
            "SESSION" if token == Some("the+token/=") => ALICE,
            "BOB" => BOB,
            _ => return Ok(None),
        };
        let principal = Principal {
            account: account.parse().unwrap(),
            arn: format!("arn:aws:iam::{account}:user/{key}"),
            principal_id: format!("AIDA{key}"),
            identity: PrincipalIdentity::User { name: key.to_owned() },
            access_key_id: key.to_owned(),
            tags: Default::default(),
            session: None,
        };
        Ok(Some(Arc::new(Credential {
            secret: secret_of(key),
            session_token: (key == "SESSION").then(|| Secret::new("the+token/=")),
            expires_at: (key == "SESSION").then(|| START.plus_millis(3_600_000)),
            principal: Arc::new(principal),
        })))
    }

    async fn decide(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Verdict, ApiError> {
        self.decided.lock().push((action.to_owned(), resource.to_owned()));
        let text = |key: &str| match context.get(key) {
            Some(Values::One(value)) => Some(value.to_owned()),
            _ => None,
        };
        let interesting =
            ["s3:prefix", "s3:delimiter", "s3:max-keys", "s3:x-amz-acl", "s3:authtype", "aws:securetransport"];
        *self.keys_of_last.lock() =
            interesting.iter().filter_map(|key| Some(((*key).to_owned(), text(key)?))).collect();
        let owner = text("aws:resourceaccount");
        let own = owner.is_none_or(|owner| owner == principal.account.as_str() || owner == "aws");
        let may = principal.access_key_id != "READER" || action == "s3:GetObject";
        let protected = resource.ends_with("/protected") && action == "s3:DeleteObject";
        let effect = if own && may && !protected { Effect::Allow } else { Effect::ImplicitDeny };
        Ok(Verdict { effect, slot: Slot::Identity, matched: None, reason: None })
    }

    async fn service_session(&self, _: &str, _: &str, _: &str) -> Result<Option<Principal>, ApiError> {
        Ok(None)
    }
}

struct NoTags;

#[async_trait]
impl ResourceTags for NoTags {
    async fn resource_tags(&self, _: &str) -> Result<Vec<(String, String)>, ApiError> {
        Ok(Vec::new())
    }
}

#[derive(Default)]
pub struct TestJournal {
    pub lines: Mutex<Vec<AuditRecord>>,
    pub broken: AtomicBool,
}

#[async_trait]
impl Journal for TestJournal {
    async fn append(&self, line: Vec<u8>) -> Result<(), AuditError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(AuditError("the disk is full".into()));
        }
        self.lines.lock().push(serde_json::from_slice(&line).expect("a record"));
        Ok(())
    }
    async fn query(&self, _: &AuditQuery) -> Result<Vec<AuditRecord>, AuditError> {
        Ok(self.lines.lock().clone())
    }
}

pub const KEY_ARN: &str = "arn:aws:kms:us-west-2:111122223333:key/k";

/// KMS with one key, which only those may use whom the authority lets (`kms:…`).
struct OneKey;

#[async_trait]
impl DataKeys for OneKey {
    async fn key_arn(&self, _: &Cx, _: &DataKeyCall<'_>) -> Result<String, ApiError> {
        Ok(KEY_ARN.to_owned())
    }
    async fn generate_data_key(&self, cx: &Cx, _: &DataKeyCall<'_>) -> Result<DataKey, ApiError> {
        cx.authorize_via(&["s3.amazonaws.com"], &Target::new("kms:GenerateDataKey", KEY_ARN)).await?;
        Ok(DataKey { key_arn: KEY_ARN.to_owned(), plaintext: vec![7; 32].into(), ciphertext: vec![1] })
    }
    async fn decrypt_data_key(
        &self,
        cx: &Cx,
        _: &DataKeyCall<'_>,
        _: &[u8],
    ) -> Result<zeroize::Zeroizing<Vec<u8>>, ApiError> {
        cx.authorize_via(&["s3.amazonaws.com"], &Target::new("kms:Decrypt", KEY_ARN)).await?;
        Ok(vec![7; 32].into())
    }
}

pub struct World {
    pub s3: S3Service,
    pub clock: Arc<FixedClock>,
    pub authority: Arc<TestAuthority>,
    pub journal: Arc<TestJournal>,
    pub folder: tempfile::TempDir,
    /// Whether requests come as over a connection that sends files by itself.
    pub takes_files: AtomicBool,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Whether the bytes were a range of a file.
    pub is_file: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
    /// The texts of all elements of this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let found = self.text().split(open.as_str()).skip(1).map(|rest| rest.split(close.as_str()).next().unwrap());
        found.collect()
    }
    pub fn code(&self) -> &str {
        assert!(!self.status.is_success(), "{self:?}");
        assert_eq!(self.all("RequestId"), [self.header("x-amz-request-id")], "{self:?}");
        self.all("Code")[0]
    }
    pub fn ok(self) -> Answer {
        assert!(self.status.is_success(), "{self:?}");
        self
    }
}

/// A request to be made.
pub struct Ask<'a> {
    pub method: Method,
    pub target: &'a str,
    pub key: &'a str,
    pub host: &'a str,
    pub token: Option<&'a str>,
    pub headers: Vec<(&'a str, String)>,
    pub body: Bytes,
    pub payload: Option<&'a str>,
}

pub fn ask<'a>(method: &str, target: &'a str) -> Ask<'a> {
    Ask {
        method: method.parse().unwrap(),
        target,
        key: "ADMIN",
        host: "127.0.0.1:4566",
        token: None,
        headers: Vec::new(),
        body: Bytes::new(),
        payload: None,
    }
}

impl<'a> Ask<'a> {
    pub fn by(mut self, key: &'a str) -> Ask<'a> {
        self.key = key;
        self
    }
    pub fn at(mut self, host: &'a str) -> Ask<'a> {
        self.host = host;
        self
    }
    pub fn with(mut self, name: &'a str, value: impl Into<String>) -> Ask<'a> {
        self.headers.push((name, value.into()));
        self
    }
    pub fn body(mut self, body: impl Into<Bytes>) -> Ask<'a> {
        self.body = body.into();
        self
    }
    /// What stands for the body in the signature; its hash otherwise.
    pub fn payload(mut self, payload: &'a str) -> Ask<'a> {
        self.payload = Some(payload);
        self
    }
}

impl World {
    pub fn new() -> World {
        World::at(START)
    }

    pub fn at(start: Timestamp) -> World {
        World::made(start, true)
    }

    pub fn made(start: Timestamp, data_events: bool) -> World {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(start));
        let authority = Arc::new(TestAuthority::default());
        let journal = Arc::new(TestJournal::default());
        let platform = Arc::new(Platform {
            clock: clock.clone(),
            ids: Arc::new(SequentialIds::default()),
            authority: authority.clone(),
            tags: Arc::new(NoTags),
        });
        let blobs = Arc::new(FsBlobs::open(folder.path()).unwrap());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let encryption = Encryption { key: SealingKey::new([1; 32]), data_keys: Arc::new(OneKey), default: None };
        let objects = Arc::new(S3Objects::new(store, blobs.clone(), Vec::new()).with_encryption(encryption));
        let settings = S3Settings {
            base_domains: vec!["stoa.test".to_owned()],
            regions: Vec::new(),
            default_region: "us-west-2".parse().unwrap(),
            body_idle: Duration::from_millis(500),
            data_events,
        };
        let s3 = S3Service::new(settings, platform, journal.clone(), objects, blobs);
        World { s3, clock, authority, journal, folder, takes_files: AtomicBool::new(false) }
    }

    pub async fn with_bucket() -> World {
        let world = World::new();
        world.make("data").await;
        world
    }

    pub async fn make(&self, bucket: &str) {
        let xml = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>us-west-2</LocationConstraint></CreateBucketConfiguration>";
        self.send(ask("PUT", &format!("/{bucket}")).body(xml)).await.ok();
    }

    fn server_call(&self) -> ServerCall {
        let connection = Connection {
            peer: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)),
            secure: true,
            base_url: "https://s3.test".to_owned(),
            vpc_endpoint: None,
        };
        let now = self.clock.now();
        let request_id = format!("req-{}", self.journal.lines.lock().len());
        ServerCall {
            request_id,
            now,
            connection: Arc::new(connection),
            takes_files: self.takes_files.load(Ordering::SeqCst),
        }
    }

    pub fn sign(&self, ask: &Ask<'_>) -> http::request::Builder {
        let (path, query) = ask.target.split_once('?').unwrap_or((ask.target, ""));
        let secret = secret_of(ask.key);
        let token = ask.token.map(Secret::new);
        let signer = Signer {
            access_key_id: ask.key,
            secret: &secret,
            session_token: token.as_ref(),
            region: "us-west-2",
            service: "s3",
            now: self.clock.now(),
        };
        let mut headers = HeaderMap::new();
        headers.insert("host", ask.host.parse().unwrap());
        for (name, value) in &ask.headers {
            headers.append(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        if ask.target.ends_with("?delete") && !headers.contains_key("content-md5") {
            let digest = STANDARD.encode(Md5::digest(&ask.body));
            headers.insert("content-md5", digest.parse().unwrap());
        }
        let hash = payload_hash(&ask.body);
        let payload = ask.payload.unwrap_or(&hash);
        sign_headers(&signer, ask.method.as_str(), path, query, &mut headers, payload).unwrap();
        if !headers.contains_key("content-length") {
            headers.insert("content-length", ask.body.len().into());
        }
        let mut request = Request::builder().method(ask.method.clone()).uri(ask.target);
        *request.headers_mut().unwrap() = headers;
        request
    }

    pub async fn send(&self, ask: Ask<'_>) -> Answer {
        let request = self.sign(&ask).body(Full::new(ask.body.clone())).unwrap();
        self.answer(request).await
    }

    pub async fn raw(&self, method: &str, host: &str, target: &str) -> Answer {
        let request = Request::builder().method(method).uri(target).header("host", host);
        self.answer(request.body(Full::new(Bytes::new())).unwrap()).await
    }

    pub async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<s3s::StdError>,
    {
        let (parts, body) = self.s3.call(request, self.server_call()).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let file = parts.extensions.get::<FileSlice>();
        let body = file.map_or(body, |slice| {
            let mut bytes = vec![0; slice.length as usize];
            slice.file.read_exact_at(&mut bytes, slice.start).unwrap();
            bytes.into()
        });
        Answer { status: parts.status, headers: parts.headers, body, is_file: file.is_some() }
    }

    pub async fn stream<B>(&self, request: Request<B>) -> http::Response<s3s::Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<s3s::StdError>,
    {
        self.s3.call(request, self.server_call()).await
    }

    pub fn presigned(
        &self,
        key: &str,
        token: Option<&str>,
        method: &str,
        host: &str,
        path: &str,
        seconds: u32,
    ) -> String {
        let secret = secret_of(key);
        let token = token.map(Secret::new);
        let signer = Signer {
            access_key_id: key,
            secret: &secret,
            session_token: token.as_ref(),
            region: "us-west-2",
            service: "s3",
            now: self.clock.now(),
        };
        format!("{path}?{}", presign(&signer, method, host, path, "", seconds))
    }

    pub fn records(&self) -> Vec<AuditRecord> {
        self.journal.lines.lock().clone()
    }

    /// Files of blobs, to see what a failure left.
    pub fn blob_files(&self) -> usize {
        let count = |name: &str| -> usize {
            let mut stack = vec![self.folder.path().join(name)];
            let mut files = 0;
            while let Some(folder) = stack.pop() {
                for entry in std::fs::read_dir(folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() { stack.push(path) } else { files += 1 }
                }
            }
            files
        };
        count("blobs") + count("tmp")
    }
}
