//! A running server with everything around it faked: credentials, decisions, handlers, journal, S3.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response};
use stoa_audit::{AuditError, AuditQuery, AuditRecord, Journal};
use stoa_gateway::{CertificateAuthority, Gateway, GatewayConfig, Limits, ResponseBody, S3Call, S3Front, Server};
use stoa_kernel::ports::{Authority, Credential, ResourceTags, Verdict};
use stoa_kernel::{
    ApiError, Authorized, Cx, FederatedCaller, Platform, Principal, PrincipalIdentity, Registry, Route, SessionContext,
    VpcEndpoint,
};
use stoa_policy::{Context, Effect, Slot};
use stoa_schema::{OperationSpec, Value};
use stoa_types::{FixedClock, Secret, SequentialIds, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::model;

pub const NOW: Timestamp = Timestamp::from_millis(1_795_222_800_000);
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub const ADMIN: &str = "AKIAADMIN";
pub const NOBODY: &str = "AKIANOBODY";
pub const SESSION: &str = "ASIASESSION";
pub const ENDED: &str = "ASIAENDED";
pub const TOKEN: &str = "the-session-token";

#[derive(Default)]
pub struct TestJournal {
    pub failing: AtomicBool,
    /// Take records without keeping them.
    pub counting: AtomicBool,
    records: Mutex<Vec<AuditRecord>>,
}

impl TestJournal {
    pub fn records(&self) -> Vec<AuditRecord> {
        self.records.lock().unwrap().clone()
    }
    pub fn last(&self) -> AuditRecord {
        self.records().pop().unwrap()
    }
}

#[async_trait]
impl Journal for TestJournal {
    async fn append(&self, line: Vec<u8>) -> Result<(), AuditError> {
        tokio::task::yield_now().await;
        if self.failing.load(Ordering::SeqCst) {
            return Err(AuditError("the disk is full".into()));
        }
        if self.counting.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.records.lock().unwrap().push(serde_json::from_slice(&line).unwrap());
        Ok(())
    }
    async fn query(&self, _query: &AuditQuery) -> Result<Vec<AuditRecord>, AuditError> {
        Ok(self.records())
    }
}

struct TestAuthority;

fn principal(name: &str, key: &str, session: Option<SessionContext>) -> Arc<Principal> {
    let identity = match session {
        None => PrincipalIdentity::User { name: name.to_owned() },
        Some(_) => PrincipalIdentity::AssumedRole {
            role_arn: format!("arn:aws:iam::111122223333:role/{name}"),
            role_name: name.to_owned(),
            session_name: "tests".to_owned(),
        },
    };
    Arc::new(Principal {
        account: "111122223333".parse().unwrap(),
        arn: format!("arn:aws:iam::111122223333:user/{name}"),
        principal_id: "AIDAEXAMPLE".to_owned(),
        identity,
        access_key_id: key.to_owned(),
        tags: Default::default(),
        session,
    })
}

fn session(ends: Timestamp) -> SessionContext {
    SessionContext {
        issued_at: NOW.plus_millis(-1000),
        expires_at: ends,
        tags: Default::default(),
        transitive_tag_keys: Default::default(),
        policies: Vec::new(),
        source_identity: None,
        mfa_authenticated_at: None,
        federated_provider: None,
        keys: Default::default(),
    }
}

#[async_trait]
impl Authority for TestAuthority {
    async fn credential(
        &self,
        access_key_id: &str,
        _session_token: Option<&str>,
    ) -> Result<Option<Arc<Credential>>, ApiError> {
        let ends = match access_key_id {
            ADMIN | NOBODY => None,
            SESSION => Some(NOW.plus_millis(60_000)),
            ENDED => Some(NOW),
            _ => return Ok(None),
        };
        let name = if access_key_id == NOBODY { "nobody" } else { "admin" };
        Ok(Some(Arc::new(Credential {
            secret: Secret::new(SECRET),
            session_token: ends.map(|_| Secret::new(TOKEN)),
            expires_at: ends,
            principal: principal(name, access_key_id, ends.map(session)),
        })))
    }

    async fn decide(
        &self,
        principal: &Principal,
        action: &str,
        _resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Verdict, ApiError> {
        let from = if context.get("aws:sourcevpce").is_some() { "aws:vpcsourceip" } else { "aws:sourceip" };
        let known = [from, "aws:securetransport", "aws:requestedregion", "aws:principalarn", "aws:epochtime"];
        assert!(known.iter().all(|key| context.get(key).is_some()));
        if from == "aws:vpcsourceip" {
            assert!(context.get("aws:sourceip").is_none());
            let seen =
                ["aws:sourcevpce", "aws:sourcevpc", "aws:vpceaccount"].map(|key| context.get(key).unwrap().single());
            assert_eq!(seen, [Some("vpce-1"), Some("vpc-1"), Some("444455556666")]);
        }
        let nobody = principal.arn.ends_with("nobody");
        let effect = if nobody { Effect::ImplicitDeny } else { Effect::Allow };
        let reason = nobody.then(|| format!("because no identity-based policy allows the {action} action"));
        Ok(Verdict { effect, slot: Slot::Identity, matched: None, reason })
    }

    async fn service_session(&self, _: &str, _: &str, _: &str) -> Result<Option<Principal>, ApiError> {
        Ok(None)
    }
}

struct NoTags;

#[async_trait]
impl ResourceTags for NoTags {
    async fn resource_tags(&self, _arn: &str) -> Result<Vec<(String, String)>, ApiError> {
        Ok(Vec::new())
    }
}

/// What the handlers do and saw.
#[derive(Default)]
pub struct Handlers {
    hubs: Mutex<BTreeSet<String>>,
    pub calls: AtomicUsize,
    pub entered: Notify,
    pub release: Notify,
}

impl Handlers {
    async fn create(&self, cx: &Cx, input: Authorized<Value>) -> Result<Value, ApiError> {
        let name = input.str_member("HubName").unwrap_or_default().to_owned();
        self.calls.fetch_add(1, Ordering::SeqCst);
        if name == "wait" {
            self.entered.notify_one();
            self.release.notified().await;
        }
        if !self.hubs.lock().unwrap().insert(name.clone()) {
            return Err(ApiError::resource_in_use(format!("hub `{name}` exists")));
        }
        Ok(hub(cx, &name))
    }

    async fn describe(&self, cx: &Cx, input: Authorized<Value>) -> Result<Value, ApiError> {
        let name = input.str_member("HubName").unwrap_or_default().to_owned();
        match &*name {
            "panic" => panic!("a bug"),
            "wait" => {
                self.entered.notify_one();
                self.release.notified().await;
            }
            "odd" => cx.note_warning("the hub `odd` is 100 % odd\nand übel"),
            "missing" => return Err(ApiError::resource_not_found("hub `missing` does not exist")),
            _ => {}
        }
        Ok(hub(cx, &name))
    }
}

fn hub(cx: &Cx, name: &str) -> Value {
    Value::Struct(vec![
        ("HubArn", Value::String(cx.arn("sagemaker", &format!("hub/{name}")))),
        ("Passphrase", Value::String("open sesame".to_owned())),
    ])
}

fn route<F>(spec: &'static OperationSpec, handler: F) -> Route
where
    F: for<'a> Fn(&'a Cx, Authorized<Value>) -> BoxFuture<'a, Result<Value, ApiError>> + Send + Sync + 'static,
{
    Route { spec, handler: Box::new(handler), targets: None }
}

fn who<'a>(cx: &'a Cx, _input: Authorized<Value>) -> BoxFuture<'a, Result<Value, ApiError>> {
    Box::pin(async move { Ok(Value::Struct(vec![("Arn", Value::String(cx.principal.arn.clone()))])) })
}

