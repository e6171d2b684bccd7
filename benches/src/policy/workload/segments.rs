//! What defeats an index of whole prefixes: wildcards in the middle of ARNs, names between wildcards, variables of principal
//! tags, `NotAction`, `NotResource`, and statements that only their conditions tell apart.

use serde_json::{Value, json};

use super::{Ask, Have, Policies, USER, USERNAME, Verdict, Workload, documents, statement_of, when};

pub fn workload(statements: usize) -> Workload {
    let all: Vec<Value> = (0..statements).map(|n| statement(n % 10, n / 10)).collect();
    Workload {
        name: "segments",
        statements,
        principal: USER,
        policies: Policies { identity: documents(&all), ..Policies::default() },
        requests: requests((statements / 10).saturating_sub(1)),
    }
}

fn statement(shape: usize, t: usize) -> Value {
    let any = |rest: String| json!(format!("arn:aws:sagemaker:*:*:{rest}"));
    let not = |mut statement: Value, element: &str| {
        let value = statement[element].take();
        statement.as_object_mut().expect("an object").remove(element);
        statement[format!("Not{element}")] = value;
        statement
    };
    match shape {
        0 => statement_of(
            "Allow",
            &["sagemaker:Describe*", "sagemaker:List*"],
            any(format!("*/${{aws:PrincipalTag/team}}-proj{t}-*")),
        ),
        1 => statement_of(
            "Allow",
            &["s3:GetObject"],
            json!(format!("arn:aws:s3:::*-data{t}-*/${{aws:PrincipalTag/team}}/*")),
        ),
        2 => when(
            not(
                statement_of("Deny", &["sagemaker:Describe*", "sagemaker:List*"], any(format!("*/locked{t}-*"))),
                "Action",
            ),
            json!({"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::*:role/Admin*", "arn:aws:iam::*:user/admin*"]}}),
        ),
        3 => when(
            not(statement_of("Deny", &["sagemaker:Create*"], any(format!("*/team{t}-*"))), "Resource"),
            json!({"StringEquals": {"aws:PrincipalTag/squad": format!("squad{t}")}}),
        ),
        4 => when(
            statement_of("Allow", &["sagemaker:InvokeEndpoint"], any("endpoint/${aws:PrincipalTag/team}-*".to_owned())),
            json!({"StringEquals": {"aws:ResourceTag/project": format!("p{t}")}}),
        ),
        5 => statement_of("Allow", &["sagemaker:Update*"], any(format!("*/*-grp{t}-*"))),
        6 => {
            statement_of("Allow", &["sagemaker:CreateModel", "sagemaker:DeleteModel"], any(format!("model/*zone{t}x*")))
        }
        7 => not(
            statement_of("Allow", &["iam:*", "organizations:*", "sagemaker:Delete*"], any(format!("*/shared{t}-*"))),
            "Action",
        ),
        8 => when(
            statement_of("Deny", &["sagemaker:*"], any(format!("*/vault{t}-*"))),
            json!({"StringNotEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}),
        ),
        _ => when(
            statement_of(
                "Allow",
                &["logs:GetLogEvents", "logs:FilterLogEvents"],
                json!(format!("arn:aws:logs:*:*:log-group:/aws/sagemaker/*/log{t}-*:*")),
            ),
            json!({"StringLike": {"aws:PrincipalTag/team": ["team*", "admin*"]}}),
        ),
    }
}

fn requests(last: usize) -> Vec<Ask> {
    use Verdict::{Allow, ExplicitDeny, ImplicitDeny};
    let here = |rest: String| format!("arn:aws:sagemaker:us-west-2:111122223333:{rest}");
    let middle = last / 2;
    let mut asks = vec![
        ask("var_mid", "sagemaker:DescribeModel", here(format!("model/team3-proj{last}-a")), Allow),
        ask("var_other_team", "sagemaker:DescribeModel", here(format!("model/team4-proj{last}-a")), ImplicitDeny),
        ask("bucket_mid", "s3:GetObject", format!("arn:aws:s3:::corp-data{middle}-x/team3/k"), Allow),
        ask("not_action", "sagemaker:CreateModel", here(format!("model/locked{last}-m")), ExplicitDeny),
        ask("not_resource", "sagemaker:CreateEndpoint", here("endpoint/elsewhere".to_owned()), ExplicitDeny),
        ask("tag_only", "sagemaker:InvokeEndpoint", here("endpoint/team3-churn".to_owned()), Allow),
        ask("tag_missing", "sagemaker:InvokeEndpoint", here("endpoint/team3-churn".to_owned()), ImplicitDeny),
        ask("suffix_words", "sagemaker:UpdateEndpoint", here(format!("endpoint/x-grp{middle}-1")), Allow),
        ask("inside_word", "sagemaker:DeleteModel", here(format!("model/myzone{last}xes")), Allow),
        ask("not_action_allow", "sagemaker:StopTrainingJob", here(format!("training-job/shared{middle}-1")), Allow),
        ask("deny_var", "sagemaker:DescribeModel", here(format!("model/vault{last}-1")), ExplicitDeny),
        ask(
            "log_mid",
            "logs:GetLogEvents",
            format!("arn:aws:logs:us-west-2:111122223333:log-group:/aws/sagemaker/TrainingJobs/log{last}-1:x"),
            Allow,
        ),
    ];
    let mut set = |at: usize, key: &'static str, value: String| asks[at].context.push((key, Have::One(value)));
    set(4, "aws:PrincipalTag/squad", format!("squad{middle}"));
    set(5, "aws:ResourceTag/project", format!("p{middle}"));
    set(10, "aws:ResourceTag/team", "team4".to_owned());
    asks
}

fn ask(name: &'static str, action: &'static str, resource: String, expect: Verdict) -> Ask {
    let common = [
        ("aws:username", USERNAME),
        ("aws:userid", "AIDAEXAMPLE"),
        ("aws:PrincipalArn", USER),
        ("aws:PrincipalAccount", "111122223333"),
        ("aws:PrincipalType", "User"),
        ("aws:PrincipalTag/team", "team3"),
        ("aws:SourceIp", "198.51.100.7"),
        ("aws:SecureTransport", "true"),
        ("aws:RequestedRegion", "us-west-2"),
        ("aws:CurrentTime", "2026-06-01T00:00:00Z"),
    ];
    let context = common.iter().map(|(key, value)| (*key, Have::One((*value).to_owned()))).collect();
    Ask { name, action, resource, context, expect }
}
