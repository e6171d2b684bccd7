//! A server without sockets: stores, catalog, service, and calls by principals with policies.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use stoa_blob_fs::FsBlobs;
use stoa_kernel::ports::{Authority, Credential, PresignObject, ResourceTags, Signature, Signatures, Verdict};
use stoa_kernel::{
    ApiError, Authorized, Connection, Cx, Platform, Principal, PrincipalIdentity, Registry, Target, bind_targets,
};
use stoa_models_sagemaker::operations::{CreateHub, CreateHubContentReference};
use stoa_models_sagemaker::types::{CreateHubContentReferenceRequest, CreateHubRequest};
use stoa_policy::{Context, Document, PolicySet, PrincipalRef, Request, Slots};
use stoa_sagemaker_hub::{Catalog, Hubs, HubsParts, routes};
use stoa_schema::{Authz, FromValue, Operation, ToValue, validate, validation_message};
use stoa_store::{MemoryStore, PageTokens, Store};
use stoa_types::{AccountId, FixedClock, Partition, Region, SequentialIds, Timestamp};

pub const IRIS: &str = "sklearn-tabularclassification-iris";
pub const TINY: &str = "stoa-textgeneration-tiny";
pub const GATED: &str = "stoa-textgeneration-gated";
pub const REGION: &str = "us-west-2";
pub const ACCOUNT: &str = "111122223333";
pub const PUBLIC_HUB: &str = "SageMakerPublicHub";

/// The real policy engine over the identity policies of principals, by ARN.
#[derive(Default)]
pub struct Policies(Mutex<BTreeMap<String, Vec<String>>>);

#[async_trait]
impl Authority for Policies {
    async fn credential(&self, _: &str, _: Option<&str>) -> Result<Option<Arc<Credential>>, ApiError> {
        Ok(None)
    }
    async fn decide(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Verdict, ApiError> {
        let texts = self.0.lock().get(&principal.arn).cloned().unwrap_or_default();
        let documents: Vec<Document> = texts.iter().map(|text| Document::parse(text).unwrap()).collect();
        let set = PolicySet::compile(documents.iter().map(|document| (Arc::from("policy"), document)));
        let who = PrincipalRef::parse(&principal.arn);
        // What `aws` owns may be read by everybody, as far as their own policies go.
        let own = principal.account.as_str();
        let owner = resource.split(':').nth(4).filter(|owner| *owner != "aws" && !owner.is_empty()).unwrap_or(own);
        let request = Request {
            principal: &who,
            action,
            resource,
            resource_account: Some(owner),
            management_account: false,
            context,
        };
        let identity = [&set];
        let decision = stoa_policy::decide(&Slots { identity: &identity, ..Slots::default() }, &request);
        let reason = (!decision.is_allowed()).then(|| decision.reason_text(action).to_string());
        Ok(Verdict { effect: decision.effect, slot: decision.slot, matched: None, reason })
    }
    async fn service_session(&self, _: &str, _: &str, _: &str) -> Result<Option<Principal>, ApiError> {
        Ok(None)
    }
}

struct Tags(Arc<dyn Store>);

#[async_trait]
impl ResourceTags for Tags {
    async fn resource_tags(&self, arn: &str) -> Result<Vec<(String, String)>, ApiError> {
        Ok(self.0.tags(arn).await.map_err(ApiError::internal)?.to_vec())
    }
}

/// Signs by hashing under a secret: what it did not sign is not genuine.
struct Keys;

impl Keys {
    fn made(key: &str, message: &[u8]) -> Vec<u8> {
        use sha2::Digest as _;
        sha2::Sha256::new().chain_update("secret").chain_update(key).chain_update(message).finalize().to_vec()
    }
}

#[async_trait]
impl Signatures for Keys {
    /// As KMS reads names: a plain one is of the caller's account. The alias of a key is its id.
    async fn sign(&self, cx: &Cx, _: &str, key: &str, message: &[u8]) -> Result<Signature, ApiError> {
        let own = cx.principal.account.as_str();
        let account = key.split(':').nth(4).unwrap_or(own);
        let id = key.rsplit('/').next().unwrap_or(key);
        let key_arn = format!("arn:aws:kms:{REGION}:{account}:key/{id}");
        let bytes = Keys::made(&key_arn, message);
        Ok(Signature { key_arn, algorithm: "TEST".to_owned(), bytes })
    }
    async fn is_genuine(&self, signature: &Signature, message: &[u8]) -> Result<bool, ApiError> {
        Ok(signature.bytes == Keys::made(&signature.key_arn, message))
    }
}

/// Says what it was asked to sign.
struct Presign;

#[async_trait]
impl PresignObject for Presign {
    async fn presign_get(&self, cx: &Cx, bucket: &str, key: &str, expires_seconds: u32) -> Result<String, ApiError> {
        Ok(format!("{}/{bucket}/{key}?region={}&expires={expires_seconds}", cx.connection.base_url, cx.region))
    }
    async fn presign_granted(
        &self,
        cx: &Cx,
        bucket: &str,
        key: &str,
        expires_seconds: u32,
        grant: &str,
    ) -> Result<String, ApiError> {
        Ok(format!("{}&grant={grant}", self.presign_get(cx, bucket, key, expires_seconds).await?))
    }
}

pub struct World {
    pub store: Arc<dyn Store>,
    pub clock: Arc<FixedClock>,
    pub catalog: Arc<Catalog>,
    pub hubs: Arc<Hubs>,
    pub policies: Arc<Policies>,
    pub folder: tempfile::TempDir,
    registry: Registry,
    platform: Arc<Platform>,
}

/// With the sample models in the public hub.
pub async fn world() -> World {
    let world = empty_world();
    world.catalog.import_sample().await.unwrap();
    world.clock.advance_millis(1000);
    world
}

pub fn empty_world() -> World {
    let clock = Arc::new(FixedClock::at(Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap()));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    open(store, clock, tempfile::tempdir().unwrap())
}

pub fn open(store: Arc<dyn Store>, clock: Arc<FixedClock>, folder: tempfile::TempDir) -> World {
    let blobs = Arc::new(FsBlobs::open(folder.path()).unwrap());
    let catalog = Arc::new(Catalog::new(store.clone(), blobs, clock.clone()));
    let hubs = Arc::new(Hubs::new(HubsParts {
        store: store.clone(),
        tokens: PageTokens::new([9; 32]),
        catalog: catalog.clone(),
        presign: Arc::new(Presign),
        spool: folder.path().join("spool"),
    }));
    hubs.set_signatures(Arc::new(Keys));
    let policies = Arc::new(Policies::default());
    let platform = Arc::new(Platform {
        clock: clock.clone(),
        ids: Arc::new(SequentialIds::default()),
        authority: policies.clone(),
        tags: Arc::new(Tags(store.clone())),
    });
    let registry = Registry::default().with_routes(routes(&hubs));
    World { store, clock, catalog, hubs, policies, folder, registry, platform }
}

pub fn allow_all() -> String {
    statement("Allow", "*", &["*"])
}

pub fn statement(effect: &str, action: &str, resources: &[&str]) -> String {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": effect, "Action": action, "Resource": resources }] })
        .to_string()
}

impl World {
    pub fn cx(&self, principal: Principal, region: &str) -> Cx {
        let region: Region = region.parse().unwrap();
        let connection = Arc::new(Connection {
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure: true,
            base_url: "http://127.0.0.1:4566".to_owned(),
            vpc_endpoint: None,
        });
        let now = stoa_types::Clock::now(&*self.clock);
        Cx {
            request_id: "request".to_owned(),
            global_keys: Cx::global_keys(&principal, &region, now, &connection),
            principal: Arc::new(principal),
            partition: Partition::of(&region),
            region,
            now,
            connection,
            user_agent: "test".to_owned(),
            platform: Arc::clone(&self.platform),
            trace: Default::default(),
        }
    }