fn registry(handlers: &Arc<Handlers>) -> Registry {
    let (create, describe) = (Arc::clone(handlers), Arc::clone(handlers));
    let routes = vec![
        route(&model::CREATE_HUB, move |cx, input| {
            let handlers = Arc::clone(&create);
            Box::pin(async move { handlers.create(cx, input).await })
        }),
        route(&model::DESCRIBE_HUB, move |cx, input| {
            let handlers = Arc::clone(&describe);
            Box::pin(async move { handlers.describe(cx, input).await })
        }),
        route(&model::INVOKE, |_, input| {
            let body = input.member("Body").cloned().unwrap_or(Value::Blob(Default::default()));
            Box::pin(async move { Ok(Value::Struct(vec![("Body", body)])) })
        }),
        route(&model::IDENTITY, who),
        route(&model::ASSUME, |_, _| {
            Box::pin(async { Err(ApiError::new("RegionDisabledException", 400, "sts is not active here")) })
        }),
        route(&model::ASSUME_WEB, |cx, input| {
            cx.note_federated_caller(FederatedCaller {
                kind: "WebIdentityUser",
                principal_id: "provider:client:anna".to_owned(),
                user_name: "anna".to_owned(),
                identity_provider: "provider".to_owned(),
                account: "111122223333".parse().unwrap(),
            });
            who(cx, input)
        }),
        route(&model::LIST_METRICS, who),
    ];
    Registry::new(vec![&model::SAGEMAKER, &model::RUNTIME, &model::STS, &model::CLOUDWATCH]).with_routes(routes)
}

