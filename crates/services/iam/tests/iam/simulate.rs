//! SimulatePrincipalPolicy.

use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;

use crate::roles::{new_role, put_role_policy};
use crate::support::{code, statement, trusting, world};
use crate::users::new_user;

fn entry(name: &str, value: &str) -> ContextEntry {
    ContextEntry {
        context_key_name: Some(name.to_owned()),
        context_key_values: Some(vec![value.to_owned()]),
        context_key_type: Some(ContextKeyTypeEnum::String),
    }
}

#[tokio::test]
async fn decisions_with_their_statements_and_missing_keys() {
    let world = world().await;
    let cx = world.admin();
    let role = new_role(&world, "r", &trusting(r#"{"Service":"sagemaker.amazonaws.com"}"#)).await;
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
        {"Effect":"Deny","Action":"s3:PutObject","Resource":"*"},
        {"Effect":"Allow","Action":"s3:ListBucket","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"x"}}}]}"#;
    put_role_policy(&world, "r", document).await;
    let input = SimulatePrincipalPolicyRequest {
        policy_source_arn: role.arn.clone(),
        action_names: ["s3:GetObject", "s3:PutObject", "s3:ListBucket"].map(str::to_owned).to_vec(),
        resource_arns: Some(vec!["arn:aws:s3:::b/k".to_owned()]),
        ..Default::default()
    };
    let output = world.call::<op::SimulatePrincipalPolicy>(&cx, input.clone()).await.unwrap();
    let results = output.evaluation_results.unwrap();
    let decisions: Vec<&str> = results.iter().map(|result| result.eval_decision.as_str()).collect();
    assert_eq!(decisions, ["allowed", "explicitDeny", "implicitDeny"]);
    let matched = &results[0].matched_statements.as_ref().unwrap()[0];
    assert_eq!(matched.source_policy_id.as_deref(), Some("inline"));
    assert_eq!(matched.source_policy_type, Some(PolicySourceType::Role));
    let (start, end) = (matched.start_position.as_ref().unwrap(), matched.end_position.as_ref().unwrap());
    assert_eq!((start.line, start.column, end.line, end.column), (Some(2), Some(9), Some(2), Some(81)));
    assert_eq!(results[1].matched_statements.as_ref().unwrap().len(), 1);
    assert_eq!(results[2].missing_context_values.as_deref(), Some(&["s3:prefix".to_owned()][..]));
    let with = SimulatePrincipalPolicyRequest { context_entries: Some(vec![entry("s3:prefix", "x")]), ..input.clone() };
    let results = world.call::<op::SimulatePrincipalPolicy>(&cx, with).await.unwrap().evaluation_results.unwrap();
    assert_eq!(results[2].eval_decision, PolicyEvaluationDecisionType::Allowed);
    let paged = SimulatePrincipalPolicyRequest { max_items: Some(2), ..input.clone() };
    let first = world.call::<op::SimulatePrincipalPolicy>(&cx, paged).await.unwrap();
    assert_eq!((first.evaluation_results.unwrap().len(), first.is_truncated), (2, Some(true)));
    let rest = SimulatePrincipalPolicyRequest { marker: first.marker, ..input };
    let rest = world.call::<op::SimulatePrincipalPolicy>(&cx, rest).await.unwrap();
    assert_eq!((rest.evaluation_results.unwrap().len(), rest.is_truncated), (1, Some(false)));
}

#[tokio::test]
async fn given_policies_are_added_and_a_boundary_is_told() {
    let world = world().await;
    let cx = world.admin();
    let user = new_user(&world, "anna").await;
    let input = SimulatePrincipalPolicyRequest {
        policy_source_arn: user.arn.clone(),
        policy_input_list: Some(vec![statement("Allow", "s3:*", "*")]),
        permissions_boundary_policy_input_list: Some(vec![statement("Allow", "s3:GetObject", "*")]),
        action_names: vec!["s3:GetObject".to_owned(), "s3:PutObject".to_owned()],
        ..Default::default()
    };
    let results = world.call::<op::SimulatePrincipalPolicy>(&cx, input).await.unwrap().evaluation_results.unwrap();
    let told = |result: &EvaluationResult| {
        let detail = result.permissions_boundary_decision_detail.as_ref().unwrap();
        (result.eval_decision.as_str(), detail.allowed_by_permissions_boundary)
    };
    assert_eq!(told(&results[0]), ("allowed", Some(true)));
    assert_eq!(told(&results[1]), ("implicitDeny", Some(false)));
    let ids: Vec<_> =
        results[0].matched_statements.as_ref().unwrap().iter().map(|one| one.source_policy_id.clone()).collect();
    assert!(ids.contains(&Some("PolicyInputList.1".to_owned())));
}

#[tokio::test]
async fn what_cannot_be_simulated_is_said() {
    let world = world().await;
    let cx = world.admin();
    let simulate = |arn: String| SimulatePrincipalPolicyRequest {
        policy_source_arn: arn,
        action_names: vec!["s3:GetObject".to_owned()],
        ..Default::default()
    };
    let missing = simulate(format!("arn:aws:iam::{}:role/missing", world.management));
    let missing = world.call::<op::SimulatePrincipalPolicy>(&cx, missing).await.map(|_| ());
    assert_eq!(code(missing), ("NoSuchEntityException".to_owned(), 404));
    let root = simulate(format!("arn:aws:iam::{}:root", world.management));
    let root = world.call::<op::SimulatePrincipalPolicy>(&cx, root).await.map(|_| ());
    assert_eq!(code(root).0, "InvalidInputException");
    let user = new_user(&world, "anna").await;
    let bad = SimulatePrincipalPolicyRequest { policy_input_list: Some(vec!["{}".to_owned()]), ..simulate(user.arn) };
    assert_eq!(code(world.call::<op::SimulatePrincipalPolicy>(&cx, bad).await.map(|_| ())).0, "InvalidInputException");
}
