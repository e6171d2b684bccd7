//! What a customer may write into a permission: an effect, actions and conditions.

use serde_json::{Map, Value as Json, json};
use stoa_kernel::ApiError;
use stoa_policy::{Document, PolicyKind};
use stoa_types::AccountId;

use crate::access::{OWN_CONDITIONS, statements};
use crate::error::refused;
use crate::shareable::ShareableType;

fn malformed(why: impl std::fmt::Display) -> ApiError {
    refused("MalformedPolicyTemplateException", format!("The policy template is malformed: {why}"))
}

fn not_valid(why: impl std::fmt::Display) -> ApiError {
    refused("InvalidPolicyException", format!("The policy template is not valid: {why}"))
}

/// Checks a template, and gives it back with its actions in AWS's case.
pub(super) fn checked(known: &ShareableType, text: &str) -> Result<String, ApiError> {
    let given: Map<String, Json> = serde_json::from_str(text).map_err(|error| malformed(format!("{error}.")))?;
    for name in given.keys() {
        if !["Effect", "Action", "Condition"].contains(&name.as_str()) {
            return Err(malformed(format!("it can't have the element {name}; it has Effect, Action and Condition.")));
        }
    }
    let allows = given.get("Effect").and_then(Json::as_str).is_some_and(|effect| effect.eq_ignore_ascii_case("allow"));
    if !allows {
        return Err(malformed("Effect must be Allow."));
    }
    let actions = match given.get("Action") {
        Some(Json::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let mut named = Vec::new();
    for action in actions {
        let action = action.as_str().ok_or_else(|| malformed("Action is a text or a list of texts."))?;
        let known_action = known.action(action);
        named.push(known_action.ok_or_else(|| {
            not_valid(format!(
                "{action} is not an action that {} is shared for: {}.",
                known.name,
                known.actions.join(", ")
            ))
        })?);
    }
    if named.is_empty() {
        return Err(malformed("Action is missing."));
    }
    let mut template = json!({ "Effect": "Allow", "Action": named });
    if let (Some(condition), Json::Object(template)) = (given.get("Condition"), &mut template) {
        check_condition(condition)?;
        template.insert("Condition".to_owned(), condition.clone());
    }
    let template = template.to_string();
    check_whole(&template)?;
    Ok(template)
}

/// A share adds conditions of its own; the same key under the same operator would replace one of the two.
fn check_condition(condition: &Json) -> Result<(), ApiError> {
    let Json::Object(operators) = condition else { return Err(malformed("Condition is an object.")) };
    for (operator, keys) in operators {
        let Json::Object(keys) = keys else { return Err(malformed(format!("Condition.{operator} is an object."))) };
        for key in keys.keys() {
            let taken = |(own_operator, own_key): &(&str, &str)| {
                operator.eq_ignore_ascii_case(own_operator) && key.eq_ignore_ascii_case(own_key)
            };
            if OWN_CONDITIONS.iter().any(taken) {
                return Err(not_valid(format!("{key} can't be used with {operator}, which resource shares use.")));
            }
        }
    }
    Ok(())
}

/// The policy that it becomes in a share must be one.
fn check_whole(template: &str) -> Result<(), ApiError> {
    let someone = "111122223333".to_owned();
    let resource = ["arn:aws:sagemaker:us-east-1:444455556666:hub/h".to_owned()];
    let statements = statements(&AccountId::aws(), &[&someone], template, &resource)?;
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    Document::parse_as(&policy.to_string(), PolicyKind::Resource).map_err(|error| not_valid(format!("{error}.")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shareable::TYPES;

    fn code(text: &str) -> String {
        checked(&TYPES[0], text).map_err(|error| error.code().to_owned()).unwrap_err()
    }

    #[test]
    fn actions_are_written_as_aws_writes_them() {
        let template = checked(&TYPES[0], r#"{"Effect":"ALLOW","Action":"SageMaker:describehub"}"#).unwrap();
        assert_eq!(template, r#"{"Action":["sagemaker:DescribeHub"],"Effect":"Allow"}"#);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "",
            "[]",
            r#"{"Effect":"Deny","Action":"sagemaker:DescribeHub"}"#,
            r#"{"Effect":"Allow"}"#,
            r#"{"Effect":"Allow","Action":[]}"#,
            r#"{"Effect":"Allow","Action":[1]}"#,
            r#"{"Effect":"Allow","Action":"sagemaker:DescribeHub","Resource":"*"}"#,
            r#"{"Effect":"Allow","Action":"sagemaker:DescribeHub","Principal":"*"}"#,
            r#"{"Effect":"Allow","Action":"sagemaker:DescribeHub","Condition":[]}"#,
        ] {
            assert_eq!(code(text), "MalformedPolicyTemplateException", "{text}");
        }
        for text in [
            r#"{"Effect":"Allow","Action":"sagemaker:*"}"#,
            r#"{"Effect":"Allow","Action":"sagemaker:DeleteHub"}"#,
            r#"{"Effect":"Allow","Action":"sagemaker:DescribeHub","Condition":{"StringWhatever":{"aws:PrincipalTag/a":"b"}}}"#,
            r#"{"Effect":"Allow","Action":"sagemaker:DescribeHub","Condition":{"StringEqualsIgnoreCase":{"aws:principalorgid":"o-1"}}}"#,
        ] {
            assert_eq!(code(text), "InvalidPolicyException", "{text}");
        }
    }
}
