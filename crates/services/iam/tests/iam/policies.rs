//! Managed policies and their versions; the account's alias.

use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;

use crate::support::{ALLOW_ALL, World, code, statement, world};

async fn new_policy(world: &World, name: &str) -> String {
    let input = CreatePolicyRequest {
        policy_name: name.to_owned(),
        policy_document: ALLOW_ALL.to_owned(),
        description: Some("why".to_owned()),
        ..Default::default()
    };
    world.call::<op::CreatePolicy>(&world.admin(), input).await.unwrap().policy.unwrap().arn.unwrap()
}

#[tokio::test]
async fn versions_are_numbered_bounded_and_one_is_the_default() {
    let world = world().await;
    let cx = world.admin();
    let arn = new_policy(&world, "p").await;
    let create = |default| CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: statement("Deny", "s3:*", "*"),
        set_as_default: Some(default),
    };
    for default in [false, true, false, false] {
        world.call::<op::CreatePolicyVersion>(&cx, create(default)).await.unwrap();
    }
    let sixth = world.call::<op::CreatePolicyVersion>(&cx, create(false)).await.map(|_| ());
    assert_eq!(code(sixth), ("LimitExceededException".to_owned(), 409));
    let version = |id: &str| DeletePolicyVersionRequest { policy_arn: arn.clone(), version_id: id.to_owned() };
    let default = world.call::<op::DeletePolicyVersion>(&cx, version("v3")).await.map(|_| ());
    assert_eq!(code(default), ("DeleteConflictException".to_owned(), 409));
    world.call::<op::DeletePolicyVersion>(&cx, version("v1")).await.unwrap();
    let again = world.call::<op::DeletePolicyVersion>(&cx, version("v1")).await.map(|_| ());
    assert_eq!(code(again), ("NoSuchEntityException".to_owned(), 404));
    let set = SetDefaultPolicyVersionRequest { policy_arn: arn.clone(), version_id: "v5".to_owned() };
    world.call::<op::SetDefaultPolicyVersion>(&cx, set).await.unwrap();
    let list = ListPolicyVersionsRequest { policy_arn: arn.clone(), ..Default::default() };
    let versions = world.call::<op::ListPolicyVersions>(&cx, list).await.unwrap().versions.unwrap();
    let ids: Vec<_> = versions.iter().map(|one| (one.version_id.as_deref().unwrap(), one.is_default_version)).collect();
    assert_eq!(ids, [("v5", Some(true)), ("v4", Some(false)), ("v3", Some(false)), ("v2", Some(false))]);
    let get = GetPolicyVersionRequest { policy_arn: arn.clone(), version_id: "v5".to_owned() };
    let text = world.call::<op::GetPolicyVersion>(&cx, get).await.unwrap().policy_version.unwrap().document.unwrap();
    assert!(text.contains("Deny"), "{text}");
    let delete = DeletePolicyRequest { policy_arn: arn.clone() };
    assert_eq!(
        code(world.call::<op::DeletePolicy>(&cx, delete.clone()).await.map(|_| ())).0,
        "DeleteConflictException"
    );
    for id in ["v2", "v3", "v4"] {
        world.call::<op::DeletePolicyVersion>(&cx, version(id)).await.unwrap();
    }
    world.call::<op::DeletePolicy>(&cx, delete.clone()).await.unwrap();
    assert_eq!(code(world.call::<op::DeletePolicy>(&cx, delete).await.map(|_| ())).0, "NoSuchEntityException");
}

