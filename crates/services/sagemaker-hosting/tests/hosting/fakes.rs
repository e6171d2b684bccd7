//! The ports of hosting, scripted and watched by tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use stoa_blob::{BlobStore, Digest, put_bytes};
use stoa_frames::{self as frames, DataKey, HEADER, Opener, Sealer, seal};
use stoa_kernel::ports::{
    Authority, BodyStream, Credential, HubAccess, ImageCommand, ModelAccessRequest, ObjectAccess, ObjectEntry,
    ObjectRead, ObjectSource, ReadObject, ResolveImage, SealAlgorithm, Sealed, StoredBytes, Verdict,
};
use stoa_kernel::{ApiError, Cx, Principal, PrincipalIdentity, Target};
use stoa_policy::{Context, Effect, Slot, Values};
use stoa_runtime::{
    ContainerSpec, ContainerState, ContainerStatus, Invocation, InvocationRequest, Runtime, RuntimeError,
};
use stoa_types::{AccountId, Timestamp};

use crate::support::ACCOUNT;

/// A decision that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub principal: String,
    pub action: String,
    pub resource: String,
    pub owner: Option<String>,
}

/// Allows all but what is denied, by action, or by action and resource; trusts every role but those that say otherwise in their name.
#[derive(Default)]
pub struct FakeAuthority {
    pub denied: Mutex<BTreeSet<String>>,
    pub asked: Mutex<Vec<Asked>>,
}

#[async_trait]
impl Authority for FakeAuthority {
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
        let owner = match context.get("aws:resourceaccount") {
            Some(Values::One(owner)) => Some(owner.to_owned()),
            _ => None,
        };
        let (principal, of) = (principal.arn.clone(), resource.to_owned());
        self.asked.lock().push(Asked { principal, action: action.to_owned(), resource: of, owner });
        let denied =
            self.denied.lock().contains(action) || self.denied.lock().contains(&format!("{action} {resource}"));
        Ok(Verdict {
            effect: if denied { Effect::ImplicitDeny } else { Effect::Allow },
            slot: Slot::Identity,
            matched: None,
            reason: denied.then(|| "because no identity-based policy allows it".to_owned()),
        })
    }
    async fn service_session(&self, role: &str, service: &str, session: &str) -> Result<Option<Principal>, ApiError> {
        assert_eq!(service, "sagemaker.amazonaws.com");
        let name = role.rsplit('/').next().unwrap().to_owned();
        if name == "Untrusting" {
            return Ok(None);
        }
        Ok(Some(Principal {
            account: ACCOUNT.parse().unwrap(),
            arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}"),
            principal_id: "AROA".to_owned(),
            identity: PrincipalIdentity::AssumedRole {
                role_arn: role.to_owned(),
                role_name: name,
                session_name: session.to_owned(),
            },
            access_key_id: String::new(),
            tags: BTreeMap::new(),
            session: None,
        }))
    }
}

/// Data whose URI has `gated` in it wants consent; a reference to a hub content vouches.
pub struct FakeHubs;

#[async_trait]
impl HubAccess for FakeHubs {
    async fn access_targets(
        &self,
        _: &Cx,
        action: &'static str,
        request: &ModelAccessRequest,
    ) -> Result<Vec<Target>, ApiError> {
        Ok(request.hub_content_arn.iter().map(|arn| Target::new(action, arn.as_str())).collect())
    }
    async fn is_direct_gated(&self, request: &ModelAccessRequest) -> Result<bool, ApiError> {
        Ok(request.s3_uri.contains("gated") && request.hub_content_arn.is_none())
    }
    async fn check(&self, _: &Cx, request: &ModelAccessRequest) -> Result<bool, ApiError> {
        if request.s3_uri.contains("gated") && request.accept_eula != Some(true) {
            return Err(ApiError::validation("the EULA of this model must be accepted"));
        }
        Ok(request.hub_content_arn.is_some())
    }
    async fn check_files(&self, request: &ModelAccessRequest) -> Result<bool, ApiError> {
        Ok(request.hub_content_arn.is_some())
    }
}

/// Knows `image` and, as something that the runtime then refuses, `unrunnable`.
pub struct FakeImages;

impl ResolveImage for FakeImages {
    fn resolve(&self, image_uri: &str) -> Option<ImageCommand> {
        ["image", "unrunnable"]
            .contains(&image_uri)
            .then(|| ImageCommand::BuiltIn { program: format!("program-of-{image_uri}") })
    }
    fn known(&self) -> Vec<String> {
        vec!["image".to_owned()]
    }
}

/// An owner and objects by key.
pub type Bucket = (AccountId, BTreeMap<String, ObjectEntry>);

/// Buckets in memory over real blobs.
pub struct FakeObjects {
    pub blobs: Arc<dyn BlobStore>,
    pub buckets: Mutex<BTreeMap<String, Bucket>>,
    /// Whether nobody may use the key of sealed objects.
    pub locked: Mutex<bool>,
}

