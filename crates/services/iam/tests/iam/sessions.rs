//! AssumeRole, GetSessionToken, GetCallerIdentity: who may, for how long, and what becomes of the session.

use stoa_kernel::{ApiError, Cx};
use stoa_models_iam::operations as iam_op;
use stoa_models_iam::types::{DeleteRolePolicyRequest, DeleteRoleRequest, UpdateRoleRequest};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::*;
use stoa_policy::Effect;
use stoa_schema::ToValue;

use crate::roles::{new_role, put_role_policy};
use crate::support::{ALLOW_ALL, World, code, statement, trusting, world};
use crate::users::{new_key, new_user, put_policy};

async fn anna(world: &World) -> Cx {
    new_user(world, "anna").await;
    let key = new_key(world, "anna").await;
    world.cx(world.principal(&key.access_key_id, None).await.unwrap())
}

fn assume(world: &World, role: &str) -> AssumeRoleRequest {
    AssumeRoleRequest {
        role_arn: format!("arn:aws:iam::{}:role/{role}", world.management),
        role_session_name: "work".to_owned(),
        ..Default::default()
    }
}

async fn assumed(world: &World, cx: &Cx, input: AssumeRoleRequest) -> Result<Credentials, ApiError> {
    Ok(world.call::<op::AssumeRole>(cx, input).await?.credentials.unwrap())
}

async fn as_session(world: &World, credentials: &Credentials) -> Cx {
    let token = Some(&*credentials.session_token);
    world.cx(world.principal(&credentials.access_key_id, token).await.unwrap())
}

fn user_arn(world: &World) -> String {
    format!(r#"{{"AWS":"arn:aws:iam::{}:user/anna"}}"#, world.management)
}

fn root_arn(world: &World) -> String {
    format!(r#"{{"AWS":"arn:aws:iam::{}:root"}}"#, world.management)
}

#[tokio::test]
async fn a_trust_that_names_the_user_is_enough_and_one_that_names_the_account_is_not() {
    let world = world().await;
    let anna = anna(&world).await;
    new_role(&world, "direct", &trusting(&user_arn(&world))).await;
    new_role(&world, "account", &trusting(&root_arn(&world))).await;
    new_role(&world, "service", &trusting(r#"{"Service":"sagemaker.amazonaws.com"}"#)).await;
    let output = world.call::<op::AssumeRole>(&anna, assume(&world, "direct")).await.unwrap();
    let user = output.assumed_role_user.unwrap();
    assert_eq!(user.arn, format!("arn:aws:sts::{}:assumed-role/direct/work", world.management));
    assert!(user.assumed_role_id.starts_with("AROA") && user.assumed_role_id.ends_with(":work"));
    assert_eq!(output.packed_policy_size, None);
    let refused = assumed(&world, &anna, assume(&world, "account")).await.unwrap_err();
    assert_eq!(refused.code(), "AccessDeniedException");
    let words = "is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::";
    assert!(refused.message().contains(words), "{}", refused.message());
    put_policy(&world, "anna", "may", &statement("Allow", "sts:AssumeRole", "*")).await;
    assumed(&world, &anna, assume(&world, "account")).await.unwrap();
    assert_eq!(code(assumed(&world, &anna, assume(&world, "service")).await).0, "AccessDeniedException");
    assert_eq!(code(assumed(&world, &anna, assume(&world, "missing")).await).0, "AccessDeniedException");
    put_policy(&world, "anna", "not", &statement("Deny", "sts:AssumeRole", "*")).await;
    assert_eq!(code(assumed(&world, &anna, assume(&world, "direct")).await).0, "AccessDeniedException");
    assert_eq!(code(assumed(&world, &world.admin(), assume(&world, "account")).await).0, "AccessDeniedException");
}

#[tokio::test]
async fn conditions_of_the_trust_policy_hold() {
    let world = world().await;
    let anna = anna(&world).await;
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{},"Action":"sts:AssumeRole",
        "Condition":{{"StringEquals":{{"sts:ExternalId":"secret","sts:RoleSessionName":"work"}}}}}}]}}"#,
        user_arn(&world)
    );
    new_role(&world, "r", &trust).await;
    assert_eq!(code(assumed(&world, &anna, assume(&world, "r")).await).0, "AccessDeniedException");
    let with = |id: &str, name: &str| AssumeRoleRequest {
        external_id: Some(id.to_owned()),
        role_session_name: name.to_owned(),
        ..assume(&world, "r")
    };
    assert!(assumed(&world, &anna, with("other", "work")).await.is_err());
    assert!(assumed(&world, &anna, with("secret", "play")).await.is_err());
    assumed(&world, &anna, with("secret", "work")).await.unwrap();
}

