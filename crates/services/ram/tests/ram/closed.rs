//! Accounts that are closed or being deleted: what they shared is shut, and nobody shares with them.

use stoa_models_organizations::operations as org;
use stoa_models_organizations::types::CloseAccountRequest;
use stoa_models_ram::types::*;

use crate::support::*;

const DESCRIBE: &str = "sagemaker:DescribeHub";
const IMPORT: &str = "sagemaker:ImportHubContent";

async fn close(world: &World, account: &stoa_kernel::Cx) {
    let request = CloseAccountRequest { account_id: id(account).to_owned() };
    world.call::<org::CloseAccount>(&world.admin(), request).await.unwrap();
}

#[tokio::test]
async fn what_a_closed_account_shared_is_shut() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    world.share_by(&owner, &[&hub], &[id(&consumer)], &[FULL]).await.unwrap();
    world.accept(&consumer).await.unwrap();
    for action in [DESCRIBE, IMPORT] {
        assert!(world.may(&consumer, action, &content(&hub)).await, "{action}");
    }
    close(&world, &owner).await;
    for action in [DESCRIBE, IMPORT] {
        assert!(!world.may(&consumer, action, &content(&hub)).await, "{action}");
        assert!(!world.may(&consumer, action, &hub).await, "{action}");
    }
    assert!(world.shares(&consumer, ResourceOwner::OtherAccounts).await.is_empty());
    assert!(world.resources(&consumer, ResourceOwner::OtherAccounts).await.is_empty());
}

#[tokio::test]
async fn nothing_is_shared_with_a_closed_account() {
    let world = world().await;
    let (owner, closed) = (world.member().await, world.member().await);
    let hub = world.hub(&owner, "models");
    close(&world, &closed).await;
    let share = world.share_by(&owner, &[&hub], &[id(&closed)], &[]).await;
    refused(share, "UnknownResourceException", "could not be found");
}