#[tokio::test]
async fn policies_are_checked_before_they_are_saved() {
    let world = world().await;
    let cx = world.admin();
    new_policy(&world, "p").await;
    let create = |name: &str, document: String| CreatePolicyRequest {
        policy_name: name.to_owned(),
        policy_document: document,
        ..Default::default()
    };
    let taken = world.call::<op::CreatePolicy>(&cx, create("P", ALLOW_ALL.to_owned())).await.map(|_| ());
    assert_eq!(code(taken), ("EntityAlreadyExistsException".to_owned(), 409));
    let bad = world.call::<op::CreatePolicy>(&cx, create("q", r#"{"Statement":1}"#.to_owned())).await.map(|_| ());
    assert_eq!(code(bad), ("MalformedPolicyDocumentException".to_owned(), 400));
    let long = statement("Allow", "s3:GetObject", &"x".repeat(6200));
    let long = world.call::<op::CreatePolicy>(&cx, create("q", long)).await.map(|_| ());
    assert!(["LimitExceededException", "MalformedPolicyDocumentException"].contains(&&*code(long).0));
}

#[tokio::test]
async fn aws_policies_are_listed_counted_and_cannot_be_changed() {
    let world = world().await;
    let cx = world.admin();
    let own = new_policy(&world, "p").await;
    let list = |scope| ListPoliciesRequest { scope: Some(scope), ..Default::default() };
    let arns = |response: ListPoliciesResponse| -> Vec<String> {
        response.policies.unwrap().into_iter().map(|policy| policy.arn.unwrap()).collect()
    };
    assert_eq!(arns(world.call::<op::ListPolicies>(&cx, list(PolicyScopeType::Local)).await.unwrap()), [own]);
    let aws = arns(world.call::<op::ListPolicies>(&cx, list(PolicyScopeType::Aws)).await.unwrap());
    assert!(aws.len() == 100 && aws.iter().all(|arn| arn.starts_with("arn:aws:iam::aws:policy/")));
    let attached = ListPoliciesRequest { only_attached: Some(true), ..Default::default() };
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess".to_owned();
    assert_eq!(arns(world.call::<op::ListPolicies>(&cx, attached).await.unwrap()), std::slice::from_ref(&admin));
    let get = GetPolicyRequest { policy_arn: admin.clone() };
    let policy = world.call::<op::GetPolicy>(&cx, get).await.unwrap().policy.unwrap();
    assert_eq!((policy.attachment_count, policy.default_version_id.as_deref()), (Some(1), Some("v1")));
    let sagemaker = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess".to_owned();
    let get = GetPolicyRequest { policy_arn: sagemaker.clone() };
    let policy = world.call::<op::GetPolicy>(&cx, get).await.unwrap().policy.unwrap();
    let version = policy.default_version_id.unwrap();
    assert_eq!((policy.policy_id.as_deref(), &*version), (Some("ANPAJZ5IWYMXO5QDB4QOG"), "v29"));
    assert!(policy.create_date < policy.update_date);
    let versions = ListPolicyVersionsRequest { policy_arn: sagemaker.clone(), ..Default::default() };
    let versions = world.call::<op::ListPolicyVersions>(&cx, versions).await.unwrap().versions.unwrap();
    assert_eq!(versions[0].version_id.as_ref(), Some(&version));
    let get = |version_id| GetPolicyVersionRequest { policy_arn: sagemaker.clone(), version_id };
    let version = world.call::<op::GetPolicyVersion>(&cx, get(version)).await.unwrap().policy_version.unwrap();
    assert!(version.document.unwrap().contains("AllowAllNonAdminSageMakerActions"));
    let old = world.call::<op::GetPolicyVersion>(&cx, get("v1".to_owned())).await.map(|_| ());
    assert_eq!(code(old).0, "NoSuchEntityException");
    let delete = DeletePolicyRequest { policy_arn: admin };
    assert_eq!(code(world.call::<op::DeletePolicy>(&cx, delete).await.map(|_| ())).0, "AccessDeniedException");
}

#[tokio::test]
async fn an_account_has_one_alias_that_no_other_has() {
    let world = world().await;
    let other = world.iam.create_account("other").await.unwrap().account_id;
    let set = |alias: &str| CreateAccountAliasRequest { account_alias: alias.to_owned() };
    let list = || ListAccountAliasesRequest::default();
    world.call::<op::CreateAccountAlias>(&world.admin(), set("one")).await.unwrap();
    let taken = world.call::<op::CreateAccountAlias>(&world.root(&other), set("one")).await.map(|_| ());
    assert_eq!(code(taken), ("EntityAlreadyExistsException".to_owned(), 409));
    world.call::<op::CreateAccountAlias>(&world.admin(), set("two")).await.unwrap();
    world.call::<op::CreateAccountAlias>(&world.root(&other), set("one")).await.unwrap();
    let aliases = world.call::<op::ListAccountAliases>(&world.admin(), list()).await.unwrap().account_aliases;
    assert_eq!(aliases, ["two"]);
}
