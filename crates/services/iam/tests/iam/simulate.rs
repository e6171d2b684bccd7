//! SimulatePrincipalPolicy, SimulateCustomPolicy, and the condition keys that policies ask for.

use serde_json::json;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::*;

use crate::groups::{join, new_group};
use crate::roles::{new_role, put_role_policy};
use crate::support::{ALLOW_ALL, code, statement, trusting, world};
use crate::users::{new_user, put_policy};

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

fn decisions(output: SimulatePolicyResponse) -> Vec<&'static str> {
    output.evaluation_results.unwrap().iter().map(|result| result.eval_decision.as_str()).collect()
}

#[tokio::test]
async fn given_policies_alone_are_simulated() {
    let world = world().await;
    let input = json!({
        "PolicyInputList": [statement("Allow", "s3:*", "*")],
        "OrderedOrganizationPolicyInputList": [
            {"ServiceControlPolicyInputList": [ALLOW_ALL]},
            {"ServiceControlPolicyInputList": [statement("Allow", "s3:GetObject", "*")]}],
        "ActionNames": ["s3:GetObject", "s3:PutObject", "iam:ListUsers"],
    });
    let results = world.root_does::<op::SimulateCustomPolicy>(input).await.evaluation_results.unwrap();
    let told: Vec<_> = results
        .iter()
        .map(|result| {
            let detail = result.organizations_decision_detail.as_ref().unwrap();
            (result.eval_decision.as_str(), detail.allowed_by_organizations)
        })
        .collect();
    assert_eq!(told, [("allowed", Some(true)), ("implicitDeny", Some(false)), ("implicitDeny", Some(false))]);
    let bad = json!({"PolicyInputList": ["{"], "ActionNames": ["s3:GetObject"]});
    let refused = world.root_refused::<op::SimulateCustomPolicy>(bad).await;
    assert!(refused.0 == "InvalidInputException" && refused.1.starts_with("PolicyInputList.1: "), "{refused:?}");
}

#[tokio::test]
async fn resource_policies_are_seen_by_a_caller_and_across_accounts_both_sides_are_told() {
    let world = world().await;
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject",
        "Principal": {"AWS": "arn:aws:iam::111122223333:user/anna"}, "Resource": "arn:aws:s3:::b/*"}});
    let input = |caller: Option<&str>| {
        json!({"PolicyInputList": [statement("Allow", "iam:*", "*")], "ActionNames": ["s3:GetObject"],
            "ResourceArns": ["arn:aws:s3:::b/k"], "ResourcePolicy": policy.to_string(),
            "ResourceOwner": "arn:aws:iam::444455556666:root", "CallerArn": caller})
    };
    assert_eq!(world.root_refused::<op::SimulateCustomPolicy>(input(None)).await.0, "InvalidInputException");
    let caller = "arn:aws:iam::111122223333:user/anna";
    let results = world.root_does::<op::SimulateCustomPolicy>(input(Some(caller))).await.evaluation_results.unwrap();
    let details = results[0].eval_decision_details.clone().unwrap();
    let details: Vec<_> = details.iter().map(|(name, decision)| (&**name, decision.as_str())).collect();
    assert_eq!(results[0].eval_decision.as_str(), "implicitDeny", "across accounts both must allow");
    assert_eq!(details, [("IAM Policy", "implicitDeny"), ("Resource Policy", "allowed")]);
    let mut same = input(Some(caller));
    same["ResourceOwner"] = json!("111122223333");
    let results = world.root_does::<op::SimulateCustomPolicy>(same).await.evaluation_results.unwrap();
    assert_eq!(results[0].eval_decision.as_str(), "allowed");
    assert!(results[0].eval_decision_details.as_ref().unwrap().is_empty());
    let matched = &results[0].matched_statements.as_ref().unwrap()[0];
    assert_eq!(matched.source_policy_type, Some(PolicySourceType::Resource));
    let session = input(Some("arn:aws:sts::111122223333:assumed-role/r/s"));
    assert_eq!(world.root_refused::<op::SimulateCustomPolicy>(session).await.0, "InvalidInputException");
}

