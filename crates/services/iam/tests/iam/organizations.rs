//! The organization by AWS's API: the tree, its policies, what they do to the next request.

use stoa_kernel::{ApiError, Cx};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::*;
use stoa_policy::{Effect, Slot};
use stoa_store::{Document, Key, Query, Transaction};
use stoa_types::AccountId;

use crate::support::{World, code, statement, world};

const ACT: &str = "sagemaker:CreateHub";
const SCP: PolicyType = PolicyType::ServiceControlPolicy;

/// The error's code and its `Reason`.
fn reason<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (String, String) {
    let error = result.expect_err("an error");
    let reason = error.fields().iter().find(|(name, _)| *name == "Reason");
    let reason = reason.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned();
    (error.code().to_owned(), reason)
}

async fn root_id(world: &World) -> String {
    world.iam.organization().await.unwrap().root_id
}

async fn enable(world: &World, policy_type: PolicyType) {
    let input = EnablePolicyTypeRequest { root_id: root_id(world).await, policy_type };
    world.call::<op::EnablePolicyType>(&world.admin(), input).await.unwrap();
}

async fn new_unit(world: &World, parent: &str, name: &str) -> Result<String, ApiError> {
    let input = CreateOrganizationalUnitRequest { parent_id: parent.to_owned(), name: name.to_owned(), tags: None };
    let made = world.call::<op::CreateOrganizationalUnit>(&world.admin(), input).await?;
    Ok(made.organizational_unit.unwrap().id.unwrap())
}

async fn new_policy(world: &World, name: &str, policy_type: PolicyType, content: &str) -> Result<String, ApiError> {
    let input = CreatePolicyRequest {
        content: content.to_owned(),
        description: "d".to_owned(),
        name: name.to_owned(),
        r#type: policy_type,
        tags: None,
    };
    let made = world.call::<op::CreatePolicy>(&world.admin(), input).await?;
    Ok(made.policy.unwrap().policy_summary.unwrap().id.unwrap())
}

async fn attach(world: &World, policy: &str, target: &str) -> Result<(), ApiError> {
    let input = AttachPolicyRequest { policy_id: policy.to_owned(), target_id: target.to_owned() };
    world.call::<op::AttachPolicy>(&world.admin(), input).await.map(|_| ())
}

async fn detach(world: &World, policy: &str, target: &str) -> Result<(), ApiError> {
    let input = DetachPolicyRequest { policy_id: policy.to_owned(), target_id: target.to_owned() };
    world.call::<op::DetachPolicy>(&world.admin(), input).await.map(|_| ())
}

async fn move_account(world: &World, account: &AccountId, from: &str, to: &str) -> Result<(), ApiError> {
    let input = MoveAccountRequest {
        account_id: account.to_string(),
        source_parent_id: from.to_owned(),
        destination_parent_id: to.to_owned(),
    };
    world.call::<op::MoveAccount>(&world.admin(), input).await.map(|_| ())
}

async fn effect(world: &World, account: &AccountId) -> (Effect, Slot) {
    let verdict = world.decide(&world.root(account).principal, ACT, "*").await;
    (verdict.effect, verdict.slot)
}

async fn attached(world: &World, target: &str, filter: PolicyType) -> Vec<String> {
    let input =
        ListPoliciesForTargetRequest { target_id: target.to_owned(), filter, next_token: None, max_results: None };
    let listed = world.call::<op::ListPoliciesForTarget>(&world.admin(), input).await.unwrap().policies.unwrap();
    listed.into_iter().map(|policy| policy.id.unwrap()).collect()
}

