//! A server without sockets: store, IAM, RAM and hubs that are only names, and calls by a principal.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use stoa_iam::Iam;
use stoa_kernel::ports::{Authority, ResourceTags, ShareableResources};
use stoa_kernel::{ApiError, Authorized, Connection, Cx, Permit, Platform, Principal, Registry, Target, bind_targets};
use stoa_models_iam::operations as iam_op;
use stoa_models_iam::types::{CreateAccessKeyRequest, CreateUserRequest, PutUserPolicyRequest};
use stoa_models_ram::operations as op;
use stoa_models_ram::types::*;
use stoa_policy::Effect;
use stoa_ram::{Ram, RamParts};
use stoa_schema::{Authz, FromValue, Operation, ToValue, validate, validation_message};
use stoa_seal::SealingKey;
use stoa_store::{MemoryStore, PageTokens, Store};
use stoa_types::{AccountId, Clock, FixedClock, Partition, Region, SequentialIds, Timestamp};

pub const HOUR: i64 = 60 * 60 * 1000;
pub const READ: &str = "arn:aws:ram::aws:permission/AWSRAMPermissionSageMakerHubRead";
pub const USE: &str = "arn:aws:ram::aws:permission/AWSRAMPermissionSageMakerHubReadAndUse";
pub const FULL: &str = "arn:aws:ram::aws:permission/AWSRAMPermissionSageMakerHubFullAccessPolicy";
pub const HUB_TYPE: &str = "sagemaker:Hub";

struct Tags(Arc<dyn Store>);

#[async_trait]
impl ResourceTags for Tags {
    async fn resource_tags(&self, arn: &str) -> Result<Vec<(String, String)>, ApiError> {
        Ok(self.0.tags(arn).await.map_err(ApiError::internal)?.to_vec())
    }
}

/// Hubs by ARN, with when each was made.
#[derive(Default)]
pub struct Hubs(Mutex<BTreeMap<String, Timestamp>>);

#[async_trait]
impl ShareableResources for Hubs {
    async fn resource_created(&self, arn: &str) -> Result<Option<Timestamp>, ApiError> {
        Ok(self.0.lock().unwrap().get(arn).copied())
    }
}

pub struct World {
    pub store: Arc<dyn Store>,
    pub clock: Arc<FixedClock>,
    pub iam: Arc<Iam>,
    pub hubs: Arc<Hubs>,
    pub management: AccountId,
    registry: Registry,
    platform: Arc<Platform>,
}

pub async fn world() -> World {
    world_over(|store| store).await
}

/// A world whose store is inside another one.
pub async fn world_over(wrap: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>) -> World {
    let clock = Arc::new(FixedClock::at(Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap()));
    let ids = Arc::new(SequentialIds::default());
    let store = wrap(Arc::new(MemoryStore::new(clock.clone())));
    let iam = Iam::new(Arc::clone(&store), clock.clone(), ids.clone(), SealingKey::new([42; 32]));
    let management = iam.bootstrap().await.unwrap().management_account;
    let hubs = Arc::new(Hubs::default());
    let ram = Ram::new(RamParts {
        store: Arc::clone(&store),
        ids: ids.clone(),
        tokens: PageTokens::new([7; 32]),
        organization: iam.clone(),
        resources: vec![hubs.clone() as _],
    });
    iam.set_resource_policies(vec![ram.clone() as _]);
    iam.set_account_data(vec![ram.clone() as _]);
    let platform = Arc::new(Platform {
        clock: clock.clone(),
        ids,
        authority: iam.clone(),
        tags: Arc::new(Tags(Arc::clone(&store))),
    });
    let registry = Registry::default().with_routes(stoa_iam::routes(&iam)).with_routes(stoa_ram::routes(&ram));
    World { store, clock, iam, hubs, management, registry, platform }
}

impl World {
    pub fn cx_in(&self, principal: Arc<Principal>, region: &str) -> Cx {
        let region: Region = region.parse().unwrap();
        let connection = Arc::new(Connection {
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure: true,
            base_url: "http://127.0.0.1:4566".to_owned(),
            vpc_endpoint: None,
        });
        let now = self.clock.now();
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
        let principal = Principal {
            account: account.clone(),
            arn: format!("arn:aws:iam::{account}:root"),
            principal_id: account.to_string(),
            identity: stoa_kernel::PrincipalIdentity::Root,
            access_key_id: String::new(),
            tags: Default::default(),
            session: None,
        };
        self.cx_in(Arc::new(principal), "us-west-2")
    }

