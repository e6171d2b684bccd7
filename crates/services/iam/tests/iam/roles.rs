//! Roles: their life, their trust, their policies and tags.

use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;

use crate::support::{ALLOW_ALL, World, code, statement, trusting, world};

const SERVICE: &str = r#"{"Service":"sagemaker.amazonaws.com"}"#;

pub async fn new_role(world: &World, name: &str, trust: &str) -> Role {
    let input = CreateRoleRequest {
        role_name: name.to_owned(),
        assume_role_policy_document: trust.to_owned(),
        ..Default::default()
    };
    world.call::<op::CreateRole>(&world.admin(), input).await.unwrap().role
}

pub async fn put_role_policy(world: &World, role: &str, document: &str) {
    let input = PutRolePolicyRequest {
        role_name: role.to_owned(),
        policy_name: "inline".to_owned(),
        policy_document: document.to_owned(),
    };
    world.call::<op::PutRolePolicy>(&world.admin(), input).await.unwrap();
}

#[tokio::test]
async fn a_role_is_made_changed_listed_and_deleted() {
    let world = world().await;
    let cx = world.admin();
    let input = CreateRoleRequest {
        role_name: "Exec".to_owned(),
        path: Some("/service/".to_owned()),
        assume_role_policy_document: trusting(SERVICE),
        max_session_duration: Some(7200),
        ..Default::default()
    };
    let role = world.call::<op::CreateRole>(&cx, input.clone()).await.unwrap().role;
    assert_eq!(role.arn, format!("arn:aws:iam::{}:role/service/Exec", world.management));
    assert_eq!(
        code(world.call::<op::CreateRole>(&cx, input).await.map(|_| ())),
        ("EntityAlreadyExistsException".to_owned(), 409)
    );
    let get = || GetRoleRequest { role_name: "Exec".to_owned() };
    let update = UpdateRoleRequest {
        role_name: "Exec".to_owned(),
        description: Some("new".to_owned()),
        max_session_duration: None,
    };
    world.call::<op::UpdateRole>(&cx, update).await.unwrap();
    let trust =
        UpdateAssumeRolePolicyRequest { role_name: "Exec".to_owned(), policy_document: trusting(r#"{"AWS":"*"}"#) };
    world.call::<op::UpdateAssumeRolePolicy>(&cx, trust).await.unwrap();
    let found = world.call::<op::GetRole>(&cx, get()).await.unwrap().role;
    assert_eq!((found.description.as_deref(), found.max_session_duration), (Some("new"), Some(7200)));
    assert!(found.assume_role_policy_document.unwrap().contains("%22AWS%22%3A%22%2A%22"));
    let list = ListRolesRequest { path_prefix: Some("/service/".to_owned()), ..Default::default() };
    assert_eq!(world.call::<op::ListRoles>(&cx, list).await.unwrap().roles.len(), 1);
    let all = world.call::<op::ListRoles>(&cx, ListRolesRequest::default()).await.unwrap().roles;
    assert!(all.iter().any(|role| role.role_name == "StoaAdmin"));
    put_role_policy(&world, "Exec", ALLOW_ALL).await;
    let delete = || DeleteRoleRequest { role_name: "Exec".to_owned() };
    assert_eq!(
        code(world.call::<op::DeleteRole>(&cx, delete()).await.map(|_| ())),
        ("DeleteConflictException".to_owned(), 409)
    );
    let policy = DeleteRolePolicyRequest { role_name: "Exec".to_owned(), policy_name: "inline".to_owned() };
    world.call::<op::DeleteRolePolicy>(&cx, policy).await.unwrap();
    world.call::<op::DeleteRole>(&cx, delete()).await.unwrap();
    assert_eq!(
        code(world.call::<op::GetRole>(&cx, get()).await.map(|_| ())),
        ("NoSuchEntityException".to_owned(), 404)
    );
}

#[tokio::test]
async fn documents_of_the_wrong_kind_are_malformed() {
    let world = world().await;
    let cx = world.admin();
    for trust in [ALLOW_ALL.to_owned(), "nonsense".to_owned(), statement("Allow", "s3:GetObject", "*")] {
        let input =
            CreateRoleRequest { role_name: "r".to_owned(), assume_role_policy_document: trust, ..Default::default() };
        let refused = world.call::<op::CreateRole>(&cx, input).await.map(|_| ());
        assert_eq!(code(refused), ("MalformedPolicyDocumentException".to_owned(), 400));
    }
    new_role(&world, "r", &trusting(SERVICE)).await;
    let put = PutRolePolicyRequest {
        role_name: "r".to_owned(),
        policy_name: "p".to_owned(),
        policy_document: trusting(SERVICE),
    };
    let refused = world.call::<op::PutRolePolicy>(&cx, put).await.map(|_| ());
    assert_eq!(code(refused).0, "MalformedPolicyDocumentException");
}

#[tokio::test]
async fn service_linked_roles_are_not_made_by_hand() {
    let world = world().await;
    let input = CreateRoleRequest {
        role_name: "AWSServiceRoleForX".to_owned(),
        path: Some("/aws-service-role/x.amazonaws.com/".to_owned()),
        assume_role_policy_document: trusting(SERVICE),
        ..Default::default()
    };
    let refused = world.call::<op::CreateRole>(&world.admin(), input).await.map(|_| ());
    assert_eq!(code(refused), ("InvalidInputException".to_owned(), 400));
}

#[tokio::test]
async fn tags_are_set_listed_removed_and_seen_by_conditions() {
    let world = world().await;
    let cx = world.admin();
    let role = new_role(&world, "r", &trusting(SERVICE)).await;
    let tag = |key: &str| Tag { key: key.to_owned(), value: "v".to_owned() };
    let tags = |tags| TagRoleRequest { role_name: "r".to_owned(), tags };
    world.call::<op::TagRole>(&cx, tags(vec![tag("Team"), tag("b"), tag("c")])).await.unwrap();
    let twice = world.call::<op::TagRole>(&cx, tags(vec![tag("x"), tag("X")])).await.map(|_| ());
    assert_eq!(code(twice), ("InvalidInputException".to_owned(), 400));
    let many = (0..48).map(|number| tag(&format!("t{number}"))).collect();
    let many = world.call::<op::TagRole>(&cx, tags(many)).await.map(|_| ());
    assert_eq!(code(many), ("LimitExceededException".to_owned(), 409));
    let untag = UntagRoleRequest { role_name: "r".to_owned(), tag_keys: vec!["b".to_owned()] };
    world.call::<op::UntagRole>(&cx, untag).await.unwrap();
    let list = ListRoleTagsRequest { role_name: "r".to_owned(), max_items: Some(1), ..Default::default() };
    let page = world.call::<op::ListRoleTags>(&cx, list).await.unwrap();
    assert_eq!((page.tags[0].key.as_str(), page.is_truncated), ("Team", Some(true)));
    let stored = world.store.tags(&role.arn).await.unwrap();
    assert_eq!(stored.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["Team", "c"]);
}

#[tokio::test]
async fn attaching_is_idempotent_counted_and_bounded() {
    let world = world().await;
    let cx = world.admin();
    new_role(&world, "r", &trusting(SERVICE)).await;
    let attach = |arn: String| AttachRolePolicyRequest { role_name: "r".to_owned(), policy_arn: arn };
    let mut arns = Vec::new();
    for number in 0..11 {
        let input = CreatePolicyRequest {
            policy_name: format!("p{number}"),
            policy_document: ALLOW_ALL.to_owned(),
            ..Default::default()
        };
        arns.push(world.call::<op::CreatePolicy>(&cx, input).await.unwrap().policy.unwrap().arn.unwrap());
    }
    for arn in &arns[..10] {
        world.call::<op::AttachRolePolicy>(&cx, attach(arn.clone())).await.unwrap();
        world.call::<op::AttachRolePolicy>(&cx, attach(arn.clone())).await.unwrap();
    }
    let get = GetPolicyRequest { policy_arn: arns[0].clone() };
    let policy = world.call::<op::GetPolicy>(&cx, get).await.unwrap().policy.unwrap();
    assert_eq!(policy.attachment_count, Some(1));
    let eleventh = world.call::<op::AttachRolePolicy>(&cx, attach(arns[10].clone())).await.map(|_| ());
    assert_eq!(code(eleventh), ("LimitExceededException".to_owned(), 409));
    let unknown = world.call::<op::AttachRolePolicy>(&cx, attach("arn:aws:iam::aws:policy/No".to_owned())).await;
    assert_eq!(code(unknown.map(|_| ())).0, "NoSuchEntityException");
    let invalid = world.call::<op::AttachRolePolicy>(&cx, attach("arn:aws:s3:::not-a-policy".to_owned())).await;
    assert_eq!(code(invalid.map(|_| ())).0, "InvalidInputException");
    let delete = DeletePolicyRequest { policy_arn: arns[0].clone() };
    assert_eq!(
        code(world.call::<op::DeletePolicy>(&cx, delete.clone()).await.map(|_| ())).0,
        "DeleteConflictException"
    );
    let detach = || DetachRolePolicyRequest { role_name: "r".to_owned(), policy_arn: arns[0].clone() };
    world.call::<op::DetachRolePolicy>(&cx, detach()).await.unwrap();
    assert_eq!(code(world.call::<op::DetachRolePolicy>(&cx, detach()).await.map(|_| ())).0, "NoSuchEntityException");
    world.call::<op::DeletePolicy>(&cx, delete).await.unwrap();
}

#[tokio::test]
async fn parallel_attachments_to_one_role_all_arrive() {
    let world = std::sync::Arc::new(world().await);
    new_role(&world, "r", &trusting(SERVICE)).await;
    let mut tasks = Vec::new();
    for name in ["AdministratorAccess", "AmazonS3FullAccess", "AmazonS3ReadOnlyAccess"] {
        let world = std::sync::Arc::clone(&world);
        tasks.push(tokio::spawn(async move {
            let policy_arn = format!("arn:aws:iam::aws:policy/{name}");
            let input = AttachRolePolicyRequest { role_name: "r".to_owned(), policy_arn };
            world.call::<op::AttachRolePolicy>(&world.admin(), input).await.unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let list = ListAttachedRolePoliciesRequest { role_name: "r".to_owned(), ..Default::default() };
    let attached = world.call::<op::ListAttachedRolePolicies>(&world.admin(), list).await.unwrap();
    assert_eq!(attached.attached_policies.unwrap().len(), 3);
}
