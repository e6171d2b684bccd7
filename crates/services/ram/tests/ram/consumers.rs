//! The other side: what a consumer's principals may do, see and leave.

use stoa_kernel::Target;
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
async fn a_consumer_does_not_find_out_the_owners_tags() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let request = CreateResourceShareRequest {
        name: "models".to_owned(),
        principals: owned(&[id(&consumer)]),
        tags: Some(vec![Tag { key: Some("project".to_owned()), value: Some("secret".to_owned()) }]),
        ..Default::default()
    };
    world.call::<op::CreateResourceShare>(&owner, request).await.unwrap();
    world.accept(&consumer).await.unwrap();
    let by_tag = |owner, values: &[&str]| GetResourceSharesRequest {
        tag_filters: Some(vec![TagFilter { tag_key: Some("project".to_owned()), tag_values: owned(values) }]),
        ..of_owner(owner)
    };
    for values in [&["secret"][..], &[]] {
        let asked = by_tag(ResourceOwner::SelfValue, values);
        let found = world.call::<op::GetResourceShares>(&owner, asked).await.unwrap();
        assert_eq!(found.resource_shares.unwrap().len(), 1);
        let asked = by_tag(ResourceOwner::OtherAccounts, values);
        let found = world.call::<op::GetResourceShares>(&consumer, asked).await.unwrap();
        assert!(found.resource_shares.unwrap().is_empty());
    }
}

#[tokio::test]
async fn who_shares_is_external_to_those_outside_its_organization_alone() {
    let world = world().await;
    let (owner, member, outsider) = (world.member().await, world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    world.share(&owner, &[&hub], &[id(&member), id(&outsider)]).await;
    for (consumer, external) in [(&member, false), (&outsider, true)] {
        world.accept(consumer).await.unwrap();
        let request = of_owner::<ListPrincipalsRequest>(ResourceOwner::OtherAccounts);
        let listed = world.call::<op::ListPrincipals>(consumer, request).await.unwrap().principals.unwrap();
        assert_eq!((listed[0].id.as_deref(), listed[0].external), (Some(id(&owner)), Some(external)));
    }
}

#[tokio::test]
async fn a_consumer_that_was_invited_by_its_user_or_role_leaves() {
    let world = world().await;
    let (owner, consumer, other) = (world.member().await, world.outsider().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let one = world.user(&consumer, "one", &allow(r#""*""#, "*")).await;
    let role = format!("arn:aws:iam::{}:role/service/Reader", id(&consumer));
    let theirs = format!("arn:aws:iam::{}:role/Reader", id(&other));
    let share = arn(&world.share(&owner, &[&hub], &[&one.principal.arn, &role, &theirs]).await);
    for invitation in world.invitations(&consumer).await {
        world.accept_by(&consumer, invitation.resource_share_invitation_arn.as_ref().unwrap()).await.unwrap();
    }
    refused(world.take_out(&consumer, &share, &[&theirs]).await, "AccessDeniedException", "not authorized");
    world.take_out(&consumer, &share, &[&one.principal.arn]).await.unwrap();
    assert!(!world.may(&one, DESCRIBE, &hub).await);
    assert_eq!(world.shares(&consumer, ResourceOwner::OtherAccounts).await.len(), 1, "the role is in it still");
    // By the account: whatever of it is in the share.
    world.take_out(&consumer, &share, &[id(&consumer)]).await.unwrap();
    assert!(world.shares(&consumer, ResourceOwner::OtherAccounts).await.is_empty());
    let associations = world.associations(&owner, ResourceShareAssociationType::Principal).await;
    let waiting: Vec<_> = associations
        .iter()
        .filter(|(_, status)| *status != ResourceShareAssociationStatus::Disassociated)
        .map(|(principal, _)| principal.as_str())
        .collect();
    assert_eq!(waiting, [theirs.as_str()]);
}

#[tokio::test]
async fn from_another_region_a_share_is_unknown() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let share = arn(&world.share(&owner, &[&hub], &[id(&consumer)]).await);
    world.accept(&consumer).await.unwrap();
    let elsewhere = world.cx_in(std::sync::Arc::clone(&consumer.principal), "eu-west-1");
    let permissions = ListResourceSharePermissionsRequest { resource_share_arn: share.clone(), ..Default::default() };
    let listed = world.call::<op::ListResourceSharePermissions>(&elsewhere, permissions).await;
    refused(listed, "UnknownResourceException", "could not be found");
    let left = world.take_out(&elsewhere, &share, &[id(&consumer)]).await;
    refused(left, "UnknownResourceException", "could not be found");
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
    let owner_elsewhere = world.cx_in(std::sync::Arc::clone(&owner.principal), "eu-west-1");
    let tag = TagResourceRequest {
        resource_share_arn: Some(share),
        tags: vec![Tag { key: Some("team".to_owned()), value: Some("one".to_owned()) }],
        resource_arn: None,
    };
    let tagged = world.call::<op::TagResource>(&owner_elsewhere, tag).await;
    refused(tagged, "UnknownResourceException", "could not be found");
}

#[tokio::test]
async fn the_owner_has_a_record_of_who_answers_and_who_leaves() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let share = arn(&world.share(&owner, &[&hub], &[id(&consumer)]).await);
    let invitation = world.invitations(&consumer).await[0].resource_share_invitation_arn.clone().unwrap();
    let accept = |arn: &str| AcceptResourceShareInvitationRequest {
        resource_share_invitation_arn: arn.to_owned(),
        client_token: None,
    };
    let owners = world.owners::<op::AcceptResourceShareInvitation>(&consumer, accept(&invitation)).await;
    assert_eq!(owners, [id(&owner)]);
    // Whoever names an invitation that is not there writes into nobody's records.
    let made_up = format!("{}0", invitation);
    assert!(world.owners::<op::AcceptResourceShareInvitation>(&consumer, accept(&made_up)).await.is_empty());
    world.accept(&consumer).await.unwrap();
    let leave = DisassociateResourceShareRequest {
        resource_share_arn: share,
        principals: owned(&[id(&consumer)]),
        ..Default::default()
    };
    assert_eq!(world.owners::<op::DisassociateResourceShare>(&consumer, leave.clone()).await, [id(&owner)]);
    assert!(world.owners::<op::DisassociateResourceShare>(&owner, leave).await.is_empty());
}

#[tokio::test]
async fn the_owner_has_a_record_of_what_was_allowed_and_none_of_what_was_refused() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let (hub, own) = (world.hub(&owner, "models"), world.hub(&consumer, "own"));
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    world.accept(&consumer).await.unwrap();
    let (describe, mine) = (Target::new(DESCRIBE, &*hub), Target::new(DESCRIBE, &*own));
    let cx = world.again(&consumer);
    cx.authorize(&mine).await.unwrap();
    assert!(cx.other_owners().is_empty());
    // Whatever was decided first, and also when a service asks in the caller's name.
    cx.authorize_via(&["s3.amazonaws.com"], &describe).await.unwrap();
    assert_eq!(cx.other_owners(), std::slice::from_ref(&owner.principal.account));
    // What somebody else may is not what this call did.
    let cx = world.again(&consumer);
    assert!(cx.allows(&world.user(&consumer, "one", &allow(r#""*""#, "*")).await.principal, &describe).await.unwrap());
    assert!(cx.other_owners().is_empty());
    cx.authorize(&describe).await.unwrap();
    assert_eq!(cx.other_owners(), std::slice::from_ref(&owner.principal.account));
    cx.authorize(&Target::new("sagemaker:DeleteHub", &*hub)).await.unwrap_err();
    assert!(cx.other_owners().is_empty());
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
