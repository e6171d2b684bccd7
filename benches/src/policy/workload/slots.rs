//! All slots in play: a role session with identity policies, five levels of SCPs, boundary, session policy, endpoint policy
//! and resource policy. Of N statements, 60 % are identity ones; the rest is spread over the other slots.

use serde_json::{Value, json};

use super::{Ask, Have, Policies, Verdict, Workload, documents, identity, statement_of, when};

const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/DataScientist/alice";
const ROLE: &str = "arn:aws:iam::111122223333:role/DataScientist";

pub fn workload(statements: usize) -> Workload {
    let rest = statements * 4 / 10;
    let own = (statements - rest).max(10);
    // Each of nine sets gets a ninth, beside the statements that it cannot do without.
    let each = rest / 9;
    let identity: Vec<Value> = (0..own).map(|n| renamed(&identity::statement(n % 10, n / 10))).collect();
    let scaled = |fixed: Vec<Value>, make: &dyn Fn(usize) -> Value| {
        let more = each.saturating_sub(fixed.len());
        documents(&fixed.into_iter().chain((0..more).map(make)).collect::<Vec<_>>())
    };
    let policies = Policies {
        identity: documents(&identity),
        scp: (0..5).map(|level| scaled(level_fixed(level), &|n| level_more(level, n))).collect(),
        boundary: scaled(boundary(), &|n| {
            statement_of("Deny", &["sagemaker:Delete*"], json!(format!("arn:aws:sagemaker:*:*:*/prod{n}-*")))
        }),
        session: scaled(session(), &|n| {
            statement_of("Allow", &["s3:GetObject", "s3:PutObject"], json!(format!("arn:aws:s3:::session{n}-*/*")))
        }),
        endpoint: scaled(endpoint(), &|n| {
            let resource = json!(format!("arn:aws:sagemaker:*:*:endpoint/closed{n}-*"));
            with_principal(statement_of("Deny", &["sagemaker:Invoke*"], resource), json!("*"))
        }),
        resource: scaled(resource(), &|n| {
            let user = format!("arn:aws:iam::111122223333:user/u{n}");
            let statement = statement_of("Allow", &["sagemaker:Describe*"], json!("*"));
            with_principal(statement, json!({ "AWS": user }))
        }),
    };
    Workload { name: "all slots", statements, principal: SESSION, policies, requests: requests(own / 10 - 1) }
}

/// A session has no user name; its role's tag stands in for it.
fn renamed(statement: &Value) -> Value {
    let text = statement.to_string().replace("${aws:username}", "${aws:PrincipalTag/user}");
    serde_json::from_str(&text).expect("still JSON")
}

fn with_principal(mut statement: Value, principal: Value) -> Value {
    statement["Principal"] = principal;
    statement
}

fn level_fixed(level: usize) -> Vec<Value> {
    let everything = statement_of("Allow", &["*"], json!("*"));
    let regions = json!({"Effect": "Deny", "NotAction": ["iam:*", "sts:*", "organizations:*"], "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["us-west-2", "us-east-1"]}}});
    match level {
        0 => vec![everything, regions],
        1 => vec![
            everything,
            when(
                statement_of("Deny", &["sagemaker:CreateNotebookInstance"], json!("*")),
                json!({"StringNotEquals": {"sagemaker:DirectInternetAccess": "Disabled"}}),
            ),
        ],
        _ => vec![everything, statement_of("Deny", &["organizations:*", "account:*"], json!("*"))],
    }
}

fn level_more(level: usize, n: usize) -> Value {
    when(
        statement_of("Deny", &["sagemaker:Create*"], json!(format!("arn:aws:sagemaker:*:*:*/scp{level}x{n}-*"))),
        json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Admin*"}}),
    )
}

fn boundary() -> Vec<Value> {
    vec![
        statement_of("Allow", &["sagemaker:*", "s3:*", "logs:*", "ecr:*"], json!("*")),
        statement_of("Deny", &["iam:*"], json!("*")),
    ]
}

fn session() -> Vec<Value> {
    vec![
        statement_of("Allow", &["sagemaker:*", "logs:Get*"], json!("*")),
        statement_of("Allow", &["s3:GetObject"], json!("arn:aws:s3:::team*/*")),
    ]
}

fn endpoint() -> Vec<Value> {
    let ours = json!({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}});
    vec![
        with_principal(when(statement_of("Allow", &["*"], json!("*")), ours), json!("*")),
        with_principal(statement_of("Deny", &["sagemaker:CreatePresigned*"], json!("*")), json!("*")),
    ]
}

fn resource() -> Vec<Value> {
    let foreign = json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}});
    vec![
        with_principal(statement_of("Allow", &["sagemaker:DescribeHubContent"], json!("*")), json!({ "AWS": ROLE })),
        with_principal(when(statement_of("Deny", &["*"], json!("*")), foreign), json!("*")),
    ]
}

