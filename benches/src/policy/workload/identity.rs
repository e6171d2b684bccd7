//! Identity policies alone: N statements, 20 a policy, in ten shapes like those of SageMaker's managed policies, and eight
//! requests in equal mix.

use serde_json::{Value, json};

use super::{Ask, Have, Policies, USER, USERNAME, Verdict, Workload, documents, statement_of, when};

pub fn workload(statements: usize) -> Workload {
    let all: Vec<Value> = (0..statements).map(|n| statement(n % 10, n / 10)).collect();
    Workload {
        name: "identity",
        statements,
        principal: USER,
        policies: Policies { identity: documents(&all), ..Policies::default() },
        requests: requests((statements / 10).saturating_sub(1)),
    }
}

pub fn statement(shape: usize, t: usize) -> Value {
    let sagemaker = |rest: String| format!("arn:aws:sagemaker:{rest}");
    let here = |rest: String| sagemaker(format!("us-west-2:111122223333:{rest}"));
    let anywhere = |rest: String| sagemaker(format!("*:*:{rest}"));
    let make = |effect: &str, actions: &[&str], resource: String| statement_of(effect, actions, json!(resource));
    match shape {
        0 => make(
            "Allow",
            &["sagemaker:DescribeModel", "sagemaker:CreateModel", "sagemaker:DeleteModel"],
            anywhere(format!("model/team{t}-*")),
        ),
        1 => when(
            make(
                "Allow",
                &["sagemaker:Create*", "sagemaker:Describe*", "sagemaker:Delete*"],
                here(format!("training-job/team{t}-*")),
            ),
            json!({"StringEquals": {"aws:RequestTag/team": format!("team{t}")}}),
        ),
        2 => when(
            make(
                "Allow",
                &["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointAsync"],
                anywhere(format!("endpoint/team{t}-*")),
            ),
            json!({"StringLike": {"aws:PrincipalTag/team": [format!("team{t}*"), "admin*"]}}),
        ),
        3 => when(
            make("Allow", &["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], format!("arn:aws:s3:::team{t}-data/*")),
            json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}),
        ),
        4 => when(
            make("Deny", &["sagemaker:*"], anywhere(format!("notebook-instance/team{t}-*"))),
            json!({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}}),
        ),
        5 => when(
            make(
                "Allow",
                &["sagemaker:CreateUserProfile", "sagemaker:AddTags"],
                here(format!("user-profile/d-team{t}/*")),
            ),
            json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["studiouserid", "cost-center"]}}),
        ),
        6 => when(
            make("Deny", &["sagemaker:CreateEndpointConfig"], here(format!("endpoint-config/team{t}-*"))),
            json!({"Null": {"sagemaker:VolumeKmsKey": "true"}}),
        ),
        7 => make(
            "Allow",
            &["sagemaker:CreateApp", "sagemaker:DeleteApp"],
            here(format!("app/d-team{t}/${{aws:username}}/*")),
        ),
        8 => when(
            make("Allow", &["sagemaker:Update*", "sagemaker:Describe*"], anywhere(format!("*/proj{t}-*"))),
            json!({"StringEquals": {"aws:ResourceTag/owner": "${aws:username}"}}),
        ),
        _ => make("Allow", &["logs:*"], format!("arn:*:logs:*:*:*/team{t}-*")),
    }
}

fn requests(last: usize) -> Vec<Ask> {
    use Verdict::{Allow, ExplicitDeny, ImplicitDeny};
    let here = |rest: String| format!("arn:aws:sagemaker:us-west-2:111122223333:{rest}");
    let middle = last / 2;
    let mut asks = vec![
        ask("allow_early", "sagemaker:DescribeModel", here("model/team0-churn".to_owned()), Allow),
        ask("allow_late", "sagemaker:CreateApp", here(format!("app/d-team{last}/alice/JupyterServer/default")), Allow),
        ask("allow_late_var", "sagemaker:UpdateModelPackage", here(format!("model-package/proj{last}-churn")), Allow),
        ask("allow_tag_keys", "sagemaker:CreateUserProfile", here(format!("user-profile/d-team{middle}/bob")), Allow),
        ask(
            "deny_null",
            "sagemaker:CreateEndpointConfig",
            here(format!("endpoint-config/team{last}-cfg")),
            ExplicitDeny,
        ),
        ask(
            "deny_ip",
            "sagemaker:StartNotebookInstance",
            here(format!("notebook-instance/team{last}-nb")),
            ExplicitDeny,
        ),
        ask("implicit_resource", "sagemaker:DescribeModel", here("model/nobody-churn".to_owned()), ImplicitDeny),
        ask(
            "implicit_cond",
            "sagemaker:UpdateModelPackage",
            here(format!("model-package/proj{middle}-churn")),
            ImplicitDeny,
        ),
    ];
    let mut set = |at: usize, key: &'static str, value: &str| asks[at].context.push((key, Have::One(value.to_owned())));
    set(2, "aws:ResourceTag/owner", USERNAME);
    set(7, "aws:ResourceTag/owner", "bob");
    asks[3].context.push(("aws:TagKeys", Have::Many(vec!["team".to_owned(), "studiouserid".to_owned()])));
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
        ("aws:UserAgent", "Boto3/1.40"),
    ];
    let context = common.iter().map(|(key, value)| (*key, Have::One((*value).to_owned()))).collect();
    Ask { name, action, resource, context, expect }
}
