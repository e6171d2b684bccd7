//! What every kind of session may carry: policies, tags, and how much room both take. And what some sessions may not
//! call at all.
//!
//! Pure but for the look at managed policies. Nothing is kept.

use std::collections::BTreeSet;

use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_models_sts::types::PolicyDescriptorType;
use stoa_policy::{Document, PolicyKind};

use super::denied;
use crate::Iam;
use crate::authority::Sources;
use crate::error::malformed_policy;
use crate::state::Tags;

const MAX_POLICY: usize = 2_048;
const MAX_POLICY_ARNS: usize = 10;
const MAX_TAGS: usize = 50;
const MAX_TAG_KEY: usize = 128;
const MAX_TAG_VALUE: usize = 256;
/// Bytes of policies and tags that fit in a session; `PackedPolicySize` is a percentage of it.
const PACKED_BYTES: usize = 8_192;

impl Iam {
    /// The session policies of a request, checked. Named ones must be of this account or AWS's.
    pub(super) async fn session_policies(
        &self,
        account: &str,
        policy: Option<&str>,
        arns: Option<&[PolicyDescriptorType]>,
    ) -> Result<Vec<String>, ApiError> {
        let mut policies = Vec::new();
        if let Some(text) = policy {
            if text.chars().count() > MAX_POLICY {
                return Err(ApiError::validation(format!("a session policy has at most {MAX_POLICY} characters")));
            }
            let checked = Document::parse_as(text, PolicyKind::Identity);
            checked.map_err(|error| malformed_policy(error.to_string()))?;
            policies.push(text.to_owned());
        }
        for arn in arns.unwrap_or_default().iter().filter_map(|policy| policy.arn.as_ref()) {
            let near = [account, "aws"].contains(&arn.split(':').nth(4).unwrap_or_default());
            if !near || self.managed_document(arn, &mut Sources::default()).await?.is_none() {
                return Err(ApiError::validation(format!("the session policy {arn} does not exist in this account")));
            }
            policies.push(arn.clone());
        }
        if policies.len() > MAX_POLICY_ARNS + usize::from(policy.is_some()) {
            return Err(ApiError::validation(format!("at most {MAX_POLICY_ARNS} session policies can be named")));
        }
        Ok(policies)
    }
}

/// Adds tags that a request or an assertion asks for to those the calling session passes on.
pub(super) fn add_session_tags<'t>(
    tags: &mut Tags,
    passed_on: &[String],
    asked: impl Iterator<Item = (&'t str, &'t str)>,
) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for (key, value) in asked {
        let folded = key.to_lowercase();
        if passed_on.iter().any(|key| key.to_lowercase() == folded) {
            return Err(denied(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key \
                 from the calling session.",
            ));
        }
        if !seen.insert(folded) {
            return Err(ApiError::validation(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        let fits = (1..=MAX_TAG_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_TAG_VALUE;
        if !fits || key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::validation(format!("`{key}` is no session tag key, or its value is too long")));
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    if tags.len() > MAX_TAGS {
        return Err(ApiError::validation(format!("a session has at most {MAX_TAGS} tags")));
    }
    Ok(())
}

/// Adds the keys that are to go on to further sessions; each must be one of the session's tags.
pub(super) fn add_transitive(tags: &Tags, transitive: &mut Vec<String>, asked: &[String]) -> Result<(), ApiError> {
    for key in asked {
        if !tags.contains_key(key) {
            return Err(ApiError::validation(format!("the transitive tag key {key} is not one of the session's tags")));
        }
        if !transitive.contains(key) {
            transitive.push(key.clone());
        }
    }
    Ok(())
}

/// How much of the room for policies and tags is used, in percent; none when there are neither.
pub(super) fn packed(policies: &[String], tags: &Tags) -> Result<Option<i64>, ApiError> {
    let bytes = policies.iter().map(String::len).sum::<usize>()
        + tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    let percent = (bytes * 100).div_ceil(PACKED_BYTES);
    if percent > 100 {
        let message = format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
        return Err(ApiError::new("PackedPolicyTooLargeException", 400, message));
    }
    Ok((bytes > 0).then(|| i64::try_from(percent).unwrap_or(100)))
}

/// The APIs that sessions of users cannot call whatever their policies say. A session of GetSessionToken calls IAM only
/// with MFA, and of STS AssumeRole alone; one of GetFederationToken calls neither (GetCallerIdentity needs no decision).
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html>
pub(crate) fn refuse_session(principal: &Principal, action: &str) -> Result<(), ApiError> {
    let Some(session) = &principal.session else { return Ok(()) };
    let federated = match principal.identity {
        PrincipalIdentity::FederatedUser { .. } => true,
        PrincipalIdentity::User { .. } | PrincipalIdentity::Root => false,
        _ => return Ok(()),
    };
    let Some((service, name)) = action.split_once(':') else { return Ok(()) };
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    // Passing a role is a right that other services' calls need, no call of IAM.
    if service.eq_ignore_ascii_case("iam") && !is("PassRole") {
        if federated || session.mfa_authenticated_at.is_none() {
            return Err(ApiError::new(
                "InvalidClientTokenId",
                403,
                "The security token included in the request is invalid",
            ));
        }
    } else if service.eq_ignore_ascii_case("sts") {
        let goes_with_assume_role = is("AssumeRole") || is("TagSession") || is("SetSourceIdentity");
        if federated || !goes_with_assume_role {
            return Err(denied(&format!("Cannot call {name} with session credentials")));
        }
    }
    Ok(())
}
