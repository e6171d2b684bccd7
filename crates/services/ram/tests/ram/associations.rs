//! What may be in a share, and that access ends with it.

use stoa_models_ram::operations as op;
use stoa_models_ram::types::*;

use crate::support::*;

const DESCRIBE: &str = "sagemaker:DescribeHub";
const RESOURCE: ResourceShareAssociationType = ResourceShareAssociationType::Resource;

/// An owner with a hub that a consumer has part in.
async fn shared(world: &World) -> (stoa_kernel::Cx, stoa_kernel::Cx, String, ResourceShare) {
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let share = world.share(&owner, &[&hub], &[id(&consumer)]).await;
    world.accept(&consumer).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
    (owner, consumer, hub, share)
}

#[tokio::test]
async fn access_ends_with_the_share() {
    let world = world().await;
    let (owner, consumer, hub, share) = shared(&world).await;
    world.delete(&owner, &share).await.unwrap();
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    assert!(!world.may(&consumer, DESCRIBE, &content(&hub)).await);
    assert!(world.shares(&consumer, ResourceOwner::OtherAccounts).await.is_empty());
    assert!(world.resources(&owner, ResourceOwner::SelfValue).await.is_empty());
    // It is seen for a while, and is nothing to change any more.
    let status = GetResourceSharesRequest {
        resource_owner: ResourceOwner::SelfValue,
        resource_share_status: Some(ResourceShareStatus::Deleted),
        ..of_owner(ResourceOwner::SelfValue)
    };
    let deleted = world.call::<op::GetResourceShares>(&owner, status.clone()).await.unwrap();
    assert_eq!(deleted.resource_shares.unwrap().len(), 1);
    refused(world.delete(&owner, &share).await, "UnknownResourceException", "could not be found");
    world.clock.advance_millis(HOUR);
    let deleted = world.call::<op::GetResourceShares>(&owner, status).await.unwrap();
    assert!(deleted.resource_shares.unwrap().is_empty());
    world.share(&owner, &[&hub], &[]).await;
    assert_eq!(world.shares(&owner, ResourceOwner::SelfValue).await.len(), 1);
}

#[tokio::test]
async fn access_ends_with_either_association() {
    let world = world().await;
    let (owner, consumer, hub, share) = shared(&world).await;
    world.take_out(&owner, &arn(&share), &[id(&consumer)]).await.unwrap();
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);

    let (owner, consumer, hub, share) = shared(&world).await;
    let request = |resources: &[&str]| DisassociateResourceShareRequest {
        resource_share_arn: arn(&share),
        resource_arns: owned(resources),
        ..Default::default()
    };
    let out = world.call::<op::DisassociateResourceShare>(&owner, request(&[&hub])).await.unwrap();
    let out = out.resource_share_associations.unwrap();
    assert_eq!(out[0].status, Some(ResourceShareAssociationStatus::Disassociated));
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    let back = AssociateResourceShareRequest {
        resource_share_arn: arn(&share),
        resource_arns: owned(&[&hub]),
        ..Default::default()
    };
    world.call::<op::AssociateResourceShare>(&owner, back).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
    refused(
        world.call::<op::DisassociateResourceShare>(&owner, request(&[])).await,
        "InvalidParameterException",
        "at least one",
    );
    let missing =
        world.call::<op::DisassociateResourceShare>(&owner, request(&["arn:aws:sagemaker:us-west-2:1:hub/x"]));
    refused(missing.await, "UnknownResourceException", "could not be found");
}

#[tokio::test]
async fn access_ends_with_the_resource_and_a_new_one_of_its_name_is_not_shared() {
    let world = world().await;
    let (owner, consumer, hub, share) = shared(&world).await;
    world.delete_hub(&hub);
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    assert_eq!(world.resources(&owner, ResourceOwner::SelfValue).await, [(hub.clone(), ResourceStatus::Unavailable)]);
    let gone = (hub.clone(), ResourceShareAssociationStatus::Disassociated);
    assert_eq!(world.associations(&owner, RESOURCE).await, [gone]);
    world.clock.advance_millis(1000);
    world.hub(&owner, "models");
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    let again = AssociateResourceShareRequest {
        resource_share_arn: arn(&share),
        resource_arns: owned(&[&hub]),
        ..Default::default()
    };
    world.call::<op::AssociateResourceShare>(&owner, again).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
    let there = (hub.clone(), ResourceShareAssociationStatus::Associated);
    assert_eq!(world.associations(&owner, RESOURCE).await, [there]);
}

