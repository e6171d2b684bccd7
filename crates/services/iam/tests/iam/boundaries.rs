//! Permissions boundaries of users and roles, the tags of users and policies, and who has a policy.

use serde_json::json;
use stoa_models_iam::operations as op;
use stoa_policy::{Effect, Slot};

use crate::groups::new_group;
use crate::roles::new_role;
use crate::support::{ALLOW_ALL, World, code, statement, trusting, world};
use crate::users::{new_key, new_user, put_policy};

async fn new_policy(world: &World, name: &str, document: &str) -> String {
    let input = json!({"PolicyName": name, "PolicyDocument": document});
    world.root_does::<op::CreatePolicy>(input).await.policy.unwrap().arn.unwrap()
}

async fn boundary_count(world: &World, arn: &str) -> Option<i64> {
    let policy = world.root_does::<op::GetPolicy>(json!({"PolicyArn": arn})).await.policy.unwrap();
    policy.permissions_boundary_usage_count
}

#[tokio::test]
async fn a_boundary_is_set_replaced_counted_and_taken_away() {
    let world = world().await;
    new_user(&world, "anna").await;
    put_policy(&world, "anna", "all", ALLOW_ALL).await;
    let key = new_key(&world, "anna").await;
    let anna = world.principal(&key.access_key_id, None).await.unwrap();
    let first = new_policy(&world, "first", &statement("Allow", "s3:*", "*")).await;
    let second = new_policy(&world, "second", &statement("Allow", "iam:*", "*")).await;
    let put = |arn: &str| json!({"UserName": "anna", "PermissionsBoundary": arn});
    world.root_does::<op::PutUserPermissionsBoundary>(put(&first)).await;
    world.root_does::<op::PutUserPermissionsBoundary>(put(&first)).await;
    let denied = world.decide(&anna, "iam:ListUsers", "*").await;
    assert_eq!((denied.effect, denied.slot), (Effect::ImplicitDeny, Slot::Boundary));
    assert_eq!(boundary_count(&world, &first).await, Some(1));
    let user = world.root_does::<op::GetUser>(json!({"UserName": "anna"})).await.user;
    assert_eq!(user.permissions_boundary.unwrap().permissions_boundary_arn, Some(first.clone()));
    world.root_does::<op::PutUserPermissionsBoundary>(put(&second)).await;
    assert_eq!(world.decide(&anna, "iam:ListUsers", "*").await.effect, Effect::Allow);
    assert_eq!((boundary_count(&world, &first).await, boundary_count(&world, &second).await), (Some(0), Some(1)));
    assert_eq!(world.root_refused::<op::DeletePolicy>(json!({"PolicyArn": second})).await.0, "DeleteConflictException");
    for _ in 0..2 {
        world.root_does::<op::DeleteUserPermissionsBoundary>(json!({"UserName": "anna"})).await;
    }
    assert_eq!(world.decide(&anna, "s3:ListAllMyBuckets", "*").await.effect, Effect::Allow);
    world.root_does::<op::DeletePolicy>(json!({"PolicyArn": second})).await;
    let gone = world.root_refused::<op::PutUserPermissionsBoundary>(put(&second)).await;
    assert_eq!(gone.1, format!("Scope ARN: {second} does not exist or is not attachable."));
    let service = "arn:aws:iam::aws:policy/aws-service-role/AmazonSageMakerNotebooksServiceRolePolicy";
    let refused = world.root_refused::<op::PutUserPermissionsBoundary>(put(service)).await;
    assert_eq!(refused.0, "PolicyNotAttachableException");
}

