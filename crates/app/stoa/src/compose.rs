//! The composition root: every port gets its implementation here and nowhere else.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use stoa_audit::Journal;
use stoa_audit_journal::SegmentJournal;
use stoa_blob::BlobStore;
use stoa_blobs::{BlobCollector, BlobKeeper, KeeperParts};
use stoa_gateway::{CertificateAuthority, Gateway, GatewayConfig};
use stoa_hf::{HfParts, HfService};
use stoa_iam::{Iam, IamInsight};
use stoa_insight::{Insight, InsightParts, linting};
use stoa_kernel::ports::{Authority, ObjectAccess, ObjectSource, ReadObject};
use stoa_kernel::{Platform, Registry, VpcEndpoint};
use stoa_kms::{KeyReconciler, Kms, KmsParts};
use stoa_oidc_keys::OidcKeys;
use stoa_ram::{Ram, RamParts};
use stoa_runtime::Runtime;
use stoa_runtime_process::{ProcessRuntime, ProcessRuntimeConfig};
use stoa_s3::{S3Service, S3Settings};
use stoa_s3_objects::{CombinedSource, Encryption, LifecycleReconciler, S3Objects};
use stoa_sagemaker_hosting::{EndpointReconciler, Hosting, HostingParts, OpenedFolder};
use stoa_sagemaker_hub::{AdmissionReconciler, Catalog, HubRulesReconciler, Hubs, HubsParts};
use stoa_seal::SealingKey;
use stoa_store::{PageTokens, Store};
use stoa_store_sqlite::{Settings, SqliteStore};
use stoa_types::{AccountId, Clock, IdSource};
use stoa_webhooks::Dispatcher;
use stoa_work::{Nudge, Worker};

use crate::blob_store::{Claim, Opening};
use crate::clock::{SystemClock, SystemIds};
use crate::config::Config;
use crate::data_dir::DataDir;
use crate::hf_front::HfFrontage;
use crate::images::{INFERENCE, ImageMap};
use crate::master_key::{self, MasterKey, MasterKeys};
use crate::presign::{Presigner, ServiceAuthority};
use crate::s3_front::S3Frontage;
use crate::tags::StoredTags;

/// How often endpoints are looked at when nothing nudges.
const ENDPOINT_PERIOD: Duration = Duration::from_secs(1);
/// SageMaker's limit for an invocation.
const INVOCATION_DEADLINE: Duration = Duration::from_secs(60);
/// Blobs are collected twice in a grace, but never more often than the one and never less often than the other.
const COLLECT_OFTEN: Duration = Duration::from_secs(60);
const COLLECT_SELDOM: Duration = Duration::from_secs(3600);
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long an S3 client may pause within a body.
const S3_BODY_IDLE: Duration = Duration::from_secs(60);

/// A server, put together and not yet listening.
pub struct Stoa {
    pub gateway: Arc<Gateway>,
    pub s3: S3Service,
    pub certificates: Arc<CertificateAuthority>,
    pub iam: Arc<Iam>,
    pub insight: Arc<Insight>,
    pub catalog: Arc<Catalog>,
    pub hubs: Arc<Hubs>,
    pub journal: Arc<dyn Journal>,
    pub runtime: Arc<dyn Runtime>,
    pub endpoints: Worker,
    pub keys: Worker,
    pub lifecycle: Worker,
    pub events: Vec<Worker>,
    pub blobs: Arc<BlobKeeper>,
    pub collector: Worker,
    pub admission: Worker,
    pub hub_rules: Worker,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdSource>,
    pub management_account: AccountId,
    /// The VPC endpoints, each with the address it listens on.
    pub vpc_endpoints: Vec<(SocketAddr, Arc<VpcEndpoint>)>,
}

/// The layers that others are made of.
struct Base {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    key: MasterKey,
    sealing: SealingKey,
    store: Arc<dyn Store>,
    blobs: Arc<dyn BlobStore>,
    tokens: PageTokens,
}

