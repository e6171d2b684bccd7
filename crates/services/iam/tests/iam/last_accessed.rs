//! What was last used, by whom: RoleLastUsed and last-accessed details.

use serde_json::json;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_policy::Effect;

use crate::groups::{join, new_group};
use crate::support::{World, start, statement, world};
use crate::users::{new_key, new_user, put_policy};

const MINUTE: i64 = 60_000;

async fn details(world: &World, arn: &str, granularity: &str) -> (String, Vec<ServiceLastAccessed>) {
    let input = json!({"Arn": arn, "Granularity": granularity});
    let job = world.root_does::<op::GenerateServiceLastAccessedDetails>(input).await.job_id.unwrap();
    let found = world.root_does::<op::GetServiceLastAccessedDetails>(json!({"JobId": job})).await;
    assert_eq!(found.job_status, JobStatusType::Completed);
    (job, found.services_last_accessed)
}

fn service<'a>(found: &'a [ServiceLastAccessed], namespace: &str) -> Option<&'a ServiceLastAccessed> {
    found.iter().find(|one| one.service_namespace == namespace)
}

#[tokio::test]
async fn only_allowed_uses_count_and_they_survive_a_restart() {
    let world = world().await;
    let user = new_user(&world, "anna").await;
    put_policy(&world, "anna", "p", &statement("Allow", "iam:List*", "*")).await;
    put_policy(&world, "anna", "q", &statement("Allow", "dynamodb:*", "*")).await;
    let key = new_key(&world, "anna").await;
    let cx = world.cx(world.principal(&key.access_key_id, None).await.unwrap());
    let (_, never) = details(&world, &user.arn, "SERVICE_LEVEL").await;
    let namespaces: Vec<&str> = never.iter().map(|one| &*one.service_namespace).collect();
    assert_eq!(namespaces, ["dynamodb", "iam"]);
    assert!(never.iter().all(|one| one.last_authenticated.is_none() && one.total_authenticated_entities == Some(0)));
    world.ask::<op::GetUser>(&cx, json!({"UserName": "anna"})).await.unwrap_err();
    let (_, denied) = details(&world, &user.arn, "SERVICE_LEVEL").await;
    assert_eq!(denied, never, "a refused call is no use");
    world.ask::<op::ListUsers>(&cx, json!({})).await.unwrap();
    world.iam.flush_key_uses().await.unwrap();
    world.clock.advance_millis(MINUTE);
    world.ask::<op::ListRoles>(&cx, json!({})).await.unwrap();
    let (_, found) = details(&world, &user.arn, "ACTION_LEVEL").await;
    let iam = service(&found, "iam").unwrap();
    assert_eq!(iam.service_name, "AWS Identity and Access Management");
    assert_eq!(iam.last_authenticated, Some(start().plus_millis(MINUTE)));
    assert_eq!(iam.last_authenticated_entity.as_deref(), Some(user.arn.as_str()));
    assert_eq!(iam.last_authenticated_region.as_deref(), Some("us-west-2"));
    let actions = iam.tracked_actions_last_accessed.as_ref().unwrap();
    let at = |name: &str| {
        let action = actions.iter().find(|one| one.action_name.as_deref() == Some(name)).unwrap();
        action.last_accessed_time
    };
    assert_eq!(at("ListRoles"), Some(start().plus_millis(MINUTE)));
    assert_eq!((at("ListUsers"), at("ListGroups")), (Some(start()), None));
    assert!(actions.iter().all(|one| one.action_name.as_ref().unwrap().starts_with("List")), "only what is allowed");
    world.iam.flush_key_uses().await.unwrap();
    let again = world.restarted().await;
    let (job, after) = details(&again, &user.arn, "ACTION_LEVEL").await;
    assert_eq!(after, found);
    again.clock.advance_millis(7 * 24 * 60 * MINUTE);
    let old = again.root_refused::<op::GetServiceLastAccessedDetails>(json!({"JobId": job})).await;
    assert_eq!(old.0, "NoSuchEntityException");
    details(&again, &user.arn, "SERVICE_LEVEL").await;
    let query = stoa_store::Query::of("iam-report:last-accessed");
    assert_eq!(again.store.count(&query).await.unwrap(), 3, "of five, the two that are older than a week are removed");
}

