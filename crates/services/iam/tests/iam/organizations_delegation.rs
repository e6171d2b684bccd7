//! Who may call Organizations: the management account, and members that it lets in. Tags, trusted services.

use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::operations as iam_op;
use stoa_models_iam::types::{CreateAccessKeyRequest, CreateUserRequest, PutUserPolicyRequest};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::*;
use stoa_schema::Empty;
use stoa_types::AccountId;

use crate::support::{ALLOW_ALL, World, code, statement, world};

const SERVICE: &str = "ram.amazonaws.com";

async fn list(world: &World, cx: &Cx) -> Result<usize, ApiError> {
    let listed = world.call::<op::ListAccounts>(cx, ListAccountsRequest::default()).await?;
    Ok(listed.accounts.unwrap().len())
}

fn unit(root: &str) -> CreateOrganizationalUnitRequest {
    CreateOrganizationalUnitRequest { parent_id: root.to_owned(), name: "u".to_owned(), tags: None }
}

/// A user of an account who may do everything there.
async fn administrator(world: &World, account: &AccountId) -> Cx {
    let root = world.root(account);
    let create = CreateUserRequest { user_name: "admin".to_owned(), ..Default::default() };
    world.call::<iam_op::CreateUser>(&root, create).await.unwrap();
    let put = PutUserPolicyRequest {
        user_name: "admin".to_owned(),
        policy_name: "all".to_owned(),
        policy_document: ALLOW_ALL.to_owned(),
    };
    world.call::<iam_op::PutUserPolicy>(&root, put).await.unwrap();
    let key = CreateAccessKeyRequest { user_name: Some("admin".to_owned()) };
    let key = world.call::<iam_op::CreateAccessKey>(&root, key).await.unwrap().access_key.access_key_id;
    world.cx(world.principal(&key, None).await.unwrap())
}