/// The key of every sealed object, and what is stored of it.
fn data_key() -> DataKey {
    DataKey::new([7; 32])
}

fn seal_of_all() -> Arc<Sealed> {
    Arc::new(Sealed {
        algorithm: SealAlgorithm::Frames1,
        key: "wrapped".to_owned(),
        kms_key_arn: Some(format!("arn:aws:kms:us-west-2:{ACCOUNT}:key/k")),
        context: BTreeMap::new(),
        bucket_key: false,
    })
}

async fn sealed_blob(blobs: &dyn BlobStore, bytes: BodyStream) -> Digest {
    let sealer = Sealer::new(&data_key(), [9; 32]).unwrap();
    blobs.put(seal(bytes, sealer)).await.unwrap().digest
}

#[async_trait]
impl ReadObject for FakeObjects {
    async fn read(&self, cx: &Cx, bytes: &StoredBytes<'_>, start: u64, length: u64) -> Result<BodyStream, ApiError> {
        let digest = Digest::parse(bytes.digest).unwrap();
        self.may_open(cx, bytes.sealed.expect("only sealed bytes are opened")).await?;
        let header = self.blobs.get(&digest, 0, Some(HEADER as u64)).await.unwrap();
        let header = stoa_blob::collect(header).await.unwrap();
        let opener = Opener::new(&data_key(), &header, bytes.size, start, length).unwrap();
        let (from, count) = opener.needs();
        Ok(frames::open(self.blobs.get(&digest, from, Some(count)).await.unwrap(), opener))
    }
    async fn may_open(&self, cx: &Cx, _: &Sealed) -> Result<(), ApiError> {
        assert!(cx.principal.arn.contains("assumed-role/Execution"), "{}", cx.principal.arn);
        match *self.locked.lock() {
            true => Err(ApiError::access_denied("the role is not authorized to perform: kms:Decrypt")),
            false => Ok(()),
        }
    }
    async fn keep_sealed(&self, cx: &Cx, sealed: &Sealed, bytes: BodyStream) -> Result<(String, u64), ApiError> {
        self.may_open(cx, sealed).await?;
        let plain = stoa_blob::collect(bytes).await.map_err(ApiError::internal)?;
        let size = plain.len() as u64;
        let digest = sealed_blob(&*self.blobs, stoa_blob::once(plain)).await;
        Ok((digest.as_str().to_owned(), size))
    }
}

impl FakeObjects {
    pub async fn put_sealed(&self, owner: &str, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let size = bytes.len() as u64;
        let digest = sealed_blob(&*self.blobs, stoa_blob::once(bytes)).await;
        self.put(owner, bucket, key, "replaced").await;
        let mut buckets = self.buckets.lock();
        let entry = buckets.get_mut(bucket).and_then(|bucket| bucket.1.get_mut(key)).unwrap();
        (entry.digest, entry.size, entry.sealed) = (digest.as_str().to_owned(), size, Some(seal_of_all()));
    }
    pub async fn put(&self, owner: &str, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        let written = put_bytes(&*self.blobs, bytes).await.unwrap();
        let entry = ObjectEntry {
            key: key.to_owned(),
            digest: written.digest.as_str().to_owned(),
            size: written.size,
            etag: String::new(),
            content_type: None,
            last_modified: Timestamp::from_millis(0),
            inline: None,
            sealed: None,
        };
        let mut buckets = self.buckets.lock();
        let bucket = buckets.entry(bucket.to_owned()).or_insert_with(|| (owner.parse().unwrap(), BTreeMap::new()));
        bucket.1.insert(key.to_owned(), entry);
    }
}

