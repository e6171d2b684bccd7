//! Outside the organization: by invitation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use stoa_models_ram::operations as op;
use stoa_models_ram::types::*;

use crate::support::*;
use crate::yielding::Yielding;

const DESCRIBE: &str = "sagemaker:DescribeHub";
const DEPLOY: &str = "sagemaker:DeployHubModel";
const PRINCIPAL: ResourceShareAssociationType = ResourceShareAssociationType::Principal;

#[tokio::test]
async fn an_invitation_lets_nobody_in_before_it_is_accepted_and_then_at_once() {
    let world = world().await;
    let (owner, consumer, other) = (world.member().await, world.outsider().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let share = world.share(&owner, &[&hub], &[id(&consumer)]).await;
    assert_eq!(share.status, Some(ResourceShareStatus::Active));
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    assert!(world.shares(&consumer, ResourceOwner::OtherAccounts).await.is_empty());
    let waiting = (id(&consumer).to_owned(), ResourceShareAssociationStatus::Associating);
    assert_eq!(world.associations(&owner, PRINCIPAL).await, [waiting]);

    let invitations = world.invitations(&consumer).await;
    assert_eq!(invitations.len(), 1);
    assert_eq!(invitations[0].status, Some(ResourceShareInvitationStatus::Pending));
    assert_eq!(invitations[0].sender_account_id.as_deref(), Some(id(&owner)));
    assert_eq!(invitations[0].receiver_account_id.as_deref(), Some(id(&consumer)));
    let invitation = invitations[0].resource_share_invitation_arn.clone().unwrap();
    let listed = ListPendingInvitationResourcesRequest {
        resource_share_invitation_arn: invitation.clone(),
        ..Default::default()
    };
    let listed = world.call::<op::ListPendingInvitationResources>(&consumer, listed).await.unwrap();
    assert_eq!(listed.resources.unwrap()[0].arn.as_deref(), Some(&*hub));

    // It is the receiver's alone, though it has the sender's account in its ARN.
    refused(world.accept_by(&other, &invitation).await, "ResourceShareInvitationArnNotFoundException", "not be found");
    refused(world.accept_by(&owner, &invitation).await, "ResourceShareInvitationArnNotFoundException", "not be found");
    assert!(world.invitations(&other).await.is_empty());

    let accepted = world.accept_by(&consumer, &invitation).await.unwrap();
    assert_eq!(accepted.status, Some(ResourceShareInvitationStatus::Accepted));
    // What AWS has when nothing is said: to read, and nothing else. Of the hub, and of what is in it.
    for resource in [hub.clone(), content(&hub)] {
        assert!(world.may(&consumer, DESCRIBE, &resource).await, "{resource}");
        assert!(!world.may(&consumer, DEPLOY, &resource).await, "{resource}");
        assert!(!world.may(&other, DESCRIBE, &resource).await, "{resource}");
    }
    let another = world.hub(&owner, "models-of-others");
    assert!(!world.may(&consumer, DESCRIBE, &another).await);
    assert!(!world.may(&consumer, DESCRIBE, &content(&another)).await);
    assert_eq!(world.shares(&consumer, ResourceOwner::OtherAccounts).await, [arn(&share)]);
    assert_eq!(world.resources(&consumer, ResourceOwner::OtherAccounts).await, [(hub, ResourceStatus::Available)]);
    refused(
        world.accept_by(&consumer, &invitation).await,
        "ResourceShareInvitationAlreadyAcceptedException",
        "accepted before",
    );
    refused(
        world.reject_by(&consumer, &invitation).await,
        "ResourceShareInvitationAlreadyAcceptedException",
        "accepted before",
    );
}

#[tokio::test]
async fn what_is_rejected_stays_so_until_it_is_offered_again() {
    let world = world().await;
    let (owner, consumer) = (world.outsider().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let share = world.share(&owner, &[&hub], &[id(&consumer)]).await;
    let invitation = world.invitations(&consumer).await[0].resource_share_invitation_arn.clone().unwrap();
    let rejected = world.reject_by(&consumer, &invitation).await.unwrap();
    assert_eq!(rejected.status, Some(ResourceShareInvitationStatus::Rejected));
    refused(
        world.accept_by(&consumer, &invitation).await,
        "ResourceShareInvitationAlreadyRejectedException",
        "rejected before",
    );
    let gone = (id(&consumer).to_owned(), ResourceShareAssociationStatus::Disassociated);
    assert_eq!(world.associations(&owner, PRINCIPAL).await, [gone]);
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);

    let again = AssociateResourceShareRequest {
        resource_share_arn: arn(&share),
        principals: owned(&[id(&consumer)]),
        ..Default::default()
    };
    let associated = world.call::<op::AssociateResourceShare>(&owner, again).await.unwrap();
    let associations = associated.resource_share_associations.unwrap();
    assert_eq!(associations[0].status, Some(ResourceShareAssociationStatus::Associating));
    assert_eq!(associations[0].external, Some(true));
    let pending = world.invitations(&consumer).await;
    let pending = pending.iter().find(|one| one.status == Some(ResourceShareInvitationStatus::Pending)).unwrap();
    world.accept_by(&consumer, pending.resource_share_invitation_arn.as_ref().unwrap()).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
}

#[tokio::test]
async fn an_invitation_to_a_hub_expires_after_twelve_hours() {
    let world = world().await;
    let (owner, consumer) = (world.outsider().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    world.clock.advance_millis(12 * HOUR - 1);
    assert_eq!(world.invitations(&consumer).await[0].status, Some(ResourceShareInvitationStatus::Pending));
    world.clock.advance_millis(1);
    assert_eq!(world.invitations(&consumer).await[0].status, Some(ResourceShareInvitationStatus::Expired));
    let gone = (id(&consumer).to_owned(), ResourceShareAssociationStatus::Disassociated);
    assert_eq!(world.associations(&owner, PRINCIPAL).await, [gone]);
    refused(world.accept(&consumer).await, "ResourceShareInvitationExpiredException", "has expired");
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
}

#[tokio::test]
async fn an_invitation_goes_with_what_it_invites_to() {
    let world = world().await;
    let (owner, consumer) = (world.outsider().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let share = world.share(&owner, &[&hub], &[id(&consumer)]).await;
    let invitation = world.invitations(&consumer).await[0].resource_share_invitation_arn.clone().unwrap();
    world.take_out(&owner, &arn(&share), &[id(&consumer)]).await.unwrap();
    refused(
        world.accept_by(&consumer, &invitation).await,
        "ResourceShareInvitationArnNotFoundException",
        "not be found",
    );
    assert!(world.invitations(&consumer).await.is_empty());

    let share = world.share(&owner, &[&hub], &[id(&consumer)]).await;
    world.delete(&owner, &share).await.unwrap();
    assert!(world.invitations(&consumer).await.is_empty());
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
}

#[tokio::test]
async fn accepting_and_taking_back_at_once_leave_one_truth() {
    let conflicts = Arc::new(AtomicUsize::new(0));
    let world = world_over(|store| Yielding::over(store, &conflicts)).await;
    let (owner, consumer) = (world.outsider().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let mut accepted_first = 0;
    // Both begin at once, one of them later by so many steps.
    for later in 0..40 {
        let share = world.share(&owner, &[&hub], &[id(&consumer)]).await;
        let pending = world.invitations(&consumer).await;
        let pending = pending.iter().find(|one| one.status == Some(ResourceShareInvitationStatus::Pending)).unwrap();
        let invitation = pending.resource_share_invitation_arn.clone().unwrap();
        let (accepting, deleting) = if later % 2 == 0 { (later / 2, 0) } else { (0, later / 2) };
        let accept = async {
            wait(accepting).await;
            world.accept_by(&consumer, &invitation).await
        };
        let delete = async {
            wait(deleting).await;
            world.delete(&owner, &share).await
        };
        let (accepted, deleted) = tokio::join!(accept, delete);
        deleted.unwrap();
        match accepted {
            Ok(_) => accepted_first += 1,
            Err(error) => assert_eq!(error.code(), "ResourceShareInvitationArnNotFoundException"),
        }
        // Whoever was first: the share is gone, and lets nobody in.
        assert!(!world.may(&consumer, DESCRIBE, &hub).await);
        let left = world.invitations(&consumer).await;
        assert!(left.iter().all(|one| one.status == Some(ResourceShareInvitationStatus::Accepted)));
        assert_eq!(left.len(), accepted_first, "what was not accepted is gone");
    }
    assert!(conflicts.load(Ordering::Relaxed) > 0, "no two commits met: this proves nothing");
    assert!((1..40).contains(&accepted_first), "one side was always first: {accepted_first}");
}

async fn wait(steps: usize) {
    for _ in 0..steps {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_invitation_has_the_name_that_the_share_has_now() {
    let world = world().await;
    let (owner, consumer) = (world.outsider().await, world.outsider().await);
    let share = world.share(&owner, &[], &[id(&consumer)]).await;
    let rename = UpdateResourceShareRequest {
        resource_share_arn: arn(&share),
        name: Some("renamed".to_owned()),
        ..Default::default()
    };
    world.call::<op::UpdateResourceShare>(&owner, rename).await.unwrap();
    assert_eq!(world.invitations(&consumer).await[0].resource_share_name.as_deref(), Some("renamed"));
    let accepted = world.accept(&consumer).await.unwrap();
    assert_eq!(accepted.resource_share_name.as_deref(), Some("renamed"));
}

#[tokio::test]
async fn invitations_are_forgotten_a_day_after_their_end() {
    let world = world().await;
    let (owner, consumer) = (world.outsider().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    for name in ["accepted", "rejected", "expired"] {
        let hub = world.hub(&owner, name);
        world.share(&owner, &[&hub], &[id(&consumer)]).await;
        let pending = world.invitations(&consumer).await;
        let pending = pending.iter().find(|one| one.status == Some(ResourceShareInvitationStatus::Pending)).unwrap();
        let arn = pending.resource_share_invitation_arn.clone().unwrap();
        match name {
            "accepted" => drop(world.accept_by(&consumer, &arn).await.unwrap()),
            "rejected" => drop(world.reject_by(&consumer, &arn).await.unwrap()),
            _ => {}
        }
    }
    // The answered ones ended at once, the last one after twelve hours.
    world.clock.advance_millis(24 * HOUR - 1);
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    assert_eq!(world.invitations(&consumer).await.len(), 4);
    world.clock.advance_millis(1);
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    assert_eq!(world.invitations(&consumer).await.len(), 3);
    world.clock.advance_millis(12 * HOUR);
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    let left = world.invitations(&consumer).await;
    assert_eq!(left.len(), 3);
    assert!(world.may(&consumer, DESCRIBE, &hub.replace("models", "accepted")).await);
}
