//! What a policy of an organization may say, by its type, and how long it may be.
//!
//! The engine knows the grammar; what is refused beyond it is read off the JSON, so that the place can be named.

use serde_json::Value;
use stoa_kernel::ApiError;
use stoa_policy::{Document, PolicyError, PolicyKind};

use super::error::{constraint, refused};
use crate::state::PolicyType;

/// Characters, white space included: AWS's quotas.
const fn longest(policy_type: PolicyType) -> usize {
    match policy_type {
        PolicyType::ServiceControl => 10_240,
        PolicyType::ResourceControl => 5_120,
    }
}

/// Refuses what is no policy of this type, or too long.
pub(super) fn check(policy_type: PolicyType, content: &str) -> Result<(), ApiError> {
    if content.chars().count() > longest(policy_type) {
        return Err(constraint("POLICY_CONTENT_LIMIT_EXCEEDED", "You have exceeded the maximum policy size."));
    }
    let checked = match policy_type {
        PolicyType::ServiceControl => Document::parse_as(content, PolicyKind::Scp).map(|_| ()),
        PolicyType::ResourceControl => {
            Document::parse_as(content, PolicyKind::Resource).and_then(|_| deny_only(content))
        }
    };
    checked.map_err(|error| {
        refused(
            "MalformedPolicyDocumentException",
            format!(
                "The provided policy document does not meet the requirements of the specified policy type: {error}"
            ),
        )
    })
}

/// What resource control policies of customers must be: denials to everyone, of actions of named services.
fn deny_only(content: &str) -> Result<(), PolicyError> {
    let whole: Value = serde_json::from_str(content).map_err(|error| PolicyError::new(error.to_string(), "$"))?;
    if whole.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
        return Err(PolicyError::new("a resource control policy has the version 2012-10-17", "$.Version"));
    }
    let statements = match whole.get("Statement") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for (index, statement) in statements.iter().enumerate() {
        if let Some((problem, element)) = problem(statement) {
            return Err(PolicyError::new(problem, format!("$.Statement[{index}].{element}")));
        }
    }
    Ok(())
}

fn problem(statement: &Value) -> Option<(&'static str, &'static str)> {
    if statement.get("Effect").and_then(Value::as_str) != Some("Deny") {
        return Some(("a resource control policy can only deny", "Effect"));
    }
    if statement.get("Principal").and_then(Value::as_str) != Some("*") {
        return Some(("a resource control policy has the principal \"*\"", "Principal"));
    }
    for prohibited in ["NotPrincipal", "NotAction"] {
        if statement.get(prohibited).is_some() {
            return Some(("a resource control policy cannot have this element", prohibited));
        }
    }
    let everything = match statement.get("Action") {
        Some(Value::String(action)) => action == "*",
        Some(Value::Array(actions)) => actions.iter().any(|action| action.as_str() == Some("*")),
        _ => false,
    };
    everything.then_some(("a resource control policy names the service of each action", "Action"))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::organizations::aws_policies::AWS_POLICIES;
    use crate::state::PolicyType;
    use stoa_policy::{Document, PolicyKind};

    fn rcp(statement: &str) -> Result<(), String> {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        check(PolicyType::ResourceControl, &text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_customers_resource_control_policy_denies_everyone_named_actions() {
        let good = r#"{"Effect":"Deny","Principal":"*","Action":["s3:*"],"NotResource":"arn:aws:s3:::open/*"}"#;
        assert_eq!(rcp(good), Ok(()));
        for (bad, place) in [
            (good.replace("Deny", "Allow"), "$.Statement[0].Effect"),
            (good.replace(r#""Principal":"*""#, r#""Principal":{"AWS":"*"}"#), "$.Statement[0].Principal"),
            (good.replace("Action", "NotAction"), "$.Statement[0].NotAction"),
            (good.replace("s3:*", "*"), "$.Statement[0].Action"),
            (format!("{good},{}", good.replace("Deny", "Allow")), "$.Statement[1].Effect"),
        ] {
            let refused = rcp(&bad).unwrap_err();
            assert!(refused.ends_with(place), "{refused}");
        }
    }

    #[test]
    fn a_service_control_policy_has_no_principal_and_fits() {
        let text = |pad: usize| {
            let sid = "x".repeat(pad);
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{sid}","Effect":"Deny","NotAction":"s3:*","Resource":"*"}}]}}"#
            )
        };
        let overhead = text(0).len();
        assert!(check(PolicyType::ServiceControl, &text(10_240 - overhead)).is_ok());
        let long = check(PolicyType::ServiceControl, &text(10_241 - overhead)).unwrap_err();
        assert_eq!(long.code(), "ConstraintViolationException");
        let named = text(0).replace(r#""Effect""#, r#""Principal":"*","Effect""#);
        let named = check(PolicyType::ServiceControl, &named).unwrap_err();
        assert!(named.message().ends_with("$.Statement[0]"), "{named}");
    }

    #[test]
    fn awss_policies_parse() {
        for policy in &AWS_POLICIES {
            let kind = match policy.policy_type {
                PolicyType::ServiceControl => PolicyKind::Scp,
                PolicyType::ResourceControl => PolicyKind::Resource,
            };
            assert!(Document::parse_as(policy.content, kind).is_ok(), "{}", policy.name);
        }
    }
}