#[async_trait]
impl ObjectSource for FakeObjects {
    async fn bucket_owner(&self, bucket: &str) -> Result<Option<AccountId>, ApiError> {
        Ok(self.buckets.lock().get(bucket).map(|(owner, _)| owner.clone()))
    }
    async fn object(&self, bucket: &str, key: &str) -> Result<Option<ObjectEntry>, ApiError> {
        Ok(self.buckets.lock().get(bucket).and_then(|(_, objects)| objects.get(key).cloned()))
    }
    async fn objects(
        &self,
        bucket: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError> {
        let buckets = self.buckets.lock();
        let objects = buckets.get(bucket).map(|(_, objects)| objects.values());
        let wanted = |entry: &&ObjectEntry| entry.key.starts_with(prefix) && after.is_none_or(|key| *entry.key > *key);
        Ok(objects.into_iter().flatten().filter(wanted).take(limit).cloned().collect())
    }
    async fn check_read(&self, _: &Cx, _: &str, _: &str) -> Result<(), ApiError> {
        Ok(())
    }
}

/// S3's own answer is tested with S3; here each question is one decision.
#[async_trait]
impl ObjectAccess for FakeObjects {
    async fn may_get(&self, cx: &Cx, principal: &Principal, read: &ObjectRead<'_>) -> Result<(), ApiError> {
        let target = Target::new("s3:GetObject", format!("arn:aws:s3:::{}/{}", read.bucket, read.key));
        cx.authorize_as(principal, &target).await
    }
    async fn may_read(&self, cx: &Cx, read: &ObjectRead<'_>) -> Result<(), ApiError> {
        self.may_get(cx, &cx.principal, read).await
    }
    async fn may_list(&self, _: &Cx, _: &Principal, _: &str, _: &str) -> Result<(), ApiError> {
        Err(ApiError::internal("hosting lists nothing in anybody's name"))
    }
    async fn may_enter(&self, _: &Principal, _: &str, _: &AccountId) -> Result<(), ApiError> {
        Ok(())
    }
}

/// A container of the fake runtime, with what its files held when it was started.
#[derive(Debug, Clone)]
pub struct Running {
    pub spec: ContainerSpec,
    pub state: ContainerState,
    pub files: Vec<(String, String)>,
}

/// Containers that do what the test says. New ones are in the state `next`.
pub struct FakeRuntime {
    pub containers: Mutex<BTreeMap<String, Running>>,
    pub next: Mutex<ContainerState>,
    pub broken: Mutex<bool>,
    pub starts: Mutex<u32>,
    /// Status and body of every answer; none: no answer.
    pub answer: Mutex<Option<(u16, &'static str)>>,
    pub requests: Mutex<Vec<(String, InvocationRequest)>>,
}

impl Default for FakeRuntime {
    fn default() -> FakeRuntime {
        FakeRuntime {
            containers: Mutex::default(),
            next: Mutex::new(ContainerState::Starting),
            broken: Mutex::default(),
            starts: Mutex::default(),
            answer: Mutex::new(Some((200, "answer"))),
            requests: Mutex::default(),
        }
    }
}

impl FakeRuntime {
    pub fn names(&self) -> Vec<String> {
        self.containers.lock().keys().cloned().collect()
    }
    /// Puts all containers, and those to come, into a state.
    pub fn all(&self, state: &ContainerState) {
        *self.next.lock() = state.clone();
        for container in self.containers.lock().values_mut() {
            container.state = state.clone();
        }
    }
    pub fn only(&self) -> Running {
        let containers = self.containers.lock();
        assert_eq!(containers.len(), 1, "{:?}", containers.keys());
        containers.values().next().unwrap().clone()
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn start(&self, spec: &ContainerSpec) -> Result<(), RuntimeError> {
        *self.starts.lock() += 1;
        if spec.image == "program-of-unrunnable" {
            return Err(RuntimeError::UnknownImage(spec.image.clone()));
        }
        if *self.broken.lock() {
            return Err(RuntimeError::Driver("the machine is full".into()));
        }
        let read = |(name, path): &(String, std::path::PathBuf)| (name.clone(), std::fs::read_to_string(path).unwrap());
        let files = spec.model_files.iter().map(read).collect();
        let running = Running { spec: spec.clone(), state: self.next.lock().clone(), files };
        self.containers.lock().entry(spec.name.clone()).or_insert(running);
        Ok(())
    }
    async fn status(&self, name: &str) -> Result<Option<ContainerStatus>, RuntimeError> {
        let containers = self.containers.lock();
        let status = |running: &Running| ContainerStatus { name: name.to_owned(), state: running.state.clone() };
        Ok(containers.get(name).map(status))
    }
    async fn list(&self) -> Result<Vec<ContainerStatus>, RuntimeError> {
        let containers = self.containers.lock();
        let status =
            |(name, running): (&String, &Running)| ContainerStatus { name: name.clone(), state: running.state.clone() };
        Ok(containers.iter().map(status).collect())
    }
    async fn invoke(&self, name: &str, request: InvocationRequest) -> Result<Invocation, RuntimeError> {
        if !self.containers.lock().contains_key(name) {
            return Err(RuntimeError::NotFound(name.to_owned()));
        }
        let custom_attributes = request.custom_attributes.clone();
        self.requests.lock().push((name.to_owned(), request));
        match *self.answer.lock() {
            None => Err(RuntimeError::NoAnswer("the connection broke".to_owned())),
            Some((status, body)) => Ok(Invocation {
                status,
                content_type: Some("text/csv".to_owned()),
                custom_attributes,
                body: Bytes::from_static(body.as_bytes()),
            }),
        }
    }
    async fn stop(&self, name: &str) -> Result<(), RuntimeError> {
        self.containers.lock().remove(name);
        Ok(())
    }
    async fn logs(&self, _: &str, _: usize) -> Result<Vec<String>, RuntimeError> {
        Ok(Vec::new())
    }
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
