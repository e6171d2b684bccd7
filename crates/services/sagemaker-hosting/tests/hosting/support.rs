//! A server without sockets: store, service, reconciler, and calls as the pipeline makes them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use stoa_blob::BlobStore;
use stoa_blob_fs::FsBlobs;
use stoa_kernel::ports::ResourceTags;
use stoa_kernel::{
    ApiError, Authorized, Connection, Cx, Permit, Platform, Principal, PrincipalIdentity, Registry, Target,
    bind_targets,
};
use stoa_models_sagemaker::operations::{CreateEndpoint, CreateEndpointConfig, CreateModel, DescribeEndpoint};
use stoa_models_sagemaker::types::{
    ContainerDefinition, CreateEndpointConfigInput, CreateEndpointInput, CreateModelInput, DescribeEndpointInput,
    DescribeEndpointOutput, ProductionVariant, Tag,
};
use stoa_runtime::ContainerState;
use stoa_sagemaker_hosting::{EndpointReconciler, Hosting, HostingParts, OpenedFolder, routes};
use stoa_schema::{Authz, FromValue, Operation, ToValue};
use stoa_store::{MemoryStore, PageTokens, Store};
use stoa_types::{AccountId, Clock, FixedClock, Partition, Region, SequentialIds, Timestamp};
use stoa_work::{Nudge, PassReport, Reconciler};

use crate::fakes::{FakeAuthority, FakeHubs, FakeImages, FakeObjects, FakeRuntime};

pub const ACCOUNT: &str = "111122223333";
pub const OTHER_ACCOUNT: &str = "444455556666";
pub const ROLE: &str = "arn:aws:iam::111122223333:role/Execution";

pub fn arn(resource: &str) -> String {
    format!("arn:aws:sagemaker:us-west-2:{ACCOUNT}:{resource}")
}

struct Tags(Arc<dyn Store>);

#[async_trait]
impl ResourceTags for Tags {
    async fn resource_tags(&self, arn: &str) -> Result<Vec<(String, String)>, ApiError> {
        Ok(self.0.tags(arn).await.map_err(ApiError::internal)?.to_vec())
    }
}

/// What outlives a restart.
#[derive(Clone)]
pub struct Durable {
    pub store: Arc<dyn Store>,
    pub clock: Arc<FixedClock>,
    pub ids: Arc<SequentialIds>,
    pub objects: Arc<FakeObjects>,
    folder: Arc<tempfile::TempDir>,
}

impl Durable {
    /// Where sealed data is opened.
    pub fn opened(&self) -> std::path::PathBuf {
        self.folder.path().join("opened")
    }
    /// Every file of the blob store, whatever it is.
    pub fn stored(&self) -> Vec<Vec<u8>> {
        fn walk(folder: &std::path::Path, all: &mut Vec<Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
                match entry.file_type().unwrap().is_dir() {
                    true => walk(&entry.path(), all),
                    false => all.push(std::fs::read(entry.path()).unwrap()),
                }
            }
        }
        let mut all = Vec::new();
        walk(self.folder.path(), &mut all);
        all
    }
}

pub struct World {
    pub durable: Durable,
    pub runtime: Arc<FakeRuntime>,
    pub authority: Arc<FakeAuthority>,
    pub hosting: Arc<Hosting>,
    pub reconciler: EndpointReconciler,
    registry: Registry,
    platform: Arc<Platform>,
}

pub fn world() -> World {
    let clock = Arc::new(FixedClock::at(Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap()));
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let blobs: Arc<dyn BlobStore> = Arc::new(FsBlobs::open(folder.path()).unwrap());
    let durable = Durable {
        store: Arc::new(MemoryStore::new(clock.clone())),
        clock,
        ids: Arc::new(SequentialIds::default()),
        objects: Arc::new(FakeObjects { blobs, buckets: Default::default(), locked: Default::default() }),
        folder,
    };
    open(durable)
}

