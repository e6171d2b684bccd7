//! New names and paths: everything that names the user or the group goes along.

use serde_json::json;
use stoa_models_iam::operations as op;
use stoa_policy::Effect;

use crate::groups::{join, new_group};
use crate::support::{ALLOW_ALL, code, statement, world};
use crate::users::{new_key, new_user, put_policy};

#[tokio::test]
async fn a_renamed_user_keeps_id_keys_groups_tags_and_rights() {
    let world = world().await;
    let old = new_user(&world, "anna").await;
    world.root_does::<op::TagUser>(json!({"UserName": "anna", "Tags": [{"Key": "k", "Value": "v"}]})).await;
    let key = new_key(&world, "anna").await;
    new_group(&world, "g").await;
    join(&world, "anna", "g").await;
    let inline =
        json!({"GroupName": "g", "PolicyName": "p", "PolicyDocument": statement("Allow", "s3:ListBucket", "*")});
    world.root_does::<op::PutGroupPolicy>(inline).await;
    put_policy(&world, "anna", "own", &statement("Allow", "iam:GetUser", "*")).await;
    // The key is known to the cache under the old name.
    assert_eq!(world.principal(&key.access_key_id, None).await.unwrap().arn, old.arn);
    let update = json!({"UserName": "anna", "NewUserName": "Bea", "NewPath": "/team/"});
    world.root_does::<op::UpdateUser>(update).await;
    let new = world.root_does::<op::GetUser>(json!({"UserName": "Bea"})).await.user;
    assert_eq!((&new.user_id, new.create_date), (&old.user_id, old.create_date));
    assert_eq!(new.arn, format!("arn:aws:iam::{}:user/team/Bea", world.management));
    assert_eq!(new.tags.unwrap()[0].key, "k");
    assert!(world.store.tags(&old.arn).await.unwrap().is_empty());
    assert_eq!(world.store.tags(&new.arn).await.unwrap().len(), 1);
    assert_eq!(world.root_refused::<op::GetUser>(json!({"UserName": "anna"})).await.0, "NoSuchEntityException");
    let again = world.restarted().await;
    for world in [&world, &again] {
        let bea = world.principal(&key.access_key_id, None).await.unwrap();
        assert_eq!(bea.arn, new.arn);
        assert_eq!(world.decide(&bea, "s3:ListBucket", "arn:aws:s3:::b").await.effect, Effect::Allow);
        assert_eq!(world.decide(&bea, "iam:GetUser", &new.arn).await.effect, Effect::Allow);
    }
    let keys = world.root_does::<op::ListAccessKeys>(json!({"UserName": "Bea"})).await.access_key_metadata;
    assert_eq!((keys.len(), keys[0].user_name.as_deref()), (1, Some("Bea")));
    let used = json!({"AccessKeyId": key.access_key_id});
    let used = world.root_does::<op::GetAccessKeyLastUsed>(used).await;
    assert_eq!(used.user_name.as_deref(), Some("Bea"));
    let members = world.root_does::<op::GetGroup>(json!({"GroupName": "g"})).await.users;
    assert_eq!(members[0].user_name, "Bea");
    world.root_does::<op::DeleteAccessKey>(json!({"UserName": "Bea", "AccessKeyId": key.access_key_id})).await;
    assert!(world.principal(&key.access_key_id, None).await.is_none());
    // The old name is free again.
    new_user(&world, "anna").await;
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_and_its_own_case_is_free() {
    let world = world().await;
    new_user(&world, "anna").await;
    new_user(&world, "bert").await;
    let key = new_key(&world, "anna").await;
    let taken = world.root_refused::<op::UpdateUser>(json!({"UserName": "anna", "NewUserName": "BERT"})).await;
    assert_eq!(taken, ("EntityAlreadyExistsException".to_owned(), "User with name BERT already exists.".to_owned()));
    world.root_does::<op::UpdateUser>(json!({"UserName": "anna", "NewUserName": "ANNA"})).await;
    let principal = world.principal(&key.access_key_id, None).await.unwrap();
    assert!(principal.arn.ends_with("user/ANNA"), "{}", principal.arn);
    let missing = world.root_refused::<op::UpdateUser>(json!({"UserName": "anna", "NewPath": "/x/"})).await;
    assert_eq!(missing.0, "NoSuchEntityException");
    new_group(&world, "g").await;
    new_group(&world, "h").await;
    let taken = world.root_refused::<op::UpdateGroup>(json!({"GroupName": "g", "NewGroupName": "H"})).await;
    assert_eq!(taken.1, "Group with name H already exists.");
}

#[tokio::test]
async fn a_renamed_group_keeps_members_and_rights() {
    let world = world().await;
    for name in ["anna", "bert"] {
        new_user(&world, name).await;
    }
    new_group(&world, "g").await;
    new_group(&world, "other").await;
    let id = world.root_does::<op::GetGroup>(json!({"GroupName": "g"})).await.group.group_id;
    for name in ["anna", "bert"] {
        join(&world, name, "other").await;
        join(&world, name, "g").await;
    }
    let inline = json!({"GroupName": "g", "PolicyName": "p", "PolicyDocument": ALLOW_ALL});
    world.root_does::<op::PutGroupPolicy>(inline).await;
    let key = new_key(&world, "anna").await;
    let anna = world.principal(&key.access_key_id, None).await.unwrap();
    assert_eq!(world.decide(&anna, "s3:ListBucket", "arn:aws:s3:::b").await.effect, Effect::Allow);
    let update = json!({"GroupName": "g", "NewGroupName": "New", "NewPath": "/p/"});
    world.root_does::<op::UpdateGroup>(update).await;
    let group = world.root_does::<op::GetGroup>(json!({"GroupName": "New"})).await;
    assert_eq!((group.group.group_id, group.users.len()), (id, 2));
    assert_eq!(group.group.arn, format!("arn:aws:iam::{}:group/p/New", world.management));
    assert_eq!(world.decide(&anna, "s3:ListBucket", "arn:aws:s3:::b").await.effect, Effect::Allow);
    let groups = world.root_does::<op::ListGroupsForUser>(json!({"UserName": "bert"})).await.groups;
    assert_eq!(groups.iter().map(|group| &*group.group_name).collect::<Vec<_>>(), ["New", "other"]);
    let old = world.root_refused::<op::GetGroup>(json!({"GroupName": "g"})).await;
    assert_eq!(old.0, "NoSuchEntityException");
}

#[tokio::test]
async fn a_rename_needs_the_right_to_both_names() {
    let world = world().await;
    new_user(&world, "anna").await;
    new_user(&world, "boss").await;
    let key = new_key(&world, "boss").await;
    let cx = world.cx(world.principal(&key.access_key_id, None).await.unwrap());
    let arn = |name: &str| format!("arn:aws:iam::{}:user/{name}", world.management);
    put_policy(&world, "boss", "p", &statement("Allow", "iam:UpdateUser", &arn("anna"))).await;
    let rename = || json!({"UserName": "anna", "NewUserName": "bea"});
    let refused = world.ask::<op::UpdateUser>(&cx, rename()).await.map(|_| ());
    assert_eq!(code(refused).0, "AccessDeniedException");
    put_policy(&world, "boss", "q", &statement("Allow", "iam:UpdateUser", &arn("bea"))).await;
    world.ask::<op::UpdateUser>(&cx, rename()).await.unwrap();
}
