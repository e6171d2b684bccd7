//! What the authority decides, and in which words.

use std::sync::Arc;

use stoa_kernel::Principal;
use stoa_kernel::ports::Authority;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;
use stoa_policy::{Effect, MapContext, PolicySet, Slot};

use crate::roles::{new_role, put_role_policy};
use crate::support::{ALLOW_ALL, World, statement, trusting, world};
use crate::users::{new_key, new_user, put_policy};

const HUB: &str = "arn:aws:sagemaker:us-west-2:123456789012:hub/h";

async fn anna(world: &World) -> Arc<Principal> {
    new_user(world, "anna").await;
    let key = new_key(world, "anna").await;
    world.principal(&key.access_key_id, None).await.unwrap()
}

fn own_hub(world: &World) -> String {
    HUB.replace("123456789012", world.management.as_str())
}

#[tokio::test]
async fn allow_implicit_and_explicit_deny_in_the_words_of_aws() {
    let world = world().await;
    let anna = anna(&world).await;
    let hub = own_hub(&world);
    let none = world.decide(&anna, "sagemaker:DescribeHub", &hub).await;
    assert_eq!((none.effect, none.slot), (Effect::ImplicitDeny, Slot::Identity));
    let text = "because no identity-based policy allows the sagemaker:DescribeHub action";
    assert_eq!(none.reason.as_deref(), Some(text));
    put_policy(&world, "anna", "allow", &statement("Allow", "sagemaker:*", "*")).await;
    let allowed = world.decide(&anna, "sagemaker:DescribeHub", &hub).await;
    assert_eq!((allowed.effect, allowed.reason), (Effect::Allow, None));
    put_policy(&world, "anna", "deny", &statement("Deny", "sagemaker:DescribeHub", "*")).await;
    let denied = world.decide(&anna, "sagemaker:DescribeHub", &hub).await;
    assert_eq!(denied.effect, Effect::ExplicitDeny);
    assert_eq!(denied.reason.as_deref(), Some("with an explicit deny in an identity-based policy"));
    assert_eq!(denied.matched.as_deref(), Some("deny#It"));
    assert_eq!(world.decide(&anna, "sagemaker:ListHubs", "*").await.effect, Effect::Allow);
}

#[tokio::test]
async fn a_managed_policy_changed_is_seen_by_the_next_request() {
    let world = world().await;
    let cx = world.admin();
    let anna = anna(&world).await;
    let hub = own_hub(&world);
    let create = CreatePolicyRequest {
        policy_name: "p".to_owned(),
        policy_document: statement("Allow", "sagemaker:DescribeHub", "*"),
        ..Default::default()
    };
    let arn = world.call::<op::CreatePolicy>(&cx, create).await.unwrap().policy.unwrap().arn.unwrap();
    let attach = AttachUserPolicyRequest { user_name: "anna".to_owned(), policy_arn: arn.clone() };
    world.call::<op::AttachUserPolicy>(&cx, attach).await.unwrap();
    assert_eq!(world.decide(&anna, "sagemaker:DescribeHub", &hub).await.effect, Effect::Allow);
    // A change elsewhere in IAM leaves it true.
    new_user(&world, "bert").await;
    assert_eq!(world.decide(&anna, "sagemaker:DescribeHub", &hub).await.effect, Effect::Allow);
    let version = CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: statement("Allow", "sagemaker:ListHubs", "*"),
        set_as_default: Some(true),
    };
    world.call::<op::CreatePolicyVersion>(&cx, version).await.unwrap();
    assert_eq!(world.decide(&anna, "sagemaker:DescribeHub", &hub).await.effect, Effect::ImplicitDeny);
    assert_eq!(world.decide(&anna, "sagemaker:ListHubs", "*").await.effect, Effect::Allow);
    let detach = DetachUserPolicyRequest { user_name: "anna".to_owned(), policy_arn: arn };
    world.call::<op::DetachUserPolicy>(&cx, detach).await.unwrap();
    assert_eq!(world.decide(&anna, "sagemaker:ListHubs", "*").await.effect, Effect::ImplicitDeny);
}

