//! Permissions: AWS's, a customer's own with versions, and shares that go from one to another.

use stoa_models_ram::operations as op;
use stoa_models_ram::types::*;

use crate::support::*;

const DESCRIBE: &str = "sagemaker:DescribeHub";
const DEPLOY: &str = "sagemaker:DeployHubModel";
const URLS: &str = "sagemaker:CreateHubContentPresignedUrls";

fn template(actions: &[&str]) -> String {
    serde_json::json!({ "Effect": "Allow", "Action": actions }).to_string()
}

async fn create(world: &World, owner: &stoa_kernel::Cx, name: &str, template: &str) -> String {
    let request = CreatePermissionRequest {
        name: name.to_owned(),
        resource_type: "SageMaker:hub".to_owned(),
        policy_template: template.to_owned(),
        ..Default::default()
    };
    let made = world.call::<op::CreatePermission>(owner, request).await.unwrap().permission.unwrap();
    assert_eq!(made.resource_type.as_deref(), Some(HUB_TYPE));
    assert_eq!(made.version.as_deref(), Some("1"));
    made.arn.unwrap()
}

async fn new_version(world: &World, owner: &stoa_kernel::Cx, arn: &str, template: &str) -> Option<String> {
    let request = CreatePermissionVersionRequest {
        permission_arn: arn.to_owned(),
        policy_template: template.to_owned(),
        ..Default::default()
    };
    let made = world.call::<op::CreatePermissionVersion>(owner, request).await.unwrap();
    made.permission.unwrap().version
}

fn attach(share: &ResourceShare, permission: &str, replace: bool) -> AssociateResourceSharePermissionRequest {
    AssociateResourceSharePermissionRequest {
        resource_share_arn: arn(share),
        permission_arn: permission.to_owned(),
        replace: Some(replace),
        ..Default::default()
    }
}

#[tokio::test]
async fn awss_permissions_are_listed_and_read() {
    let world = world().await;
    let owner = world.member().await;
    let request = ListPermissionsRequest { resource_type: Some("sagemaker:hub".to_owned()), ..Default::default() };
    let listed = world.call::<op::ListPermissions>(&owner, request).await.unwrap().permissions.unwrap();
    let names: Vec<_> = listed.iter().map(|one| (one.arn.as_deref().unwrap(), one.is_resource_type_default)).collect();
    assert_eq!(names, [(FULL, Some(false)), (READ, Some(true)), (USE, Some(false))]);
    let get = |arn: &str| GetPermissionRequest { permission_arn: arn.to_owned(), ..Default::default() };
    let found = world.call::<op::GetPermission>(&owner, get(USE)).await.unwrap().permission.unwrap();
    let template: serde_json::Value = serde_json::from_str(&found.permission.unwrap()).unwrap();
    assert!(template["Action"].as_array().unwrap().contains(&DEPLOY.into()));
    refused(
        world.call::<op::GetPermission>(&owner, get(&format!("{READ}s"))).await,
        "UnknownResourceException",
        "could not be found",
    );
    let change = CreatePermissionVersionRequest {
        permission_arn: READ.to_owned(),
        policy_template: self::template(&[DESCRIBE]),
        ..Default::default()
    };
    let refusal = world.call::<op::CreatePermissionVersion>(&owner, change).await;
    refused(refusal, "OperationNotPermittedException", "managed by AWS");
    let types = world.call::<op::ListResourceTypes>(&owner, Default::default()).await.unwrap();
    assert_eq!(types.resource_types.unwrap()[0].resource_type.as_deref(), Some(HUB_TYPE));
}

