//! Insight: who may do what, what was decided and would be now, what a draft would change. Every answer is held against
//! the authority's own decisions.

use std::sync::Arc;

use stoa_iam::IamInsight;
use stoa_kernel::ports::{
    AccessQuestion, Authority, Candidate, PastPrincipal, PastTarget, PolicyInsight, Rehearsed, Subject, SubjectAccess,
    Subjects,
};
use stoa_kernel::{ApiError, VpcEndpoint};
use stoa_models_iam::operations as op;
use stoa_policy::{Effect, MapContext, Possible, Slot};

use crate::roles::{new_role, put_role_policy};
use crate::support::{ALLOW_ALL, World, code, statement, trusting, world};
use crate::users::{new_user, put_policy};

const ACT: &str = "sagemaker:DescribeHub";

fn insight(world: &World) -> IamInsight {
    IamInsight(Arc::clone(&world.iam))
}

fn hub(world: &World) -> String {
    format!("arn:aws:sagemaker:us-west-2:{}:hub/h", world.management)
}

fn question(action: &str, resource: &str) -> AccessQuestion {
    AccessQuestion {
        action: action.to_owned(),
        resource: resource.to_owned(),
        keys: MapContext::new(),
        closed: vec!["aws:resourcetag/".to_owned()],
    }
}

async fn who(world: &World, action: &str, resource: &str) -> Vec<(Subject, SubjectAccess)> {
    let insight = insight(world);
    let mut subjects = Vec::new();
    for account in insight.organization().await.unwrap() {
        subjects.extend(insight.subjects(Subjects::Of(&account.id)).await.unwrap());
    }
    subjects.extend(insight.subjects(Subjects::NamedBy { action, resource }).await.unwrap());
    let mut answers = Vec::new();
    for subject in subjects {
        let answer = insight.access(&subject, &[question(action, resource)]).await.unwrap().remove(0);
        answers.push((subject, answer));
    }
    answers
}

fn of<'a>(answers: &'a [(Subject, SubjectAccess)], name: &str) -> &'a SubjectAccess {
    let found = answers.iter().find(|(subject, _)| subject.principal.arn.ends_with(name));
    &found.unwrap_or_else(|| panic!("{name} is not listed")).1
}

fn conditioned(action: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"If","Effect":"Allow","Action":"{action}","Resource":"*","Condition":{{{condition}}}}}]}}"#
    )
}