#[tokio::test]
async fn a_user_made_again_under_the_same_name_is_another() {
    let world = world().await;
    let cx = world.admin();
    let old = anna(&world).await;
    let keys = ListAccessKeysRequest { user_name: Some("anna".to_owned()), ..Default::default() };
    for key in world.call::<op::ListAccessKeys>(&cx, keys).await.unwrap().access_key_metadata {
        let delete = DeleteAccessKeyRequest { user_name: key.user_name, access_key_id: key.access_key_id.unwrap() };
        world.call::<op::DeleteAccessKey>(&cx, delete).await.unwrap();
    }
    world.call::<op::DeleteUser>(&cx, DeleteUserRequest { user_name: "anna".to_owned() }).await.unwrap();
    new_user(&world, "anna").await;
    put_policy(&world, "anna", "all", ALLOW_ALL).await;
    assert_eq!(world.decide(&old, "sagemaker:ListHubs", "*").await.effect, Effect::ImplicitDeny);
}

#[tokio::test]
async fn a_boundary_limits_what_policies_grant() {
    let world = world().await;
    let cx = world.admin();
    let boundary = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let create = CreateUserRequest {
        user_name: "anna".to_owned(),
        permissions_boundary: Some(boundary.to_owned()),
        ..Default::default()
    };
    world.call::<op::CreateUser>(&cx, create).await.unwrap();
    put_policy(&world, "anna", "all", ALLOW_ALL).await;
    let key = new_key(&world, "anna").await;
    let anna = world.principal(&key.access_key_id, None).await.unwrap();
    assert_eq!(world.decide(&anna, "s3:GetObject", "arn:aws:s3:::b/k").await.effect, Effect::Allow);
    let put = world.decide(&anna, "s3:PutObject", "arn:aws:s3:::b/k").await;
    assert_eq!((put.effect, put.slot), (Effect::ImplicitDeny, Slot::Boundary));
}

#[tokio::test]
async fn other_accounts_are_out_of_reach_and_the_public_account_can_be_read() {
    let world = world().await;
    let anna = anna(&world).await;
    put_policy(&world, "anna", "all", ALLOW_ALL).await;
    let theirs = world.decide(&anna, "sagemaker:DescribeHub", HUB).await;
    assert_eq!((theirs.effect, theirs.slot), (Effect::ImplicitDeny, Slot::Resource));
    let text = "because no resource-based policy allows the sagemaker:DescribeHub action";
    assert_eq!(theirs.reason.as_deref(), Some(text));
    let public = "arn:aws:sagemaker:us-west-2:aws:hub/SageMakerPublicHub";
    for action in ["DescribeHub", "ListHubContents", "CreateHubContentPresignedUrls", "CreateHubContentReference"] {
        let verdict = world.decide(&anna, &format!("sagemaker:{action}"), public).await;
        assert_eq!(verdict.effect, Effect::Allow, "{action}");
    }
    for action in ["DeleteHub", "ImportHubContent", "UpdateHub"] {
        let verdict = world.decide(&anna, &format!("sagemaker:{action}"), public).await;
        assert_eq!(verdict.effect, Effect::ImplicitDeny, "{action}");
    }
    let owned = |account: &str| MapContext::new().with("aws:ResourceAccount", account);
    let bucket = "arn:aws:s3:::bucket/key";
    let own = owned(world.management.as_str());
    assert_eq!(world.iam.decide(&anna, "s3:PutObject", bucket, &own).await.unwrap().effect, Effect::Allow);
    let other = owned("123456789012");
    assert_eq!(world.iam.decide(&anna, "s3:GetObject", bucket, &other).await.unwrap().effect, Effect::ImplicitDeny);
    let public = owned("aws");
    assert_eq!(world.iam.decide(&anna, "s3:GetObject", bucket, &public).await.unwrap().effect, Effect::Allow);
    assert_eq!(world.iam.decide(&anna, "s3:PutObject", bucket, &public).await.unwrap().effect, Effect::ImplicitDeny);
}