/// Opens everything in the data folder and wires it.
pub async fn compose(config: &Config, data_dir: &DataDir) -> Result<Stoa, Box<dyn Error>> {
    let base = open_base(config, data_dir).await?;
    let journal: Arc<dyn Journal> = Arc::new(open_journal(data_dir)?);
    let iam = Iam::new(Arc::clone(&base.store), Arc::clone(&base.clock), Arc::clone(&base.ids), base.sealing.clone());
    let organization = iam.bootstrap().await?;
    let authority: Arc<dyn Authority> = Arc::new(ServiceAuthority::new(Arc::clone(&iam), &base.key)?);
    let management = &organization.management_account;
    let vpc_endpoints: Vec<_> =
        config.vpc_endpoints.iter().map(|endpoint| (endpoint.listen, endpoint.endpoint(management))).collect();
    iam.set_vpc_endpoints(vpc_endpoints.iter().map(|(_, endpoint)| Arc::clone(endpoint)));
    let platform = Arc::new(Platform {
        clock: Arc::clone(&base.clock),
        ids: Arc::clone(&base.ids),
        authority: Arc::clone(&authority),
        tags: Arc::new(StoredTags(Arc::clone(&base.store))),
    });
    let (hubs, catalog) = hubs(&base, data_dir);
    let derived: Arc<dyn ObjectSource> = Arc::clone(&hubs) as Arc<dyn ObjectSource>;
    let (kms, keys) = kms(&base);
    let objects = S3Objects::new(Arc::clone(&base.store), Arc::clone(&base.blobs), vec![Arc::clone(&derived)]);
    let objects = Arc::new(objects.with_encryption(Encryption {
        key: base.sealing.clone(),
        data_keys: Arc::clone(&kms) as _,
        default: config.default_encryption.clone(),
    }));
    let sources: Arc<dyn ObjectSource> =
        Arc::new(CombinedSource::new(vec![derived, Arc::clone(&objects) as Arc<dyn ObjectSource>]));
    hubs.set_objects(Arc::clone(&sources));
    hubs.set_object_access(Arc::clone(&objects) as _);
    iam.set_licences(Arc::clone(&hubs) as _);
    let admission = admission(&base, &hubs);
    let runtime = runtime(data_dir)?;
    let reads = Reads {
        objects: Arc::clone(&sources),
        access: Arc::clone(&objects) as _,
        bytes: Arc::clone(&objects) as _,
        platform: Arc::clone(&platform),
        opened: Arc::new(OpenedFolder::open(data_dir.opened())?),
    };
    let (hosting, endpoints) = hosting(&base, config, authority, &hubs, reads, Arc::clone(&runtime));
    hubs.set_signatures(Arc::clone(&kms) as _);
    let ram = ram(&base, &iam, &hubs);
    hubs.set_shared(Arc::clone(&ram) as _);
    let (blobs, collector) = keeper(&base, config, data_dir);
    let insight = Arc::new(Insight::new(InsightParts {
        policies: Arc::new(IamInsight(Arc::clone(&iam))),
        hubs: Arc::clone(&hubs) as _,
        buckets: sources,
        tags: Arc::clone(&platform.tags),
        journal: Arc::clone(&journal),
        tokens: base.tokens.clone(),
    }));
    iam.set_resource_policies(vec![Arc::clone(&objects) as _, Arc::clone(&kms) as _, Arc::clone(&ram) as _]);
    // RAM first: nobody writes into what is being deleted by a share of it.
    iam.set_account_data(vec![
        Arc::clone(&ram) as _,
        Arc::clone(&hosting) as _,
        Arc::clone(&hubs) as _,
        Arc::clone(&objects) as _,
        Arc::clone(&kms) as _,
    ]);
    iam.set_issuer_keys(Arc::new(OidcKeys::new(config.oidc_keys.clone(), Arc::clone(&base.clock))));
    iam.resume_deletions().await?;
    let registry = registry(&iam, &hubs, &hosting, &kms, &ram, &insight)?;
    let (lifecycle, events) = (lifecycle(&base, &objects), events(&base, config));
    let hub_rules = hub_rules(&base, &hubs);
    let hf = hugging_face(config, &platform, &journal, &iam, &hubs, Arc::clone(&objects) as _);
    let s3 = s3_service(config, &platform, &journal, objects, &base)?;
    let gateway_config = GatewayConfig {
        allow_tunnel: config.allow_tunnel.clone(),
        regions: config.regions.clone(),
        ..GatewayConfig::default()
    };
    let gateway =
        Gateway::new(gateway_config, platform, registry, Arc::clone(&journal), Some(Arc::new(S3Frontage(s3.clone()))));
    let gateway = gateway.with_front_below(HfService::ROOT, "sagemaker", Arc::new(HfFrontage(hf)));
    for (_, endpoint) in &vpc_endpoints {
        let unknown = gateway.unknown_services(endpoint);
        if !unknown.is_empty() {
            return Err(format!("[[vpc_endpoints]] `{}`: no such services: {}", endpoint.id, unknown.join(", ")).into());
        }
    }
    let certificates = CertificateAuthority::open(data_dir.path(), Arc::clone(&base.clock))?;
    Ok(Stoa {
        gateway: Arc::new(gateway),
        s3,
        certificates: Arc::new(certificates),
        iam,
        insight,
        catalog,
        hubs,
        journal,
        runtime,
        endpoints,
        keys,
        lifecycle,
        events,
        blobs,
        collector,
        admission,
        hub_rules,
        clock: base.clock,
        ids: base.ids,
        management_account: organization.management_account,
        vpc_endpoints,
    })
}