#[tokio::test]
async fn members_learn_of_their_organization_and_no_more() {
    let world = world().await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let root_id = world.iam.organization().await.unwrap().root_id;
    for cx in [world.root(&member), administrator(&world, &member).await] {
        let described = world.call::<op::DescribeOrganization>(&cx, Empty {}).await.unwrap().organization.unwrap();
        assert_eq!(described.master_account_id.as_deref(), Some(world.management.as_str()));
        assert_eq!(code(list(&world, &cx).await).0, "AccessDeniedException");
        let unit = world.call::<op::CreateOrganizationalUnit>(&cx, unit(&root_id)).await;
        assert_eq!(code(unit).0, "AccessDeniedException");
        let leave = world.call::<op::LeaveOrganization>(&cx, Empty {}).await;
        assert_eq!(code(leave).0, "ConstraintViolationException");
        let create = CreateOrganizationRequest::default();
        let create = world.call::<op::CreateOrganization>(&cx, create).await;
        assert_eq!(code(create).0, "AlreadyInOrganizationException");
    }
    let leave = world.call::<op::LeaveOrganization>(&world.admin(), Empty {}).await;
    assert_eq!(code(leave).0, "MasterCannotLeaveOrganizationException");
    assert_eq!(list(&world, &world.admin()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_delegated_administrator_reads_and_changes_nothing() {
    let world = world().await;
    let admin = world.admin();
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let theirs = administrator(&world, &member).await;
    let register = |account: &AccountId| RegisterDelegatedAdministratorRequest {
        account_id: account.to_string(),
        service_principal: SERVICE.to_owned(),
    };
    let early = world.call::<op::RegisterDelegatedAdministrator>(&admin, register(&member)).await.unwrap_err();
    assert_eq!(early.fields()[0].1.as_str(), Some("SERVICE_ACCESS_NOT_ENABLED"));
    let enable = EnableAWSServiceAccessRequest { service_principal: SERVICE.to_owned() };
    world.call::<op::EnableAWSServiceAccess>(&admin, enable.clone()).await.unwrap();
    world.call::<op::EnableAWSServiceAccess>(&admin, enable).await.unwrap();
    let unknown = EnableAWSServiceAccessRequest { service_principal: "nobody".to_owned() };
    let unknown = world.call::<op::EnableAWSServiceAccess>(&admin, unknown).await;
    assert_eq!(code(unknown).0, "InvalidInputException");
    let own = world.call::<op::RegisterDelegatedAdministrator>(&admin, register(&world.management)).await;
    assert_eq!(code(own).0, "ConstraintViolationException");
    world.call::<op::RegisterDelegatedAdministrator>(&admin, register(&member)).await.unwrap();
    let twice = world.call::<op::RegisterDelegatedAdministrator>(&admin, register(&member)).await;
    assert_eq!(code(twice).0, "AccountAlreadyRegisteredException");

    assert_eq!(list(&world, &theirs).await.unwrap(), 2);
    let describe = DescribeAccountRequest { account_id: world.management.to_string() };
    world.call::<op::DescribeAccount>(&theirs, describe).await.unwrap();
    let root_id = world.iam.organization().await.unwrap().root_id;
    let made = world.call::<op::CreateOrganizationalUnit>(&theirs, unit(&root_id)).await;
    assert_eq!(code(made).0, "AccessDeniedException");

    let list_all = ListDelegatedAdministratorsRequest::default();
    let all = world.call::<op::ListDelegatedAdministrators>(&admin, list_all).await.unwrap();
    assert_eq!(all.delegated_administrators.unwrap()[0].id.as_deref(), Some(member.as_str()));
    let services = ListDelegatedServicesForAccountRequest { account_id: member.to_string(), ..Default::default() };
    let services = world.call::<op::ListDelegatedServicesForAccount>(&admin, services).await.unwrap();
    assert_eq!(services.delegated_services.unwrap()[0].service_principal.as_deref(), Some(SERVICE));
    let disable = DisableAWSServiceAccessRequest { service_principal: SERVICE.to_owned() };
    let used = world.call::<op::DisableAWSServiceAccess>(&admin, disable.clone()).await.unwrap_err();
    assert_eq!(used.fields()[0].1.as_str(), Some("DELEGATED_ADMINISTRATOR_EXISTS_FOR_THIS_SERVICE"));
    let deregister = DeregisterDelegatedAdministratorRequest {
        account_id: member.to_string(),
        service_principal: SERVICE.to_owned(),
    };
    world.call::<op::DeregisterDelegatedAdministrator>(&admin, deregister.clone()).await.unwrap();
    let twice = world.call::<op::DeregisterDelegatedAdministrator>(&admin, deregister).await;
    assert_eq!(code(twice).0, "AccountNotRegisteredException");
    assert_eq!(code(list(&world, &theirs).await).0, "AccessDeniedException");
    world.call::<op::DisableAWSServiceAccess>(&admin, disable).await.unwrap();
    let left = ListAWSServiceAccessForOrganizationRequest::default();
    let left = world.call::<op::ListAWSServiceAccessForOrganization>(&admin, left).await.unwrap();
    assert!(left.enabled_service_principals.unwrap().is_empty());
}

#[tokio::test]
async fn the_resource_policy_lets_a_member_manage_policies() {
    let world = world().await;
    let admin = world.admin();
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let theirs = administrator(&world, &member).await;
    let put = |content: String| PutResourcePolicyRequest { content, tags: None };
    let text = |action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{member}:root"}},"Action":["{action}"],"Resource":"*","Condition":{{"StringLikeIfExists":{{"organizations:PolicyType":"SERVICE_CONTROL_POLICY"}}}}}}]}}"#
        )
    };
    let wrong = world.call::<op::PutResourcePolicy>(&admin, put(text("iam:*"))).await;
    assert_eq!(code(wrong).0, "InvalidInputException");
    let wrong = world.call::<op::PutResourcePolicy>(&admin, put("{}".to_owned())).await;
    assert_eq!(code(wrong).0, "InvalidInputException");
    world.call::<op::PutResourcePolicy>(&admin, put(text("organizations:CreatePolicy"))).await.unwrap();
    let create = |policy_type| CreatePolicyRequest {
        content: statement("Deny", "s3:*", "*"),
        description: String::new(),
        name: "theirs".to_owned(),
        r#type: policy_type,
        tags: None,
    };
    world.call::<op::CreatePolicy>(&theirs, create(PolicyType::ServiceControlPolicy)).await.unwrap();
    let other = world.call::<op::CreatePolicy>(&theirs, create(PolicyType::ResourceControlPolicy)).await;
    assert_eq!(code(other).0, "AccessDeniedException");
    let listed = world.call::<op::ListPolicies>(
        &theirs,
        ListPoliciesRequest { filter: PolicyType::ServiceControlPolicy, next_token: None, max_results: None },
    );
    assert_eq!(code(listed.await).0, "AccessDeniedException");
    let described = world.call::<op::DescribeResourcePolicy>(&admin, Empty {}).await.unwrap().resource_policy.unwrap();
    assert_eq!(described.content, Some(text("organizations:CreatePolicy")));
    world.call::<op::DeleteResourcePolicy>(&admin, Empty {}).await.unwrap();
    let gone = world.call::<op::DeleteResourcePolicy>(&admin, Empty {}).await;
    assert_eq!(code(gone).0, "ResourcePolicyNotFoundException");
    let after = world.call::<op::CreatePolicy>(&theirs, create(PolicyType::ServiceControlPolicy)).await;
    assert_eq!(code(after).0, "AccessDeniedException");
}

#[tokio::test]
async fn tags_are_kept_checked_and_seen_by_conditions() {
    let world = world().await;
    let admin = world.admin();
    let root_id = world.iam.organization().await.unwrap().root_id;
    let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
    let create = CreateOrganizationalUnitRequest { tags: Some(vec![tag("team", "a")]), ..unit(&root_id) };
    let made = world.call::<op::CreateOrganizationalUnit>(&admin, create).await.unwrap().organizational_unit.unwrap();
    let id = made.id.unwrap();
    let tags = |tags| TagResourceRequest { resource_id: id.clone(), tags };
    let twice = world.call::<op::TagResource>(&admin, tags(vec![tag("a", "1"), tag("a", "2")])).await.unwrap_err();
    assert_eq!(twice.fields()[0].1.as_str(), Some("DUPLICATE_TAG_KEY"));
    world.call::<op::TagResource>(&admin, tags(vec![tag("team", "b"), tag("env", "prod")])).await.unwrap();
    let list = || ListTagsForResourceRequest { resource_id: id.clone(), next_token: None };
    let listed = world.call::<op::ListTagsForResource>(&admin, list()).await.unwrap().tags.unwrap();
    assert_eq!(listed, [tag("env", "prod"), tag("team", "b")]);
    let untag = UntagResourceRequest { resource_id: id.clone(), tag_keys: vec!["env".to_owned()] };
    world.call::<op::UntagResource>(&admin, untag).await.unwrap();
    assert_eq!(world.call::<op::ListTagsForResource>(&admin, list()).await.unwrap().tags.unwrap().len(), 1);

    // A user of the management account who may delete units of team b alone.
    let create = CreateUserRequest { user_name: "anna".to_owned(), ..Default::default() };
    world.call::<iam_op::CreateUser>(&admin, create).await.unwrap();
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"organizations:DeleteOrganizationalUnit","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"b"}}}]}"#;
    let put = PutUserPolicyRequest {
        user_name: "anna".to_owned(),
        policy_name: "units".to_owned(),
        policy_document: document.to_owned(),
    };
    world.call::<iam_op::PutUserPolicy>(&admin, put).await.unwrap();
    let key = CreateAccessKeyRequest { user_name: Some("anna".to_owned()) };
    let key = world.call::<iam_op::CreateAccessKey>(&admin, key).await.unwrap().access_key.access_key_id;
    let anna = world.cx(world.principal(&key, None).await.unwrap());
    let other = world.call::<op::CreateOrganizationalUnit>(
        &admin,
        CreateOrganizationalUnitRequest { parent_id: root_id.clone(), name: "other".to_owned(), tags: None },
    );
    let other = other.await.unwrap().organizational_unit.unwrap().id.unwrap();
    let delete = |id: &str| DeleteOrganizationalUnitRequest { organizational_unit_id: id.to_owned() };
    let refused = world.call::<op::DeleteOrganizationalUnit>(&anna, delete(&other)).await;
    assert_eq!(code(refused).0, "AccessDeniedException");
    world.call::<op::DeleteOrganizationalUnit>(&anna, delete(&id)).await.unwrap();
    let gone = world.call::<op::ListTagsForResource>(&admin, list()).await;
    assert_eq!(code(gone).0, "TargetNotFoundException");
}