/// A server over what is durable; no container runs.
pub fn open(durable: Durable) -> World {
    let (runtime, authority) = (Arc::new(FakeRuntime::default()), Arc::new(FakeAuthority::default()));
    let platform = Arc::new(Platform {
        clock: durable.clock.clone(),
        ids: durable.ids.clone(),
        authority: authority.clone(),
        tags: Arc::new(Tags(Arc::clone(&durable.store))),
    });
    let opened = OpenedFolder::open(durable.opened()).unwrap();
    let parts = HostingParts {
        store: Arc::clone(&durable.store),
        tokens: PageTokens::new([7; 32]),
        blobs: Arc::clone(&durable.objects.blobs),
        objects: durable.objects.clone(),
        access: durable.objects.clone(),
        bytes: durable.objects.clone(),
        platform: Arc::clone(&platform),
        opened: Arc::new(opened),
        hubs: Arc::new(FakeHubs),
        images: Arc::new(FakeImages),
        runtime: runtime.clone(),
        authority: authority.clone(),
        nudge: Nudge::new(),
        serving: Arc::new(ArcSwap::from_pointee(HashMap::new())),
    };
    let reconciler = EndpointReconciler::new(parts.clone(), durable.clock.clone());
    let hosting = Arc::new(Hosting::new(parts));
    let registry = Registry::default().with_routes(routes(&hosting));
    World { durable, runtime, authority, hosting, reconciler, registry, platform }
}

impl World {
    pub fn restarted(&self) -> World {
        open(self.durable.clone())
    }

    pub fn cx(&self) -> Cx {
        self.cx_of(ACCOUNT)
    }

    pub fn cx_of(&self, account: &str) -> Cx {
        let account: AccountId = account.parse().unwrap();
        let principal = Arc::new(Principal {
            arn: format!("arn:aws:iam::{account}:root"),
            principal_id: account.to_string(),
            account,
            identity: PrincipalIdentity::Root,
            access_key_id: String::new(),
            tags: Default::default(),
            session: None,
        });
        let region: Region = "us-west-2".parse().unwrap();
        let connection = Arc::new(Connection {
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure: true,
            base_url: "http://127.0.0.1:4566".to_owned(),
            vpc_endpoint: None,
        });
        let now = self.durable.clock.now();
        Cx {
            request_id: "request".to_owned(),
            global_keys: Cx::global_keys(&principal, &region, now, &connection),
            principal,
            partition: Partition::of(&region),
            region,
            now,
            connection,
            user_agent: "test".to_owned(),
            platform: Arc::clone(&self.platform),
            trace: Default::default(),
        }
    }

    /// A call as the pipeline makes it, without the wire.
    pub async fn call_as<Op>(&self, cx: &Cx, input: Op::Input) -> Result<Op::Output, ApiError>
    where
        Op: Operation,
        Op::Input: ToValue,
        Op::Output: FromValue,
    {
        let input = input.to_value();
        let route = self.registry.route(Op::SPEC).unwrap();
        let permit: Permit = match (&Op::SPEC.authz, &route.targets) {
            (_, Some(targets)) => cx.decide(&targets(cx, &input).await?).await?,
            (Authz::Targets(specs), None) => cx.decide(&bind_targets(cx, specs, &input)).await?,
            (Authz::None { reason } | Authz::Unsigned { reason }, None) => cx.decide_nothing(reason),
            (Authz::Custom, None) => panic!("{} has no targets", Op::SPEC.name),
        };
        let output = (route.handler)(cx, Authorized::new(&permit, input)).await?;
        Ok(Op::Output::from_value(output).unwrap())
    }

    pub async fn call<Op>(&self, input: Op::Input) -> Result<Op::Output, ApiError>
    where
        Op: Operation,
        Op::Input: ToValue,
        Op::Output: FromValue,
    {
        self.call_as::<Op>(&self.cx(), input).await
    }

    /// The routes, for tests that look at all of them.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The hand-written targets of an operation.
    pub async fn targets<Op>(&self, input: Op::Input) -> Vec<Target>
    where
        Op: Operation,
        Op::Input: ToValue,
    {
        let route = self.registry.route(Op::SPEC).unwrap();
        route.targets.as_ref().unwrap()(&self.cx(), &input.to_value()).await.unwrap()
    }