#[tokio::test]
async fn noting_a_use_does_not_empty_the_caches() {
    let world = world().await;
    new_user(&world, "anna").await;
    put_policy(&world, "anna", "p", &statement("Allow", "iam:List*", "*")).await;
    let key = new_key(&world, "anna").await;
    let anna = world.principal(&key.access_key_id, None).await.unwrap();
    let before = world.store.version("iam:");
    assert_eq!(world.decide(&anna, "iam:ListUsers", "*").await.effect, Effect::Allow);
    world.iam.flush_key_uses().await.unwrap();
    assert_eq!(world.store.version("iam:"), before);
}

#[tokio::test]
async fn a_policy_and_a_group_tell_of_all_who_have_them() {
    let world = world().await;
    let anna = new_user(&world, "anna").await;
    let bert = new_user(&world, "bert").await;
    new_group(&world, "g").await;
    join(&world, "anna", "g").await;
    let input = json!({"PolicyName": "p", "PolicyDocument": statement("Allow", "iam:List*", "*")});
    let arn = world.root_does::<op::CreatePolicy>(input).await.policy.unwrap().arn.unwrap();
    world.root_does::<op::AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": arn})).await;
    world.root_does::<op::AttachUserPolicy>(json!({"UserName": "bert", "PolicyArn": arn})).await;
    let key = new_key(&world, "anna").await;
    let cx = world.cx(world.principal(&key.access_key_id, None).await.unwrap());
    world.ask::<op::ListUsers>(&cx, json!({})).await.unwrap();
    let (job, found) = details(&world, &arn, "SERVICE_LEVEL").await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].total_authenticated_entities, Some(1));
    assert_eq!(found[0].last_authenticated_entity, Some(anna.arn.clone()));
    assert!(found[0].tracked_actions_last_accessed.is_none());
    let input = json!({"JobId": job, "ServiceNamespace": "iam"});
    let with = world.root_does::<op::GetServiceLastAccessedDetailsWithEntities>(input).await.entity_details_list;
    let told: Vec<_> = with.iter().map(|one| (one.entity_info.arn.clone(), one.last_authenticated.is_some())).collect();
    assert_eq!(told, [(anna.arn, true), (bert.arn, false)]);
    let group = format!("arn:aws:iam::{}:group/g", world.management);
    let (_, of_group) = details(&world, &group, "SERVICE_LEVEL").await;
    assert_eq!(of_group[0].total_authenticated_entities, Some(1));
    let missing = json!({"Arn": format!("arn:aws:iam::{}:user/none", world.management)});
    assert_eq!(world.root_refused::<op::GenerateServiceLastAccessedDetails>(missing).await.0, "NoSuchEntityException");
}

#[tokio::test]
async fn a_roles_last_use_is_that_of_its_sessions() {
    let world = world().await;
    let made = world.iam.local_credentials(None, "me").await.unwrap();
    let value = |name: &str| {
        let line = made.text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    let get = json!({"RoleName": "StoaAdmin"});
    let never = world.root_does::<op::GetRole>(get.clone()).await.role.role_last_used.unwrap();
    assert_eq!(never.last_used_date, None);
    let (id, token) = (value("aws_access_key_id"), value("aws_session_token"));
    let session = world.cx(world.principal(&id, Some(&token)).await.unwrap());
    world.clock.advance_millis(MINUTE);
    world.ask::<op::ListUsers>(&session, json!({})).await.unwrap();
    let used = world.root_does::<op::GetRole>(get).await.role.role_last_used.unwrap();
    assert_eq!(used.last_used_date, Some(start().plus_millis(MINUTE)));
    assert_eq!(used.region.as_deref(), Some("us-west-2"));
}