#[tokio::test]
async fn a_session_ends_survives_a_restart_and_dies_with_its_role() {
    let world = world().await;
    let anna = anna(&world).await;
    new_role(&world, "r", &trusting(&user_arn(&world))).await;
    let credentials = assumed(&world, &anna, assume(&world, "r")).await.unwrap();
    assert_eq!(credentials.expiration, world.cx(anna.principal.clone()).now.plus_millis(3_600_000));
    let (id, token) = (&credentials.access_key_id, Some(&*credentials.session_token));
    let authority = |world: &World| world.iam.clone();
    let again = world.restarted().await;
    let found = stoa_kernel::ports::Authority::credential(&*authority(&again), id, token).await.unwrap().unwrap();
    assert_eq!(found.secret.expose(), credentials.secret_access_key);
    assert_eq!(found.expires_at, Some(credentials.expiration));
    assert_eq!(found.session_token.as_ref().map(|token| token.expose()), token);
    assert!(again.principal(id, None).await.is_none());
    assert!(again.principal("ASIAOTHER", token).await.is_none());
    let mut forged = credentials.session_token.clone();
    let at = forged.len() / 2;
    let letter = if forged.as_bytes()[at] == b'A' { "B" } else { "A" };
    forged.replace_range(at..=at, letter);
    assert!(again.principal(id, Some(&forged)).await.is_none());
    let delete = || DeleteRoleRequest { role_name: "r".to_owned() };
    let session = world.principal(id, token).await.unwrap();
    world.call::<iam_op::DeleteRole>(&world.admin(), delete()).await.unwrap();
    assert!(world.principal(id, token).await.is_none());
    new_role(&world, "r", &trusting(&user_arn(&world))).await;
    put_role_policy(&world, "r", ALLOW_ALL).await;
    assert!(world.principal(id, token).await.is_none());
    assert_eq!(world.decide(&session, "s3:ListAllMyBuckets", "*").await.effect, Effect::ImplicitDeny);
    let policy = DeleteRolePolicyRequest { role_name: "r".to_owned(), policy_name: "inline".to_owned() };
    world.call::<iam_op::DeleteRolePolicy>(&world.admin(), policy).await.unwrap();
}