#[tokio::test]
async fn every_principal_is_listed_with_what_it_may_do_and_why() {
    let world = world().await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    for name in ["yes", "no", "if", "tag", "never", "denied"] {
        new_user(&world, name).await;
    }
    put_policy(&world, "yes", "p", &statement("Allow", "sagemaker:*", "*")).await;
    put_policy(&world, "if", "p", &conditioned(ACT, r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#)).await;
    put_policy(&world, "tag", "p", &conditioned(ACT, r#""StringEquals":{"aws:username":"tag"}"#)).await;
    // Requests of DescribeHub carry no tags, so this can never hold.
    put_policy(&world, "never", "p", &conditioned(ACT, r#""StringEquals":{"aws:RequestTag/a":"b"}"#)).await;
    put_policy(&world, "denied", "p", ALLOW_ALL).await;
    put_policy(&world, "denied", "q", &statement("Deny", ACT, "*")).await;
    new_role(&world, "R", &trusting(r#"{"Service":"sagemaker.amazonaws.com"}"#)).await;
    put_role_policy(&world, "R", &statement("Allow", ACT, "*")).await;
    let answers = who(&world, ACT, &hub(&world)).await;
    assert_eq!(of(&answers, "user/yes").possible, Possible::Always);
    let place = of(&answers, "user/yes").matched.clone().unwrap();
    assert_eq!((place.policy.as_str(), place.sid.as_deref()), ("p", Some("It")));
    assert_eq!(of(&answers, "user/no").possible, Possible::Never);
    let open = of(&answers, "user/if");
    assert_eq!(open.possible, Possible::Conditional);
    let condition = &open.conditions[0];
    assert_eq!(
        (condition.operator.as_str(), condition.key.as_str(), condition.values.join(",")),
        ("IpAddress", "aws:sourceip", "10.0.0.0/8".to_owned())
    );
    assert_eq!(of(&answers, "user/tag").possible, Possible::Always, "the principal's own keys are known");
    assert_eq!(of(&answers, "user/never").possible, Possible::Never);
    let denied = of(&answers, "user/denied");
    assert_eq!((denied.possible, denied.effect), (Possible::Never, Effect::ExplicitDeny));
    assert_eq!(of(&answers, "role/R").possible, Possible::Always);
    assert_eq!(of(&answers, &format!("{}:root", world.management)).possible, Possible::Always);
    assert_eq!(of(&answers, &format!("{member}:root")).possible, Possible::Never, "another account's hub");
}

#[tokio::test]
async fn boundaries_and_control_policies_are_part_of_the_answer() {
    let world = world().await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let resource = format!("arn:aws:sagemaker:us-west-2:{member}:hub/h");
    let root = format!("{member}:root");
    assert_eq!(of(&who(&world, ACT, &resource).await, &root).possible, Possible::Always);
    world.iam.attach_scp(member.as_str(), "no-hubs", &statement("Deny", ACT, "*")).await.unwrap();
    let answers = who(&world, ACT, &resource).await;
    assert_eq!((of(&answers, &root).possible, of(&answers, &root).slot), (Possible::Never, Slot::Scp));
    new_user(&world, "bound").await;
    put_policy(&world, "bound", "p", ALLOW_ALL).await;
    let create = serde_json::json!({"PolicyName": "edge", "PolicyDocument": statement("Allow", "s3:*", "*")});
    let made = world.root_does::<op::CreatePolicy>(create).await;
    let arn = made.policy.unwrap().arn.unwrap();
    let put = serde_json::json!({"UserName": "bound", "PermissionsBoundary": arn});
    world.root_does::<op::PutUserPermissionsBoundary>(put).await;
    let answers = who(&world, ACT, &hub(&world)).await;
    assert_eq!(
        (of(&answers, "user/bound").possible, of(&answers, "user/bound").slot),
        (Possible::Never, Slot::Boundary)
    );
}

#[tokio::test]
async fn a_trust_policy_names_services_and_other_accounts() {
    let world = world().await;
    let names = r#"{"Service":"sagemaker.amazonaws.com","AWS":["arn:aws:iam::999999999999:root","arn:aws:iam::999999999999:role/X"]}"#;
    let role = new_role(&world, "R", &trusting(names)).await;
    new_user(&world, "anna").await;
    let answers = who(&world, "sts:AssumeRole", &role.arn).await;
    let service = of(&answers, "sagemaker.amazonaws.com");
    assert_eq!((service.possible, service.slot), (Possible::Always, Slot::Trust));
    assert_eq!(of(&answers, "999999999999:root").possible, Possible::Conditional, "if its own account allows it");
    assert_eq!(of(&answers, "999999999999:role/X").possible, Possible::Conditional);
    assert_eq!(of(&answers, "user/anna").possible, Possible::Never);
}

fn past(world: &World, name: &str) -> PastPrincipal {
    PastPrincipal { arn: format!("arn:aws:iam::{}:user/{name}", world.management), id: None }
}

fn target(action: &str, resource: &str) -> PastTarget {
    PastTarget { action: action.to_owned(), resource: resource.to_owned(), keys: MapContext::new() }
}

#[tokio::test]
async fn a_decision_of_the_past_is_explained_by_the_policies_of_now() {
    let world = world().await;
    let user = new_user(&world, "anna").await;
    let target = target(ACT, &hub(&world));
    let insight = insight(&world);
    let who = PastPrincipal { id: Some(user.user_id.clone()), ..past(&world, "anna") };
    let refused = insight.explain(&who, &target).await.unwrap().unwrap();
    assert_eq!((refused.effect, refused.slot), (Effect::ImplicitDeny, Slot::Identity));
    assert!(!refused.suggestions.is_empty());
    put_policy(&world, "anna", "p", &statement("Allow", ACT, "*")).await;
    assert_eq!(insight.explain(&who, &target).await.unwrap().unwrap().effect, Effect::Allow);
    // Made again under the same name is somebody else.
    let other = PastPrincipal { id: Some("AIDAOTHER".to_owned()), ..who.clone() };
    assert!(insight.explain(&other, &target).await.unwrap().is_none());
    let gone = PastPrincipal { arn: who.arn.replace("anna", "gone"), id: None };
    assert!(insight.explain(&gone, &target).await.unwrap().is_none());
}

async fn rehearse(
    world: &World,
    slot: Slot,
    document: &str,
    targets: &[&str],
    replaces: Option<&str>,
    ask: (&PastPrincipal, &PastTarget),
) -> Rehearsed {
    let candidate = Candidate {
        document: document.to_owned(),
        slot,
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        replaces: replaces.map(str::to_owned),
    };
    let rehearsal = insight(world).rehearsal(candidate).await.unwrap();
    rehearsal.judge(ask.0, ask.1).await.unwrap().unwrap()
}

fn outcome(judged: &Rehearsed) -> (bool, Effect, Effect, Slot) {
    (judged.in_scope, judged.now, judged.then, judged.slot)
}

const ALLOW: Effect = Effect::Allow;
const DENY: Effect = Effect::ExplicitDeny;
const LACKS: Effect = Effect::ImplicitDeny;

#[tokio::test]
async fn identity_boundary_and_session_candidates() {
    let world = world().await;
    new_user(&world, "anna").await;
    put_policy(&world, "anna", "p", &statement("Allow", ACT, "*")).await;
    let (anna, describe) = (past(&world, "anna"), target(ACT, &hub(&world)));
    let delete = target("sagemaker:DeleteHub", &hub(&world));
    let deny = statement("Deny", ACT, "*");
    let all = |target| (&anna, target);
    let judged = rehearse(&world, Slot::Identity, &deny, &[], None, all(&describe)).await;
    assert_eq!(outcome(&judged), (true, ALLOW, DENY, Slot::Identity));
    assert_eq!(judged.matched.unwrap().policy, "candidate");
    let judged = rehearse(&world, Slot::Identity, ALLOW_ALL, &[&anna.arn], None, all(&delete)).await;
    assert_eq!(outcome(&judged), (true, LACKS, ALLOW, Slot::Identity));
    let judged = rehearse(&world, Slot::Identity, ALLOW_ALL, &[world.management.as_str()], None, all(&delete)).await;
    assert!(judged.in_scope, "an account stands for its principals");
    let judged = rehearse(&world, Slot::Identity, &deny, &["arn:aws:iam::1:user/x"], None, all(&describe)).await;
    assert_eq!(outcome(&judged), (false, ALLOW, ALLOW, Slot::Identity));
    // In the place of the policy that allows, another grants nothing.
    let other = statement("Allow", "s3:*", "*");
    let judged = rehearse(&world, Slot::Identity, &other, &[], Some("p"), all(&describe)).await;
    assert_eq!(outcome(&judged), (true, ALLOW, LACKS, Slot::Identity));
    let judged = rehearse(&world, Slot::Identity, &other, &[], Some("not-there"), all(&describe)).await;
    assert!(!judged.in_scope);
    for slot in [Slot::Boundary, Slot::Session] {
        let judged = rehearse(&world, slot, &other, &[], None, all(&describe)).await;
        assert_eq!(outcome(&judged), (true, ALLOW, LACKS, slot));
        let judged = rehearse(&world, slot, ALLOW_ALL, &[], None, all(&describe)).await;
        assert_eq!(outcome(&judged), (true, ALLOW, ALLOW, Slot::Identity));
    }
}

#[tokio::test]
async fn control_policy_candidates_reach_who_is_below_their_target() {
    let world = world().await;
    let member = world.iam.create_account("member").await.unwrap().account_id;
    let organization = world.iam.organization().await.unwrap();
    let root = PastPrincipal { arn: format!("arn:aws:iam::{member}:root"), id: None };
    let describe = target(ACT, &format!("arn:aws:sagemaker:us-west-2:{member}:hub/h"));
    let ask = (&root, &describe);
    let deny = statement("Deny", ACT, "*");
    for targets in [&[][..], &[member.as_str()], &[organization.root_id.as_str()]] {
        let judged = rehearse(&world, Slot::Scp, &deny, targets, None, ask).await;
        assert_eq!(outcome(&judged), (true, ALLOW, DENY, Slot::Scp), "{targets:?}");
        // An Allow added to a level that allows everything takes nothing away.
        let judged = rehearse(&world, Slot::Scp, &statement("Allow", "s3:*", "*"), targets, None, ask).await;
        assert_eq!(outcome(&judged), (true, ALLOW, ALLOW, Slot::Identity), "{targets:?}");
    }
    let judged = rehearse(&world, Slot::Scp, &deny, &["ou-elsewhere"], None, ask).await;
    assert!(!judged.in_scope);
    // The management account is exempt.
    let manager = PastPrincipal { arn: format!("arn:aws:iam::{}:root", world.management), id: None };
    let own = target(ACT, &hub(&world));
    let judged = rehearse(&world, Slot::Scp, &deny, &[organization.root_id.as_str()], None, (&manager, &own)).await;
    assert!(!judged.in_scope);
    // Replacing what is attached.
    world.iam.attach_scp(member.as_str(), "no-hubs", &deny).await.unwrap();
    let judged = rehearse(&world, Slot::Scp, ALLOW_ALL, &[member.as_str()], Some("no-hubs"), ask).await;
    assert_eq!(outcome(&judged), (true, DENY, ALLOW, Slot::Identity));
    let secret = format!("arn:aws:secretsmanager:us-west-2:{member}:secret:s");
    let read = target("secretsmanager:GetSecretValue", &secret);
    let everyone = r#"{"Version":"2012-10-17","Statement":[{"Sid":"No","Effect":"Deny","Principal":"*","Action":"secretsmanager:*","Resource":"*"}]}"#;
    let judged = rehearse(&world, Slot::Rcp, everyone, &[member.as_str()], None, (&root, &read)).await;
    assert_eq!(outcome(&judged), (true, ALLOW, DENY, Slot::Rcp));
    let judged = rehearse(&world, Slot::Rcp, everyone, &[member.as_str()], None, ask).await;
    assert!(!judged.in_scope, "SageMaker is not among the services that have resource control policies");
}

#[tokio::test]
async fn resource_trust_and_endpoint_candidates() {
    let world = world().await;
    new_user(&world, "anna").await;
    let (anna, describe) = (past(&world, "anna"), target(ACT, &hub(&world)));
    let to_anna = |action: &str, resource: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"{action}"{resource}}}]}}"#,
            anna.arn
        )
    };
    let document = to_anna(ACT, r#","Resource":"*""#);
    let judged = rehearse(&world, Slot::Resource, &document, &[&hub(&world)], None, (&anna, &describe)).await;
    assert_eq!(outcome(&judged), (true, LACKS, ALLOW, Slot::Resource));
    let judged = rehearse(&world, Slot::Resource, &document, &["arn:aws:s3:::b"], None, (&anna, &describe)).await;
    assert!(!judged.in_scope);
    let role = new_role(&world, "R", &trusting(r#"{"Service":"sagemaker.amazonaws.com"}"#)).await;
    let assume = target("sts:AssumeRole", &role.arn);
    let judged =
        rehearse(&world, Slot::Trust, &to_anna("sts:AssumeRole", ""), &[&role.arn], None, (&anna, &assume)).await;
    assert_eq!(outcome(&judged), (true, LACKS, ALLOW, Slot::Trust));
    put_policy(&world, "anna", "p", ALLOW_ALL).await;
    let endpoint = VpcEndpoint {
        id: "vpce-1".to_owned(),
        vpc: "vpc-1".to_owned(),
        account: world.management.clone(),
        region: None,
        services: Vec::new(),
        policy: None,
    };
    world.iam.set_vpc_endpoints([Arc::new(endpoint)]);
    let mut through = describe.clone();
    through.keys.set("aws:SourceVpce", "vpce-1");
    let only_s3 =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#;
    for targets in [&[][..], &["vpce-1"], &["*"]] {
        let judged = rehearse(&world, Slot::Endpoint, only_s3, targets, None, (&anna, &through)).await;
        assert_eq!(outcome(&judged), (true, ALLOW, LACKS, Slot::Endpoint), "{targets:?}");
    }
    let judged = rehearse(&world, Slot::Endpoint, only_s3, &[], None, (&anna, &describe)).await;
    assert!(!judged.in_scope, "it came through no endpoint");
}

#[tokio::test]
async fn a_malformed_candidate_is_refused_with_its_place() {
    let world = world().await;
    let candidate = Candidate {
        document: r#"{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}"#.to_owned(),
        slot: Slot::Scp,
        targets: Vec::new(),
        replaces: None,
    };
    let refused: Result<(), ApiError> = insight(&world).rehearsal(candidate).await.map(|_| ());
    let message = refused.as_ref().unwrap_err().message().to_owned();
    assert!(message.contains("$.Statement[0]"), "{message}");
    assert_eq!(code(refused).0, "MalformedPolicyDocumentException");
}

/// What the decider says of a principal with a request's keys is among what insight said without them.
#[tokio::test]
async fn insight_and_the_authority_agree() {
    let world = world().await;
    let user = new_user(&world, "anna").await;
    let insight = insight(&world);
    let subjects = insight.subjects(Subjects::Of(&world.management)).await.unwrap();
    let anna = subjects.iter().find(|subject| subject.principal.arn == user.arn).unwrap();
    let documents = [
        statement("Allow", ACT, "*"),
        statement("Deny", ACT, "*"),
        conditioned(ACT, r#""Bool":{"aws:SecureTransport":"true"}"#),
        conditioned(ACT, r#""StringLike":{"aws:PrincipalArn":"*user/anna"}"#),
        conditioned(ACT, r#""Null":{"aws:ResourceTag/team":"true"}"#),
    ];
    for document in &documents {
        put_policy(&world, "anna", "p", document).await;
        let answer = insight.access(anna, &[question(ACT, &hub(&world))]).await.unwrap().remove(0);
        for secure in ["true", "false"] {
            let context =
                MapContext::new().with("aws:SecureTransport", secure).with("aws:PrincipalArn", user.arn.as_str());
            let verdict = world.iam.decide(&anna.principal, ACT, &hub(&world), &context).await.unwrap();
            let allowed = verdict.effect == Effect::Allow;
            match answer.possible {
                Possible::Always => assert!(allowed, "{document}"),
                Possible::Never => assert!(!allowed, "{document}"),
                Possible::Conditional => assert_eq!(allowed, secure == "true", "{document}"),
            }
        }
    }
}
