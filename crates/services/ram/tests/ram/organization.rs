//! Inside the organization: without an invitation once sharing is enabled, for accounts, units and all of it.

use stoa_models_organizations::operations as org;
use stoa_models_organizations::types::{
    CreateOrganizationalUnitRequest, DisableAWSServiceAccessRequest, ListRootsRequest, MoveAccountRequest,
};
use stoa_models_ram::operations as op;
use stoa_models_ram::types::*;
use stoa_schema::Empty;

use crate::support::*;

const DESCRIBE: &str = "sagemaker:DescribeHub";

async fn organization(world: &World) -> String {
    let found = world.call::<org::DescribeOrganization>(&world.admin(), Empty {}).await.unwrap();
    found.organization.unwrap().arn.unwrap()
}

async fn root(world: &World) -> String {
    let roots = world.call::<org::ListRoots>(&world.admin(), ListRootsRequest::default()).await.unwrap();
    roots.roots.unwrap()[0].id.clone().unwrap()
}

#[tokio::test]
async fn members_are_invited_until_sharing_is_enabled() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.member().await);
    let (before, after) = (world.hub(&owner, "before"), world.hub(&owner, "after"));
    world.share(&owner, &[&before], &[id(&consumer)]).await;
    assert_eq!(world.invitations(&consumer).await.len(), 1);
    assert!(!world.may(&consumer, DESCRIBE, &before).await);

    world.enable().await;
    world.share(&owner, &[&after], &[id(&consumer)]).await;
    assert_eq!(world.invitations(&consumer).await.len(), 1);
    assert!(world.may(&consumer, DESCRIBE, &after).await);
    // What was offered before still waits for its answer.
    assert!(!world.may(&consumer, DESCRIBE, &before).await);
    world.accept(&consumer).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &before).await);

    let disable = DisableAWSServiceAccessRequest { service_principal: "ram.amazonaws.com".to_owned() };
    world.call::<org::DisableAWSServiceAccess>(&world.admin(), disable).await.unwrap();
    assert!(!world.may(&consumer, DESCRIBE, &after).await);
    assert!(world.may(&consumer, DESCRIBE, &before).await);
}

#[tokio::test]
async fn who_came_in_by_the_organization_is_invited_after_sharing_ended() {
    let world = world().await;
    world.enable().await;
    let (owner, consumer) = (world.member().await, world.member().await);
    let hub = world.hub(&owner, "models");
    let share = arn(&world.share(&owner, &[&hub], &[id(&consumer)]).await);
    let disable = DisableAWSServiceAccessRequest { service_principal: "ram.amazonaws.com".to_owned() };
    world.call::<org::DisableAWSServiceAccess>(&world.admin(), disable).await.unwrap();
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    let again = AssociateResourceShareRequest {
        resource_share_arn: share.clone(),
        principals: owned(&[id(&consumer)]),
        ..Default::default()
    };
    world.call::<op::AssociateResourceShare>(&owner, again.clone()).await.unwrap();
    assert_eq!(world.invitations(&consumer).await.len(), 1);
    // Offered again with sharing enabled it needs no answer, and the invitation is gone.
    world.enable().await;
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    world.call::<op::AssociateResourceShare>(&owner, again.clone()).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
    assert!(world.invitations(&consumer).await.is_empty());
    let disable = DisableAWSServiceAccessRequest { service_principal: "ram.amazonaws.com".to_owned() };
    world.call::<org::DisableAWSServiceAccess>(&world.admin(), disable).await.unwrap();
    world.call::<op::AssociateResourceShare>(&owner, again).await.unwrap();
    world.accept(&consumer).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
    world.take_out(&consumer, &share, &[id(&consumer)]).await.unwrap();
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
}

#[tokio::test]
async fn only_the_management_account_enables_sharing() {
    let world = world().await;
    for caller in [world.member().await, world.outsider().await] {
        let request = EnableSharingWithAwsOrganizationRequest {};
        let answer = world.call::<op::EnableSharingWithAwsOrganization>(&caller, request).await;
        let code = answer.map(drop).unwrap_err().code().to_owned();
        assert!(["OperationNotPermittedException", "AccessDeniedException"].contains(&code.as_str()), "{code}");
    }
    let owner = world.member().await;
    let hub = world.hub(&owner, "models");
    let arn = organization(&world).await;
    refused(world.share_by(&owner, &[&hub], &[&arn], &[]).await, "OperationNotPermittedException", "not enabled");
}