#[tokio::test]
async fn groups_boundaries_and_exclusions_of_a_user() {
    let world = world().await;
    let user = new_user(&world, "anna").await;
    put_policy(&world, "anna", "own", &statement("Allow", "s3:GetObject", "*")).await;
    new_group(&world, "g").await;
    join(&world, "anna", "g").await;
    let inline =
        json!({"GroupName": "g", "PolicyName": "in-g", "PolicyDocument": statement("Allow", "s3:PutObject", "*")});
    world.root_does::<op::PutGroupPolicy>(inline).await;
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    world.root_does::<op::AttachGroupPolicy>(json!({"GroupName": "g", "PolicyArn": admin})).await;
    let boundary = json!({"PolicyName": "b", "PolicyDocument": statement("Allow", "s3:*", "*")});
    let boundary = world.root_does::<op::CreatePolicy>(boundary).await.policy.unwrap().arn.unwrap();
    let put = json!({"UserName": "anna", "PermissionsBoundary": boundary});
    world.root_does::<op::PutUserPermissionsBoundary>(put).await;
    let ask = async |more: serde_json::Value| {
        let mut input = json!({"PolicySourceArn": user.arn,
            "ActionNames": ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "iam:ListUsers"]});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.root_does::<op::SimulatePrincipalPolicy>(input).await
    };
    let all = ask(json!({})).await;
    let matched = all.evaluation_results.as_ref().unwrap()[1].matched_statements.clone().unwrap();
    let sources: Vec<_> = matched.iter().map(|one| (one.source_policy_id.as_deref(), one.source_policy_type)).collect();
    assert!(sources.contains(&(Some("in-g"), Some(PolicySourceType::Group))), "{sources:?}");
    assert!(sources.contains(&(Some("AdministratorAccess"), Some(PolicySourceType::AwsManaged))), "{sources:?}");
    assert_eq!(decisions(all), ["allowed", "allowed", "allowed", "implicitDeny"]);
    let no_admin = ask(json!({"PolicyExclusionList": [{"PolicyArn": admin}]})).await;
    assert_eq!(decisions(no_admin), ["allowed", "allowed", "implicitDeny", "implicitDeny"]);
    let inline = json!({"InlinePolicyIdentifier":
        {"PolicyName": "in-g", "AttachmentType": "group", "AttachmentName": "g"}});
    let neither = ask(json!({"PolicyExclusionList": [{"PolicyArn": admin}, inline]})).await;
    assert_eq!(decisions(neither), ["allowed", "implicitDeny", "implicitDeny", "implicitDeny"]);
    let unbound = ask(json!({"PolicyExclusionList": [{"PolicyType": "permission-boundary"}]})).await;
    assert!(unbound.evaluation_results.as_ref().unwrap()[0].permissions_boundary_decision_detail.is_none());
    assert_eq!(decisions(unbound), ["allowed"; 4]);
    let group = json!({"PolicySourceArn": format!("arn:aws:iam::{}:group/g", world.management),
        "ActionNames": ["s3:PutObject"]});
    assert_eq!(decisions(world.root_does::<op::SimulatePrincipalPolicy>(group).await), ["allowed"]);
}