#[tokio::test]
async fn durations_have_limits() {
    let world = world().await;
    let anna = anna(&world).await;
    let trust = trusting(&format!(r#"{{"AWS":"arn:aws:iam::{}:root"}}"#, world.management));
    new_role(&world, "r", &trust).await;
    put_policy(&world, "anna", "may", &statement("Allow", "sts:AssumeRole", "*")).await;
    put_role_policy(&world, "r", ALLOW_ALL).await;
    let lasting = |seconds| AssumeRoleRequest { duration_seconds: Some(seconds), ..assume(&world, "r") };
    assert_eq!(code(assumed(&world, &anna, lasting(7200)).await).0, "ValidationException");
    let longer =
        UpdateRoleRequest { role_name: "r".to_owned(), max_session_duration: Some(43_200), ..Default::default() };
    world.call::<iam_op::UpdateRole>(&world.admin(), longer).await.unwrap();
    let credentials = assumed(&world, &anna, lasting(7200)).await.unwrap();
    let session = as_session(&world, &credentials).await;
    assert_eq!(code(assumed(&world, &session, lasting(7200)).await).0, "ValidationException");
    let chained = assumed(&world, &session, lasting(3600)).await.unwrap();
    assert_eq!(chained.expiration, session.now.plus_millis(3_600_000));
}

#[tokio::test]
async fn session_policies_narrow_what_the_role_may() {
    let world = world().await;
    let anna = anna(&world).await;
    new_role(&world, "r", &trusting(&user_arn(&world))).await;
    put_role_policy(&world, "r", ALLOW_ALL).await;
    let input = AssumeRoleRequest {
        policy: Some(statement("Allow", "s3:GetObject", "*")),
        policy_arns: Some(vec![PolicyDescriptorType {
            arn: Some("arn:aws:iam::aws:policy/AmazonSageMakerModelRegistryFullAccess".to_owned()),
        }]),
        ..assume(&world, "r")
    };
    let output = world.call::<op::AssumeRole>(&anna, input).await.unwrap();
    assert!(output.packed_policy_size.is_some_and(|percent| (1..=100).contains(&percent)));
    let narrow = as_session(&world, &output.credentials.unwrap()).await.principal;
    let wide = assumed(&world, &anna, assume(&world, "r")).await.unwrap();
    let wide = as_session(&world, &wide).await.principal;
    assert_eq!(world.decide(&narrow, "s3:GetObject", "arn:aws:s3:::b/k").await.effect, Effect::Allow);
    let put = world.decide(&narrow, "s3:PutBucketPolicy", "arn:aws:s3:::b").await;
    assert_eq!(put.reason.as_deref(), Some("because no session policy allows the s3:PutBucketPolicy action"));
    assert_eq!(world.decide(&wide, "s3:PutBucketPolicy", "arn:aws:s3:::b").await.effect, Effect::Allow);
    let bad = AssumeRoleRequest { policy: Some("{}".to_owned()), ..assume(&world, "r") };
    assert_eq!(code(assumed(&world, &anna, bad).await).0, "MalformedPolicyDocumentException");
    let unknown = PolicyDescriptorType { arn: Some("arn:aws:iam::aws:policy/No".to_owned()) };
    let unknown = AssumeRoleRequest { policy_arns: Some(vec![unknown]), ..assume(&world, "r") };
    assert_eq!(code(assumed(&world, &anna, unknown).await).0, "ValidationException");
}

#[tokio::test]
async fn session_tags_need_the_right_to_tag_and_transitive_ones_stay() {
    let world = world().await;
    let anna = anna(&world).await;
    let tagged = || AssumeRoleRequest {
        tags: Some(vec![Tag { key: "Team".to_owned(), value: "ml".to_owned() }]),
        transitive_tag_keys: Some(vec!["Team".to_owned()]),
        ..assume(&world, "r")
    };
    let role = |actions: &str| {
        let root = root_arn(&world);
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{root},"Action":{actions}}}]}}"#
        )
    };
    new_role(&world, "r", &role(r#""sts:AssumeRole""#)).await;
    new_role(&world, "next", &role(r#"["sts:AssumeRole","sts:TagSession"]"#)).await;
    put_policy(&world, "anna", "may", &statement("Allow", "sts:*", "*")).await;
    let refused = assumed(&world, &anna, tagged()).await.unwrap_err();
    assert!(refused.message().contains("sts:TagSession"), "{}", refused.message());
    let update = stoa_models_iam::types::UpdateAssumeRolePolicyRequest {
        role_name: "r".to_owned(),
        policy_document: role(r#"["sts:AssumeRole","sts:TagSession"]"#),
    };
    world.call::<iam_op::UpdateAssumeRolePolicy>(&world.admin(), update).await.unwrap();
    put_role_policy(&world, "r", ALLOW_ALL).await;
    let credentials = assumed(&world, &anna, tagged()).await.unwrap();
    let session = as_session(&world, &credentials).await;
    assert_eq!(
        stoa_policy::Context::get(&session.global_keys, "aws:principaltag/team"),
        Some(stoa_policy::Values::One("ml"))
    );
    let next = assumed(&world, &session, assume(&world, "next")).await.unwrap();
    let next = as_session(&world, &next).await;
    assert_eq!(next.principal.session.as_ref().unwrap().tags.get("Team").map(String::as_str), Some("ml"));
    let other = AssumeRoleRequest {
        tags: Some(vec![Tag { key: "team".to_owned(), value: "x".to_owned() }]),
        ..assume(&world, "next")
    };
    assert_eq!(code(assumed(&world, &session, other).await).0, "AccessDeniedException");
}

#[tokio::test]
async fn a_caller_learns_who_it_is_and_a_user_gets_a_session() {
    let world = world().await;
    let anna = anna(&world).await;
    put_policy(&world, "anna", "s3", &statement("Allow", "s3:*", "*")).await;
    let identity = world.call::<op::GetCallerIdentity>(&anna, GetCallerIdentityRequest {}).await.unwrap();
    assert_eq!(identity.arn, Some(format!("arn:aws:iam::{}:user/anna", world.management)));
    assert!(identity.user_id.unwrap().starts_with("AIDA"));
    let input = GetSessionTokenRequest::default;
    let credentials = world.call::<op::GetSessionToken>(&anna, input()).await.unwrap().credentials.unwrap();
    assert_eq!(credentials.expiration, anna.now.plus_millis(43_200_000));
    let session = as_session(&world, &credentials).await;
    assert_eq!(session.principal.arn, anna.principal.arn);
    assert_eq!(world.decide(&session.principal, "s3:GetObject", "arn:aws:s3:::b/k").await.effect, Effect::Allow);
    assert_eq!(code(world.call::<op::GetSessionToken>(&session, input()).await.map(|_| ())).0, "AccessDeniedException");
    let mfa = GetSessionTokenRequest { serial_number: Some("arn".to_owned()), ..Default::default() };
    assert_eq!(code(world.call::<op::GetSessionToken>(&anna, mfa).await.map(|_| ())).0, "AccessDeniedException");
    let info = |id: &str| GetAccessKeyInfoRequest { access_key_id: id.to_owned() };
    let admin = world.admin();
    for id in [&credentials.access_key_id, &anna.principal.access_key_id] {
        let account = world.call::<op::GetAccessKeyInfo>(&admin, info(id)).await.unwrap().account;
        assert_eq!(account.as_deref(), Some(world.management.as_str()), "{id}");
    }
    let unknown = world.call::<op::GetAccessKeyInfo>(&admin, info("AKIAAAAAAAAAAAAAAAAA")).await;
    assert_eq!(code(unknown.map(ToValue::to_value)).0, "ValidationException");
}