#[tokio::test]
async fn the_public_account_is_still_subject_to_the_callers_own_policies() {
    let world = world().await;
    let anna = anna(&world).await;
    let public = "arn:aws:sagemaker:us-west-2:aws:hub/SageMakerPublicHub";
    assert_eq!(world.decide(&anna, "sagemaker:DescribeHub", public).await.effect, Effect::ImplicitDeny);
    put_policy(&world, "anna", "all", ALLOW_ALL).await;
    put_policy(&world, "anna", "no", &statement("Deny", "sagemaker:*", public)).await;
    assert_eq!(world.decide(&anna, "sagemaker:DescribeHub", public).await.effect, Effect::ExplicitDeny);
}

#[tokio::test]
async fn service_control_policies_bind_members_and_their_root_but_not_the_management_account() {
    let world = world().await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let organization = world.iam.organization().await.unwrap();
    let root_of = |account| world.root(account).principal;
    let act = "sagemaker:CreateHub";
    assert_eq!(world.decide(&root_of(&member), act, "*").await.effect, Effect::Allow);
    let deny = statement("Deny", act, "*");
    world.iam.attach_scp(member.as_str(), "no-hubs", &deny).await.unwrap();
    let denied = world.decide(&root_of(&member), act, "*").await;
    assert_eq!((denied.effect, denied.slot), (Effect::ExplicitDeny, Slot::Scp));
    assert_eq!(denied.reason.as_deref(), Some("with an explicit deny in a service control policy"));
    world.iam.attach_scp(&organization.root_id, "no-hubs", &deny).await.unwrap();
    assert_eq!(world.decide(&root_of(&world.management), act, "*").await.effect, Effect::Allow);
    world.iam.detach_scp(&organization.root_id, "no-hubs").await.unwrap();
    world.iam.detach_scp(member.as_str(), "no-hubs").await.unwrap();
    assert_eq!(world.decide(&root_of(&member), act, "*").await.effect, Effect::Allow);
    world.iam.attach_scp(member.as_str(), "s3-only", &statement("Allow", "s3:*", "*")).await.unwrap();
    assert_eq!(world.decide(&root_of(&member), act, "*").await.effect, Effect::Allow);
    world.iam.detach_scp(member.as_str(), "FullAWSAccess").await.unwrap();
    let limited = world.decide(&root_of(&member), act, "*").await;
    assert_eq!((limited.effect, limited.slot), (Effect::ImplicitDeny, Slot::Scp));
    let bad = world.iam.attach_scp("x", "bad", "{}").await;
    assert_eq!(crate::support::code(bad).0, "MalformedPolicyDocumentException");
}

#[tokio::test]
async fn a_resource_policy_lets_another_account_in() {
    struct Shared(Arc<PolicySet>);
    #[async_trait::async_trait]
    impl stoa_kernel::ports::ResourcePolicies for Shared {
        async fn resource_policy(&self, resource: &str) -> Result<Option<Arc<PolicySet>>, stoa_kernel::ApiError> {
            Ok((resource == HUB).then(|| Arc::clone(&self.0)))
        }
    }
    let world = world().await;
    let anna = anna(&world).await;
    put_policy(&world, "anna", "all", ALLOW_ALL).await;
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sagemaker:DescribeHub","Resource":"{HUB}"}}]}}"#,
        world.management
    );
    let document = stoa_policy::Document::parse(&text).unwrap();
    let set = PolicySet::compile([(Arc::from("share"), &document)]);
    world.iam.set_resource_policies(vec![Arc::new(Shared(Arc::new(set)))]);
    assert_eq!(world.decide(&anna, "sagemaker:DescribeHub", HUB).await.effect, Effect::Allow);
    assert_eq!(world.decide(&anna, "sagemaker:DeleteHub", HUB).await.effect, Effect::ImplicitDeny);
    assert_eq!(
        world.decide(&anna, "sagemaker:DescribeHub", &HUB.replace("hub/h", "hub/i")).await.effect,
        Effect::ImplicitDeny
    );
}

