//! Each slot over the authority: it allows, it denies, and the words are AWS's; and the composition of all of them.

use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ports::{Authority, ResourcePolicies, Verdict};
use stoa_kernel::{ApiError, Principal, PrincipalIdentity, SessionContext, Target, VpcEndpoint};
use stoa_policy::{Document, Effect, MapContext, PolicySet, Slot};
use stoa_types::{AccountId, Timestamp};

use crate::roles::{new_role, put_role_policy};
use crate::support::{ALLOW_ALL, World, start, statement, trusting, world};
use crate::users::{new_key, new_user, put_policy};

fn set(text: &str) -> Arc<PolicySet> {
    Arc::new(PolicySet::compile([(Arc::from("it"), &Document::parse(text).unwrap())]))
}

/// A statement with a principal.
fn open(effect: &str, principal: &str, action: &str, more: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"It","Effect":"{effect}","Principal":{principal},
        "Action":"{action}","Resource":"*"{more}}}]}}"#
    )
}

async fn member(world: &World, name: &str) -> AccountId {
    world.iam.create_account(name).await.unwrap().account_id
}

async fn anna_of(world: &World, policy: &str) -> Arc<Principal> {
    new_user(world, "anna").await;
    put_policy(world, "anna", "own", policy).await;
    let key = new_key(world, "anna").await;
    world.principal(&key.access_key_id, None).await.unwrap()
}

fn told(verdict: &Verdict) -> (Effect, Slot, &str) {
    (verdict.effect, verdict.slot, verdict.reason.as_deref().unwrap_or(""))
}

async fn decide(world: &World, who: &Principal, action: &str, resource: &str, keys: &MapContext) -> Verdict {
    world.iam.decide(who, action, resource, keys).await.unwrap()
}

fn endpoint(id: &str, policy: Option<&str>) -> Arc<VpcEndpoint> {
    Arc::new(VpcEndpoint {
        id: id.to_owned(),
        vpc: "vpc-1".to_owned(),
        account: "123456789012".parse().unwrap(),
        region: None,
        services: Vec::new(),
        policy: policy.map(set),
    })
}

