//! Instance profiles and their one role.

use serde_json::json;
use stoa_models_iam::operations as op;

use crate::roles::new_role;
use crate::support::{code, statement, trusting, world};
use crate::users::{new_key, new_user, put_policy};

const EC2: &str = r#"{"Service":"ec2.amazonaws.com"}"#;

#[tokio::test]
async fn a_profile_holds_one_role_and_both_are_kept_while_it_does() {
    let world = world().await;
    new_role(&world, "r", &trusting(EC2)).await;
    new_role(&world, "s", &trusting(EC2)).await;
    let input = json!({"InstanceProfileName": "P", "Path": "/x/", "Tags": [{"Key": "k", "Value": "v"}]});
    let made = world.root_does::<op::CreateInstanceProfile>(input).await.instance_profile;
    assert_eq!(made.arn, format!("arn:aws:iam::{}:instance-profile/x/P", world.management));
    assert!(made.instance_profile_id.starts_with("AIPA") && made.roles.is_empty());
    let taken = world.root_refused::<op::CreateInstanceProfile>(json!({"InstanceProfileName": "p"})).await;
    assert_eq!(taken.1, "Instance Profile p already exists.");
    let with = |role: &str| json!({"InstanceProfileName": "P", "RoleName": role});
    world.root_does::<op::AddRoleToInstanceProfile>(with("r")).await;
    let second = world.root_refused::<op::AddRoleToInstanceProfile>(with("s")).await;
    assert_eq!(second.1, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
    let got = world.root_does::<op::GetInstanceProfile>(json!({"InstanceProfileName": "P"})).await.instance_profile;
    assert_eq!((got.roles[0].role_name.as_str(), got.tags.unwrap().len()), ("r", 1));
    let of_role = world.root_does::<op::ListInstanceProfilesForRole>(json!({"RoleName": "r"})).await;
    assert_eq!(of_role.instance_profiles[0].instance_profile_name, "P");
    let listed = world.root_does::<op::ListInstanceProfiles>(json!({"PathPrefix": "/x/"})).await;
    assert_eq!(listed.instance_profiles.len(), 1);
    let words = "must remove roles from instance profile first";
    let role = world.root_refused::<op::DeleteRole>(json!({"RoleName": "r"})).await;
    let profile = world.root_refused::<op::DeleteInstanceProfile>(json!({"InstanceProfileName": "P"})).await;
    for (code, message) in [role, profile] {
        assert!(code == "DeleteConflictException" && message.contains(words), "{code} {message}");
    }
    assert_eq!(world.root_refused::<op::RemoveRoleFromInstanceProfile>(with("s")).await.0, "NoSuchEntityException");
    world.root_does::<op::RemoveRoleFromInstanceProfile>(with("r")).await;
    world.root_does::<op::DeleteRole>(json!({"RoleName": "r"})).await;
    let untag = json!({"InstanceProfileName": "P", "TagKeys": ["k"]});
    world.root_does::<op::UntagInstanceProfile>(untag).await;
    world
        .root_does::<op::TagInstanceProfile>(json!({"InstanceProfileName": "P", "Tags": [{"Key": "z", "Value": ""}]}))
        .await;
    let tags = world.root_does::<op::ListInstanceProfileTags>(json!({"InstanceProfileName": "P"})).await.tags;
    assert_eq!(tags.iter().map(|tag| &*tag.key).collect::<Vec<_>>(), ["z"]);
    world.root_does::<op::DeleteInstanceProfile>(json!({"InstanceProfileName": "P"})).await;
    assert!(world.store.tags(&made.arn).await.unwrap().is_empty());
    let gone = world.root_refused::<op::GetInstanceProfile>(json!({"InstanceProfileName": "P"})).await;
    assert_eq!(gone.1, "Instance Profile P cannot be found.");
}

#[tokio::test]
async fn adding_a_role_needs_the_right_to_pass_it_to_ec2() {
    let world = world().await;
    new_role(&world, "r", &trusting(EC2)).await;
    world.root_does::<op::CreateInstanceProfile>(json!({"InstanceProfileName": "p"})).await;
    new_user(&world, "anna").await;
    put_policy(&world, "anna", "p", &statement("Allow", "iam:AddRoleToInstanceProfile", "*")).await;
    let key = new_key(&world, "anna").await;
    let cx = world.cx(world.principal(&key.access_key_id, None).await.unwrap());
    let add = || json!({"InstanceProfileName": "p", "RoleName": "r"});
    let refused = world.ask::<op::AddRoleToInstanceProfile>(&cx, add()).await.map(|_| ()).unwrap_err();
    assert!(refused.message().contains("iam:PassRole"), "{}", refused.message());
    let pass = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}});
    put_policy(&world, "anna", "pass", &pass.to_string()).await;
    world.ask::<op::AddRoleToInstanceProfile>(&cx, add()).await.unwrap();
    let delete = world.ask::<op::DeleteRole>(&cx, json!({"RoleName": "r"})).await.map(|_| ());
    assert_eq!(code(delete).0, "AccessDeniedException");
}