#[tokio::test]
async fn a_policy_on_a_unit_binds_what_is_below_it_from_the_next_request_on() {
    let world = world().await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let root = root_id(&world).await;
    let deny = new_policy(&world, "no-hubs", SCP, &statement("Deny", ACT, "*")).await.unwrap();
    assert_eq!(code(attach(&world, &deny, &root).await).0, "PolicyTypeNotEnabledException");
    enable(&world, SCP).await;
    let outer = new_unit(&world, &root, "outer").await.unwrap();
    let inner = new_unit(&world, &outer, "inner").await.unwrap();
    attach(&world, &deny, &outer).await.unwrap();
    assert_eq!(effect(&world, &member).await.0, Effect::Allow);
    move_account(&world, &member, &root, &inner).await.unwrap();
    assert_eq!(effect(&world, &member).await, (Effect::ExplicitDeny, Slot::Scp));
    assert_eq!(effect(&world, &world.management).await.0, Effect::Allow);
    let again = world.restarted().await;
    assert_eq!(effect(&again, &member).await, (Effect::ExplicitDeny, Slot::Scp));
    // A change of the text counts wherever the policy is attached.
    let update = UpdatePolicyRequest {
        policy_id: deny.clone(),
        content: Some(statement("Deny", "s3:*", "*")),
        ..Default::default()
    };
    world.call::<op::UpdatePolicy>(&world.admin(), update.clone()).await.unwrap();
    assert_eq!(effect(&world, &member).await.0, Effect::Allow);
    let update = UpdatePolicyRequest { content: Some(statement("Deny", ACT, "*")), ..update };
    world.call::<op::UpdatePolicy>(&world.admin(), update).await.unwrap();
    assert_eq!(effect(&world, &member).await.0, Effect::ExplicitDeny);
    detach(&world, &deny, &outer).await.unwrap();
    assert_eq!(effect(&world, &member).await.0, Effect::Allow);
}

#[tokio::test]
async fn every_level_must_allow_and_the_last_policy_stays() {
    let world = world().await;
    enable(&world, SCP).await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    assert_eq!(attached(&world, member.as_str(), SCP).await, ["p-FullAWSAccess"]);
    let unit = new_unit(&world, &root_id(&world).await, "unit").await.unwrap();
    assert_eq!(attached(&world, &unit, SCP).await, ["p-FullAWSAccess"]);
    move_account(&world, &member, &root_id(&world).await, &unit).await.unwrap();
    let last = reason(detach(&world, "p-FullAWSAccess", &unit).await);
    assert_eq!(last, ("ConstraintViolationException".into(), "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED".into()));
    let s3 = new_policy(&world, "s3", SCP, &statement("Allow", "s3:*", "*")).await.unwrap();
    attach(&world, &s3, &unit).await.unwrap();
    assert_eq!(effect(&world, &member).await.0, Effect::Allow);
    detach(&world, "p-FullAWSAccess", &unit).await.unwrap();
    assert_eq!(effect(&world, &member).await, (Effect::ImplicitDeny, Slot::Scp));
    assert_eq!(code(detach(&world, "p-FullAWSAccess", &unit).await).0, "PolicyNotAttachedException");
    attach(&world, "p-FullAWSAccess", &unit).await.unwrap();
    assert_eq!(effect(&world, &member).await.0, Effect::Allow);
    assert_eq!(code(attach(&world, &s3, &unit).await).0, "DuplicatePolicyAttachmentException");
    assert_eq!(code(attach(&world, &s3, "ou-abcd-nothing1").await).0, "TargetNotFoundException");
    assert_eq!(code(attach(&world, "p-nothing1", &unit).await).0, "PolicyNotFoundException");
}

#[tokio::test]
async fn disabling_a_type_takes_everything_off() {
    let world = world().await;
    let root = root_id(&world).await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    enable(&world, SCP).await;
    let twice = EnablePolicyTypeRequest { root_id: root.clone(), policy_type: SCP };
    let twice = world.call::<op::EnablePolicyType>(&world.admin(), twice).await;
    assert_eq!(code(twice).0, "PolicyTypeAlreadyEnabledException");
    let deny = new_policy(&world, "no-hubs", SCP, &statement("Deny", ACT, "*")).await.unwrap();
    attach(&world, &deny, &root).await.unwrap();
    attach(&world, &deny, member.as_str()).await.unwrap();
    let delete = DeletePolicyRequest { policy_id: deny.clone() };
    let used = world.call::<op::DeletePolicy>(&world.admin(), delete.clone()).await;
    assert_eq!(code(used).0, "PolicyInUseException");
    let disable = DisablePolicyTypeRequest { root_id: root.clone(), policy_type: SCP };
    let after = world.call::<op::DisablePolicyType>(&world.admin(), disable).await.unwrap().root.unwrap();
    assert_eq!(after.policy_types.unwrap(), []);
    assert_eq!(effect(&world, &member).await.0, Effect::Allow);
    enable(&world, SCP).await;
    assert_eq!(attached(&world, &root, SCP).await, ["p-FullAWSAccess"]);
    assert_eq!(effect(&world, &member).await.0, Effect::Allow);
    world.call::<op::DeletePolicy>(&world.admin(), delete).await.unwrap();
    let tag = EnablePolicyTypeRequest { root_id: root, policy_type: PolicyType::TagPolicy };
    let tag = world.call::<op::EnablePolicyType>(&world.admin(), tag).await;
    assert_eq!(code(tag).0, "PolicyTypeNotAvailableForOrganizationException");
}