#[tokio::test]
async fn the_organization_and_its_units_as_principals() {
    let world = world().await;
    world.enable().await;
    let (owner, member, outsider) = (world.member().await, world.member().await, world.outsider().await);
    let (all, some) = (world.hub(&owner, "all"), world.hub(&owner, "some"));
    world.share(&owner, &[&all], &[&organization(&world).await]).await;
    assert!(world.may(&member, DESCRIBE, &all).await);
    assert!(world.may(&member, DESCRIBE, &content(&all)).await);
    assert!(!world.may(&outsider, DESCRIBE, &all).await);
    assert_eq!(world.shares(&member, ResourceOwner::OtherAccounts).await.len(), 1);
    assert!(world.shares(&outsider, ResourceOwner::OtherAccounts).await.is_empty());

    let root = root(&world).await;
    let create = |parent: &str, name: &str| CreateOrganizationalUnitRequest {
        parent_id: parent.to_owned(),
        name: name.to_owned(),
        tags: None,
    };
    let admin = world.admin();
    let upper = world.call::<org::CreateOrganizationalUnit>(&admin, create(&root, "upper")).await.unwrap();
    let upper = upper.organizational_unit.unwrap();
    let lower = create(upper.id.as_ref().unwrap(), "lower");
    let lower = world.call::<org::CreateOrganizationalUnit>(&admin, lower).await.unwrap();
    let lower = lower.organizational_unit.unwrap();
    world.share(&owner, &[&some], &[upper.arn.as_ref().unwrap()]).await;
    assert!(!world.may(&member, DESCRIBE, &some).await);
    let moving = |from: &str, to: &str| MoveAccountRequest {
        account_id: id(&member).to_owned(),
        source_parent_id: from.to_owned(),
        destination_parent_id: to.to_owned(),
    };
    let lower = lower.id.unwrap();
    world.call::<org::MoveAccount>(&admin, moving(&root, &lower)).await.unwrap();
    assert!(world.may(&member, DESCRIBE, &some).await);
    assert_eq!(world.shares(&member, ResourceOwner::OtherAccounts).await.len(), 2);
    world.call::<org::MoveAccount>(&admin, moving(&lower, &root)).await.unwrap();
    assert!(!world.may(&member, DESCRIBE, &some).await);
}

#[tokio::test]
async fn a_share_with_all_lets_none_of_the_owners_own_principals_in() {
    let world = world().await;
    world.enable().await;
    let owner = world.member().await;
    let hub = world.hub(&owner, "models");
    world.share(&owner, &[&hub], &[&organization(&world).await]).await;
    let nobody = world.user(&owner, "nobody", "").await;
    assert!(!world.may(&nobody, DESCRIBE, &hub).await);
}

#[tokio::test]
async fn units_and_organizations_that_are_not_there() {
    let world = world().await;
    world.enable().await;
    let (owner, outsider) = (world.member().await, world.outsider().await);
    let (hub, theirs) = (world.hub(&owner, "models"), world.hub(&outsider, "models"));
    let arn = organization(&world).await;
    let other = arn.replace("organization/o-", "organization/o-0");
    let unit = format!("{}/ou-0000-00000000", arn.replace(":organization/", ":ou/"));
    for principal in [other, unit] {
        let share = world.share_by(&owner, &[&hub], &[&principal], &[]).await;
        refused(share, "UnknownResourceException", "could not be found");
    }
    let share = world.share_by(&outsider, &[&theirs], &[&arn], &[]).await;
    refused(share, "OperationNotPermittedException", "not a member of an organization");
}

#[tokio::test]
async fn external_principals_only_where_they_are_allowed() {
    let world = world().await;
    world.enable().await;
    let (owner, member, outsider) = (world.member().await, world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let request = |principals: &[&str]| CreateResourceShareRequest {
        name: "internal".to_owned(),
        resource_arns: owned(&[&hub]),
        principals: owned(principals),
        allow_external_principals: Some(false),
        ..Default::default()
    };
    let refusal = world.call::<op::CreateResourceShare>(&owner, request(&[id(&member), id(&outsider)])).await;
    refused(refusal, "OperationNotPermittedException", "outside of your organization");
    let share = world.call::<op::CreateResourceShare>(&owner, request(&[id(&member)])).await.unwrap();
    let share = share.resource_share.unwrap();
    let associate = AssociateResourceShareRequest {
        resource_share_arn: arn(&share),
        principals: owned(&[id(&outsider)]),
        ..Default::default()
    };
    let refusal = world.call::<op::AssociateResourceShare>(&owner, associate.clone()).await;
    refused(refusal, "OperationNotPermittedException", "outside of your organization");

    let update = |external| UpdateResourceShareRequest {
        resource_share_arn: arn(&share),
        allow_external_principals: Some(external),
        ..Default::default()
    };
    world.call::<op::UpdateResourceShare>(&owner, update(true)).await.unwrap();
    world.call::<op::AssociateResourceShare>(&owner, associate).await.unwrap();
    let refusal = world.call::<op::UpdateResourceShare>(&owner, update(false)).await;
    refused(refusal, "OperationNotPermittedException", "has external principals");
    world.take_out(&owner, &arn(&share), &[id(&outsider)]).await.unwrap();
    let updated = world.call::<op::UpdateResourceShare>(&owner, update(false)).await.unwrap();
    assert_eq!(updated.resource_share.unwrap().allow_external_principals, Some(false));
}

#[tokio::test]
async fn an_account_outside_is_in_no_list_of_the_organization() {
    let world = world().await;
    let outsider = world.outsider().await;
    let listed = world.call::<org::ListAccounts>(&world.admin(), Default::default()).await.unwrap();
    assert!(listed.accounts.unwrap().iter().all(|account| account.id.as_deref() != Some(id(&outsider))));
    let described = world.call::<org::DescribeOrganization>(&outsider, Empty {}).await;
    refused(described, "AWSOrganizationsNotInUseException", "not a member");
    world.iam.delete_account(&outsider.principal.account).await.unwrap();
}