async fn open_base(config: &Config, data_dir: &DataDir) -> Result<Base, Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids: Arc<dyn IdSource> = Arc::new(SystemIds);
    let keys = MasterKeys::load(data_dir, &*ids)?;
    let settings = Settings { cache_bytes: 32 << 20 };
    let store = SqliteStore::open(&data_dir.database(), Arc::clone(&clock), settings)?;
    master_key::check(&store, &keys, &*clock).await?;
    let opening = Opening { config, data_dir, store: &store, clock: &*clock, ids: &*ids };
    let blobs = opening.open(Claim::Take).await?;
    let (key, sealing) = (keys.newest().clone(), keys.sealing_key());
    let tokens = PageTokens::new(key.derive("stoa/page-tokens/v1"));
    Ok(Base { clock, ids, key, sealing, store: Arc::new(store), blobs, tokens })
}

fn open_journal(data_dir: &DataDir) -> Result<SegmentJournal, Box<dyn Error>> {
    let journal = SegmentJournal::open(&data_dir.audit(), stoa_audit_journal::Settings::default())?;
    let recovered = journal.recovered();
    tracing::debug!(?recovered, "the audit journal is open");
    Ok(journal)
}

fn s3_service(
    config: &Config,
    platform: &Arc<Platform>,
    journal: &Arc<dyn Journal>,
    objects: Arc<S3Objects>,
    base: &Base,
) -> Result<S3Service, Box<dyn Error>> {
    let default_region = config.regions.first().cloned().ok_or("no region is served")?;
    let settings = S3Settings {
        base_domains: Vec::new(),
        regions: config.regions.clone(),
        default_region,
        body_idle: S3_BODY_IDLE,
        data_events: config.data_events,
    };
    Ok(S3Service::new(settings, Arc::clone(platform), Arc::clone(journal), objects, Arc::clone(&base.blobs)))
}

fn lifecycle(base: &Base, objects: &Arc<S3Objects>) -> Worker {
    let reconciler = LifecycleReconciler::new(Arc::clone(objects), Arc::clone(&base.clock), Arc::clone(&base.ids));
    Worker::new(Arc::new(reconciler), Arc::clone(&base.clock), LifecycleReconciler::PERIOD, Nudge::new())
}

