//! What a policy document says, without deciding anything: which services it allows, which condition keys it asks for.
//!
//! Pure, over documents that were accepted before. Services and keys are read from the text, so that they come back as
//! they were written.

use std::collections::BTreeMap;

use serde_json::Value;

/// A text or a list of texts.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The statements of a document.
pub(crate) fn statements(document: &str) -> Vec<Value> {
    let Ok(mut document) = serde_json::from_str::<Value>(document) else { return Vec::new() };
    match document.get_mut("Statement").map(Value::take) {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// The service's part of an action pattern, in lower case: `s3` of `s3:Get*`, `*` of `*`.
fn service_of(action: &str) -> String {
    action.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether a pattern with `*` and `?` covers a name, both in lower case. Goes back to the last `*` alone.
fn covers(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = name.get(place) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || wanted == letter => (at, place) = (at + 1, place + 1),
            _ => {
                let Some((last, from)) = star else { return false };
                star = Some((last, from + 1));
                (at, place) = (last + 1, from + 1);
            }
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == b'*')
}

/// Whether some Allow of the document reaches an action of the service.
pub(crate) fn allows_service(document: &str, service: &str) -> bool {
    let service = service.to_ascii_lowercase();
    let reaches = |pattern: &&str| covers(service_of(pattern).as_bytes(), service.as_bytes());
    statements(document).iter().any(|statement| {
        if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
            return false;
        }
        if statement.get("NotAction").is_some() {
            let whole =
                |pattern: &&str| reaches(pattern) && pattern.split_once(':').is_none_or(|(_, name)| name == "*");
            return !texts(statement.get("NotAction")).iter().any(whole);
        }
        texts(statement.get("Action")).iter().any(reaches)
    })
}

/// Whether some Allow of these statements reaches an action, whatever its resources and conditions.
pub(crate) fn allows_action(statements: &[Value], action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let reaches = |pattern: &str| covers(pattern.to_ascii_lowercase().as_bytes(), action.as_bytes());
    statements.iter().any(|statement| {
        let listed = |element: &str| texts(statement.get(element)).into_iter().any(reaches);
        let covered = if statement.get("NotAction").is_some() { !listed("NotAction") } else { listed("Action") };
        covered && statement.get("Effect").and_then(Value::as_str) == Some("Allow")
    })
}

/// The services that Allows of the document name outright, in lower case.
pub(crate) fn named_services(document: &str) -> Vec<String> {
    let mut named = Vec::new();
    for statement in statements(document) {
        if statement.get("Effect").and_then(Value::as_str) == Some("Allow") {
            let services = texts(statement.get("Action")).into_iter().map(service_of);
            named.extend(services.filter(|service| !service.contains(['*', '?'])));
        }
    }
    named
}

/// Condition keys, by their lower-case form, as they were written first.
pub(crate) type Keys = BTreeMap<String, String>;

/// The condition keys that a document's conditions and variables ask for.
pub(crate) fn context_keys(document: &str, keys: &mut Keys) {
    for statement in statements(document) {
        statement_keys(&statement, keys);
    }
}

/// The condition keys that one statement asks for.
pub(crate) fn statement_keys(statement: &Value, keys: &mut Keys) {
    for element in ["Resource", "NotResource"] {
        texts(statement.get(element)).into_iter().for_each(|text| variables(text, keys));
    }
    let Some(Value::Object(operators)) = statement.get("Condition") else { return };
    for conditions in operators.values().filter_map(Value::as_object) {
        for (key, values) in conditions {
            keys.entry(key.to_ascii_lowercase()).or_insert_with(|| key.clone());
            texts(Some(values)).into_iter().for_each(|text| variables(text, keys));
        }
    }
}

/// The keys in `${key}` and `${key, 'default'}`; `${*}`, `${?}` and `${$}` stand for themselves.
fn variables(text: &str, keys: &mut Keys) {
    for rest in text.split("${").skip(1) {
        let Some((inside, _)) = rest.split_once('}') else { continue };
        let key = inside.split(',').next().unwrap_or_default().trim();
        if key.contains(':') {
            keys.entry(key.to_ascii_lowercase()).or_insert_with(|| key.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, allows_service, context_keys, named_services};

    fn document(statement: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
    }

    #[test]
    fn services_are_told_from_actions() {
        let cases = [
            (r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}"#, "s3", true),
            (r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}"#, "iam", false),
            (r#"[{"Effect":"Deny","Action":"*","Resource":"*"}]"#, "s3", false),
            (r#"[{"Effect":"Allow","Action":["S3:*","sage*:x"],"Resource":"*"}]"#, "sagemaker", true),
            (r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#, "kms", true),
            (r#"{"Effect":"Allow","NotAction":["iam:*"],"Resource":"*"}"#, "iam", false),
            (r#"{"Effect":"Allow","NotAction":["iam:GetUser"],"Resource":"*"}"#, "iam", true),
        ];
        for (statement, service, wanted) in cases {
            assert_eq!(allows_service(&document(statement), service), wanted, "{statement} {service}");
        }
        let named = document(r#"{"Effect":"Allow","Action":["S3:*","*","sage*:x","iam:GetUser"],"Resource":"*"}"#);
        assert_eq!(named_services(&named), ["s3", "iam"]);
    }

    #[test]
    fn keys_come_from_conditions_and_variables() {
        let text = document(
            r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}/${*}/${aws:PrincipalTag/t, 'd'}",
            "Condition":{"StringLike":{"s3:prefix":["${AWS:UserName}","x"]},"Null":{"aws:MultiFactorAuthAge":"true"}}}"#,
        );
        let mut keys = Keys::new();
        context_keys(&text, &mut keys);
        let names: Vec<&str> = keys.values().map(String::as_str).collect();
        assert_eq!(names, ["aws:MultiFactorAuthAge", "aws:PrincipalTag/t", "aws:username", "s3:prefix"]);
    }
}