#[tokio::test]
async fn only_what_can_be_shared_is_shared() {
    let world = world().await;
    let (owner, other) = (world.member().await, world.member().await);
    let (hub, theirs) = (world.hub(&owner, "models"), world.hub(&other, "models"));
    let elsewhere = hub.replace("us-west-2", "eu-west-1");
    for (resource, code, words) in [
        (theirs.as_str(), "OperationNotPermittedException", "only resources that your account owns"),
        (elsewhere.as_str(), "InvalidParameterException", "another Region"),
        (&content(&hub), "MalformedArnException", "You cannot share the selected resource type"),
        (&hub.replace("hub/models", "model/m"), "MalformedArnException", "You cannot share"),
        (&hub.replace("models", "none"), "UnknownResourceException", "could not be found"),
        ("models", "MalformedArnException", "is not valid"),
    ] {
        refused(world.share_by(&owner, &[resource], &[id(&other)], &[]).await, code, words);
    }
    for (principal, code, words) in [
        ("12345", "InvalidParameterException", "is malformed"),
        ("arn:aws:iam::111122223333:root", "InvalidParameterException", "is malformed"),
        ("arn:aws:s3:::bucket", "InvalidParameterException", "is malformed"),
        ("sagemaker.amazonaws.com", "InvalidParameterException", "service principal"),
        (&format!("arn:aws:iam::{}:role/*", id(&other)), "InvalidParameterException", "is malformed"),
        (&format!("arn:aws:iam::{}:user/x?y", id(&other)), "InvalidParameterException", "is malformed"),
        (&format!("arn:aws:iam::{}:role/a/*/b", id(&other)), "InvalidParameterException", "is malformed"),
        (&format!("arn:aws:iam::{}:role/", id(&other)), "InvalidParameterException", "is malformed"),
        (&format!("arn:aws:iam::{}:role//b", id(&other)), "InvalidParameterException", "is malformed"),
        (&format!("arn:aws:iam:us-west-2:{}:role/b", id(&other)), "InvalidParameterException", "is malformed"),
        (&format!("arn:aws:iam::{}:role/{}", id(&other), "r".repeat(65)), "InvalidParameterException", "is malformed"),
        (
            &format!("arn:aws:iam::{}:role/{}", id(&other), "r/".repeat(1100) + "r"),
            "InvalidParameterException",
            "is malformed",
        ),
        ("000000000001", "UnknownResourceException", "could not be found"),
        (id(&owner), "InvalidParameterException", "the account that owns it"),
    ] {
        refused(world.share_by(&owner, &[&hub], &[principal], &[]).await, code, words);
    }
    assert!(world.shares(&owner, ResourceOwner::SelfValue).await.is_empty());
    let nameless = CreateResourceShareRequest { name: " ".to_owned(), ..Default::default() };
    refused(world.call::<op::CreateResourceShare>(&owner, nameless).await, "InvalidParameterException", "name");
    let sources =
        CreateResourceShareRequest { name: "n".to_owned(), sources: owned(&[id(&owner)]), ..Default::default() };
    refused(world.call::<op::CreateResourceShare>(&owner, sources).await, "InvalidParameterException", "sources");
}

#[tokio::test]
async fn a_share_that_cannot_be_read_costs_nothing_but_itself() {
    let world = world().await;
    let (owner, consumer, hub, good) = shared(&world).await;
    let other = world.hub(&owner, "other");
    let bad = world.share(&owner, &[&hub, &other], &[id(&consumer)]).await;
    let pending = world.invitations(&consumer).await;
    let pending = pending.iter().find(|one| one.status == Some(ResourceShareInvitationStatus::Pending)).unwrap();
    world.accept_by(&consumer, pending.resource_share_invitation_arn.as_ref().unwrap()).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &other).await);
    // A principal that earlier versions let in.
    let wildcard = format!("arn:aws:iam::{}:role/*", id(&consumer));
    let share_of = |share: &ResourceShare| {
        let id = arn(share).rsplit('/').next().unwrap().to_owned();
        stoa_store::Key {
            kind: "ram:share",
            account: owner.principal.account.clone(),
            region: Some(owner.region.clone()),
            id,
        }
    };
    let found = world.store.get(&share_of(&bad)).await.unwrap().unwrap();
    let mut body: serde_json::Value = found.decode().unwrap();
    let association = body["principals"][id(&consumer)].clone();
    body["principals"] = serde_json::json!({ wildcard: association });
    let changed = found.with_body(owner.now, &body).unwrap();
    world.store.commit(stoa_store::Transaction::new().update(changed)).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
    assert!(world.may(&owner, DESCRIBE, &other).await);
    assert!(!world.may(&consumer, DESCRIBE, &other).await);
    // A permission that says nothing, and what is no share at all.
    let permission = CreatePermissionRequest {
        name: "p".to_owned(),
        resource_type: HUB_TYPE.to_owned(),
        policy_template: r#"{"Effect":"Allow","Action":"sagemaker:DescribeHub"}"#.to_owned(),
        ..Default::default()
    };
    let permission = world.call::<op::CreatePermission>(&owner, permission).await.unwrap().permission.unwrap();
    let worse = world.share_by(&owner, &[&hub], &[id(&consumer)], &[&permission.arn.unwrap()]).await.unwrap();
    let pending = world.invitations(&consumer).await;
    let pending = pending.iter().find(|one| one.status == Some(ResourceShareInvitationStatus::Pending)).unwrap();
    world.accept_by(&consumer, pending.resource_share_invitation_arn.as_ref().unwrap()).await.unwrap();
    let key = stoa_store::Key { kind: "ram:permission", id: "p".to_owned(), ..share_of(&worse) };
    let found = world.store.get(&key).await.unwrap().unwrap();
    for template in [r#"{"Effect":"Allow","Action":5}"#, "?"] {
        let mut body: serde_json::Value = found.decode().unwrap();
        body["versions"]["1"]["template"] = template.into();
        let found = world.store.get(&key).await.unwrap().unwrap();
        let changed = found.with_body(owner.now, &body).unwrap();
        world.store.commit(stoa_store::Transaction::new().update(changed)).await.unwrap();
        assert!(world.may(&consumer, DESCRIBE, &hub).await, "{template}");
    }
    let found = world.store.get(&share_of(&bad)).await.unwrap().unwrap();
    let changed = found.with_body(owner.now, &serde_json::json!({ "id": 1 })).unwrap();
    world.store.commit(stoa_store::Transaction::new().update(changed)).await.unwrap();
    assert!(world.may(&consumer, DESCRIBE, &hub).await);
    world.delete(&owner, &good).await.unwrap();
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
}

