//! A server without sockets: store, service, and calls by a credential.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use stoa_iam::{Iam, SealingKey, routes};
use stoa_kernel::ports::{Authority, ResourceTags, Verdict};
use stoa_kernel::{ApiError, Authorized, Connection, Cx, Permit, Platform, Principal, Registry, bind_targets};
use stoa_policy::MapContext;
use stoa_schema::{Authz, FromValue, Operation, ToValue};
use stoa_store::{MemoryStore, Store};
use stoa_types::{AccountId, FixedClock, Partition, Region, SequentialIds, Timestamp};

pub const ALLOW_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

struct Tags(Arc<dyn Store>);

#[async_trait]
impl ResourceTags for Tags {
    async fn resource_tags(&self, arn: &str) -> Result<Vec<(String, String)>, ApiError> {
        Ok(self.0.tags(arn).await.map_err(ApiError::internal)?.to_vec())
    }
}

pub struct World {
    pub store: Arc<dyn Store>,
    pub clock: Arc<FixedClock>,
    pub ids: Arc<SequentialIds>,
    pub iam: Arc<Iam>,
    pub management: AccountId,
    registry: Registry,
    platform: Arc<Platform>,
}

pub fn start() -> Timestamp {
    Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap()
}

pub async fn world() -> World {
    let clock = Arc::new(FixedClock::at(start()));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    open(store, clock, Arc::new(SequentialIds::default())).await
}

/// A server over a store that may hold something already: a restart.
pub async fn open(store: Arc<dyn Store>, clock: Arc<FixedClock>, ids: Arc<SequentialIds>) -> World {
    let iam = Iam::new(Arc::clone(&store), clock.clone(), ids.clone(), SealingKey::new([42; 32]));
    let management = iam.bootstrap().await.unwrap().management_account;
    let platform = Arc::new(Platform {
        clock: clock.clone(),
        ids: ids.clone(),
        authority: iam.clone(),
        tags: Arc::new(Tags(Arc::clone(&store))),
    });
    let registry = Registry::default().with_routes(routes(&iam));
    World { store, clock, ids, iam, management, registry, platform }
}

impl World {
    pub async fn restarted(&self) -> World {
        open(Arc::clone(&self.store), self.clock.clone(), self.ids.clone()).await
    }

    pub fn cx(&self, principal: Arc<Principal>) -> Cx {
        let region: Region = "us-west-2".parse().unwrap();
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

    /// The root user of an account.
    pub fn root(&self, account: &AccountId) -> Cx {
        self.cx(Arc::new(Principal {
            account: account.clone(),
            arn: format!("arn:aws:iam::{account}:root"),
            principal_id: account.to_string(),
            identity: stoa_kernel::PrincipalIdentity::Root,
            access_key_id: String::new(),
            tags: Default::default(),
            session: None,
        }))
    }

    /// The routes, for tests that look at all of them.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A user of the management account, as it would call.
    pub async fn user(&self, name: &str) -> Arc<Principal> {
        Arc::new(Principal {
            account: self.management.clone(),
            arn: format!("arn:aws:iam::{}:user/{name}", self.management),
            principal_id: "AIDATEST".to_owned(),
            identity: stoa_kernel::PrincipalIdentity::User { name: name.to_owned() },
            access_key_id: String::new(),
            tags: Default::default(),
            session: None,
        })
    }

    /// The root user of the management account.
    pub fn admin(&self) -> Cx {
        self.root(&self.management)
    }

    pub async fn principal(&self, access_key_id: &str, token: Option<&str>) -> Option<Arc<Principal>> {
        let found = self.iam.credential(access_key_id, token).await.unwrap();
        found.map(|credential| Arc::clone(&credential.principal))
    }

    /// A call as the pipeline makes it, without the wire.
    pub async fn call<Op>(&self, cx: &Cx, input: Op::Input) -> Result<Op::Output, ApiError>
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

    /// A call with its input as AWS writes it.
    pub async fn ask<Op>(&self, cx: &Cx, input: serde_json::Value) -> Result<Op::Output, ApiError>
    where
        Op: Operation,
        Op::Input: ToValue + serde::de::DeserializeOwned,
        Op::Output: FromValue,
    {
        self.call::<Op>(cx, serde_json::from_value(input).unwrap()).await
    }

    /// A call by the management account's root user that must succeed.
    pub async fn root_does<Op>(&self, input: serde_json::Value) -> Op::Output
    where
        Op: Operation,
        Op::Input: ToValue + serde::de::DeserializeOwned,
        Op::Output: FromValue,
    {
        self.ask::<Op>(&self.admin(), input).await.unwrap()
    }

    /// The code and message of a refusal of the management account's root user.
    pub async fn root_refused<Op>(&self, input: serde_json::Value) -> (String, String)
    where
        Op: Operation,
        Op::Input: ToValue + serde::de::DeserializeOwned,
        Op::Output: FromValue,
    {
        let refused = self.ask::<Op>(&self.admin(), input).await.map(|_| ());
        let error = refused.expect_err("an error");
        (error.code().to_owned(), error.message().to_owned())
    }

    pub async fn decide(&self, principal: &Principal, action: &str, resource: &str) -> Verdict {
        let context = MapContext::new();
        self.iam.decide(principal, action, resource, &context).await.unwrap()
    }
}

/// Code and status of a refusal.
pub fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (String, u16) {
    let error = result.expect_err("an error");
    (error.code().to_owned(), error.status())
}

pub fn statement(effect: &str, action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"It","Effect":"{effect}","Action":"{action}","Resource":"{resource}"}}]}}"#
    )
}

pub fn trusting(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
    )
}