#[tokio::test]
async fn an_endpoint_policy_limits_whoever_comes_through() {
    let world = world().await;
    let anna = anna_of(&world, ALLOW_ALL).await;
    let describe = open("Allow", r#""*""#, "sagemaker:Describe*", "");
    world.iam.set_vpc_endpoints([
        endpoint("vpce-open", None),
        endpoint("vpce-reads", Some(&describe)),
        endpoint("vpce-deny", Some(&open("Deny", r#""*""#, "sagemaker:DeleteHub", ""))),
    ]);
    let through = |id: &str| MapContext::new().with("aws:SourceVpce", id);
    let ask = async |id: &str, action: &str| decide(&world, &anna, action, "*", &through(id)).await;
    for (id, action, wanted) in [
        ("vpce-open", "sagemaker:DeleteHub", (Effect::Allow, Slot::Identity, "")),
        ("vpce-unknown", "sagemaker:DeleteHub", (Effect::Allow, Slot::Identity, "")),
        ("vpce-reads", "sagemaker:DescribeHub", (Effect::Allow, Slot::Identity, "")),
        (
            "vpce-reads",
            "sagemaker:DeleteHub",
            (
                Effect::ImplicitDeny,
                Slot::Endpoint,
                "because no VPC endpoint policy allows the sagemaker:DeleteHub action",
            ),
        ),
        (
            "vpce-deny",
            "sagemaker:DeleteHub",
            (Effect::ExplicitDeny, Slot::Endpoint, "with an explicit deny in a VPC endpoint policy"),
        ),
        (
            "vpce-deny",
            "sagemaker:DescribeHub",
            (
                Effect::ImplicitDeny,
                Slot::Endpoint,
                "because no VPC endpoint policy allows the sagemaker:DescribeHub action",
            ),
        ),
    ] {
        assert_eq!(told(&ask(id, action).await), wanted, "{action} through {id}");
    }
    // A policy read again is the next request's.
    world.iam.set_vpc_endpoints([endpoint("vpce-reads", None)]);
    assert_eq!(ask("vpce-reads", "sagemaker:DeleteHub").await.effect, Effect::Allow);
}

#[tokio::test]
async fn resource_control_policies_bind_members_resources_whoever_calls() {
    let world = world().await;
    let (one, two) = (member(&world, "one").await, member(&world, "two").await);
    let organization = world.iam.organization().await.unwrap();
    let anna = anna_of(&world, ALLOW_ALL).await;
    let owned = |account: &AccountId| MapContext::new().with("aws:ResourceAccount", account.as_str());
    let shared = open("Allow", r#""*""#, "s3:*", "");
    world.iam.set_resource_policies(vec![Arc::new(Everything(set(&shared)))]);
    let read = async |account: &AccountId, who: &Principal| {
        decide(&world, who, "s3:GetObject", "arn:aws:s3:::b/k", &owned(account)).await
    };
    let root_one = world.root(&one).principal;
    assert_eq!(read(&one, &anna).await.effect, Effect::Allow);
    let deny = open("Deny", r#""*""#, "s3:GetObject", "");
    world.iam.attach_rcp(one.as_str(), "no-reads", &deny).await.unwrap();
    let words = "with an explicit deny in a resource control policy";
    for who in [&anna, &root_one, &Arc::new(Principal::anonymous()), &service("cloudtrail.amazonaws.com")] {
        let verdict = read(&one, who).await;
        assert_eq!(told(&verdict), (Effect::ExplicitDeny, Slot::Rcp, words), "{}", who.arn);
        assert_eq!(verdict.matched.as_deref(), Some("no-reads#It"));
    }
    assert_eq!(read(&two, &root_one).await.effect, Effect::Allow, "another account's resources");
    world.iam.detach_rcp(one.as_str(), "no-reads").await.unwrap();
    // On the root they reach every member, and not the management account.
    world.iam.attach_rcp(&organization.root_id, "no-reads", &deny).await.unwrap();
    assert_eq!(read(&two, &anna).await.slot, Slot::Rcp);
    assert_eq!(read(&world.management, &anna).await.effect, Effect::Allow);
    // Services that AWS has no resource control for are out of reach, and so are calls of service-linked roles.
    let hub = format!("arn:aws:sagemaker:us-west-2:{two}:hub/h");
    let all = open("Deny", r#""*""#, r#"kms:*","sagemaker:*"#, "")
        .replace(r#""kms:*","sagemaker:*""#, r#"["kms:*","sagemaker:*"]"#);
    world.iam.attach_rcp(two.as_str(), "nothing", &all).await.unwrap();
    assert_ne!(decide(&world, &anna, "sagemaker:DescribeHub", &hub, &MapContext::new()).await.slot, Slot::Rcp);
    let key = format!("arn:aws:kms:us-west-2:{two}:key/k");
    assert_eq!(decide(&world, &anna, "kms:Decrypt", &key, &MapContext::new()).await.slot, Slot::Rcp);
}

struct Everything(Arc<PolicySet>);

#[async_trait]
impl ResourcePolicies for Everything {
    async fn resource_policy(&self, resource: &str) -> Result<Option<Arc<PolicySet>>, ApiError> {
        Ok((resource.starts_with("arn:aws:s3:") || resource.contains(":hub/shared")).then(|| Arc::clone(&self.0)))
    }
}

fn service(name: &str) -> Arc<Principal> {
    Arc::new(Principal::service(name, AccountId::aws()))
}

#[tokio::test]
async fn resource_control_policies_reach_roles_that_are_assumed() {
    let world = world().await;
    let one = member(&world, "one").await;
    let role = format!("arn:aws:iam::{one}:role/StoaAdmin");
    let root = world.root(&one).principal;
    let assume = async || decide(&world, &root, "sts:AssumeRole", &role, &MapContext::new()).await;
    assert_eq!(assume().await.effect, Effect::Allow);
    let asks = async || world.iam.service_session(&role, "sagemaker.amazonaws.com", "s").await.unwrap();
    assert!(asks().await.is_some());
    let not_services = r#","Condition":{"Bool":{"aws:PrincipalIsAWSService":"true"}}"#;
    world.iam.attach_rcp(one.as_str(), "r", &open("Deny", r#""*""#, "sts:AssumeRole", not_services)).await.unwrap();
    assert_eq!(assume().await.effect, Effect::Allow);
    assert!(asks().await.is_none(), "the service's own request is bound too");
    world.iam.attach_rcp(one.as_str(), "r2", &open("Deny", r#""*""#, "sts:*", "")).await.unwrap();
    assert_eq!(assume().await.slot, Slot::Rcp);
}

#[tokio::test]
async fn service_linked_roles_are_exempt_from_control_policies() {
    let world = world().await;
    let one = member(&world, "one").await;
    let role =
        "arn:aws:iam::ACCOUNT:role/aws-service-role/sagemaker.amazonaws.com/StoaAdmin".replace("ACCOUNT", one.as_str());
    let key = stoa_store::Key { kind: "iam:role", account: one.clone(), region: None, id: "stoaadmin".to_owned() };
    let ordinary = format!("arn:aws:iam::{one}:role/StoaAdmin");
    let session = async |arn: &str, name: &str| {
        world.iam.service_session(arn, "sagemaker.amazonaws.com", name).await.unwrap().unwrap()
    };
    let before = session(&ordinary, "before").await;
    let document = world.store.get(&key).await.unwrap().unwrap();
    let mut record: serde_json::Value = document.decode().unwrap();
    record["arn"] = role.as_str().into();
    record["path"] = "/aws-service-role/sagemaker.amazonaws.com/".into();
    let linked = document.with_body(start(), &record).unwrap();
    world.store.commit(stoa_store::Transaction::new().put(linked)).await.unwrap();
    let after = session(&role, "after").await;
    world.iam.attach_scp(one.as_str(), "nothing", &statement("Deny", "*", "*")).await.unwrap();
    world.iam.attach_rcp(one.as_str(), "nothing", &open("Deny", r#""*""#, "kms:*", "")).await.unwrap();
    let key = format!("arn:aws:kms:us-west-2:{one}:key/k");
    assert_eq!(decide(&world, &before, "kms:Decrypt", &key, &MapContext::new()).await.slot, Slot::Scp);
    assert_eq!(decide(&world, &after, "kms:Decrypt", &key, &MapContext::new()).await.effect, Effect::Allow);
}

#[tokio::test]
async fn every_level_on_the_way_to_the_account_must_allow() {
    let world = world().await;
    let one = member(&world, "one").await;
    let organization = world.iam.organization().await.unwrap();
    let root = world.root(&one).principal;
    let place = world.iam.account_place(one.as_str()).await.unwrap().unwrap();
    assert_eq!(place.organization, organization.id);
    assert_eq!(place.paths, [format!("{}/{}/", organization.id, organization.root_id)]);
    let way = [organization.root_id.clone(), one.to_string()];
    for target in &way {
        world.iam.attach_scp(target, "full", &statement("Allow", "*", "*")).await.unwrap();
        world.iam.attach_scp(target, "s3", &statement("Allow", "s3:*", "*")).await.unwrap();
        world.iam.detach_scp(target, "FullAWSAccess").await.unwrap();
    }
    let act = async || world.decide(&root, "sagemaker:CreateHub", "*").await;
    assert_eq!(act().await.effect, Effect::Allow);
    for target in &way {
        world.iam.detach_scp(target, "full").await.unwrap();
        let words = "because no service control policy allows the sagemaker:CreateHub action";
        assert_eq!(told(&act().await), (Effect::ImplicitDeny, Slot::Scp, words), "{target}");
        world.iam.attach_scp(target, "full", &statement("Allow", "*", "*")).await.unwrap();
    }
    assert_eq!(act().await.effect, Effect::Allow);
}

#[tokio::test]
async fn a_federated_user_may_what_its_session_and_its_user_both_may() {
    let world = world().await;
    let anna = anna_of(&world, &statement("Allow", "s3:*", "*")).await;
    let federated = |policies: &[&str], user: Option<&str>| Principal {
        account: world.management.clone(),
        arn: format!("arn:aws:sts::{}:federated-user/f", world.management),
        principal_id: format!("{}:f", world.management),
        identity: PrincipalIdentity::FederatedUser { name: "f".to_owned(), user: user.map(str::to_owned) },
        access_key_id: format!("ASIA{}{user:?}", policies.join("")),
        tags: Default::default(),
        session: Some(SessionContext {
            issued_at: start(),
            expires_at: Timestamp::from_millis(start().millis() + 1000),
            tags: Default::default(),
            transitive_tag_keys: Vec::new(),
            policies: policies.iter().map(|one| (*one).to_owned()).collect(),
            source_identity: None,
            mfa_authenticated_at: None,
            federated_provider: None,
            keys: Default::default(),
        }),
    };
    let get = async |who: &Principal| world.decide(who, "s3:GetObject", "arn:aws:s3:::b/k").await;
    let read = statement("Allow", "s3:Get*", "*");
    assert_eq!(get(&federated(&[&read], Some("anna"))).await.effect, Effect::Allow);
    let none = get(&federated(&[], Some("anna"))).await;
    let words = "because no session policy allows the s3:GetObject action";
    assert_eq!(told(&none), (Effect::ImplicitDeny, Slot::Session, words));
    let wide = federated(&[ALLOW_ALL], Some("anna"));
    assert_eq!(world.decide(&wide, "sagemaker:ListHubs", "*").await.slot, Slot::Identity, "not more than the user");
    assert_eq!(world.decide(&federated(&[ALLOW_ALL], None), "sagemaker:ListHubs", "*").await.effect, Effect::Allow);
    assert_eq!(get(&federated(&[&read], Some("nobody"))).await.effect, Effect::ImplicitDeny);
    put_policy(&world, "anna", "no", &statement("Deny", "s3:GetObject", "*")).await;
    assert_eq!(get(&federated(&[&read], Some("anna"))).await.effect, Effect::ExplicitDeny);
    assert_eq!(get(&anna).await.effect, Effect::ExplicitDeny);
    // A resource's policy may name the session itself, which no session policy then limits.
    let named = open("Allow", &format!(r#"{{"AWS":"{}"}}"#, wide.arn), "sagemaker:*", "");
    world.iam.set_resource_policies(vec![Arc::new(Everything(set(&named)))]);
    let hub = format!("arn:aws:sagemaker:us-west-2:{}:hub/shared", world.management);
    let described = world.decide(&federated(&[], Some("anna")), "sagemaker:DescribeHub", &hub).await;
    assert_eq!((described.effect, described.slot), (Effect::Allow, Slot::Resource));
}

#[tokio::test]
async fn a_service_may_what_the_resources_policy_gives_it() {
    let world = world().await;
    let trail = service("cloudtrail.amazonaws.com");
    let bucket = MapContext::new()
        .with("aws:ResourceAccount", world.management.as_str())
        .with("aws:SourceAccount", world.management.as_str());
    let put = async |keys: &MapContext| decide(&world, &trail, "s3:PutObject", "arn:aws:s3:::b/k", keys).await;
    assert_eq!(put(&bucket).await.slot, Slot::Resource);
    let only = format!(r#","Condition":{{"StringEquals":{{"aws:SourceAccount":"{}"}}}}"#, world.management);
    let policy = open("Allow", r#"{"Service":"cloudtrail.amazonaws.com"}"#, "s3:PutObject", &only);
    world.iam.set_resource_policies(vec![Arc::new(Everything(set(&policy)))]);
    assert_eq!(put(&bucket).await.effect, Effect::Allow);
    let deputy =
        MapContext::new().with("aws:ResourceAccount", world.management.as_str()).with("aws:SourceAccount", "9");
    assert_eq!(put(&deputy).await.effect, Effect::ImplicitDeny, "a confused deputy");
}

#[tokio::test]
async fn keys_of_the_organization_tell_members_from_strangers() {
    let world = world().await;
    let organization = world.iam.organization().await.unwrap();
    let one = member(&world, "one").await;
    let mine = |id: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"sagemaker:DescribeHub","Resource":"*",
            "Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"{id}","aws:ResourceOrgID":"{id}",
            "aws:ResourceAccount":"{one}"}},
            "ForAnyValue:StringLike":{{"aws:PrincipalOrgPaths":"{id}/{}/*"}}}}}}]}}"#,
            organization.root_id
        )
    };
    let cx = world.cx(anna_of(&world, &mine(&organization.id)).await);
    let hub = Target::new("sagemaker:DescribeHub", format!("arn:aws:sagemaker:us-west-2:{one}:hub/shared"));
    let shared = open("Allow", r#""*""#, "sagemaker:*", "");
    world.iam.set_resource_policies(vec![Arc::new(Everything(set(&shared)))]);
    cx.authorize(&hub).await.unwrap();
    put_policy(&world, "anna", "own", &mine("o-other")).await;
    assert!(cx.authorize(&hub).await.is_err());
    let keys = &cx.decisions()[0].keys;
    let seen = |key: &str| stoa_policy::Context::get(keys, key).map(|values| values.to_strings().join(","));
    assert_eq!(seen("aws:resourceorgid"), Some(organization.id));
    assert_eq!(seen("aws:resourceaccount").as_deref(), Some(one.as_str()));
}

#[tokio::test]
async fn a_dependent_action_is_told_and_recorded_with_who_asked_for_it() {
    let world = world().await;
    let cx = world.cx(anna_of(&world, &statement("Allow", "sagemaker:*", "*")).await);
    let model = format!("arn:aws:sagemaker:us-west-2:{}:model/m", world.management);
    let role = format!("arn:aws:iam::{}:role/R", world.management);
    let pass = Target::pass_role(&role, "sagemaker.amazonaws.com", &model);
    let error = cx.decide(&[Target::new("sagemaker:CreateModel", &*model), pass]).await.unwrap_err();
    let words = format!("is not authorized to perform: iam:PassRole on resource: {role} because no identity-based");
    assert!(error.message().contains(&words), "{}", error.message());
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.requested_by.as_deref(), Some("sagemaker:CreateModel"));
    let decided = cx.decisions();
    assert_eq!((decided[0].dependent, decided[1].dependent), (false, true));
    let passed = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PassRole","Resource":"*",
        "Condition":{"StringEquals":{"iam:PassedToService":"sagemaker.amazonaws.com"},
        "ArnLike":{"iam:AssociatedResourceArn":"arn:aws:sagemaker:*:*:model/*"}}}]}"#;
    put_policy(&world, "anna", "pass", passed).await;
    cx.authorize(&Target::pass_role(&role, "sagemaker.amazonaws.com", &model)).await.unwrap();
    assert!(cx.authorize(&Target::pass_role(&role, "lambda.amazonaws.com", &model)).await.is_err());
}

#[tokio::test]
async fn what_a_service_asks_in_the_callers_name_comes_from_nowhere_and_says_so() {
    let world = world().await;
    let only_via = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*",
        "Condition":{"Bool":{"aws:ViaAWSService":"true"},"Null":{"aws:SourceIp":"true"}}},
        {"Effect":"Allow","Action":"s3:*","Resource":"*",
        "Condition":{"StringEquals":{"aws:CalledViaFirst":"cloudformation.amazonaws.com"}}}]}"#;
    let cx = world.cx(anna_of(&world, only_via).await);
    let decrypt = Target::new("kms:Decrypt", "*");
    assert!(cx.authorize(&decrypt).await.is_err());
    cx.authorize_via(&["s3.amazonaws.com"], &decrypt).await.unwrap();
    let list = Target::new("s3:ListAllMyBuckets", "*");
    assert!(cx.authorize_via(&["s3.amazonaws.com"], &list).await.is_err());
    cx.authorize_via(&["cloudformation.amazonaws.com"], &list).await.unwrap();
}

#[tokio::test]
async fn boundaries_and_session_policies_of_roles_limit_them() {
    let world = world().await;
    let anna = anna_of(&world, &statement("Allow", "sts:*", "*")).await;
    let root = format!(r#"{{"AWS":"arn:aws:iam::{}:root"}}"#, world.management);
    let role = new_role(&world, "r", &trusting(&root)).await;
    put_role_policy(&world, "r", ALLOW_ALL).await;
    let boundary = stoa_models_iam::types::CreateRoleRequest {
        role_name: "bounded".to_owned(),
        assume_role_policy_document: trusting(&root),
        permissions_boundary: Some("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".to_owned()),
        ..Default::default()
    };
    world.call::<stoa_models_iam::operations::CreateRole>(&world.admin(), boundary).await.unwrap();
    put_role_policy(&world, "bounded", ALLOW_ALL).await;
    let assumed = async |name: &str, policy: Option<String>| {
        let input = stoa_models_sts::types::AssumeRoleRequest {
            role_arn: role.arn.replace("role/r", &format!("role/{name}")),
            role_session_name: "s1".to_owned(),
            policy,
            ..Default::default()
        };
        let cx = world.cx(Arc::clone(&anna));
        let made = world.call::<stoa_models_sts::operations::AssumeRole>(&cx, input).await.unwrap();
        let made = made.credentials.unwrap();
        world.principal(&made.access_key_id, Some(&made.session_token)).await.unwrap()
    };
    let put = async |who: &Principal| world.decide(who, "s3:PutObject", "arn:aws:s3:::b/k").await;
    assert_eq!(put(&*assumed("r", None).await).await.effect, Effect::Allow);
    let narrow = assumed("r", Some(statement("Allow", "s3:GetObject", "*"))).await;
    assert_eq!(put(&narrow).await.slot, Slot::Session);
    let bounded = put(&*assumed("bounded", None).await).await;
    let words = "because no permissions boundary allows the s3:PutObject action";
    assert_eq!(told(&bounded), (Effect::ImplicitDeny, Slot::Boundary, words));
}