#[tokio::test]
async fn a_share_has_so_many_principals_and_no_more() {
    let world = world().await;
    let owner = world.member().await;
    let (consumer, hub) = (world.outsider().await, world.hub(&owner, "models"));
    let share = arn(&world.share(&owner, &[&hub], &[]).await);
    let names = |from: usize, to: usize| -> Vec<String> {
        (from..to).map(|number| format!("arn:aws:iam::{}:role/r{number}", id(&consumer))).collect()
    };
    let add = |principals: Vec<String>| AssociateResourceShareRequest {
        resource_share_arn: share.clone(),
        principals: Some(principals),
        ..Default::default()
    };
    for from in (0..5000).step_by(1000) {
        world.call::<op::AssociateResourceShare>(&owner, add(names(from, from + 1000))).await.unwrap();
    }
    let more = world.call::<op::AssociateResourceShare>(&owner, add(names(5000, 5001))).await;
    refused(more, "ResourceShareLimitExceededException", "5000 principals");
    // Those that are there are no more than they were, and who leaves makes room.
    world.call::<op::AssociateResourceShare>(&owner, add(names(0, 1))).await.unwrap();
    world.take_out(&owner, &share, &[&names(0, 1)[0]]).await.unwrap();
    world.call::<op::AssociateResourceShare>(&owner, add(names(5000, 5001))).await.unwrap();
}

#[tokio::test]
async fn another_accounts_share_is_not_theirs_to_change() {
    let world = world().await;
    let (_, consumer, hub, share) = shared(&world).await;
    let other = world.member().await;
    for caller in [&consumer, &other] {
        refused(world.delete(caller, &share).await, "AccessDeniedException", "not authorized");
        let name = UpdateResourceShareRequest {
            resource_share_arn: arn(&share),
            name: Some("mine".to_owned()),
            ..Default::default()
        };
        refused(world.call::<op::UpdateResourceShare>(caller, name).await, "AccessDeniedException", "not authorized");
        let more = AssociateResourceShareRequest {
            resource_share_arn: arn(&share),
            principals: owned(&[id(&other)]),
            ..Default::default()
        };
        refused(
            world.call::<op::AssociateResourceShare>(caller, more).await,
            "AccessDeniedException",
            "not authorized",
        );
    }
    // Nor what was shared with them to share on.
    refused(
        world.share_by(&consumer, &[&hub], &[id(&other)], &[]).await,
        "OperationNotPermittedException",
        "only resources that your account owns",
    );
}

