//! A server without sockets: store, IAM and KMS, and calls by a principal.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use stoa_iam::Iam;
use stoa_kernel::ports::{Authority, ResourceTags};
use stoa_kernel::{ApiError, Authorized, Connection, Cx, Permit, Platform, Principal, Registry, bind_targets};
use stoa_kms::{KeyReconciler, Kms, KmsParts};
use stoa_models_iam::operations as iam_op;
use stoa_models_iam::types::{CreateAccessKeyRequest, CreateUserRequest, PutUserPolicyRequest};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;
use stoa_schema::{Authz, FromValue, Operation, ToValue, validate, validation_message};
use stoa_seal::SealingKey;
use stoa_store::{MemoryStore, Store};
use stoa_types::{AccountId, FixedClock, Partition, Region, SequentialIds, Timestamp};
use stoa_work::{Nudge, PassReport, Reconciler};

pub const DAY: i64 = 24 * 60 * 60 * 1000;

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
    pub kms: Arc<Kms>,
    pub management: AccountId,
    registry: Registry,
    platform: Arc<Platform>,
}

pub async fn world() -> World {
    let now = Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap();
    let clock = Arc::new(FixedClock::at(now));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clone()));
    open(store, clock, Arc::new(SequentialIds::default()), SealingKey::new([42; 32])).await
}

/// A server over a store that may hold something already: a restart.
pub async fn open(store: Arc<dyn Store>, clock: Arc<FixedClock>, ids: Arc<SequentialIds>, key: SealingKey) -> World {
    let iam = Iam::new(Arc::clone(&store), clock.clone(), ids.clone(), key.clone());
    let management = iam.bootstrap().await.unwrap().management_account;
    let kms = Kms::new(KmsParts {
        store: Arc::clone(&store),
        clock: clock.clone(),
        ids: ids.clone(),
        key,
        nudge: Nudge::new(),
    });
    iam.set_resource_policies(vec![kms.clone() as _]);
    let platform = Arc::new(Platform {
        clock: clock.clone(),
        ids: ids.clone(),
        authority: iam.clone(),
        tags: Arc::new(Tags(Arc::clone(&store))),
    });
    let registry = Registry::default().with_routes(stoa_iam::routes(&iam)).with_routes(stoa_kms::routes(&kms));
    World { store, clock, ids, iam, kms, management, registry, platform }
}

impl World {
    pub async fn restarted(&self, key: SealingKey) -> World {
        open(Arc::clone(&self.store), self.clock.clone(), self.ids.clone(), key).await
    }