/// A front that says its name.
struct TestFront(&'static str);

impl S3Front for TestFront {
    fn call(&self, request: Request<Incoming>, call: S3Call) -> BoxFuture<'_, Response<ResponseBody>> {
        Box::pin(async move {
            if let Some(file) = crate::files::front(request.uri().path(), &call) {
                return file;
            }
            if request.uri().path() == "/short" {
                return crate::files::short();
            }
            let text = format!("{} {} {} {}", self.0, request.method(), request.uri().path(), call.connection.base_url);
            Response::new(ResponseBody::whole(text))
        })
    }
}

/// A server and what is around it.
pub struct World {
    pub address: SocketAddr,
    pub journal: Arc<TestJournal>,
    pub handlers: Arc<Handlers>,
    pub clock: Arc<FixedClock>,
    pub authority: Arc<CertificateAuthority>,
    pub gateway: Arc<Gateway>,
    pub stop: CancellationToken,
    pub server: tokio::task::JoinHandle<()>,
    pub folder: tempfile::TempDir,
}

impl World {
    pub async fn start() -> World {
        World::with(GatewayConfig::default()).await
    }

    pub async fn with_limits(change: impl FnOnce(&mut Limits)) -> World {
        let mut config = GatewayConfig::default();
        change(&mut config.limits);
        World::with(config).await
    }

    /// A server whose listener is that of a VPC endpoint leading to these services.
    pub async fn behind_endpoint(services: &[&str]) -> World {
        let endpoint = VpcEndpoint {
            id: "vpce-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            account: "444455556666".parse().unwrap(),
            region: None,
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            policy: None,
        };
        World::made(GatewayConfig::default(), Some(Arc::new(endpoint))).await
    }

    pub async fn with(config: GatewayConfig) -> World {
        World::made(config, None).await
    }

    async fn made(config: GatewayConfig, endpoint: Option<Arc<VpcEndpoint>>) -> World {
        let (journal, handlers) = (Arc::new(TestJournal::default()), Arc::new(Handlers::default()));
        let clock = Arc::new(FixedClock::at(NOW));
        let platform = Platform {
            clock: clock.clone(),
            ids: Arc::new(SequentialIds::default()),
            authority: Arc::new(TestAuthority),
            tags: Arc::new(NoTags),
        };
        let registry = registry(&handlers);
        let s3: Arc<dyn S3Front> = Arc::new(TestFront("s3"));
        let gateway = Gateway::new(config, Arc::new(platform), registry, journal.clone(), Some(s3));
        let gateway = Arc::new(gateway.with_front_below("/hf/", "sagemaker", Arc::new(TestFront("hf"))));
        let folder = tempfile::tempdir().unwrap();
        let authority = Arc::new(CertificateAuthority::open(folder.path(), clock.clone()).unwrap());
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), gateway.clone(), authority.clone()).unwrap();
        let server = match endpoint {
            Some(endpoint) => server.for_endpoint(endpoint),
            None => server,
        };
        let (address, stop) = (server.local_addr(), CancellationToken::new());
        let server = tokio::spawn(server.run(stop.clone()));
        World { address, journal, handlers, clock, authority, gateway, stop, server, folder }
    }
}

/// Waits until something is so; a test that waits ten seconds has failed.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