#[tokio::test]
async fn policies_have_names_quotas_and_a_form() {
    let world = world().await;
    let deny = statement("Deny", ACT, "*");
    let one = new_policy(&world, "one", SCP, &deny).await.unwrap();
    let two = new_policy(&world, "two", SCP, &deny).await.unwrap();
    assert_eq!(code(new_policy(&world, "one", SCP, &deny).await).0, "DuplicatePolicyException");
    assert_eq!(code(new_policy(&world, "FullAWSAccess", SCP, &deny).await).0, "DuplicatePolicyException");
    let rename =
        |name: &str| UpdatePolicyRequest { policy_id: two.clone(), name: Some(name.to_owned()), ..Default::default() };
    let taken = world.call::<op::UpdatePolicy>(&world.admin(), rename("one")).await;
    assert_eq!(code(taken).0, "DuplicatePolicyException");
    world.call::<op::UpdatePolicy>(&world.admin(), rename("three")).await.unwrap();
    new_policy(&world, "two", SCP, &deny).await.unwrap();
    let malformed =
        new_policy(&world, "bad", SCP, r#"{"Version":"2012-10-17","Statement":[{"Effect":"Maybe"}]}"#).await;
    let malformed = malformed.unwrap_err();
    assert_eq!(malformed.code(), "MalformedPolicyDocumentException");
    assert!(malformed.message().contains("$.Statement[0]"), "{malformed}");
    let long = statement("Deny", &format!("s3:{}", "x".repeat(10_240)), "*");
    let long = reason(new_policy(&world, "long", SCP, &long).await);
    assert_eq!(long, ("ConstraintViolationException".into(), "POLICY_CONTENT_LIMIT_EXCEEDED".into()));
    let list = ListPoliciesRequest { filter: SCP, next_token: None, max_results: None };
    let listed = world.call::<op::ListPolicies>(&world.admin(), list).await.unwrap().policies.unwrap();
    let names: Vec<_> = listed.iter().map(|policy| policy.name.clone().unwrap()).collect();
    assert_eq!(names, ["FullAWSAccess", "one", "three", "two"]);
    enable(&world, SCP).await;
    let root = root_id(&world).await;
    attach(&world, &one, &root).await.unwrap();
    for number in 0..8 {
        let more = new_policy(&world, &format!("more-{number}"), SCP, &deny).await.unwrap();
        attach(&world, &more, &root).await.unwrap();
    }
    let full = reason(attach(&world, &two, &root).await);
    assert_eq!(full, ("ConstraintViolationException".into(), "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED".into()));
    let aws = UpdatePolicyRequest { policy_id: "p-FullAWSAccess".to_owned(), ..rename("x") };
    let aws = reason(world.call::<op::UpdatePolicy>(&world.admin(), aws).await);
    assert_eq!(aws, ("InvalidInputException".into(), "IMMUTABLE_POLICY".into()));
    let targets = ListTargetsForPolicyRequest { policy_id: one, ..Default::default() };
    let targets = world.call::<op::ListTargetsForPolicy>(&world.admin(), targets).await.unwrap().targets.unwrap();
    assert_eq!(targets.len(), 1);
    assert_eq!((targets[0].target_id.as_ref(), targets[0].r#type), (Some(&root), Some(TargetType::Root)));
}

#[tokio::test]
async fn resource_control_policies_have_a_default_that_stays() {
    let world = world().await;
    let rcp = PolicyType::ResourceControlPolicy;
    enable(&world, rcp).await;
    let root = root_id(&world).await;
    assert_eq!(attached(&world, &root, rcp).await, ["p-RCPFullAWSAccess"]);
    let stays = reason(detach(&world, "p-RCPFullAWSAccess", &root).await);
    assert_eq!(stays, ("InvalidInputException".into(), "NON_DETACHABLE_POLICY".into()));
    let allow =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#;
    assert_eq!(code(new_policy(&world, "allow", rcp, allow).await).0, "MalformedPolicyDocumentException");
    let deny = new_policy(&world, "deny", rcp, &allow.replace("Allow", "Deny")).await.unwrap();
    attach(&world, &deny, &root).await.unwrap();
    let describe = DescribePolicyRequest { policy_id: deny.clone() };
    let described = world.call::<op::DescribePolicy>(&world.admin(), describe).await.unwrap().policy.unwrap();
    let organization = world.iam.organization().await.unwrap();
    let arn = format!(
        "arn:aws:organizations::{}:policy/{}/resource_control_policy/{deny}",
        world.management, organization.id
    );
    assert_eq!(described.policy_summary.unwrap().arn, Some(arn));
    let effective = DescribeEffectivePolicyRequest { policy_type: EffectivePolicyType::TagPolicy, target_id: None };
    let effective = world.call::<op::DescribeEffectivePolicy>(&world.admin(), effective).await;
    assert_eq!(code(effective).0, "EffectivePolicyNotFoundException");
}

#[tokio::test]
async fn units_are_named_nested_and_removed_when_empty() {
    let world = world().await;
    let root = root_id(&world).await;
    let mut parent = root.clone();
    let mut units = Vec::new();
    for level in 1..=5 {
        parent = new_unit(&world, &parent, &format!("level-{level}")).await.unwrap();
        units.push(parent.clone());
    }
    let deep = reason(new_unit(&world, &parent, "level-6").await);
    assert_eq!(deep, ("ConstraintViolationException".into(), "OU_DEPTH_LIMIT_EXCEEDED".into()));
    assert_eq!(code(new_unit(&world, &root, "level-1").await).0, "DuplicateOrganizationalUnitException");
    assert_eq!(code(new_unit(&world, "r-none", "x").await).0, "ParentNotFoundException");
    let other = new_unit(&world, &root, "other").await.unwrap();
    let rename = |name: &str| UpdateOrganizationalUnitRequest {
        organizational_unit_id: other.clone(),
        name: Some(name.to_owned()),
    };
    let taken = world.call::<op::UpdateOrganizationalUnit>(&world.admin(), rename("level-1")).await;
    assert_eq!(code(taken).0, "DuplicateOrganizationalUnitException");
    let renamed = world.call::<op::UpdateOrganizationalUnit>(&world.admin(), rename("another")).await.unwrap();
    assert_eq!(renamed.organizational_unit.unwrap().name.as_deref(), Some("another"));
    new_unit(&world, &root, "other").await.unwrap();
    let describe = DescribeOrganizationalUnitRequest { organizational_unit_id: units[1].clone() };
    let described = world.call::<op::DescribeOrganizationalUnit>(&world.admin(), describe).await.unwrap();
    let id = world.iam.organization().await.unwrap().id;
    let path = format!("{id}/{root}/{}/{}/", units[0], units[1]);
    assert_eq!(described.organizational_unit.unwrap().path, Some(path));
    let children =
        |child_type| ListChildrenRequest { parent_id: root.clone(), child_type, next_token: None, max_results: None };
    let below = world.call::<op::ListChildren>(&world.admin(), children(ChildType::OrganizationalUnit)).await.unwrap();
    assert_eq!(below.children.unwrap().len(), 3);
    let below = world.call::<op::ListChildren>(&world.admin(), children(ChildType::Account)).await.unwrap();
    assert_eq!(below.children.unwrap()[0].id.as_deref(), Some(world.management.as_str()));
    let parents = ListParentsRequest { child_id: units[1].clone(), ..Default::default() };
    let parents = world.call::<op::ListParents>(&world.admin(), parents).await.unwrap().parents.unwrap();
    assert_eq!(parents[0].id.as_ref(), Some(&units[0]));
    let delete = |id: &str| DeleteOrganizationalUnitRequest { organizational_unit_id: id.to_owned() };
    let full = world.call::<op::DeleteOrganizationalUnit>(&world.admin(), delete(&units[3])).await;
    assert_eq!(code(full).0, "OrganizationalUnitNotEmptyException");
    for unit in units.iter().rev() {
        world.call::<op::DeleteOrganizationalUnit>(&world.admin(), delete(unit)).await.unwrap();
    }
    let gone = world.call::<op::DeleteOrganizationalUnit>(&world.admin(), delete(&units[0])).await;
    assert_eq!(code(gone).0, "OrganizationalUnitNotFoundException");
}

fn account(email: &str) -> CreateAccountRequest {
    CreateAccountRequest { email: email.to_owned(), account_name: "Team".to_owned(), ..Default::default() }
}

async fn describe(world: &World, cx: &Cx, id: &str) -> Result<Account, ApiError> {
    let input = DescribeAccountRequest { account_id: id.to_owned() };
    Ok(world.call::<op::DescribeAccount>(cx, input).await?.account.unwrap())
}

#[tokio::test]
async fn an_account_is_made_found_closed_and_deleted() {
    let world = world().await;
    let cx = world.admin();
    enable(&world, SCP).await;
    let create = CreateAccountRequest { role_name: Some("Access".to_owned()), ..account("team@example.com") };
    let made = world.call::<op::CreateAccount>(&cx, create).await.unwrap().create_account_status.unwrap();
    assert_eq!(made.state, Some(CreateAccountState::Succeeded));
    let request = DescribeCreateAccountStatusRequest { create_account_request_id: made.id.clone().unwrap() };
    let found = world.call::<op::DescribeCreateAccountStatus>(&cx, request).await.unwrap();
    assert_eq!(found.create_account_status.as_ref(), Some(&made));
    let id = made.account_id.unwrap();
    let member: AccountId = id.parse().unwrap();
    let described = describe(&world, &cx, &id).await.unwrap();
    assert_eq!(described.email.as_deref(), Some("team@example.com"));
    assert_eq!((described.status, described.state), (Some(AccountStatus::Active), Some(AccountState::Active)));
    let organization = world.iam.organization().await.unwrap();
    let path = format!("{}/{}/{id}/", organization.id, organization.root_id);
    assert_eq!(described.paths, Some(vec![path]));
    let taken = world.call::<op::CreateAccount>(&cx, account("Team@Example.com")).await.unwrap();
    let taken = taken.create_account_status.unwrap();
    assert_eq!(taken.failure_reason, Some(CreateAccountFailureReason::EmailAlreadyExists));
    let failed =
        ListCreateAccountStatusRequest { states: Some(vec![CreateAccountState::Failed]), ..Default::default() };
    let failed = world.call::<op::ListCreateAccountStatus>(&cx, failed).await.unwrap();
    assert_eq!(failed.create_account_statuses.unwrap(), [taken]);
    let own = CreateAccountRequest { role_name: Some("stoaadmin".to_owned()), ..account("b@example.com") };
    let own = reason(world.call::<op::CreateAccount>(&cx, own).await);
    assert_eq!(own, ("InvalidInputException".into(), "INVALID_ROLE_NAME".into()));
    let list = ListAccountsRequest::default();
    let listed = world.call::<op::ListAccounts>(&cx, list).await.unwrap().accounts.unwrap();
    assert_eq!(listed.len(), 2);

    // The management account comes in by the role.
    let made = world.iam.local_credentials(None, "me").await.unwrap().text;
    let value = |name: &str| {
        let line = made.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(" = ").unwrap().1.to_owned()
    };
    let token = value("aws_session_token");
    let admin = world.cx(world.principal(&value("aws_access_key_id"), Some(&token)).await.unwrap());
    let assume = stoa_models_sts::types::AssumeRoleRequest {
        role_arn: format!("arn:aws:iam::{id}:role/Access"),
        role_session_name: "visit".to_owned(),
        ..Default::default()
    };
    let visit = world.call::<stoa_models_sts::operations::AssumeRole>(&admin, assume).await.unwrap();
    let visit = visit.credentials.unwrap();
    let session = |world: &World| {
        let (iam, visit) = (std::sync::Arc::clone(&world.iam), visit.clone());
        async move {
            stoa_kernel::ports::Authority::credential(&*iam, &visit.access_key_id, Some(&visit.session_token))
                .await
                .unwrap()
        }
    };
    assert!(session(&world).await.is_some());

    let close = |id: &str| CloseAccountRequest { account_id: id.to_owned() };
    let management = reason(world.call::<op::CloseAccount>(&cx, close(world.management.as_str())).await);
    assert_eq!(management.1, "CANNOT_CLOSE_MANAGEMENT_ACCOUNT");
    world.call::<op::CloseAccount>(&cx, close(&id)).await.unwrap();
    assert!(session(&world).await.is_none());
    assert_eq!(effect(&world, &member).await.0, Effect::ImplicitDeny);
    let again = world.call::<op::CloseAccount>(&cx, close(&id)).await;
    assert_eq!(code(again).0, "AccountAlreadyClosedException");
    assert_eq!(describe(&world, &cx, &id).await.unwrap().status, Some(AccountStatus::Suspended));
    let remove = RemoveAccountFromOrganizationRequest { account_id: id.clone() };
    let removed = reason(world.call::<op::RemoveAccountFromOrganization>(&cx, remove).await);
    assert_eq!(removed.1, "ACCOUNT_CANNOT_LEAVE_ORGANIZATION");

    let policy = new_policy(&world, "p", SCP, &statement("Deny", ACT, "*")).await.unwrap();
    attach(&world, &policy, &id).await.unwrap();
    world.iam.delete_account(&member).await.unwrap();
    assert_eq!(code(describe(&world, &cx, &id).await).0, "AccountNotFoundException");
    // Nothing of it is left: the address is free, the policy is attached nowhere, the root has one child less.
    world.call::<op::DeletePolicy>(&cx, DeletePolicyRequest { policy_id: policy }).await.unwrap();
    let free = world.call::<op::CreateAccount>(&cx, account("team@example.com")).await.unwrap();
    let free = free.create_account_status.unwrap();
    assert_eq!(free.state, Some(CreateAccountState::Succeeded));
    for document in world.store.query(&Query::of("organizations:node")).await.unwrap().documents {
        assert!(!document.body.contains(&id), "{}", document.body);
        if document.status == "Root" {
            assert!(document.body.contains("\"children\":2"), "{}", document.body);
        }
    }
}

#[tokio::test]
async fn accounts_made_at_once_are_all_in_the_tree() {
    let world = world().await;
    enable(&world, SCP).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let iam = std::sync::Arc::clone(&world.iam);
        tasks.spawn(async move { iam.create_account(&format!("a{number}")).await.unwrap().account_id });
    }
    let made = tasks.join_all().await;
    for account in &made {
        assert_eq!(attached(&world, account.as_str(), SCP).await, ["p-FullAWSAccess"]);
    }
    let root = world.store.query(&Query::of("organizations:node")).await.unwrap().documents;
    let root = root.iter().find(|document| document.status == "Root").unwrap();
    assert!(root.body.contains("\"children\":9"), "{}", root.body);
}

#[tokio::test]
async fn accounts_move_between_what_is_there() {
    let world = world().await;
    let root = root_id(&world).await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let unit = new_unit(&world, &root, "unit").await.unwrap();
    let codes = [
        move_account(&world, &member, &root, &root).await,
        move_account(&world, &member, &unit, &root).await,
        move_account(&world, &member, "r-none", &unit).await,
        move_account(&world, &member, &root, "ou-none-nothing1").await,
        move_account(&world, &"123456789012".parse().unwrap(), &root, &unit).await,
    ];
    assert_eq!(
        codes.map(|result| code(result).0),
        [
            "DuplicateAccountException",
            "DuplicateAccountException",
            "SourceParentNotFoundException",
            "DestinationParentNotFoundException",
            "AccountNotFoundException",
        ]
    );
    move_account(&world, &member, &root, &unit).await.unwrap();
    let below = ListAccountsForParentRequest { parent_id: unit.clone(), ..Default::default() };
    let below = world.call::<op::ListAccountsForParent>(&world.admin(), below).await.unwrap().accounts.unwrap();
    assert_eq!(below[0].id.as_deref(), Some(member.as_str()));
    let delete = DeleteOrganizationalUnitRequest { organizational_unit_id: unit };
    let full = world.call::<op::DeleteOrganizationalUnit>(&world.admin(), delete).await;
    assert_eq!(code(full).0, "OrganizationalUnitNotEmptyException");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = world().await;
    let root = root_id(&world).await;
    for number in 0..25 {
        new_unit(&world, &root, &format!("unit-{number:02}")).await.unwrap();
    }
    let mut input = ListOrganizationalUnitsForParentRequest { parent_id: root.clone(), ..Default::default() };
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let page = world.call::<op::ListOrganizationalUnitsForParent>(&world.admin(), input.clone()).await.unwrap();
        let units = page.organizational_units.unwrap();
        assert!(units.len() <= 20);
        seen.extend(units.into_iter().map(|unit| unit.name.unwrap()));
        match page.next_token {
            Some(token) => input.next_token = Some(token),
            None => break,
        }
    }
    assert_eq!(seen.len(), 25);
    input.next_token = Some("nonsense".to_owned());
    let bad = reason(world.call::<op::ListOrganizationalUnitsForParent>(&world.admin(), input).await);
    assert_eq!(bad, ("InvalidInputException".into(), "INVALID_NEXT_TOKEN".into()));
}

#[tokio::test]
async fn what_early_versions_kept_is_converted_once() {
    let world = world().await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let organization = world.iam.organization().await.unwrap();
    // As an early version left it: no tree, attachments with the whole text.
    let mut transaction = Transaction::new();
    for document in world.store.query(&Query::of("organizations:node")).await.unwrap().documents {
        transaction = transaction.delete(document.key.clone(), stoa_store::Expect::Present);
    }
    let deny = statement("Deny", ACT, "*");
    let other = statement("Deny", "s3:*", "*");
    let allow = statement("Allow", "*", "*");
    let old = [
        (&*organization.root_id, "base", &allow),
        (&*organization.root_id, "no", &other),
        (member.as_str(), "base", &allow),
        (member.as_str(), "no", &deny),
        ("gone", "no", &deny),
    ];
    for (target, name, text) in old {
        let id = format!("{target}/{name}");
        let key = Key { kind: "organizations:scp-attachment", account: AccountId::aws(), region: None, id };
        let body = serde_json::json!({ "target": target, "name": name, "document": text });
        let document = Document::new(key, name, crate::support::start(), &body).unwrap().with_parent(target);
        transaction = transaction.create(document);
    }
    world.store.commit(transaction).await.unwrap();
    let world = world.restarted().await;
    assert_eq!(effect(&world, &member).await, (Effect::ExplicitDeny, Slot::Scp));
    assert_eq!(attached(&world, &organization.root_id, SCP).await.len(), 2);
    assert_eq!(attached(&world, member.as_str(), SCP).await.len(), 2);
    assert_eq!(attached(&world, world.management.as_str(), SCP).await, ["p-FullAWSAccess"]);
    let list = ListPoliciesRequest { filter: SCP, next_token: None, max_results: None };
    let listed = world.call::<op::ListPolicies>(&world.admin(), list.clone()).await.unwrap().policies.unwrap();
    let names: Vec<_> = listed.iter().map(|policy| policy.name.clone().unwrap()).collect();
    assert_eq!(names, ["FullAWSAccess", "base", "no", "no-2"]);
    assert!(world.store.query(&Query::of("organizations:scp-attachment")).await.unwrap().documents.is_empty());
    let world = world.restarted().await;
    let again = world.call::<op::ListPolicies>(&world.admin(), list).await.unwrap().policies.unwrap();
    assert_eq!(again, listed);
    let deny = listed.iter().find(|policy| policy.name.as_deref() == Some("no-2")).unwrap();
    let deny = deny.id.clone().unwrap();
    let (on_root, on_member) =
        (detach(&world, &deny, &organization.root_id).await, detach(&world, &deny, member.as_str()).await);
    assert!(on_root.is_ok() != on_member.is_ok());
}