    /// A user of an account with these policies.
    pub fn user(&self, account: &str, name: &str, policies: &[String]) -> Cx {
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        self.policies.0.lock().insert(arn.clone(), policies.to_vec());
        let account: AccountId = account.parse().unwrap();
        let mut principal = Principal::service(name, account);
        principal.arn = arn;
        principal.identity = PrincipalIdentity::User { name: name.to_owned() };
        self.cx(principal, REGION)
    }

    pub fn admin(&self) -> Cx {
        self.user(ACCOUNT, "admin", &[allow_all()])
    }

    /// The routes, for tests that look at all of them.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub async fn targets<Op>(&self, cx: &Cx, input: Op::Input) -> Result<Vec<Target>, ApiError>
    where
        Op: Operation,
        Op::Input: ToValue,
    {
        let input = input.to_value();
        let route = self.registry.route(Op::SPEC).unwrap();
        match (&Op::SPEC.authz, &route.targets) {
            (_, Some(targets)) => targets(cx, &input).await,
            (Authz::Targets(specs), None) => Ok(bind_targets(cx, specs, &input)),
            _ => panic!("{} has no targets", Op::SPEC.name),
        }
    }

    /// A call as the pipeline makes it: decided, validated, handled. The answer is held to its model, too.
    pub async fn call<Op>(&self, cx: &Cx, input: Op::Input) -> Result<Op::Output, ApiError>
    where
        Op: Operation,
        Op::Input: ToValue + Clone,
        Op::Output: FromValue,
    {
        let permit = cx.decide(&self.targets::<Op>(cx, input.clone()).await?).await?;
        let input = input.to_value();
        let violations = validate(Op::SPEC.input.unwrap(), &input);
        if !violations.is_empty() {
            return Err(ApiError::validation(validation_message(&violations)));
        }
        let output = (self.registry.route(Op::SPEC).unwrap().handler)(cx, Authorized::new(&permit, input)).await?;
        if let Some(shape) = Op::SPEC.output {
            // Url's pattern allows https only; this server is reached by http, which no client minds.
            let violations = validate(shape, &output);
            let bad: Vec<_> = violations.iter().filter(|violation| !violation.path.ends_with("url")).collect();
            assert!(bad.is_empty(), "{}: {bad:?}", Op::SPEC.name);
        }
        Ok(Op::Output::from_value(output).unwrap())
    }