fn requests(last: usize) -> Vec<Ask> {
    use Verdict::{Allow, ExplicitDeny, ImplicitDeny};
    let here = |rest: String| format!("arn:aws:sagemaker:us-west-2:111122223333:{rest}");
    let mut asks = vec![
        ask("identity_early", "sagemaker:DescribeModel", here("model/team0-churn".to_owned()), Allow),
        ask("identity_late_var", "sagemaker:CreateApp", here(format!("app/d-team{last}/alice/Jupyter/x")), Allow),
        ask("resource_policy", "sagemaker:DescribeHubContent", here("hub-content/h/Model/m/1".to_owned()), Allow),
        ask("session_lacks", "s3:PutObject", format!("arn:aws:s3:::team{last}-data/k"), ImplicitDeny),
        ask("session_allows", "s3:GetObject", format!("arn:aws:s3:::team{last}-data/k"), Allow),
        ask("boundary_denies", "iam:PassRole", "arn:aws:iam::111122223333:role/X".to_owned(), ExplicitDeny),
        ask("endpoint_denies", "sagemaker:CreatePresignedDomainUrl", here("user-profile/d/u".to_owned()), ExplicitDeny),
        ask("scp_denies", "sagemaker:DescribeModel", here("model/team0-churn".to_owned()), ExplicitDeny),
        ask("identity_lacks", "sagemaker:DescribeModel", here("model/nobody-churn".to_owned()), ImplicitDeny),
        ask(
            "identity_denies",
            "sagemaker:CreateEndpointConfig",
            here(format!("endpoint-config/team{last}-c")),
            ExplicitDeny,
        ),
    ];
    asks[7].context.retain(|(key, _)| *key != "aws:RequestedRegion");
    asks[7].context.push(("aws:RequestedRegion", Have::One("eu-west-1".to_owned())));
    asks
}

fn ask(name: &'static str, action: &'static str, resource: String, expect: Verdict) -> Ask {
    let common = [
        ("aws:userid", "AROAEXAMPLE:alice"),
        ("aws:PrincipalArn", ROLE),
        ("aws:PrincipalAccount", "111122223333"),
        ("aws:PrincipalOrgID", "o-a1b2c3d4e5"),
        ("aws:PrincipalType", "AssumedRole"),
        ("aws:PrincipalTag/team", "team3"),
        ("aws:PrincipalTag/user", "alice"),
        ("aws:SourceIp", "10.1.2.3"),
        ("aws:SourceVpce", "vpce-1a2b3c4d"),
        ("aws:SecureTransport", "true"),
        ("aws:RequestedRegion", "us-west-2"),
        ("aws:CurrentTime", "2026-06-01T00:00:00Z"),
        ("aws:UserAgent", "Boto3/1.40"),
    ];
    let context = common.iter().map(|(key, value)| (*key, Have::One((*value).to_owned()))).collect();
    Ask { name, action, resource, context, expect }
}
