//! The other side: what a consumer's principals may do, see and leave.

use stoa_models_ram::operations as op;
use stoa_models_ram::types::*;

use crate::support::*;

const DESCRIBE: &str = "sagemaker:DescribeHub";

#[tokio::test]
async fn a_share_gives_nothing_that_the_consumers_own_policies_do_not() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    let nobody = world.user(&consumer, "nobody", "").await;
    let reader = world.user(&consumer, "reader", &allow(r#""sagemaker:Describe*""#, &hub)).await;
    assert!(!world.may(&reader, DESCRIBE, &hub).await);
    world.accept(&consumer).await.unwrap();
    assert!(world.may(&reader, DESCRIBE, &hub).await);
    assert!(!world.may(&nobody, DESCRIBE, &hub).await);
    assert!(!world.may(&reader, DESCRIBE, &content(&hub)).await);
}

#[tokio::test]
async fn a_share_with_one_user_lets_in_that_user_alone() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let one = world.user(&consumer, "one", &allow(r#""sagemaker:*""#, "*")).await;
    let two = world.user(&consumer, "two", &allow(r#""sagemaker:*""#, "*")).await;
    world.share(&owner, &[&hub], &[&one.principal.arn]).await;
    let invitation = world.invitations(&consumer).await;
    assert_eq!(invitation[0].receiver_arn.as_deref(), Some(&*one.principal.arn));
    world.accept(&consumer).await.unwrap();
    assert!(world.may(&one, DESCRIBE, &hub).await);
    assert!(!world.may(&two, DESCRIBE, &hub).await);
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
}

#[tokio::test]
async fn both_sides_see_whom_they_share_with() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let share = world.share(&owner, &[&hub], &[id(&consumer)]).await;
    let principals = |owner| ListPrincipalsRequest { resource_owner: owner, ..of_owner(owner) };
    let listed = world.call::<op::ListPrincipals>(&owner, principals(ResourceOwner::SelfValue)).await.unwrap();
    assert!(listed.principals.unwrap().is_empty(), "the invitation waits");
    world.accept(&consumer).await.unwrap();
    let listed = world.call::<op::ListPrincipals>(&owner, principals(ResourceOwner::SelfValue)).await.unwrap();
    let listed = listed.principals.unwrap();
    assert_eq!(listed[0].id.as_deref(), Some(id(&consumer)));
    assert_eq!(listed[0].external, Some(true));
    let listed = world.call::<op::ListPrincipals>(&consumer, principals(ResourceOwner::OtherAccounts)).await.unwrap();
    assert_eq!(listed.principals.unwrap()[0].id.as_deref(), Some(id(&owner)));
    let of = ListResourceSharePermissionsRequest { resource_share_arn: arn(&share), ..Default::default() };
    let permissions = world.call::<op::ListResourceSharePermissions>(&consumer, of.clone()).await.unwrap();
    assert_eq!(permissions.permissions.unwrap()[0].arn.as_deref(), Some(READ));
    let other = world.outsider().await;
    let refusal = world.call::<op::ListResourceSharePermissions>(&other, of).await;
    refused(refusal, "AccessDeniedException", "not authorized");
    // Tags are the owner's.
    let theirs = GetResourceSharesRequest {
        resource_owner: ResourceOwner::OtherAccounts,
        ..of_owner(ResourceOwner::OtherAccounts)
    };
    let theirs = world.call::<op::GetResourceShares>(&consumer, theirs).await.unwrap();
    assert_eq!(theirs.resource_shares.unwrap()[0].tags, None);
}

#[tokio::test]
async fn a_consumer_leaves_what_it_was_invited_to() {
    let world = world().await;
    let (owner, consumer, other) = (world.member().await, world.outsider().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let share = arn(&world.share(&owner, &[&hub], &[id(&consumer), id(&other)]).await);
    world.accept(&consumer).await.unwrap();
    world.accept(&other).await.unwrap();
    refused(world.take_out(&consumer, &share, &[id(&other)]).await, "AccessDeniedException", "not authorized");
    world.take_out(&consumer, &share, &[id(&consumer)]).await.unwrap();
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    assert!(world.may(&other, DESCRIBE, &hub).await);

    world.enable().await;
    let member = world.member().await;
    let share = arn(&world.share(&owner, &[&hub], &[id(&member)]).await);
    refused(
        world.take_out(&member, &share, &[id(&member)]).await,
        "OperationNotPermittedException",
        "your organization",
    );
}

#[tokio::test]
async fn a_share_is_of_its_region() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    let elsewhere = world.cx_in(std::sync::Arc::clone(&consumer.principal), "eu-west-1");
    assert!(world.invitations(&elsewhere).await.is_empty());
    world.accept(&consumer).await.unwrap();
    assert!(world.shares(&elsewhere, ResourceOwner::OtherAccounts).await.is_empty());
}

#[tokio::test]
async fn the_policy_of_a_resource_is_what_is_decided_by() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let get = |arn: &str| GetResourcePoliciesRequest { resource_arns: vec![arn.to_owned()], ..Default::default() };
    refused(
        world.call::<op::GetResourcePolicies>(&owner, get(&hub)).await,
        "ResourceArnNotFoundException",
        "not shared",
    );
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    world.accept(&consumer).await.unwrap();
    let policies = world.call::<op::GetResourcePolicies>(&owner, get(&hub)).await.unwrap().policies.unwrap();
    let policy: serde_json::Value = serde_json::from_str(&policies[0]).unwrap();
    let contents = format!("{}/*", hub.replace(":hub/", ":hub-content/"));
    assert_eq!(policy["Statement"][0]["Resource"], serde_json::json!([hub, contents]));
    let root = format!("arn:aws:iam::{}:root", id(&consumer));
    assert_eq!(policy["Statement"][0]["Principal"]["AWS"], serde_json::json!([root]));
    refused(
        world.call::<op::GetResourcePolicies>(&consumer, get(&hub)).await,
        "ResourceArnNotFoundException",
        "not shared",
    );
}
