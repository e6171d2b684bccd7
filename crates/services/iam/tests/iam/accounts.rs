//! The organization, its accounts, the operator's credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use stoa_kernel::ApiError;
use stoa_kernel::ports::DeleteAccountData;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_policy::Effect;
use stoa_store::Query;
use stoa_types::AccountId;

use crate::support::{ALLOW_ALL, code, world};

const DAY: i64 = 86_400_000;

fn value(text: &str, profile: &str, name: &str) -> Option<String> {
    let section = text.split('[').find(|section| section.starts_with(&format!("{profile}]")))?;
    let line = section.lines().find(|line| line.starts_with(name))?;
    line.split_once('=').map(|(_, value)| value.trim().to_owned())
}

#[tokio::test]
async fn the_first_start_makes_one_organization_and_later_ones_find_it() {
    let world = world().await;
    let first = world.iam.organization().await.unwrap();
    let again = world.restarted().await;
    assert_eq!(again.iam.organization().await.unwrap(), first);
    let accounts = world.iam.list_accounts().await.unwrap();
    assert_eq!(accounts.len(), 1);
    assert!(accounts[0].management && accounts[0].id == first.management_account);
}

#[tokio::test]
async fn the_default_profile_is_a_session_of_the_admin_role_for_a_year() {
    let world = world().await;
    let old = "# mine\n[other]\naws_access_key_id = X\n";
    let made = world.iam.local_credentials(Some(old), "me").await.unwrap();
    assert!(made.changed && made.text.starts_with(old), "{}", made.text);
    let id = value(&made.text, "default", "aws_access_key_id").unwrap();
    let token = value(&made.text, "default", "aws_session_token").unwrap();
    let again = world.restarted().await;
    let principal = again.principal(&id, Some(&token)).await.unwrap();
    assert_eq!(principal.arn, format!("arn:aws:sts::{}:assumed-role/StoaAdmin/me", world.management));
    assert_eq!(again.decide(&principal, "sagemaker:CreateHub", "*").await.effect, Effect::Allow);
    let root = value(&made.text, "stoa-root", "aws_access_key_id").unwrap();
    let root = again.principal(&root, None).await.unwrap();
    assert_eq!(root.arn, format!("arn:aws:iam::{}:root", world.management));
    let same = again.iam.local_credentials(Some(&made.text), "me").await.unwrap();
    assert_eq!((same.changed, &same.text), (false, &made.text));
    world.clock.advance_millis(330 * DAY);
    let same = again.iam.local_credentials(Some(&made.text), "me").await.unwrap();
    assert!(!same.changed);
    world.clock.advance_millis(6 * DAY);
    let renewed = again.iam.local_credentials(Some(&made.text), "me").await.unwrap();
    assert!(renewed.changed);
    assert_ne!(value(&renewed.text, "default", "aws_access_key_id").unwrap(), id);
    let lost = again.iam.local_credentials(None, "a b/c").await.unwrap();
    let (id, token) =
        (value(&lost.text, "default", "aws_access_key_id"), value(&lost.text, "default", "aws_session_token"));
    let principal = again.principal(&id.unwrap(), token.as_deref()).await.unwrap();
    assert!(principal.arn.ends_with("/a-b-c"), "{}", principal.arn);
}

#[tokio::test]
async fn a_new_account_is_whole_and_apart() {
    let world = world().await;
    let new = world.iam.create_account("member").await.unwrap();
    assert_eq!(new.account_id.as_str().len(), 12);
    let root = world.principal(&new.access_key_id, None).await.unwrap();
    assert_eq!(root.arn, format!("arn:aws:iam::{}:root", new.account_id));
    let cx = world.cx(root);
    let roles = world.call::<op::ListRoles>(&cx, ListRolesRequest::default()).await.unwrap().roles;
    let names: Vec<&str> = roles.iter().map(|role| &*role.role_name).collect();
    assert_eq!(names, ["OrganizationAccountAccessRole", "StoaAdmin"]);
    let admin = format!("arn:aws:iam::{}:role/StoaAdmin", new.account_id);
    let session = stoa_kernel::ports::Authority::service_session(&*world.iam, &admin, "sagemaker.amazonaws.com", "s");
    assert!(session.await.unwrap().is_some());
    let create = CreateUserRequest { user_name: "anna".to_owned(), ..Default::default() };
    world.call::<op::CreateUser>(&cx, create).await.unwrap();
    let users = world.call::<op::ListUsers>(&world.admin(), ListUsersRequest::default()).await.unwrap().users;
    assert!(users.is_empty());
    assert_eq!(code(world.iam.create_account("").await.map(|_| ())).0, "InvalidInputException");
}