#[tokio::test]
async fn context_entries_are_held_to_their_types() {
    let world = world().await;
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "NumericLessThan": {"s3:max-keys": "10"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}, "Bool": {"aws:SecureTransport": "true"}}}});
    let entry = |name: &str, kind: &str, values: &[&str]| json!({"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": values});
    let ask = |entries: Vec<serde_json::Value>| json!({"PolicyInputList": [document.to_string()], "ActionNames": ["s3:ListBucket"], "ContextEntries": entries});
    let good = vec![
        entry("aws:SourceIp", "ip", &["10.1.2.3"]),
        entry("s3:max-keys", "numeric", &["5"]),
        entry("aws:TagKeys", "stringList", &["a", "b"]),
        entry("aws:SecureTransport", "boolean", &["true"]),
    ];
    let output = world.root_does::<op::SimulateCustomPolicy>(ask(good.clone())).await;
    assert_eq!(decisions(output), ["allowed"]);
    let some = world.root_does::<op::SimulateCustomPolicy>(ask(good[..1].to_vec())).await.evaluation_results.unwrap();
    let missing = some[0].missing_context_values.clone().unwrap();
    assert_eq!(missing, ["aws:SecureTransport", "aws:TagKeys", "s3:max-keys"]);
    for bad in [
        entry("aws:SourceIp", "ip", &["ten"]),
        entry("s3:max-keys", "numeric", &["many"]),
        entry("aws:SecureTransport", "boolean", &["yes"]),
        entry("aws:CurrentTime", "date", &["soon"]),
        entry("aws:username", "string", &["a", "b"]),
    ] {
        let refused = world.root_refused::<op::SimulateCustomPolicy>(ask(vec![bad.clone()])).await;
        assert_eq!(refused.0, "InvalidInputException", "{bad}");
    }
}

#[tokio::test]
async fn run_instances_is_decided_over_all_its_resources() {
    let world = world().await;
    let arn = |kind: &str| format!("arn:aws:ec2:us-west-2:{}:{kind}/x", world.management);
    let kinds = ["instance", "image", "security-group", "network-interface"];
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:RunInstances",
        "Resource": kinds[..3].iter().map(|kind| arn(kind)).collect::<Vec<_>>()}});
    let ask = |resources: &[&str]| {
        json!({"PolicyInputList": [document.to_string()], "ActionNames": ["ec2:RunInstances"],
            "ResourceArns": resources.iter().map(|kind| arn(kind)).collect::<Vec<_>>(),
            "ResourceHandlingOption": "EC2-VPC-InstanceStore"})
    };
    let results = world.root_does::<op::SimulateCustomPolicy>(ask(&kinds)).await.evaluation_results.unwrap();
    assert_eq!((results.len(), results[0].eval_decision.as_str()), (1, "implicitDeny"));
    let each: Vec<_> = results[0]
        .resource_specific_results
        .as_ref()
        .unwrap()
        .iter()
        .map(|one| one.eval_resource_decision.as_str())
        .collect();
    assert_eq!(each, ["allowed", "allowed", "allowed", "implicitDeny"]);
    let lacking = world.root_refused::<op::SimulateCustomPolicy>(ask(&kinds[..3])).await;
    assert!(lacking.1.contains("network-interface"), "{}", lacking.1);
}

#[tokio::test]
async fn context_keys_of_policies_are_named() {
    let world = world().await;
    let user = new_user(&world, "anna").await;
    let document = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/${aws:username}/*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}});
    let input = json!({"PolicyInputList": [document.to_string()]});
    let keys = world.root_does::<op::GetContextKeysForCustomPolicy>(input).await.context_key_names.unwrap();
    assert_eq!(keys, ["aws:SecureTransport", "aws:username"]);
    put_policy(&world, "anna", "p", &document.to_string()).await;
    let more = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*",
        "Condition": {"StringLike": {"s3:prefix": "x"}, "Bool": {"AWS:securetransport": "true"}}}});
    let input = json!({"PolicySourceArn": user.arn, "PolicyInputList": [more.to_string()]});
    let keys = world.root_does::<op::GetContextKeysForPrincipalPolicy>(input).await.context_key_names.unwrap();
    assert_eq!(keys, ["aws:SecureTransport", "aws:username", "s3:prefix"]);
    let bad = json!({"PolicyInputList": ["[]"]});
    assert_eq!(world.root_refused::<op::GetContextKeysForCustomPolicy>(bad).await.0, "InvalidInputException");
}