#[tokio::test]
async fn a_share_lets_do_exactly_what_its_permission_says() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let own = create(&world, &owner, "urls", &template(&[DESCRIBE, URLS])).await;
    let share = world.share_by(&owner, &[&hub], &[id(&consumer)], &[&own]).await.unwrap();
    world.accept(&consumer).await.unwrap();
    for (action, allowed) in [(DESCRIBE, true), (URLS, true), (DEPLOY, false), ("sagemaker:DeleteHub", false)] {
        assert_eq!(world.may(&consumer, action, &content(&hub)).await, allowed, "{action}");
    }
    refused(
        world.call::<op::AssociateResourceSharePermission>(&owner, attach(&share, FULL, false)).await,
        "InvalidParameterException",
        "set replace",
    );
    world.call::<op::AssociateResourceSharePermission>(&owner, attach(&share, FULL, true)).await.unwrap();
    for (action, allowed) in [
        (DESCRIBE, true),
        (URLS, false),
        (DEPLOY, true),
        ("sagemaker:ImportHubContent", true),
        ("sagemaker:DeleteHub", false),
    ] {
        assert_eq!(world.may(&consumer, action, &content(&hub)).await, allowed, "{action}");
    }
    let off = DisassociateResourceSharePermissionRequest {
        resource_share_arn: arn(&share),
        permission_arn: FULL.to_owned(),
        client_token: None,
    };
    refused(
        world.call::<op::DisassociateResourceSharePermission>(&owner, off).await,
        "InvalidStateTransitionException",
        "must have a permission",
    );
}

#[tokio::test]
async fn two_permissions_for_one_type_and_anothers_permission_are_refused() {
    let world = world().await;
    let (owner, other) = (world.member().await, world.member().await);
    let hub = world.hub(&owner, "models");
    refused(
        world.share_by(&owner, &[&hub], &[], &[READ, USE]).await,
        "InvalidParameterException",
        "one permission for a resource type",
    );
    let theirs = create(&world, &other, "theirs", &template(&[DESCRIBE])).await;
    refused(world.share_by(&owner, &[&hub], &[], &[&theirs]).await, "UnknownResourceException", "could not be found");
}

#[tokio::test]
async fn shares_keep_their_version_until_they_are_moved() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let own = create(&world, &owner, "mine", &template(&[DESCRIBE])).await;
    let share = world.share_by(&owner, &[&hub], &[id(&consumer)], &[&own]).await.unwrap();
    world.accept(&consumer).await.unwrap();
    assert_eq!(new_version(&world, &owner, &own, &template(&[DESCRIBE, DEPLOY])).await.as_deref(), Some("2"));
    assert!(!world.may(&consumer, DEPLOY, &hub).await);
    let delete = |version| DeletePermissionVersionRequest {
        permission_arn: own.clone(),
        permission_version: version,
        client_token: None,
    };
    for (version, words) in [(1, "associated with a resource share"), (2, "default")] {
        let refusal = world.call::<op::DeletePermissionVersion>(&owner, delete(version)).await;
        refused(refusal, "OperationNotPermittedException", words);
    }
    refused(
        world.call::<op::DeletePermissionVersion>(&owner, delete(9)).await,
        "InvalidParameterException",
        "does not exist",
    );
    let whole = DeletePermissionRequest { permission_arn: own.clone(), client_token: None };
    refused(
        world.call::<op::DeletePermission>(&owner, whole.clone()).await,
        "OperationNotPermittedException",
        "associated with a resource share",
    );
    let old = AssociateResourceSharePermissionRequest { permission_version: Some(1), ..attach(&share, &own, true) };
    refused(
        world.call::<op::AssociateResourceSharePermission>(&owner, old).await,
        "InvalidParameterException",
        "Only version 2",
    );
    world.call::<op::AssociateResourceSharePermission>(&owner, attach(&share, &own, true)).await.unwrap();
    assert!(world.may(&consumer, DEPLOY, &hub).await);
    world.call::<op::DeletePermissionVersion>(&owner, delete(1)).await.unwrap();
    let versions = ListPermissionVersionsRequest { permission_arn: own.clone(), ..Default::default() };
    let versions = world.call::<op::ListPermissionVersions>(&owner, versions).await.unwrap().permissions.unwrap();
    assert_eq!(versions.len(), 1);
    world.delete(&owner, &share).await.unwrap();
    let deleted = world.call::<op::DeletePermission>(&owner, whole).await.unwrap();
    assert_eq!(deleted.permission_status, Some(PermissionStatus::Deleted));
}

