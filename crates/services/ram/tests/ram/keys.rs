//! Who may share what: RAM's condition keys in the owner's policies.

use stoa_models_ram::operations as op;
use stoa_models_ram::types::*;

use crate::support::*;

fn policy(actions: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":"*","Condition":{condition}}}]}}"#
    )
}

#[tokio::test]
async fn every_principal_and_every_resource_of_a_request_is_decided() {
    let world = world().await;
    let (owner, one, two) = (world.member().await, world.outsider().await, world.outsider().await);
    let (first, second) = (world.hub(&owner, "first"), world.hub(&owner, "second"));
    let condition = format!(
        r#"{{"StringEquals":{{"ram:Principal":"{}","ram:RequestedResourceType":"sagemaker:Hub"}},"ArnEquals":{{"ram:ResourceArn":"{first}"}},"Bool":{{"ram:RequestedAllowsExternalPrincipals":"true"}}}}"#,
        id(&one)
    );
    let sharer = world.user(&owner, "sharer", &policy(r#""ram:CreateResourceShare""#, &condition)).await;
    world.share_by(&sharer, &[&first], &[id(&one)], &[]).await.unwrap();
    for (resources, principals) in [
        (vec![first.as_str()], vec![id(&two)]),
        (vec![second.as_str()], vec![id(&one)]),
        (vec![first.as_str(), second.as_str()], vec![id(&one)]),
        (vec![first.as_str()], vec![id(&one), id(&two)]),
        (vec![first.as_str()], vec![]),
    ] {
        refused(world.share_by(&sharer, &resources, &principals, &[]).await, "AccessDeniedException", "not authorized");
    }
}

#[tokio::test]
async fn a_share_by_its_name_and_tags() {
    let world = world().await;
    let owner = world.member().await;
    let tagged = CreateResourceShareRequest {
        name: "models".to_owned(),
        tags: Some(vec![Tag { key: Some("team".to_owned()), value: Some("one".to_owned()) }]),
        ..Default::default()
    };
    let tagged = world.call::<op::CreateResourceShare>(&owner, tagged).await.unwrap().resource_share.unwrap();
    let plain = world.share(&owner, &[], &[]).await;
    let keys = r#"{"StringEquals":{"ram:ResourceShareName":"models","ram:ResourceTag/team":"one","aws:ResourceTag/team":"one"},"Bool":{"ram:AllowsExternalPrincipals":"true"}}"#;
    let user = world.user(&owner, "user", &policy(r#""ram:DeleteResourceShare""#, keys)).await;
    refused(world.delete(&user, &plain).await, "AccessDeniedException", "not authorized");
    world.delete(&user, &tagged).await.unwrap();
}

#[tokio::test]
async fn an_invitation_by_its_sender() {
    let world = world().await;
    let (known, unknown, consumer) = (world.outsider().await, world.outsider().await, world.outsider().await);
    let keys = format!(
        r#"{{"StringEquals":{{"ram:ShareOwnerAccountId":"{}","ram:ResourceShareName":"models"}}}}"#,
        id(&known)
    );
    let user = world.user(&consumer, "user", &policy(r#""ram:AcceptResourceShareInvitation""#, &keys)).await;
    for owner in [&known, &unknown] {
        let hub = world.hub(owner, "models");
        world.share(owner, &[&hub], &[id(&consumer)]).await;
    }
    for invitation in world.invitations(&consumer).await {
        let answer = world.accept_by(&user, invitation.resource_share_invitation_arn.as_ref().unwrap()).await;
        if invitation.sender_account_id.as_deref() == Some(id(&known)) {
            answer.unwrap();
        } else {
            refused(answer, "AccessDeniedException", "not authorized");
        }
    }
}

#[tokio::test]
async fn a_permission_by_its_type_and_arn() {
    let world = world().await;
    let owner = world.member().await;
    let keys = format!(
        r#"{{"StringEquals":{{"ram:PermissionResourceType":"sagemaker:Hub"}},"ArnEquals":{{"ram:PermissionArn":"{READ}"}}}}"#
    );
    let user = world.user(&owner, "user", &policy(r#""ram:GetPermission""#, &keys)).await;
    let get = |arn: &str| GetPermissionRequest { permission_arn: arn.to_owned(), ..Default::default() };
    world.call::<op::GetPermission>(&user, get(READ)).await.unwrap();
    refused(world.call::<op::GetPermission>(&user, get(USE)).await, "AccessDeniedException", "not authorized");
}
