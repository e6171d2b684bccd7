//! Roles that belong to services.

use serde_json::json;
use stoa_kernel::ports::Authority;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;

use crate::support::{ALLOW_ALL, code, trusting, world};
use crate::users::{new_key, new_user, put_policy};

const NAME: &str = "AWSServiceRoleForAmazonSageMakerNotebooks";
const POLICY: &str = "arn:aws:iam::aws:policy/aws-service-role/AmazonSageMakerNotebooksServiceRolePolicy";

#[tokio::test]
async fn a_service_linked_role_is_made_trusted_protected_and_deleted() {
    let world = world().await;
    let create = || json!({"AWSServiceName": "sagemaker.amazonaws.com", "Description": "d"});
    let role = world.root_does::<op::CreateServiceLinkedRole>(create()).await.role.unwrap();
    let path = "aws-service-role/sagemaker.amazonaws.com";
    assert_eq!(role.arn, format!("arn:aws:iam::{}:role/{path}/{NAME}", world.management));
    let again = world.root_refused::<op::CreateServiceLinkedRole>(create()).await;
    assert_eq!(again.0, "InvalidInputException");
    assert!(again.1.contains("has been taken in this account, please try a different suffix."), "{}", again.1);
    let attached = world.root_does::<op::ListAttachedRolePolicies>(json!({"RoleName": NAME})).await;
    assert_eq!(attached.attached_policies.unwrap()[0].policy_arn.as_deref(), Some(POLICY));
    let session = world.iam.service_session(&role.arn, "sagemaker.amazonaws.com", "s").await.unwrap();
    assert!(session.is_some());
    assert!(world.iam.service_session(&role.arn, "ec2.amazonaws.com", "s").await.unwrap().is_none());
    let refusals = [
        world.root_refused::<op::DeleteRole>(json!({"RoleName": NAME})).await,
        world.root_refused::<op::DetachRolePolicy>(json!({"RoleName": NAME, "PolicyArn": POLICY})).await,
        world
            .root_refused::<op::PutRolePolicy>(
                json!({"RoleName": NAME, "PolicyName": "p", "PolicyDocument": ALLOW_ALL}),
            )
            .await,
        world
            .root_refused::<op::UpdateAssumeRolePolicy>(
                json!({"RoleName": NAME, "PolicyDocument": trusting(r#"{"AWS":"*"}"#)}),
            )
            .await,
        world
            .root_refused::<op::PutRolePermissionsBoundary>(
                json!({"RoleName": NAME, "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"}),
            )
            .await,
        world.root_refused::<op::UpdateRole>(json!({"RoleName": NAME, "MaxSessionDuration": 7200})).await,
    ];
    for (code, message) in refusals {
        assert!(code == "UnmodifiableEntityException" && message.contains("protected role"), "{code} {message}");
    }
    let update = json!({"RoleName": NAME, "Description": "new"});
    let updated = world.root_does::<op::UpdateRoleDescription>(update).await.role.unwrap();
    assert_eq!(updated.description.as_deref(), Some("new"));
    let task = world.root_does::<op::DeleteServiceLinkedRole>(json!({"RoleName": NAME})).await.deletion_task_id;
    assert!(task.starts_with(&format!("task/{path}/{NAME}/")), "{task}");
    let status = json!({"DeletionTaskId": task});
    let status = world.root_does::<op::GetServiceLinkedRoleDeletionStatus>(status).await.status;
    assert_eq!(status, DeletionTaskStatusType::Succeeded);
    assert_eq!(world.root_refused::<op::GetRole>(json!({"RoleName": NAME})).await.0, "NoSuchEntityException");
    let other = json!({"DeletionTaskId": format!("{task}x")});
    assert_eq!(world.root_refused::<op::GetServiceLinkedRoleDeletionStatus>(other).await.0, "NoSuchEntityException");
}

#[tokio::test]
async fn unknown_services_suffixes_and_ordinary_roles_are_refused() {
    let world = world().await;
    let unknown = json!({"AWSServiceName": "nothing.amazonaws.com"});
    assert_eq!(world.root_refused::<op::CreateServiceLinkedRole>(unknown).await.0, "NoSuchEntityException");
    let suffix = json!({"AWSServiceName": "sagemaker.amazonaws.com", "CustomSuffix": "x"});
    let refused = world.root_refused::<op::CreateServiceLinkedRole>(suffix).await;
    assert_eq!(refused.1, "Custom suffix is not allowed for sagemaker.amazonaws.com");
    let ordinary = json!({"RoleName": "StoaAdmin"});
    assert_eq!(world.root_refused::<op::DeleteServiceLinkedRole>(ordinary).await.0, "NoSuchEntityException");
}

#[tokio::test]
async fn the_service_is_a_condition_key() {
    let world = world().await;
    new_user(&world, "anna").await;
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Action": "iam:CreateServiceLinkedRole", "Resource": "arn:aws:iam::*:role/aws-service-role/*",
        "Condition": {"StringEquals": {"iam:AWSServiceName": "sagemaker.amazonaws.com"}}}});
    put_policy(&world, "anna", "p", &document.to_string()).await;
    let key = new_key(&world, "anna").await;
    let cx = world.cx(world.principal(&key.access_key_id, None).await.unwrap());
    let other = json!({"AWSServiceName": "hyperpod.sagemaker.amazonaws.com"});
    let refused = world.ask::<op::CreateServiceLinkedRole>(&cx, other).await.map(|_| ());
    assert_eq!(code(refused).0, "AccessDeniedException");
    let own = json!({"AWSServiceName": "sagemaker.amazonaws.com"});
    world.ask::<op::CreateServiceLinkedRole>(&cx, own).await.unwrap();
}