#[tokio::test]
async fn five_versions_at_most_and_any_of_them_the_default() {
    let world = world().await;
    let owner = world.member().await;
    let own = create(&world, &owner, "mine", &template(&[DESCRIBE])).await;
    for version in 2..=5 {
        assert_eq!(new_version(&world, &owner, &own, &template(&[DESCRIBE])).await, Some(version.to_string()));
    }
    let sixth = CreatePermissionVersionRequest {
        permission_arn: own.clone(),
        policy_template: template(&[DESCRIBE]),
        ..Default::default()
    };
    let refusal = world.call::<op::CreatePermissionVersion>(&owner, sixth).await;
    refused(refusal, "PermissionVersionsLimitExceededException", "5 versions");
    let default =
        SetDefaultPermissionVersionRequest { permission_arn: own.clone(), permission_version: 3, client_token: None };
    world.call::<op::SetDefaultPermissionVersion>(&owner, default).await.unwrap();
    let get = GetPermissionRequest { permission_arn: own.clone(), ..Default::default() };
    let found = world.call::<op::GetPermission>(&owner, get).await.unwrap().permission.unwrap();
    assert_eq!((found.version.as_deref(), found.default_version), (Some("3"), Some(true)));
    let again = CreatePermissionRequest {
        name: "mine".to_owned(),
        resource_type: HUB_TYPE.to_owned(),
        policy_template: template(&[DESCRIBE]),
        ..Default::default()
    };
    refused(
        world.call::<op::CreatePermission>(&owner, again.clone()).await,
        "PermissionAlreadyExistsException",
        "already exists",
    );
    let odd = CreatePermissionRequest { name: "n".to_owned(), resource_type: "ec2:Subnet".to_owned(), ..again };
    refused(world.call::<op::CreatePermission>(&owner, odd).await, "InvalidParameterException", "ec2:Subnet");
}

#[tokio::test]
async fn one_permission_in_place_of_another_in_every_share() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let mut hubs = Vec::new();
    for name in ["one", "two"] {
        let hub = world.hub(&owner, name);
        world.share(&owner, &[&hub], &[id(&consumer)]).await;
        hubs.push(hub);
    }
    for invitation in world.invitations(&consumer).await {
        world.accept_by(&consumer, invitation.resource_share_invitation_arn.as_ref().unwrap()).await.unwrap();
    }
    let request = ReplacePermissionAssociationsRequest {
        from_permission_arn: READ.to_owned(),
        to_permission_arn: USE.to_owned(),
        ..Default::default()
    };
    let work = world.call::<op::ReplacePermissionAssociations>(&owner, request).await.unwrap();
    let work = work.replace_permission_associations_work.unwrap();
    assert_eq!(work.status, Some(ReplacePermissionAssociationsWorkStatus::Completed));
    for hub in &hubs {
        assert!(world.may(&consumer, DEPLOY, hub).await);
    }
    let works = world.call::<op::ListReplacePermissionAssociationsWork>(&owner, Default::default()).await.unwrap();
    assert_eq!(works.replace_permission_associations_works.unwrap(), [work]);
    let uses = ListPermissionAssociationsRequest { permission_arn: Some(USE.to_owned()), ..Default::default() };
    let uses = world.call::<op::ListPermissionAssociations>(&owner, uses).await.unwrap().permissions.unwrap();
    assert_eq!(uses.len(), 2);
    // A day later the next one takes its place.
    let back = ReplacePermissionAssociationsRequest {
        from_permission_arn: USE.to_owned(),
        to_permission_arn: READ.to_owned(),
        ..Default::default()
    };
    for (later, seen) in [(24 * HOUR - 1, 2), (1, 2)] {
        world.clock.advance_millis(later);
        world.call::<op::ReplacePermissionAssociations>(&owner, back.clone()).await.unwrap();
        let works = world.call::<op::ListReplacePermissionAssociationsWork>(&owner, Default::default()).await.unwrap();
        assert_eq!(works.replace_permission_associations_works.unwrap().len(), seen);
    }
}

#[tokio::test]
async fn a_permission_may_have_conditions() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let template = serde_json::json!({
        "Effect": "Allow",
        "Action": [DESCRIBE],
        "Condition": { "StringEquals": { "aws:PrincipalArn": format!("arn:aws:iam::{}:user/one", id(&consumer)) } },
    });
    let own = create(&world, &owner, "some", &template.to_string()).await;
    world.share_by(&owner, &[&hub], &[id(&consumer)], &[&own]).await.unwrap();
    world.accept(&consumer).await.unwrap();
    let one = world.user(&consumer, "one", &allow(r#""*""#, "*")).await;
    let two = world.user(&consumer, "two", &allow(r#""*""#, "*")).await;
    assert!(world.may(&one, DESCRIBE, &hub).await);
    assert!(!world.may(&two, DESCRIBE, &hub).await);
}
