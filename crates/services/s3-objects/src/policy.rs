//! Bucket policies: what S3 takes as one, which of them make a bucket public, and the compiled ones that decisions use.
//!
//! INVARIANT: a compiled policy is used only for the generation of the bucket's document that it was made of.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::Value as Json;
use stoa_kernel::ApiError;
use stoa_kernel::ports::ResourcePolicies;
use stoa_policy::{Document, PolicyKind, PolicySet};

use crate::documents::Bucket;
use crate::service::{S3Objects, store_failed};

/// Bytes of a bucket policy, by S3's quota.
const MAX_BYTES: usize = 20 * 1024;
/// Compiled policies that are kept.
const KEPT: usize = 4096;

/// Compiled bucket policies with the generation of the bucket that they belong to.
#[derive(Default)]
pub(crate) struct CompiledPolicies(Mutex<HashMap<String, Compiled>>);

/// A policy with the generation of the bucket's document that it was made of.
type Compiled = (u64, Arc<PolicySet>);

fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::new("MalformedPolicy", 400, message)
}

/// Refuses what S3 does not take as the policy of this bucket.
pub(crate) fn check(text: &str, bucket: &str) -> Result<(), ApiError> {
    if text.len() > MAX_BYTES {
        return Err(malformed(format!("Policies are limited to {MAX_BYTES} bytes")));
    }
    Document::parse_as(text, PolicyKind::Resource).map_err(|error| malformed(format!("{error}")))?;
    let json: Json = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    for (at, statement) in statements(&json).iter().enumerate() {
        for resource in texts(statement, &["Resource", "NotResource"]) {
            if !within(resource, bucket) {
                return Err(malformed(format!("Policy has invalid resource: `{resource}` at $.Statement[{at}]")));
            }
        }
        for action in texts(statement, &["Action", "NotAction"]) {
            let service = action.split(':').next().unwrap_or_default();
            if action != "*" && !service.eq_ignore_ascii_case("s3") {
                return Err(malformed(format!("Policy has invalid action: `{action}` at $.Statement[{at}]")));
            }
        }
    }
    Ok(())
}

/// Whether an ARN of a policy is this bucket or something in it.
fn within(resource: &str, bucket: &str) -> bool {
    let Some(name) = resource.splitn(6, ':').nth(5).filter(|_| resource.contains(":s3:::")) else { return false };
    let rest = name.strip_prefix(bucket);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*'])) || name.starts_with('*')
}

/// Whether a policy lets in whoever comes: an Allow for everyone that no condition on a fixed value narrows.
pub(crate) fn is_public(text: &str) -> bool {
    let Ok(json) = serde_json::from_str::<Json>(text) else { return false };
    statements(&json).iter().any(|statement| {
        statement.get("Effect").and_then(Json::as_str) == Some("Allow")
            && names_everyone(statement)
            && !narrowed(statement)
    })
}

fn statements(policy: &Json) -> Vec<&Json> {
    one_or_many(policy.get("Statement"))
}