#[tokio::test]
async fn a_service_becomes_the_role_that_trusts_it() {
    let world = world().await;
    let role = new_role(&world, "Exec", &trusting(r#"{"Service":"sagemaker.amazonaws.com"}"#)).await;
    put_role_policy(&world, "Exec", &statement("Allow", "s3:GetObject", "arn:aws:s3:::b/*")).await;
    let session = |service: &'static str| world.iam.service_session(&role.arn, service, "SageMaker");
    let session = session("sagemaker.amazonaws.com").await.unwrap().unwrap();
    assert_eq!(session.arn, format!("arn:aws:sts::{}:assumed-role/Exec/SageMaker", world.management));
    assert_eq!(world.decide(&session, "s3:GetObject", "arn:aws:s3:::b/k").await.effect, Effect::Allow);
    assert_eq!(world.decide(&session, "s3:PutObject", "arn:aws:s3:::b/k").await.effect, Effect::ImplicitDeny);
    assert!(world.iam.service_session(&role.arn, "lambda.amazonaws.com", "x").await.unwrap().is_none());
    let missing = role.arn.replace("Exec", "Nothing");
    assert!(world.iam.service_session(&missing, "sagemaker.amazonaws.com", "x").await.unwrap().is_none());
    let update = UpdateAssumeRolePolicyRequest {
        role_name: "Exec".to_owned(),
        policy_document: trusting(r#"{"Service":"lambda.amazonaws.com"}"#),
    };
    world.call::<op::UpdateAssumeRolePolicy>(&world.admin(), update).await.unwrap();
    assert!(world.iam.service_session(&role.arn, "sagemaker.amazonaws.com", "x").await.unwrap().is_none());
}

#[tokio::test]
async fn nobody_may_do_nothing() {
    let world = world().await;
    let verdict = world.decide(&Principal::anonymous(), "s3:GetObject", "arn:aws:s3:::b/k").await;
    assert_eq!(verdict.effect, Effect::ImplicitDeny);
}

#[tokio::test]
async fn a_refusal_can_be_decoded_by_the_account_it_was_told_to_and_by_nobody_else() {
    let world = world().await;
    let cx = world.cx(anna(&world).await);
    let target = stoa_kernel::Target::new("sagemaker:DescribeHub", own_hub(&world)).with_key("sagemaker:X", "y");
    let error = cx.decide(&[target]).await.unwrap_err();
    let headers = cx.answer_headers(true, error.refusal());
    assert_eq!(headers[0], ("x-stoa-decision-id", "request".to_owned()));
    let (name, encoded) = &headers[1];
    assert_eq!(*name, "x-stoa-authorization-message");
    let decoded = world.iam.decode_refusal(&world.management, encoded).unwrap();
    let decoded: serde_json::Value = serde_json::from_str(&decoded).unwrap();
    assert_eq!((&decoded["allowed"], &decoded["explicitDeny"]), (&false.into(), &false.into()));
    assert_eq!(decoded["context"]["action"], "sagemaker:DescribeHub");
    let conditions = decoded["context"]["conditions"]["items"].as_array().unwrap();
    assert!(conditions.iter().any(|one| one["key"] == "sagemaker:x" && one["values"]["items"][0]["value"] == "y"));
    assert!(world.iam.decode_refusal(&"123456789012".parse().unwrap(), encoded).is_none());
    assert!(world.iam.decode_refusal(&world.management, "nonsense").is_none());
}

#[tokio::test]
async fn a_slot_can_be_replaced_and_decided_again() {
    let world = world().await;
    let anna = anna(&world).await;
    let hub = own_hub(&world);
    let context = MapContext::new();
    let act = "sagemaker:DescribeHub";
    let gathered = world.iam.gather(&anna, act, &hub, &context).await.unwrap().unwrap();
    let effect = |gathered: &stoa_iam::Gathered| gathered.decide(act, &hub, &context, |decision| decision.effect);
    assert_eq!(effect(&gathered), Effect::ImplicitDeny);
    let set = |text: &str| {
        let document = stoa_policy::Document::parse(text).unwrap();
        Arc::new(PolicySet::compile([(Arc::from("draft"), &document)]))
    };
    let wider = stoa_iam::Gathered { identity: set(ALLOW_ALL), ..gathered };
    assert_eq!(effect(&wider), Effect::Allow);
    let narrower = stoa_iam::Gathered { boundary: Some(set(&statement("Allow", "s3:*", "*"))), ..wider.clone() };
    assert_eq!(effect(&narrower), Effect::ImplicitDeny);
    assert_eq!(wider.explain(act, &hub, &context).effect, Effect::Allow);
}