    pub async fn pass(&self) -> PassReport {
        self.reconciler.pass().await.unwrap()
    }

    /// Passes until there is nothing more to do at once.
    pub async fn settle(&self) {
        for _ in 0..50 {
            if self.pass().await.changed == 0 {
                return;
            }
        }
        panic!("the endpoints do not come to rest");
    }

    /// Puts all containers into a state and lets the reconciler see it.
    pub async fn become_all(&self, state: &ContainerState) {
        self.settle().await;
        self.runtime.all(state);
        self.settle().await;
    }

    pub async fn model(&self, name: &str, container: ContainerDefinition) -> Result<(), ApiError> {
        self.call::<CreateModel>(model_input(name, container)).await.map(|_| ())
    }

    pub async fn config(&self, name: &str, variants: Vec<ProductionVariant>) -> Result<(), ApiError> {
        let input = CreateEndpointConfigInput {
            endpoint_config_name: name.to_owned(),
            production_variants: variants,
            ..Default::default()
        };
        self.call::<CreateEndpointConfig>(input).await.map(|_| ())
    }

    pub async fn endpoint(&self, name: &str, config: &str) -> Result<(), ApiError> {
        let input = CreateEndpointInput {
            endpoint_name: name.to_owned(),
            endpoint_config_name: config.to_owned(),
            ..Default::default()
        };
        self.call::<CreateEndpoint>(input).await.map(|_| ())
    }

    /// A model, a configuration and an endpoint, all of this name, just created.
    pub async fn creating(&self, name: &str, container: ContainerDefinition) {
        self.model(name, container).await.unwrap();
        self.config(name, vec![variant("AllTraffic", name)]).await.unwrap();
        self.endpoint(name, name).await.unwrap();
    }

    /// The same, in service.
    pub async fn in_service(&self, name: &str) {
        self.creating(name, image()).await;
        self.become_all(&ContainerState::Healthy).await;
        assert_eq!(self.status(name).await, "InService");
    }

    pub async fn describe(&self, name: &str) -> Result<DescribeEndpointOutput, ApiError> {
        self.call::<DescribeEndpoint>(DescribeEndpointInput { endpoint_name: name.to_owned() }).await
    }

    pub async fn status(&self, name: &str) -> String {
        self.describe(name).await.unwrap().endpoint_status.to_string()
    }

    pub async fn reason(&self, name: &str) -> String {
        self.describe(name).await.unwrap().failure_reason.unwrap_or_default()
    }
}

pub fn image() -> ContainerDefinition {
    ContainerDefinition { image: Some("image".to_owned()), ..Default::default() }
}

pub fn with_data(uri: &str) -> ContainerDefinition {
    ContainerDefinition { model_data_url: Some(uri.to_owned()), ..image() }
}

pub fn model_input(name: &str, container: ContainerDefinition) -> CreateModelInput {
    CreateModelInput {
        model_name: name.to_owned(),
        primary_container: Some(container),
        execution_role_arn: Some(ROLE.to_owned()),
        ..Default::default()
    }
}

pub fn variant(name: &str, model: &str) -> ProductionVariant {
    ProductionVariant {
        variant_name: name.to_owned(),
        model_name: Some(model.to_owned()),
        initial_instance_count: Some(1),
        instance_type: Some("ml.m5.large".parse().unwrap()),
        ..Default::default()
    }
}

pub fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.to_owned(), value: value.to_owned() }
}

/// A refusal as `Code: message`.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
    result.expect_err("an error").to_string()
}

/// That a refusal is a ValidationException with this in its message.
pub fn assert_refused<T: std::fmt::Debug>(result: Result<T, ApiError>, part: &str) {
    let refusal = refusal(result);
    assert!(refusal.starts_with("ValidationException: ") && refusal.contains(part), "{refusal}");
}

pub fn exited(code: i32, last: &str) -> ContainerState {
    ContainerState::Exited { code, last_output: last.to_owned() }
}