fn admission(base: &Base, hubs: &Arc<Hubs>) -> Worker {
    let reconciler = AdmissionReconciler::new(Arc::clone(hubs), Arc::clone(&base.clock));
    Worker::new(Arc::new(reconciler), Arc::clone(&base.clock), AdmissionReconciler::PERIOD, hubs.nudge())
}

fn events(base: &Base, config: &Config) -> Vec<Worker> {
    let dispatcher = Dispatcher::new(Arc::clone(&base.store), Arc::clone(&base.clock), config.webhooks.clone());
    let worker = |reconciler| Worker::new(reconciler, Arc::clone(&base.clock), Dispatcher::PERIOD, Nudge::new());
    dispatcher.reconcilers().into_iter().map(worker).collect()
}

fn hub_rules(base: &Base, hubs: &Arc<Hubs>) -> Worker {
    let reconciler = HubRulesReconciler::new(Arc::clone(hubs), Arc::clone(&base.clock));
    let nudge = reconciler.nudge();
    Worker::new(Arc::new(reconciler), Arc::clone(&base.clock), HubRulesReconciler::PERIOD, nudge)
}

/// The Hugging Face read API, over the very operations that the gateway serves.
fn hugging_face(
    config: &Config,
    platform: &Arc<Platform>,
    journal: &Arc<dyn Journal>,
    iam: &Arc<Iam>,
    hubs: &Arc<Hubs>,
    bytes: Arc<dyn ReadObject>,
) -> HfService {
    let registry = Registry::new(vec![&stoa_models_sagemaker::SERVICE, &stoa_models_sts::SERVICE])
        .with_routes(stoa_sagemaker_hub::routes(hubs))
        .with_routes(stoa_iam::routes(iam));
    HfService::new(HfParts {
        platform: Arc::clone(platform),
        registry,
        journal: Arc::clone(journal),
        tokens: Arc::clone(iam) as _,
        repositories: Arc::clone(hubs) as _,
        bytes,
        regions: config.regions.clone(),
    })
}

fn kms(base: &Base) -> (Arc<Kms>, Worker) {
    let nudge = Nudge::new();
    let kms = Kms::new(KmsParts {
        store: Arc::clone(&base.store),
        clock: Arc::clone(&base.clock),
        ids: Arc::clone(&base.ids),
        key: base.sealing.clone(),
        nudge: nudge.clone(),
    });
    let reconciler = Arc::new(KeyReconciler::new(Arc::clone(&kms)));
    (kms, Worker::new(reconciler, Arc::clone(&base.clock), Kms::PERIOD, nudge))
}

fn keeper(base: &Base, config: &Config, data_dir: &DataDir) -> (Arc<BlobKeeper>, Worker) {
    let keeper = Arc::new(BlobKeeper::new(KeeperParts {
        store: Arc::clone(&base.store),
        blobs: Arc::clone(&base.blobs),
        clock: Arc::clone(&base.clock),
        grace: config.blobs_grace,
        holder: data_dir.holder(),
    }));
    let every = (config.blobs_grace / 2).clamp(COLLECT_OFTEN, COLLECT_SELDOM);
    let collector = Arc::new(BlobCollector::new(Arc::clone(&keeper)));
    (keeper, Worker::new(collector, Arc::clone(&base.clock), every, Nudge::new()))
}

fn hubs(base: &Base, data_dir: &DataDir) -> (Arc<Hubs>, Arc<Catalog>) {
    let catalog = Arc::new(Catalog::new(Arc::clone(&base.store), Arc::clone(&base.blobs), Arc::clone(&base.clock)));
    let hubs = Hubs::new(HubsParts {
        store: Arc::clone(&base.store),
        tokens: base.tokens.clone(),
        catalog: Arc::clone(&catalog),
        presign: Arc::new(Presigner::new(&base.key)),
        spool: data_dir.spool(),
    });
    (Arc::new(hubs), catalog)
}

