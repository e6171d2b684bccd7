//! Hand-written targets set the condition keys that the overlay says they do (`custom_keys`, checked against AWS's
//! authorization facts), shown with an input that has everything in it.

use std::sync::Arc;

use stoa_kernel::Target;
use stoa_models_authz::hand_written;
use stoa_models_iam::operations::{AttachUserPolicy, CreateRole, CreateUser, SERVICE as IAM};
use stoa_models_iam::types::{CreateRoleRequest, CreateUserRequest};
use stoa_models_organizations::operations::SERVICE as ORGANIZATIONS;
use stoa_models_sts::operations::SERVICE as STS;
use stoa_schema::{Operation, ServiceSpec, Value, fullest};

use crate::support::{World, trusting, world};

const BOUNDARY: &str = "arn:aws:iam::aws:policy/AmazonSageMakerPartnerAppsFullAccess";

/// A user and a role that have a boundary, so that there is one to show.
async fn peopled() -> World {
    let world = world().await;
    let admin = world.admin();
    let user = CreateUserRequest {
        user_name: "ann".to_owned(),
        permissions_boundary: Some(BOUNDARY.to_owned()),
        ..CreateUserRequest::default()
    };
    world.call::<CreateUser>(&admin, user).await.unwrap();
    let role = CreateRoleRequest {
        role_name: "worker".to_owned(),
        assume_role_policy_document: trusting(r#"{"AWS":"*"}"#),
        permissions_boundary: Some(BOUNDARY.to_owned()),
        ..CreateRoleRequest::default()
    };
    world.call::<CreateRole>(&admin, role).await.unwrap();
    world
}

/// What each member says; codes of devices are left out, since they would have to be right.
fn text(name: &str) -> Option<String> {
    let text = match name {
        "UserName" => "ann",
        "RoleName" => "worker",
        "PolicyArn" | "PermissionsBoundary" => BOUNDARY,
        "RoleArn" => "arn:aws:iam::000000000000:role/worker",
        // AWS's own policy is there in every organization.
        "PolicyId" | "ResourceId" => "p-FullAWSAccess",
        "TokenCode" | "SerialNumber" | "AuthenticationCode1" | "AuthenticationCode2" => return None,
        _ => "text",
    };
    Some(text.to_owned())
}

async fn targets(world: &World, service: &'static ServiceSpec, operation: &str) -> Vec<Target> {
    let spec = service.operation(operation).unwrap();
    let route = world.registry().route(spec).unwrap();
    let input = spec.input.map_or_else(Value::empty, |shape| fullest(shape, &text));
    let caller = world.user("ann").await;
    (route.targets.as_ref().unwrap())(&world.cx(Arc::clone(&caller)), &input).await.unwrap()
}

#[tokio::test]
async fn hand_written_targets_set_the_keys_they_are_said_to_set() {
    let world = peopled().await;
    let mut missing = Vec::new();
    for (name, service) in [("iam", &IAM), ("organizations", &ORGANIZATIONS), ("sts", &STS)] {
        for declared in hand_written(name) {
            let targets = targets(&world, service, declared.operation).await;
            let shown: Vec<_> = targets
                .iter()
                .map(|target| (target.action.to_string(), target.keys.iter().map(|(key, _)| key.to_owned()).collect()))
                .collect();
            missing
                .extend(declared.missing(&shown).iter().map(|what| format!("{name}:{}: {what}", declared.operation)));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The values, by example.
#[tokio::test]
async fn the_boundary_is_the_one_that_is_there() {
    let world = peopled().await;
    let targets = targets(&world, &IAM, AttachUserPolicy::SPEC.name).await;
    let key = |name: &str| targets[0].keys.iter().find(|(key, _)| *key == name).map(|(_, values)| values.to_strings());
    assert_eq!(targets[0].resource, format!("arn:aws:iam::{}:user/ann", world.management));
    assert_eq!(key("iam:permissionsboundary"), Some(vec![BOUNDARY.to_owned()]));
    assert_eq!(key("iam:policyarn"), Some(vec![BOUNDARY.to_owned()]));
}
