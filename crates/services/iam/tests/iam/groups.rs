//! Groups: their life, their members, and that their policies count.

use serde_json::json;
use stoa_models_iam::operations as op;
use stoa_policy::{Effect, Slot};

use crate::support::{ALLOW_ALL, World, statement, world};
use crate::users::{new_key, new_user};

pub async fn new_group(world: &World, name: &str) {
    world.root_does::<op::CreateGroup>(json!({"GroupName": name})).await;
}

pub async fn join(world: &World, user: &str, group: &str) {
    world.root_does::<op::AddUserToGroup>(json!({"UserName": user, "GroupName": group})).await;
}

#[tokio::test]
async fn a_group_is_made_listed_and_deleted_when_it_is_empty() {
    let world = world().await;
    let made = world.root_does::<op::CreateGroup>(json!({"GroupName": "Ops", "Path": "/x/"})).await.group;
    assert_eq!(made.arn, format!("arn:aws:iam::{}:group/x/Ops", world.management));
    assert!(made.group_id.starts_with("AGPA") && made.group_id.len() == 21, "{}", made.group_id);
    let taken = world.root_refused::<op::CreateGroup>(json!({"GroupName": "OPS"})).await;
    assert_eq!(taken, ("EntityAlreadyExistsException".to_owned(), "Group with name OPS already exists.".to_owned()));
    new_group(&world, "b").await;
    let list = world.root_does::<op::ListGroups>(json!({"PathPrefix": "/x/"})).await;
    assert_eq!(list.groups.len(), 1);
    for name in ["c3", "c1", "c2"] {
        new_user(&world, name).await;
        join(&world, name, "Ops").await;
    }
    join(&world, "c1", "Ops").await;
    let first = world.root_does::<op::GetGroup>(json!({"GroupName": "Ops", "MaxItems": 2})).await;
    assert_eq!(first.users.iter().map(|user| &*user.user_name).collect::<Vec<_>>(), ["c1", "c2"]);
    let next = json!({"GroupName": "Ops", "Marker": first.marker});
    let rest = world.root_does::<op::GetGroup>(next).await;
    assert_eq!((rest.users[0].user_name.as_str(), rest.is_truncated), ("c3", Some(false)));
    let in_use = world.root_refused::<op::DeleteGroup>(json!({"GroupName": "Ops"})).await;
    assert_eq!(in_use.0, "DeleteConflictException");
    assert!(in_use.1.contains("must remove users from group first"), "{}", in_use.1);
    for name in ["c1", "c2", "c3"] {
        world.root_does::<op::RemoveUserFromGroup>(json!({"GroupName": "Ops", "UserName": name})).await;
    }
    let gone = world.root_refused::<op::RemoveUserFromGroup>(json!({"GroupName": "Ops", "UserName": "c1"})).await;
    assert_eq!(gone.0, "NoSuchEntityException");
    let inline = json!({"GroupName": "Ops", "PolicyName": "p", "PolicyDocument": ALLOW_ALL});
    world.root_does::<op::PutGroupPolicy>(inline).await;
    let in_use = world.root_refused::<op::DeleteGroup>(json!({"GroupName": "Ops"})).await;
    assert!(in_use.1.contains("must delete policies first"), "{}", in_use.1);
    world.root_does::<op::DeleteGroupPolicy>(json!({"GroupName": "Ops", "PolicyName": "p"})).await;
    world.root_does::<op::DeleteGroup>(json!({"GroupName": "Ops"})).await;
    let missing = world.root_refused::<op::GetGroup>(json!({"GroupName": "Ops"})).await;
    assert_eq!(missing.1, "The group with name Ops cannot be found.");
}