#[tokio::test]
async fn the_management_account_reaches_a_member_through_its_access_role() {
    let world = world().await;
    let new = world.iam.create_account("member").await.unwrap();
    let made = world.iam.local_credentials(None, "me").await.unwrap().text;
    let (id, token) =
        (value(&made, "default", "aws_access_key_id").unwrap(), value(&made, "default", "aws_session_token"));
    let cx = world.cx(world.principal(&id, token.as_deref()).await.unwrap());
    let input = stoa_models_sts::types::AssumeRoleRequest {
        role_arn: format!("arn:aws:iam::{}:role/OrganizationAccountAccessRole", new.account_id),
        role_session_name: "visit".to_owned(),
        ..Default::default()
    };
    let output = world.call::<stoa_models_sts::operations::AssumeRole>(&cx, input.clone()).await.unwrap();
    assert!(output.assumed_role_user.unwrap().arn.contains(new.account_id.as_str()));
    let closed = stoa_models_sts::types::AssumeRoleRequest {
        role_arn: input.role_arn.replace("OrganizationAccountAccessRole", "StoaAdmin"),
        ..input
    };
    let refused = world.call::<stoa_models_sts::operations::AssumeRole>(&cx, closed).await.map(|_| ());
    assert_eq!(code(refused).0, "AccessDeniedException");
}

/// A service that cannot forget the first time.
#[derive(Default)]
struct Reluctant {
    ready: AtomicBool,
    calls: AtomicUsize,
}

#[async_trait::async_trait]
impl DeleteAccountData for Reluctant {
    async fn delete_account_data(&self, _account: &AccountId) -> Result<(), ApiError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.ready.load(Ordering::SeqCst) { Ok(()) } else { Err(ApiError::unavailable("not now")) }
    }
}

#[tokio::test]
async fn a_deletion_refuses_credentials_at_once_and_is_carried_through() {
    let world = world().await;
    let new = world.iam.create_account("member").await.unwrap();
    let cx = world.root(&new.account_id);
    let create = CreateUserRequest { user_name: "anna".to_owned(), ..Default::default() };
    world.call::<op::CreateUser>(&cx, create).await.unwrap();
    let key = CreateAccessKeyRequest { user_name: Some("anna".to_owned()) };
    let key = world.call::<op::CreateAccessKey>(&cx, key).await.unwrap().access_key.access_key_id;
    let policy = CreatePolicyRequest {
        policy_name: "p".to_owned(),
        policy_document: ALLOW_ALL.to_owned(),
        tags: Some(vec![Tag { key: "a".to_owned(), value: "b".to_owned() }]),
        ..Default::default()
    };
    let policy = world.call::<op::CreatePolicy>(&cx, policy).await.unwrap().policy.unwrap().arn.unwrap();
    let alias = CreateAccountAliasRequest { account_alias: "member".to_owned() };
    world.call::<op::CreateAccountAlias>(&cx, alias).await.unwrap();
    assert!(world.principal(&key, None).await.is_some());
    let service = Arc::new(Reluctant::default());
    world.iam.set_account_data(vec![service.clone()]);
    assert_eq!(code(world.iam.delete_account(&new.account_id).await), ("ServiceUnavailable".to_owned(), 503));
    assert!(world.principal(&key, None).await.is_none());
    assert!(world.principal(&new.access_key_id, None).await.is_none());
    assert_eq!(world.decide(&cx.principal, "s3:ListAllMyBuckets", "*").await.effect, Effect::ImplicitDeny);
    service.ready.store(true, Ordering::SeqCst);
    // The next start goes on where this one stopped.
    world.iam.resume_deletions().await.unwrap();
    assert_eq!(service.calls.load(Ordering::SeqCst), 2);
    assert_eq!(code(world.iam.delete_account(&new.account_id).await).0, "NoSuchEntityException");
    for kind in ["iam:user", "iam:role", "iam:policy", "iam:account", "iam:account-alias"] {
        let left = world.store.query(&Query::of(kind)).await.unwrap().documents;
        let theirs = left.iter().filter(|document| document.body.contains(new.account_id.as_str())).count();
        assert_eq!(theirs, 0, "{kind}");
    }
    assert_eq!(world.store.query(&Query::of("iam:access-key")).await.unwrap().documents.len(), 1);
    assert!(world.store.tags(&policy).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_management_account_stays() {
    let world = world().await;
    assert_eq!(code(world.iam.delete_account(&world.management).await).0, "InvalidInputException");
}