    pub async fn hub(&self, cx: &Cx, name: &str) {
        let input = CreateHubRequest {
            hub_name: name.to_owned(),
            hub_description: "d".to_owned(),
            ..CreateHubRequest::default()
        };
        self.call::<CreateHub>(cx, input).await.unwrap();
    }

    pub async fn reference(&self, cx: &Cx, hub: &str, model: &str) {
        self.call::<CreateHubContentReference>(cx, reference(hub, model)).await.unwrap();
    }

    /// A folder with a model that can be imported, to be broken at will.
    pub fn model_folder(&self, id: &str, version: &str) -> PathBuf {
        let folder = self.folder.path().join("models").join(id).join(version);
        std::fs::create_dir_all(folder.join("artifact/sub")).unwrap();
        write_json(&folder.join("manifest.json"), &manifest(id, version));
        std::fs::write(folder.join("README.md"), "# A card\n").unwrap();
        std::fs::write(folder.join("artifact/model.onnx"), format!("weights of {version}")).unwrap();
        std::fs::write(folder.join("artifact/sub/labels.json"), "[]").unwrap();
        folder
    }

    /// Imports one more version of a model of ours.
    pub async fn import(&self, id: &str, version: &str) {
        let folder = self.model_folder(id, version);
        self.catalog.import_dir(&folder).await.unwrap();
    }
}

/// A document of a model of one's own, with what the SDK needs.
pub fn own_document(artifact: &str) -> Json {
    json!({
        "ModelTypes": ["OPEN_WEIGHTS"], "HostingArtifactUri": artifact, "HostingEcrUri": "stoa/inference:1",
        "DefaultInferenceInstanceType": "ml.m5.large",
        "SageMakerSdkPredictorSpecifications": {
            "DefaultContentType": "application/json", "SupportedContentTypes": ["application/json"],
            "DefaultAcceptType": "application/json", "SupportedAcceptTypes": ["application/json"],
        },
    })
}

pub fn reference(hub: &str, model: &str) -> CreateHubContentReferenceRequest {
    CreateHubContentReferenceRequest {
        hub_name: hub.to_owned(),
        sage_maker_public_hub_content_arn: public_arn(model),
        ..CreateHubContentReferenceRequest::default()
    }
}

pub fn public_arn(model: &str) -> String {
    format!("arn:aws:sagemaker:{REGION}:aws:hub-content/{PUBLIC_HUB}/Model/{model}")
}

pub fn arn(resource: &str) -> String {
    format!("arn:aws:sagemaker:{REGION}:{ACCOUNT}:{resource}")
}

pub fn manifest(id: &str, version: &str) -> Json {
    json!({
        "id": id, "version": version, "display_name": "A model", "description": "What it does.",
        "task": "Tabular Classification", "framework": id.split('-').next(), "provider": "Acme", "licence": "MIT",
        "gated": false, "keywords": ["k"], "default_instance_type": "ml.m5.large",
        "supported_instance_types": ["ml.m5.large", "ml.c5.xlarge", "ml.g4dn.xlarge"], "image": "stoa/inference:1",
        "environment": {"SM_NUM": "1"}, "content_types": ["application/json", "application/x-npy"],
        "accept_types": ["application/json", "text/csv"], "min_memory_mb": 64,
        "example_payloads": {"one": {"content_type": "application/json", "body": {"inputs": "x"}, "prompt_key": "inputs"}},
    })
}

pub fn change(folder: &Path, edit: impl FnOnce(&mut Json)) {
    let path = folder.join("manifest.json");
    let mut manifest: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    edit(&mut manifest);
    write_json(&path, &manifest);
}

fn write_json(path: &Path, value: &Json) {
    std::fs::write(path, value.to_string()).unwrap();
}

/// Code and message of a refusal.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (String, String) {
    let error = result.expect_err("an error");
    (error.code().to_owned(), error.message().to_owned())
}

/// Asserts the code, and words of the message.
pub fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>, code: &str, words: &[&str]) {
    let (found, message) = refusal(result);
    assert_eq!(found, code, "{message}");
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}