#[tokio::test]
async fn the_boundary_that_is_set_is_a_condition_key() {
    let world = world().await;
    let good = new_policy(&world, "good", ALLOW_ALL).await;
    let bad = new_policy(&world, "bad", ALLOW_ALL).await;
    new_role(&world, "r", &trusting(r#"{"Service":"sagemaker.amazonaws.com"}"#)).await;
    new_user(&world, "boss").await;
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iam:PutRolePermissionsBoundary", "Resource": "*",
         "Condition": {"ArnEquals": {"iam:PermissionsBoundary": good}}},
        {"Effect": "Allow", "Action": "iam:AttachGroupPolicy", "Resource": "*",
         "Condition": {"ArnEquals": {"iam:PolicyARN": good}}},
        {"Effect": "Allow", "Action": "iam:TagPolicy", "Resource": "*",
         "Condition": {"StringEquals": {"aws:RequestTag/team": "a"}, "ForAllValues:StringEquals": {"aws:TagKeys": "team"}}},
        {"Effect": "Allow", "Action": "iam:GetPolicy", "Resource": "*",
         "Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}}}]});
    put_policy(&world, "boss", "p", &document.to_string()).await;
    let key = new_key(&world, "boss").await;
    let cx = world.cx(world.principal(&key.access_key_id, None).await.unwrap());
    let put = |arn: &str| json!({"RoleName": "r", "PermissionsBoundary": arn});
    let refused = world.ask::<op::PutRolePermissionsBoundary>(&cx, put(&bad)).await.map(|_| ());
    assert_eq!(code(refused).0, "AccessDeniedException");
    world.ask::<op::PutRolePermissionsBoundary>(&cx, put(&good)).await.unwrap();
    new_group(&world, "g").await;
    let attach = |arn: &str| json!({"GroupName": "g", "PolicyArn": arn});
    let refused = world.ask::<op::AttachGroupPolicy>(&cx, attach(&bad)).await.map(|_| ());
    assert_eq!(code(refused).0, "AccessDeniedException");
    world.ask::<op::AttachGroupPolicy>(&cx, attach(&good)).await.unwrap();
    let get = || json!({"PolicyArn": good});
    assert_eq!(code(world.ask::<op::GetPolicy>(&cx, get()).await.map(|_| ())).0, "AccessDeniedException");
    let tag = |key: &str| json!({"PolicyArn": good, "Tags": [{"Key": key, "Value": "a"}]});
    assert_eq!(code(world.ask::<op::TagPolicy>(&cx, tag("x")).await.map(|_| ())).0, "AccessDeniedException");
    world.ask::<op::TagPolicy>(&cx, tag("team")).await.unwrap();
    world.ask::<op::GetPolicy>(&cx, get()).await.unwrap();
}

#[tokio::test]
async fn policies_and_users_have_tags() {
    let world = world().await;
    let arn = new_policy(&world, "p", ALLOW_ALL).await;
    let tags = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    world.root_does::<op::TagPolicy>(json!({"PolicyArn": arn, "Tags": tags})).await;
    world.root_does::<op::UntagPolicy>(json!({"PolicyArn": arn, "TagKeys": ["A"]})).await;
    let left = world.root_does::<op::ListPolicyTags>(json!({"PolicyArn": arn})).await.tags;
    assert_eq!(left.iter().map(|tag| &*tag.key).collect::<Vec<_>>(), ["b"]);
    assert_eq!(world.store.tags(&arn).await.unwrap().len(), 1);
    let managed = json!({"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "Tags": tags});
    assert_eq!(world.root_refused::<op::TagPolicy>(managed).await.0, "AccessDeniedException");
    new_user(&world, "anna").await;
    world.root_does::<op::TagUser>(json!({"UserName": "anna", "Tags": tags})).await;
    world.root_does::<op::UntagUser>(json!({"UserName": "anna", "TagKeys": ["b"]})).await;
    let left = world.root_does::<op::ListUserTags>(json!({"UserName": "anna"})).await;
    assert_eq!((left.tags.len(), left.tags[0].value.as_str()), (1, "1"));
}

#[tokio::test]
async fn those_who_have_a_policy_are_listed_by_filter_and_page() {
    let world = world().await;
    let arn = new_policy(&world, "p", &statement("Allow", "s3:*", "*")).await;
    new_group(&world, "g").await;
    world.root_does::<op::AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": arn})).await;
    new_user(&world, "anna").await;
    world.root_does::<op::PutUserPermissionsBoundary>(json!({"UserName": "anna", "PermissionsBoundary": arn})).await;
    new_role(&world, "r", &trusting(r#"{"Service":"sagemaker.amazonaws.com"}"#)).await;
    world.root_does::<op::AttachRolePolicy>(json!({"RoleName": "r", "PolicyArn": arn})).await;
    let names = async |mut input: serde_json::Value| {
        input["PolicyArn"] = json!(arn);
        let found = world.root_does::<op::ListEntitiesForPolicy>(input).await;
        let groups = found.policy_groups.unwrap().into_iter().filter_map(|group| group.group_name);
        let users = found.policy_users.unwrap().into_iter().filter_map(|user| user.user_name);
        let roles = found.policy_roles.unwrap().into_iter().filter_map(|role| role.role_name);
        (groups.chain(users).chain(roles).collect::<Vec<_>>(), found.marker)
    };
    assert_eq!(names(json!({})).await.0, ["g", "anna", "r"]);
    assert_eq!(names(json!({"EntityFilter": "Role"})).await.0, ["r"]);
    assert_eq!(names(json!({"PolicyUsageFilter": "PermissionsBoundary"})).await.0, ["anna"]);
    assert_eq!(names(json!({"PolicyUsageFilter": "PermissionsPolicy", "EntityFilter": "User"})).await.0.len(), 0);
    assert_eq!(names(json!({"PathPrefix": "/none/"})).await.0.len(), 0);
    let (first, marker) = names(json!({"MaxItems": 2})).await;
    let (rest, end) = names(json!({"Marker": marker})).await;
    assert_eq!((first.len(), rest.len(), end), (2, 1, None));
    let missing = json!({"PolicyArn": format!("arn:aws:iam::{}:policy/none", world.management)});
    assert_eq!(world.root_refused::<op::ListEntitiesForPolicy>(missing).await.0, "NoSuchEntityException");
}

#[tokio::test]
async fn the_policies_that_give_a_service_are_told() {
    let world = world().await;
    let user = new_user(&world, "anna").await;
    put_policy(&world, "anna", "own", &statement("Allow", "s3:GetObject", "*")).await;
    put_policy(&world, "anna", "none", &statement("Deny", "kms:*", "*")).await;
    new_group(&world, "g").await;
    let inline = json!({"GroupName": "g", "PolicyName": "in-g", "PolicyDocument": statement("Allow", "s3:*", "*")});
    world.root_does::<op::PutGroupPolicy>(inline).await;
    let all = "arn:aws:iam::aws:policy/AdministratorAccess";
    world.root_does::<op::AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": all})).await;
    world.root_does::<op::AddUserToGroup>(json!({"GroupName": "g", "UserName": "anna"})).await;
    let input = json!({"Arn": user.arn, "ServiceNamespaces": ["s3", "kms"]});
    let found = world.root_does::<op::ListPoliciesGrantingServiceAccess>(input).await;
    let of = |index: usize| found.policies_granting_service_access[index].policies.clone().unwrap();
    let names = |index: usize| of(index).into_iter().map(|policy| policy.policy_name).collect::<Vec<_>>();
    assert_eq!(names(0), ["own", "in-g", "AdministratorAccess"]);
    assert_eq!(names(1), ["AdministratorAccess"]);
    assert_eq!((of(0)[1].entity_name.as_deref(), of(0)[2].policy_arn.as_deref()), (Some("g"), Some(all)));
}