    pub fn cx_in(&self, principal: Arc<Principal>, region: &str) -> Cx {
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

    /// The routes, for tests that look at all of them.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub fn cx(&self, principal: Arc<Principal>) -> Cx {
        self.cx_in(principal, "us-west-2")
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

    pub fn admin(&self) -> Cx {
        self.root(&self.management)
    }

    /// The root user of another account.
    pub async fn other(&self) -> Cx {
        let account = self.iam.create_account("other").await.unwrap();
        self.root(&account.account_id)
    }

    /// A user with this identity policy; none for an empty text.
    pub async fn user(&self, account: &Cx, name: &str, policy: &str) -> Cx {
        let create = CreateUserRequest { user_name: name.to_owned(), ..Default::default() };
        self.call::<iam_op::CreateUser>(account, create).await.unwrap();
        if !policy.is_empty() {
            let put = PutUserPolicyRequest {
                user_name: name.to_owned(),
                policy_name: "p".to_owned(),
                policy_document: policy.to_owned(),
            };
            self.call::<iam_op::PutUserPolicy>(account, put).await.unwrap();
        }
        let wanted = CreateAccessKeyRequest { user_name: Some(name.to_owned()) };
        let made = self.call::<iam_op::CreateAccessKey>(account, wanted).await.unwrap();
        let credential = self.iam.credential(&made.access_key.access_key_id, None).await.unwrap().unwrap();
        self.cx(Arc::clone(&credential.principal))
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
        if let Some(shape) = Op::SPEC.input {
            let violations = validate(shape, &input);
            if !violations.is_empty() {
                return Err(ApiError::validation(validation_message(&violations)));
            }
        }
        let output = (route.handler)(cx, Authorized::new(&permit, input)).await?;
        Ok(Op::Output::from_value(output).unwrap())
    }

    pub async fn create(&self, cx: &Cx, request: CreateKeyRequest) -> KeyMetadata {
        self.call::<op::CreateKey>(cx, request).await.unwrap().key_metadata.unwrap()
    }

    /// A symmetric key with the default policy.
    pub async fn key(&self, cx: &Cx) -> KeyMetadata {
        self.create(cx, CreateKeyRequest::default()).await
    }

    pub async fn key_of(&self, cx: &Cx, spec: KeySpec, usage: KeyUsageType) -> KeyMetadata {
        let request = CreateKeyRequest { key_spec: Some(spec), key_usage: Some(usage), ..Default::default() };
        self.create(cx, request).await
    }

    pub async fn key_with_policy(&self, cx: &Cx, policy: &str) -> KeyMetadata {
        let request = CreateKeyRequest {
            policy: Some(policy.to_owned()),
            bypass_policy_lockout_safety_check: Some(true),
            ..Default::default()
        };
        self.create(cx, request).await
    }

    pub async fn encrypt(&self, cx: &Cx, key: &str, context: &[(&str, &str)]) -> Result<Vec<u8>, ApiError> {
        let request = EncryptRequest {
            key_id: key.to_owned(),
            plaintext: b"plain".to_vec().into(),
            encryption_context: pairs(context),
            ..Default::default()
        };
        Ok(self.call::<op::Encrypt>(cx, request).await?.ciphertext_blob.unwrap().to_vec())
    }

    pub async fn decrypt(&self, cx: &Cx, blob: &[u8], context: &[(&str, &str)]) -> Result<Vec<u8>, ApiError> {
        let request = DecryptRequest {
            ciphertext_blob: Some(blob.to_vec().into()),
            encryption_context: pairs(context),
            ..Default::default()
        };
        Ok(self.call::<op::Decrypt>(cx, request).await?.plaintext.unwrap().to_vec())
    }

    pub async fn describe(&self, cx: &Cx, key: &str) -> Result<KeyMetadata, ApiError> {
        let request = DescribeKeyRequest { key_id: key.to_owned(), ..Default::default() };
        Ok(self.call::<op::DescribeKey>(cx, request).await?.key_metadata.unwrap())
    }

    pub async fn alias(&self, cx: &Cx, name: &str, key: &str) -> Result<(), ApiError> {
        let request = CreateAliasRequest { alias_name: name.to_owned(), target_key_id: key.to_owned() };
        self.call::<op::CreateAlias>(cx, request).await.map(drop)
    }

    pub async fn grant(&self, cx: &Cx, request: CreateGrantRequest) -> CreateGrantResponse {
        self.call::<op::CreateGrant>(cx, request).await.unwrap()
    }

    pub async fn pass(&self) -> PassReport {
        KeyReconciler::new(Arc::clone(&self.kms)).pass().await.unwrap()
    }
}

pub fn pairs(list: &[(&str, &str)]) -> Option<std::collections::BTreeMap<String, String>> {
    let map: std::collections::BTreeMap<String, String> =
        list.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    (!map.is_empty()).then_some(map)
}

/// Code and message of a refusal.
#[track_caller]
pub fn refusal<T>(result: Result<T, ApiError>) -> (String, String) {
    let Err(error) = result else { panic!("this should have been refused") };
    (error.code().to_owned(), error.message().to_owned())
}

/// The call was refused with this code, and words that its message holds.
#[track_caller]
pub fn refused<T>(result: Result<T, ApiError>, code: &str, words: &str) {
    let (found, message) = refusal(result);
    assert_eq!(found, code, "{message}");
    assert!(message.contains(words), "`{words}` is not in: {message}");
}

pub fn allow(actions: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":"{resource}"}}]}}"#
    )
}

/// A key policy of these statements.
pub fn key_policy(statements: &[String]) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

pub fn letting(principal: &str, actions: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":{actions},"Resource":"*","Condition":{condition}}}"#
    )
}