    /// The same caller now.
    pub fn again(&self, cx: &Cx) -> Cx {
        self.cx_in(Arc::clone(&cx.principal), cx.region.as_str())
    }

    pub fn admin(&self) -> Cx {
        self.root(&self.management)
    }

    /// The root user of a new account of the organization.
    pub async fn member(&self) -> Cx {
        self.root(&self.iam.create_account("member").await.unwrap().account_id)
    }

    /// The root user of a new account outside the organization.
    pub async fn outsider(&self) -> Cx {
        self.root(&self.iam.create_standalone_account("outsider").await.unwrap().account_id)
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
        self.cx_in(Arc::clone(&credential.principal), account.region.as_str())
    }

    /// A call as the pipeline makes it, without the wire.
    pub async fn call<Op>(&self, cx: &Cx, input: Op::Input) -> Result<Op::Output, ApiError>
    where
        Op: Operation,
        Op::Input: ToValue,
        Op::Output: FromValue,
    {
        let cx = &self.again(cx);
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

    /// The accounts that have a record of a call besides the caller's own.
    pub async fn owners<Op>(&self, cx: &Cx, input: Op::Input) -> Vec<String>
    where
        Op: Operation,
        Op::Input: ToValue,
    {
        let cx = self.again(cx);
        let route = self.registry.route(Op::SPEC).unwrap();
        let targets = route.targets.as_ref().unwrap()(&cx, &input.to_value()).await.unwrap();
        cx.decide(&targets).await.unwrap();
        cx.other_owners().iter().map(ToString::to_string).collect()
    }

    /// A new hub of an account; again after it was deleted, another one.
    pub fn hub(&self, owner: &Cx, name: &str) -> String {
        let arn = owner.arn("sagemaker", &format!("hub/{name}"));
        self.hubs.0.lock().unwrap().insert(arn.clone(), self.clock.now());
        arn
    }

    pub fn delete_hub(&self, arn: &str) {
        self.hubs.0.lock().unwrap().remove(arn);
    }

    /// Whether a caller may do something to a resource.
    pub async fn may(&self, cx: &Cx, action: &str, resource: &str) -> bool {
        let target = Target::new(action.to_owned(), resource);
        let cx = self.again(cx);
        cx.decide_as(&cx.principal, &target).await.unwrap().effect == Effect::Allow
    }

    /// A share of these resources with these principals, with what AWS has where nothing is said.
    pub async fn share(&self, owner: &Cx, resources: &[&str], principals: &[&str]) -> ResourceShare {
        self.share_by(owner, resources, principals, &[]).await.unwrap()
    }

    pub async fn share_by(
        &self,
        owner: &Cx,
        resources: &[&str],
        principals: &[&str],
        permissions: &[&str],
    ) -> Result<ResourceShare, ApiError> {
        let request = CreateResourceShareRequest {
            name: "models".to_owned(),
            resource_arns: owned(resources),
            principals: owned(principals),
            permission_arns: owned(permissions),
            ..Default::default()
        };
        Ok(self.call::<op::CreateResourceShare>(owner, request).await?.resource_share.unwrap())
    }

    pub async fn invitations(&self, receiver: &Cx) -> Vec<ResourceShareInvitation> {
        let request = GetResourceShareInvitationsRequest::default();
        let found = self.call::<op::GetResourceShareInvitations>(receiver, request).await.unwrap();
        found.resource_share_invitations.unwrap()
    }

    /// Accepts the only invitation there is.
    pub async fn accept(&self, receiver: &Cx) -> Result<ResourceShareInvitation, ApiError> {
        let invitations = self.invitations(receiver).await;
        let [invitation] = invitations.as_slice() else { panic!("there is not one invitation: {invitations:?}") };
        self.accept_by(receiver, invitation.resource_share_invitation_arn.as_ref().unwrap()).await
    }

    pub async fn accept_by(&self, receiver: &Cx, arn: &str) -> Result<ResourceShareInvitation, ApiError> {
        let request =
            AcceptResourceShareInvitationRequest { resource_share_invitation_arn: arn.to_owned(), client_token: None };
        let accepted = self.call::<op::AcceptResourceShareInvitation>(receiver, request).await?;
        Ok(accepted.resource_share_invitation.unwrap())
    }

    pub async fn reject_by(&self, receiver: &Cx, arn: &str) -> Result<ResourceShareInvitation, ApiError> {
        let request =
            RejectResourceShareInvitationRequest { resource_share_invitation_arn: arn.to_owned(), client_token: None };
        let rejected = self.call::<op::RejectResourceShareInvitation>(receiver, request).await?;
        Ok(rejected.resource_share_invitation.unwrap())
    }

    /// The associations of the owner's shares, as entity and status.
    pub async fn associations(
        &self,
        owner: &Cx,
        kind: ResourceShareAssociationType,
    ) -> Vec<(String, ResourceShareAssociationStatus)> {
        let request = from_json(serde_json::json!({ "associationType": kind.as_str() }));
        let found = self.call::<op::GetResourceShareAssociations>(owner, request).await.unwrap();
        let associations = found.resource_share_associations.unwrap().into_iter();
        associations.map(|one| (one.associated_entity.unwrap(), one.status.unwrap())).collect()
    }

    pub async fn delete(&self, owner: &Cx, share: &ResourceShare) -> Result<(), ApiError> {
        let request = DeleteResourceShareRequest { resource_share_arn: arn(share), client_token: None };
        self.call::<op::DeleteResourceShare>(owner, request).await.map(drop)
    }

    pub async fn take_out(&self, caller: &Cx, share: &str, principals: &[&str]) -> Result<(), ApiError> {
        let request = DisassociateResourceShareRequest {
            resource_share_arn: share.to_owned(),
            principals: owned(principals),
            ..Default::default()
        };
        self.call::<op::DisassociateResourceShare>(caller, request).await.map(drop)
    }

    pub async fn enable(&self) {
        let request = EnableSharingWithAwsOrganizationRequest {};
        let answer = self.call::<op::EnableSharingWithAwsOrganization>(&self.admin(), request).await.unwrap();
        assert_eq!(answer.return_value, Some(true));
    }

    /// The ARNs of the shares that a caller has, or has part in.
    pub async fn shares(&self, caller: &Cx, owner: ResourceOwner) -> Vec<String> {
        let request = GetResourceSharesRequest { resource_owner: owner, ..of_owner(owner) };
        let found = self.call::<op::GetResourceShares>(caller, request).await.unwrap();
        found.resource_shares.unwrap().iter().map(arn).collect()
    }

    pub async fn resources(&self, caller: &Cx, owner: ResourceOwner) -> Vec<(String, ResourceStatus)> {
        let request = ListResourcesRequest { resource_owner: owner, ..of_owner(owner) };
        let found = self.call::<op::ListResources>(caller, request).await.unwrap().resources.unwrap();
        found.into_iter().map(|one| (one.arn.unwrap(), one.status.unwrap())).collect()
    }
}

pub fn arn(share: &ResourceShare) -> String {
    share.resource_share_arn.clone().unwrap()
}

pub fn id(cx: &Cx) -> &str {
    cx.principal.account.as_str()
}

pub fn owned(list: &[&str]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.iter().map(|text| (*text).to_owned()).collect())
}

/// A content of a hub.
pub fn content(hub: &str) -> String {
    format!("{}/Model/m", hub.replace(":hub/", ":hub-content/"))
}

/// The call was refused with this code, and words that its message holds.
#[track_caller]
pub fn refused<T>(result: Result<T, ApiError>, code: &str, words: &str) {
    let Err(error) = result else { panic!("this should have been refused") };
    assert_eq!(error.code(), code, "{}", error.message());
    assert!(error.message().contains(words), "`{words}` is not in: {}", error.message());
}

pub fn allow(actions: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":"{resource}"}}]}}"#
    )
}

fn from_json<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A request that names an owner and nothing else.
pub fn of_owner<T: serde::de::DeserializeOwned>(owner: ResourceOwner) -> T {
    from_json(serde_json::json!({ "resourceOwner": owner.as_str() }))
}