#[tokio::test]
async fn a_groups_policies_count_from_the_next_request_on() {
    let world = world().await;
    new_user(&world, "anna").await;
    let key = new_key(&world, "anna").await;
    let anna = world.principal(&key.access_key_id, None).await.unwrap();
    let effect = async || world.decide(&anna, "sagemaker:ListHubs", "*").await.effect;
    new_group(&world, "g").await;
    let inline = json!({"GroupName": "g", "PolicyName": "p", "PolicyDocument": statement("Allow", "sagemaker:*", "*")});
    world.root_does::<op::PutGroupPolicy>(inline).await;
    assert_eq!(effect().await, Effect::ImplicitDeny);
    join(&world, "anna", "g").await;
    assert_eq!(effect().await, Effect::Allow);
    let deny = json!({"GroupName": "g", "PolicyName": "no", "PolicyDocument": statement("Deny", "sagemaker:*", "*")});
    world.root_does::<op::PutGroupPolicy>(deny).await;
    let denied = world.decide(&anna, "sagemaker:ListHubs", "*").await;
    assert_eq!((denied.effect, denied.slot), (Effect::ExplicitDeny, Slot::Identity));
    assert_eq!(denied.matched.as_deref(), Some("g/no#It"));
    world.root_does::<op::DeleteGroupPolicy>(json!({"GroupName": "g", "PolicyName": "no"})).await;
    world.root_does::<op::DeleteGroupPolicy>(json!({"GroupName": "g", "PolicyName": "p"})).await;
    assert_eq!(effect().await, Effect::ImplicitDeny);
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    world.root_does::<op::AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": arn})).await;
    assert_eq!(effect().await, Effect::Allow);
    let attached = world.root_does::<op::ListAttachedGroupPolicies>(json!({"GroupName": "g"})).await;
    assert_eq!(attached.attached_policies.unwrap()[0].policy_arn.as_deref(), Some(arn));
    let own = world.root_does::<op::ListAttachedUserPolicies>(json!({"UserName": "anna"})).await;
    assert!(own.attached_policies.unwrap().is_empty());
    let policy = world.root_does::<op::GetPolicy>(json!({"PolicyArn": arn})).await.policy.unwrap();
    // The two roles that every account begins with have it too, or one of them here.
    assert_eq!(policy.attachment_count, Some(2));
    world.root_does::<op::RemoveUserFromGroup>(json!({"UserName": "anna", "GroupName": "g"})).await;
    assert_eq!(effect().await, Effect::ImplicitDeny);
}

#[tokio::test]
async fn a_customer_policy_on_a_group_is_counted_and_kept() {
    let world = world().await;
    new_group(&world, "g").await;
    let input = json!({"PolicyName": "p", "PolicyDocument": ALLOW_ALL});
    let arn = world.root_does::<op::CreatePolicy>(input).await.policy.unwrap().arn.unwrap();
    let attach = json!({"GroupName": "g", "PolicyArn": arn});
    world.root_does::<op::AttachGroupPolicy>(attach.clone()).await;
    assert_eq!(world.root_refused::<op::DeletePolicy>(json!({"PolicyArn": arn})).await.0, "DeleteConflictException");
    assert_eq!(world.root_refused::<op::DeleteGroup>(json!({"GroupName": "g"})).await.0, "DeleteConflictException");
    world.root_does::<op::DetachGroupPolicy>(attach.clone()).await;
    assert_eq!(world.root_refused::<op::DetachGroupPolicy>(attach).await.0, "NoSuchEntityException");
    world.root_does::<op::DeletePolicy>(json!({"PolicyArn": arn})).await;
}

#[tokio::test]
async fn a_user_is_in_ten_groups_and_leaves_them_before_it_goes() {
    let world = world().await;
    new_user(&world, "anna").await;
    for number in 0..11 {
        new_group(&world, &format!("g{number}")).await;
    }
    for number in 0..10 {
        join(&world, "anna", &format!("g{number}")).await;
    }
    let eleventh = world.root_refused::<op::AddUserToGroup>(json!({"UserName": "anna", "GroupName": "g10"})).await;
    let words = "Cannot exceed quota for GroupsPerUser: 10".to_owned();
    assert_eq!(eleventh, ("LimitExceededException".to_owned(), words));
    let page = world.root_does::<op::ListGroupsForUser>(json!({"UserName": "anna", "MaxItems": 7})).await;
    assert_eq!((page.groups.len(), page.is_truncated), (7, Some(true)));
    let conflict = world.root_refused::<op::DeleteUser>(json!({"UserName": "anna"})).await;
    assert_eq!(conflict.1, "Cannot delete entity, must remove users from group first.");
}

#[tokio::test]
async fn users_that_join_one_group_at_once_are_all_counted() {
    let world = std::sync::Arc::new(world().await);
    new_group(&world, "g").await;
    let mut tasks = Vec::new();
    for number in 0..8 {
        let world = std::sync::Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let name = format!("u{number}");
            new_user(&world, &name).await;
            join(&world, &name, "g").await;
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let users = world.root_does::<op::GetGroup>(json!({"GroupName": "g"})).await.users;
    assert_eq!(users.len(), 8);
    for user in users {
        let leave = json!({"GroupName": "g", "UserName": user.user_name});
        world.root_does::<op::RemoveUserFromGroup>(leave).await;
    }
    world.root_does::<op::DeleteGroup>(json!({"GroupName": "g"})).await;
}