fn one_or_many(value: Option<&Json>) -> Vec<&Json> {
    match value {
        Some(Json::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn texts<'p>(statement: &'p Json, names: &[&str]) -> Vec<&'p str> {
    names.iter().flat_map(|name| one_or_many(statement.get(name))).filter_map(Json::as_str).collect()
}

fn names_everyone(statement: &Json) -> bool {
    if statement.get("NotPrincipal").is_some() {
        return true;
    }
    match statement.get("Principal") {
        Some(Json::String(text)) => text == "*",
        Some(Json::Object(kinds)) => one_or_many(kinds.get("AWS")).iter().any(|name| name.as_str() == Some("*")),
        _ => false,
    }
}

/// The keys that narrow a policy to someone known, by S3's documentation of "public".
const NARROWING: [&str; 12] = [
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:userid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
];

fn narrowed(statement: &Json) -> bool {
    let Some(Json::Object(operators)) = statement.get("Condition") else { return false };
    operators.iter().any(|(operator, block)| {
        let Json::Object(keys) = block else { return false };
        // A negated test, or one that holds for an absent key, narrows nothing.
        let positive =
            !operator.contains("Not") && !operator.ends_with("IfExists") && !operator.starts_with("ForAllValues");
        positive && keys.iter().any(|(key, values)| narrows(operator, &key.to_ascii_lowercase(), values))
    })
}

fn narrows(operator: &str, key: &str, values: &Json) -> bool {
    let values: Vec<&str> = one_or_many(Some(values)).into_iter().filter_map(Json::as_str).collect();
    if values.is_empty() {
        return false;
    }
    if key == "aws:sourceip" {
        return operator.contains("IpAddress") && values.iter().all(|range| is_small(range));
    }
    let like = operator.contains("Like") || operator.contains("Arn");
    let open = |value: &&str| value.contains("${") || (like && value.contains(['*', '?']));
    NARROWING.contains(&key) && !values.iter().any(open)
}

/// Whether a range of addresses is no whole corner of the internet: at most a /8, or a /32 of IPv6.
fn is_small(range: &str) -> bool {
    let (address, bits) = range.split_once('/').unwrap_or((range, "128"));
    let bits: u32 = bits.parse().unwrap_or(0);
    bits >= if address.contains(':') { 32 } else { 8 }
}

impl S3Objects {
    fn compiled(&self, bucket: &Bucket) -> Result<Option<Arc<PolicySet>>, ApiError> {
        let Some(text) = &bucket.body.policy else { return Ok(None) };
        let generation = bucket.document.generation;
        if let Some((made_of, set)) = self.policies.0.lock().get(bucket.name())
            && *made_of == generation
        {
            return Ok(Some(Arc::clone(set)));
        }
        // It parsed when it was put; one that does not now is corrupt, and nothing is decided.
        let document = Document::parse(text).map_err(ApiError::internal)?;
        let name: Arc<str> = format!("arn:aws:s3:::{}", bucket.name()).into();
        let set = Arc::new(PolicySet::compile([(name, &document)]));
        let mut kept = self.policies.0.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(bucket.name().to_owned(), (generation, Arc::clone(&set)));
        Ok(Some(set))
    }
}

#[async_trait]
impl ResourcePolicies for S3Objects {
    async fn resource_policy(&self, resource: &str) -> Result<Option<Arc<PolicySet>>, ApiError> {
        let mut parts = resource.splitn(6, ':');
        let s3 = parts.nth(2) == Some("s3");
        let Some(name) = parts.nth(2).filter(|_| s3) else { return Ok(None) };
        let bucket = name.split('/').next().unwrap_or_default();
        if bucket.is_empty() || bucket.contains(['*', '?']) {
            return Ok(None);
        }
        let found = self.store.get(&crate::documents::bucket_key(bucket)).await.map_err(store_failed)?;
        let Some(bucket) = found.map(Bucket::of).transpose().map_err(store_failed)? else { return Ok(None) };
        self.compiled(&bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(principal: &str, resource: &str, condition: &str) -> String {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject",
            "Resource":"{resource}"{condition}}}]}}"#
        )
    }

    #[test]
    fn resources_and_actions_of_another_place_are_refused() {
        for good in ["arn:aws:s3:::data", "arn:aws:s3:::data/*", "arn:aws:s3:::data*", "arn:aws:s3:::*"] {
            assert!(check(&policy("\"*\"", good, ""), "data").is_ok(), "{good}");
        }
        for bad in ["arn:aws:s3:::other/*", "arn:aws:s3:::data2", "arn:aws:sqs:us-east-1:1:data", "*"] {
            let error = check(&policy("\"*\"", bad, ""), "data").unwrap_err();
            assert_eq!(error.code(), "MalformedPolicy", "{bad}");
            assert!(error.message().contains("invalid resource"), "{}", error.message());
        }
        let foreign = policy("\"*\"", "arn:aws:s3:::data", "").replace("s3:GetObject", "iam:PassRole");
        assert!(check(&foreign, "data").unwrap_err().message().contains("invalid action"));
        let nobody = policy("\"*\"", "arn:aws:s3:::data", "").replace("\"Principal\":\"*\",", "");
        assert_eq!(check(&nobody, "data").unwrap_err().code(), "MalformedPolicy");
        assert_eq!(check("{", "data").unwrap_err().code(), "MalformedPolicy");
    }

    #[test]
    fn what_public_means() {
        let public = |principal: &str, condition: &str| is_public(&policy(principal, "arn:aws:s3:::data/*", condition));
        assert!(public("\"*\"", ""));
        assert!(public(r#"{"AWS":["111122223333","*"]}"#, ""));
        assert!(!public(r#"{"AWS":"111122223333"}"#, ""));
        assert!(!public(r#"{"Service":"sagemaker.amazonaws.com"}"#, ""));
        let with = |operator: &str, key: &str, value: &str| {
            public("\"*\"", &format!(r#","Condition":{{"{operator}":{{"{key}":"{value}"}}}}"#))
        };
        assert!(!with("StringEquals", "aws:SourceVpce", "vpce-1"));
        assert!(!with("StringEquals", "aws:PrincipalOrgID", "o-1"));
        assert!(with("StringLike", "aws:SourceVpce", "vpce-*"));
        assert!(with("StringNotEquals", "aws:SourceVpce", "vpce-1"));
        assert!(with("StringEqualsIfExists", "aws:SourceVpce", "vpce-1"));
        assert!(!with("IpAddress", "aws:SourceIp", "10.0.0.0/8"));
        assert!(with("IpAddress", "aws:SourceIp", "0.0.0.0/1"));
        assert!(with("StringEquals", "aws:UserAgent", "x"));
    }
}