fn ram(base: &Base, iam: &Arc<Iam>, hubs: &Arc<Hubs>) -> Arc<Ram> {
    Ram::new(RamParts {
        store: Arc::clone(&base.store),
        ids: Arc::clone(&base.ids),
        tokens: base.tokens.clone(),
        organization: Arc::clone(iam) as _,
        resources: vec![Arc::clone(hubs) as _],
    })
}

fn runtime(data_dir: &DataDir) -> Result<Arc<dyn Runtime>, Box<dyn Error>> {
    let config = ProcessRuntimeConfig {
        folder: data_dir.containers(),
        executable: std::env::current_exe()?,
        programs: vec![INFERENCE.to_owned()],
        invocation_deadline: INVOCATION_DEADLINE,
        stop_grace: STOP_GRACE,
    };
    Ok(Arc::new(ProcessRuntime::new(config)?))
}

/// What model data is read through.
struct Reads {
    objects: Arc<dyn ObjectSource>,
    access: Arc<dyn ObjectAccess>,
    bytes: Arc<dyn ReadObject>,
    platform: Arc<Platform>,
    opened: Arc<OpenedFolder>,
}

fn hosting(
    base: &Base,
    config: &Config,
    authority: Arc<dyn Authority>,
    hubs: &Arc<Hubs>,
    reads: Reads,
    runtime: Arc<dyn Runtime>,
) -> (Arc<Hosting>, Worker) {
    let nudge = Nudge::new();
    let parts = HostingParts {
        store: Arc::clone(&base.store),
        tokens: base.tokens.clone(),
        blobs: Arc::clone(&base.blobs),
        objects: reads.objects,
        access: reads.access,
        bytes: reads.bytes,
        platform: reads.platform,
        opened: reads.opened,
        hubs: Arc::clone(hubs) as _,
        images: Arc::new(ImageMap::new(config.images.clone())),
        runtime,
        authority,
        nudge: nudge.clone(),
        serving: Arc::new(ArcSwap::from_pointee(HashMap::new())),
    };
    let reconciler = EndpointReconciler::new(parts.clone(), Arc::clone(&base.clock));
    let worker = Worker::new(Arc::new(reconciler), Arc::clone(&base.clock), ENDPOINT_PERIOD, nudge);
    (Arc::new(Hosting::new(parts)), worker)
}

/// Every service that is spoken. Start-up refuses when a table calls an operation implemented that nothing handles.
fn registry(
    iam: &Arc<Iam>,
    hubs: &Arc<Hubs>,
    hosting: &Arc<Hosting>,
    kms: &Arc<Kms>,
    ram: &Arc<Ram>,
    insight: &Arc<Insight>,
) -> Result<Registry, Box<dyn Error>> {
    let mut services = vec![
        &stoa_models_sagemaker::SERVICE,
        &stoa_models_sagemaker_runtime::SERVICE,
        &stoa_models_iam::SERVICE,
        &stoa_models_sts::SERVICE,
        &stoa_models_organizations::SERVICE,
        &stoa_models_kms::SERVICE,
        &stoa_models_ram::SERVICE,
        &stoa_models_stoa::SERVICE,
    ];
    services.extend(stoa_models_others::SERVICES);
    let registry = Registry::new(services)
        .with_routes(linting(stoa_iam::routes(iam)))
        .with_routes(linting(stoa_kms::routes(kms)))
        .with_routes(stoa_ram::routes(ram))
        .with_routes(stoa_insight::routes(insight))
        .with_routes(stoa_sagemaker_hub::routes(hubs))
        .with_further_targets(stoa_sagemaker_hub::training_targets(hubs))
        .with_routes(stoa_sagemaker_hosting::routes(hosting));
    match registry.missing() {
        missing if missing.is_empty() => Ok(registry),
        missing => Err(format!("operations without a handler: {}", missing.join(", ")).into()),
    }
}