#[tokio::test]
async fn the_same_token_is_the_same_call() {
    let world = world().await;
    let (owner, consumer) = (world.member().await, world.outsider().await);
    let hub = world.hub(&owner, "models");
    let request = |name: &str| CreateResourceShareRequest {
        name: name.to_owned(),
        resource_arns: owned(&[&hub]),
        principals: owned(&[id(&consumer)]),
        client_token: Some("token".to_owned()),
        ..Default::default()
    };
    let first = world.call::<op::CreateResourceShare>(&owner, request("one")).await.unwrap();
    let second = world.call::<op::CreateResourceShare>(&owner, request("one")).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first.client_token.as_deref(), Some("token"));
    assert_eq!(world.invitations(&consumer).await.len(), 1);
    assert_eq!(world.shares(&owner, ResourceOwner::SelfValue).await.len(), 1);
    refused(
        world.call::<op::CreateResourceShare>(&owner, request("two")).await,
        "IdempotentParameterMismatchException",
        "other parameters",
    );
    let odd = CreateResourceShareRequest { client_token: Some("a b".to_owned()), ..request("one") };
    refused(world.call::<op::CreateResourceShare>(&owner, odd).await, "InvalidClientTokenException", "not valid");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = world().await;
    let owner = world.member().await;
    for number in 0..5 {
        let hub = world.hub(&owner, &format!("models-{number}"));
        world.share(&owner, &[&hub], &[]).await;
    }
    let mut request = ListResourcesRequest {
        resource_owner: ResourceOwner::SelfValue,
        max_results: Some(2),
        ..of_owner(ResourceOwner::SelfValue)
    };
    let mut seen = Vec::new();
    loop {
        let page = world.call::<op::ListResources>(&owner, request.clone()).await.unwrap();
        let resources = page.resources.unwrap();
        assert!(resources.len() <= 2);
        seen.extend(resources.into_iter().map(|one| one.arn.unwrap()));
        match page.next_token {
            Some(next) => request.next_token = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    request.resource_type = Some(HUB_TYPE.to_owned());
    refused(world.call::<op::ListResources>(&owner, request).await, "InvalidNextTokenException", "not valid");
    let wrong = ListResourcesRequest {
        resource_owner: ResourceOwner::SelfValue,
        resource_type: Some("ec2:Subnet".to_owned()),
        ..of_owner(ResourceOwner::SelfValue)
    };
    refused(world.call::<op::ListResources>(&owner, wrong).await, "InvalidResourceTypeException", "ec2:Subnet");
}

#[tokio::test]
async fn shares_are_found_by_name_tag_and_status() {
    let world = world().await;
    let owner = world.member().await;
    let tagged = CreateResourceShareRequest {
        name: "tagged".to_owned(),
        tags: Some(vec![Tag { key: Some("team".to_owned()), value: Some("one".to_owned()) }]),
        ..Default::default()
    };
    let tagged = world.call::<op::CreateResourceShare>(&owner, tagged).await.unwrap().resource_share.unwrap();
    world.share(&owner, &[], &[]).await;
    let by = |change: &dyn Fn(&mut GetResourceSharesRequest)| {
        let mut request =
            GetResourceSharesRequest { resource_owner: ResourceOwner::SelfValue, ..of_owner(ResourceOwner::SelfValue) };
        change(&mut request);
        request
    };
    let filter = |value: &str| TagFilter { tag_key: Some("team".to_owned()), tag_values: Some(vec![value.to_owned()]) };
    for (request, count) in [
        (by(&|_| ()), 2),
        (by(&|request| request.name = Some("tagged".to_owned())), 1),
        (by(&|request| request.name = Some("tag".to_owned())), 0),
        (by(&|request| request.tag_filters = Some(vec![filter("one")])), 1),
        (by(&|request| request.tag_filters = Some(vec![filter("two")])), 0),
        (by(&|request| request.resource_share_arns = Some(vec![arn(&tagged)])), 1),
        (by(&|request| request.resource_share_status = Some(ResourceShareStatus::Deleted)), 0),
    ] {
        let found = world.call::<op::GetResourceShares>(&owner, request).await.unwrap();
        assert_eq!(found.resource_shares.unwrap().len(), count);
    }
    let version = by(&|request| request.permission_version = Some(1));
    refused(world.call::<op::GetResourceShares>(&owner, version).await, "InvalidParameterException", "permissionArn");
    let none = by(&|request| request.resource_share_arns = Some(vec![format!("{}0", arn(&tagged))]));
    refused(world.call::<op::GetResourceShares>(&owner, none).await, "UnknownResourceException", "could not be found");
    let untag = UntagResourceRequest {
        resource_share_arn: Some(arn(&tagged)),
        tag_keys: vec!["team".to_owned()],
        resource_arn: None,
    };
    world.call::<op::UntagResource>(&owner, untag).await.unwrap();
    assert!(world.store.tags(&arn(&tagged)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing() {
    let world = world().await;
    let (owner, consumer, hub, _) = shared(&world).await;
    world.share(&owner, &[&hub], &[id(&consumer)]).await;
    world.iam.delete_account(&owner.principal.account).await.unwrap();
    assert!(!world.may(&consumer, DESCRIBE, &hub).await);
    assert!(world.invitations(&consumer).await.is_empty());
    for kind in ["ram:share", "ram:invitation"] {
        assert_eq!(world.store.count(&stoa_store::Query::of(kind)).await.unwrap(), 0, "{kind}");
    }
}
