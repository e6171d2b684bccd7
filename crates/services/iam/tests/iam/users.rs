//! Users, their keys and their policies.

use stoa_iam::Iam;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_types::Timestamp;

use crate::support::{ALLOW_ALL, World, code, statement, world};

pub async fn new_user(world: &World, name: &str) -> User {
    let input = CreateUserRequest { user_name: name.to_owned(), ..Default::default() };
    world.call::<op::CreateUser>(&world.admin(), input).await.unwrap().user.unwrap()
}

pub async fn new_key(world: &World, name: &str) -> AccessKey {
    let input = CreateAccessKeyRequest { user_name: Some(name.to_owned()) };
    world.call::<op::CreateAccessKey>(&world.admin(), input).await.unwrap().access_key
}

pub async fn put_policy(world: &World, user: &str, name: &str, document: &str) {
    let input = PutUserPolicyRequest {
        user_name: user.to_owned(),
        policy_name: name.to_owned(),
        policy_document: document.to_owned(),
    };
    world.call::<op::PutUserPolicy>(&world.admin(), input).await.unwrap();
}

#[tokio::test]
async fn a_user_is_made_found_listed_and_deleted() {
    let world = world().await;
    let cx = world.admin();
    let input = CreateUserRequest {
        user_name: "Anna".to_owned(),
        path: Some("/team/".to_owned()),
        tags: Some(vec![Tag { key: "a".to_owned(), value: "b".to_owned() }]),
        ..Default::default()
    };
    let user = world.call::<op::CreateUser>(&cx, input.clone()).await.unwrap().user.unwrap();
    assert_eq!(user.arn, format!("arn:aws:iam::{}:user/team/Anna", world.management));
    assert!(user.user_id.starts_with("AIDA") && user.user_id.len() == 21, "{}", user.user_id);
    let other = CreateUserRequest { user_name: "anna".to_owned(), ..Default::default() };
    assert_eq!(
        code(world.call::<op::CreateUser>(&cx, other).await.map(|_| ())),
        ("EntityAlreadyExistsException".to_owned(), 409)
    );
    let get = |name: &str| GetUserRequest { user_name: Some(name.to_owned()) };
    let found = world.call::<op::GetUser>(&cx, get("Anna")).await.unwrap().user;
    assert_eq!(found.tags.as_ref().map(Vec::len), Some(1));
    assert_eq!(world.store.tags(&user.arn).await.unwrap().len(), 1);
    for name in ["b1", "b2", "b3"] {
        new_user(&world, name).await;
    }
    let page = ListUsersRequest { max_items: Some(2), ..Default::default() };
    let first = world.call::<op::ListUsers>(&cx, page).await.unwrap();
    assert_eq!((first.users.len(), first.is_truncated), (2, Some(true)));
    let rest = ListUsersRequest { marker: first.marker.clone(), ..Default::default() };
    let rest = world.call::<op::ListUsers>(&cx, rest).await.unwrap();
    assert_eq!((rest.users.len(), rest.is_truncated), (2, Some(false)));
    let foreign = ListUsersRequest { marker: first.marker, path_prefix: Some("/x/".to_owned()), ..Default::default() };
    assert_eq!(code(world.call::<op::ListUsers>(&cx, foreign).await.map(|_| ())).0, "ValidationException");
    let team = ListUsersRequest { path_prefix: Some("/team/".to_owned()), ..Default::default() };
    assert_eq!(world.call::<op::ListUsers>(&cx, team).await.unwrap().users.len(), 1);
    let delete = DeleteUserRequest { user_name: "Anna".to_owned() };
    world.call::<op::DeleteUser>(&cx, delete).await.unwrap();
    assert_eq!(
        code(world.call::<op::GetUser>(&cx, get("Anna")).await.map(|_| ())),
        ("NoSuchEntityException".to_owned(), 404)
    );
    assert!(world.store.tags(&user.arn).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_user_with_keys_or_policies_is_not_deleted() {
    let world = world().await;
    let cx = world.admin();
    new_user(&world, "anna").await;
    let delete = || DeleteUserRequest { user_name: "anna".to_owned() };
    let conflict = ("DeleteConflictException".to_owned(), 409);
    let key = new_key(&world, "anna").await;
    assert_eq!(code(world.call::<op::DeleteUser>(&cx, delete()).await.map(|_| ())), conflict);
    let remove =
        DeleteAccessKeyRequest { user_name: Some("anna".to_owned()), access_key_id: key.access_key_id.clone() };
    world.call::<op::DeleteAccessKey>(&cx, remove).await.unwrap();
    put_policy(&world, "anna", "p", ALLOW_ALL).await;
    assert_eq!(code(world.call::<op::DeleteUser>(&cx, delete()).await.map(|_| ())), conflict);
    let remove = DeleteUserPolicyRequest { user_name: "anna".to_owned(), policy_name: "p".to_owned() };
    world.call::<op::DeleteUserPolicy>(&cx, remove.clone()).await.unwrap();
    assert_eq!(code(world.call::<op::DeleteUserPolicy>(&cx, remove).await.map(|_| ())).0, "NoSuchEntityException");
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = AttachUserPolicyRequest { user_name: "anna".to_owned(), policy_arn: arn.to_owned() };
    world.call::<op::AttachUserPolicy>(&cx, attach).await.unwrap();
    assert_eq!(code(world.call::<op::DeleteUser>(&cx, delete()).await.map(|_| ())), conflict);
    let list = ListAttachedUserPoliciesRequest { user_name: "anna".to_owned(), ..Default::default() };
    let attached = world.call::<op::ListAttachedUserPolicies>(&cx, list).await.unwrap().attached_policies.unwrap();
    assert_eq!(attached[0].policy_name.as_deref(), Some("AdministratorAccess"));
    let detach = DetachUserPolicyRequest { user_name: "anna".to_owned(), policy_arn: arn.to_owned() };
    world.call::<op::DetachUserPolicy>(&cx, detach).await.unwrap();
    world.call::<op::DeleteUser>(&cx, delete()).await.unwrap();
}

#[tokio::test]
async fn inline_policies_come_back_encoded_and_are_bounded() {
    let world = world().await;
    let cx = world.admin();
    new_user(&world, "anna").await;
    put_policy(&world, "anna", "p", ALLOW_ALL).await;
    let get = GetUserPolicyRequest { user_name: "anna".to_owned(), policy_name: "p".to_owned() };
    let text = world.call::<op::GetUserPolicy>(&cx, get).await.unwrap().policy_document;
    assert!(text.starts_with("%7B%22Version%22%3A%222012-10-17%22"), "{text}");
    let put = |document: String| PutUserPolicyRequest {
        user_name: "anna".to_owned(),
        policy_name: "q".to_owned(),
        policy_document: document,
    };
    let bad = world.call::<op::PutUserPolicy>(&cx, put("{}".to_owned())).await.map(|_| ());
    assert_eq!(code(bad), ("MalformedPolicyDocumentException".to_owned(), 400));
    let long = statement("Allow", "s3:GetObject", &format!("arn:aws:s3:::{}", "x".repeat(2100)));
    let long = world.call::<op::PutUserPolicy>(&cx, put(long)).await.map(|_| ());
    assert_eq!(code(long), ("LimitExceededException".to_owned(), 409));
    let list = ListUserPoliciesRequest { user_name: "anna".to_owned(), ..Default::default() };
    assert_eq!(world.call::<op::ListUserPolicies>(&cx, list).await.unwrap().policy_names, ["p"]);
}

#[tokio::test]
async fn keys_sign_until_they_are_inactive_or_deleted() {
    let world = world().await;
    let cx = world.admin();
    new_user(&world, "anna").await;
    let key = new_key(&world, "anna").await;
    let credential =
        stoa_kernel::ports::Authority::credential(&*world.iam, &key.access_key_id, None).await.unwrap().unwrap();
    assert_eq!(credential.secret.expose(), key.secret_access_key);
    assert_eq!(credential.principal.arn, format!("arn:aws:iam::{}:user/anna", world.management));
    assert!(world.principal(&key.access_key_id, Some("token")).await.is_none());
    assert!(world.principal("AKIAUNKNOWN", None).await.is_none());
    let stored = world.store.query(&stoa_store::Query::of("iam:access-key")).await.unwrap();
    assert!(stored.documents.iter().all(|document| !document.body.contains(&key.secret_access_key)));
    new_key(&world, "anna").await;
    let third = CreateAccessKeyRequest { user_name: Some("anna".to_owned()) };
    assert_eq!(
        code(world.call::<op::CreateAccessKey>(&cx, third).await.map(|_| ())),
        ("LimitExceededException".to_owned(), 409)
    );
    let set = |status| UpdateAccessKeyRequest {
        user_name: Some("anna".to_owned()),
        access_key_id: key.access_key_id.clone(),
        status,
    };
    world.call::<op::UpdateAccessKey>(&cx, set(StatusType::Inactive)).await.unwrap();
    assert!(world.principal(&key.access_key_id, None).await.is_none());
    world.call::<op::UpdateAccessKey>(&cx, set(StatusType::Active)).await.unwrap();
    assert!(world.principal(&key.access_key_id, None).await.is_some());
    let list = ListAccessKeysRequest { user_name: Some("anna".to_owned()), ..Default::default() };
    assert_eq!(world.call::<op::ListAccessKeys>(&cx, list).await.unwrap().access_key_metadata.len(), 2);
    let delete =
        DeleteAccessKeyRequest { user_name: Some("anna".to_owned()), access_key_id: key.access_key_id.clone() };
    world.call::<op::DeleteAccessKey>(&cx, delete.clone()).await.unwrap();
    assert!(world.principal(&key.access_key_id, None).await.is_none());
    assert_eq!(code(world.call::<op::DeleteAccessKey>(&cx, delete).await.map(|_| ())).0, "NoSuchEntityException");
}

#[tokio::test]
async fn the_last_use_of_a_key_is_noted_and_survives_a_flush() {
    let world = world().await;
    new_user(&world, "anna").await;
    let key = new_key(&world, "anna").await;
    let get = || GetAccessKeyLastUsedRequest { access_key_id: key.access_key_id.clone() };
    let never = world.call::<op::GetAccessKeyLastUsed>(&world.admin(), get()).await.unwrap();
    assert_eq!(never.access_key_last_used.unwrap().service_name, "N/A");
    let anna = world.principal(&key.access_key_id, None).await.unwrap();
    let cx = world.cx(anna);
    let refused = world.call::<op::ListUsers>(&cx, ListUsersRequest::default()).await;
    assert_eq!(code(refused.map(|_| ())).0, "AccessDeniedException");
    Iam::flush_key_uses(&world.iam).await.unwrap();
    let again = world.restarted().await;
    let used = again.call::<op::GetAccessKeyLastUsed>(&again.admin(), get()).await.unwrap();
    let last = used.access_key_last_used.unwrap();
    assert_eq!((&*last.service_name, &*last.region), ("iam", "us-west-2"));
    assert_eq!(last.last_used_date, Some(Timestamp::parse_iso8601("2026-11-21T00:00:00Z").unwrap()));
    assert_eq!(used.user_name.as_deref(), Some("anna"));
}

#[tokio::test]
async fn a_caller_means_itself_and_a_role_must_name_a_user() {
    let world = world().await;
    new_user(&world, "anna").await;
    put_policy(&world, "anna", "self", &statement("Allow", "iam:GetUser", "arn:aws:iam::*:user/${aws:username}")).await;
    let key = new_key(&world, "anna").await;
    let cx = world.cx(world.principal(&key.access_key_id, None).await.unwrap());
    let own = world.call::<op::GetUser>(&cx, GetUserRequest::default()).await.unwrap().user;
    assert_eq!(own.user_name, "anna");
    let other = GetUserRequest { user_name: Some("bert".to_owned()) };
    assert_eq!(code(world.call::<op::GetUser>(&cx, other).await.map(|_| ())).0, "AccessDeniedException");
    let root = world.call::<op::GetUser>(&world.admin(), GetUserRequest::default()).await.unwrap().user;
    assert_eq!(root.user_name, "root");
}
