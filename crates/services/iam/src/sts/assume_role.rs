//! AssumeRole. That the caller may (its own policies and the role's trust policy, also for `sts:TagSession` and
//! `sts:SetSourceIdentity`) was decided by the pipeline; here are the limits of what it may ask for.

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles, PrincipalIdentity};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::{AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser};
use stoa_policy::{Document, PolicyKind};

use super::{denied, refuse_mfa, wire_credentials};
use crate::Iam;
use crate::authority::Sources;
use crate::error::malformed_policy;
use crate::session::{Claims, Subject, issue};
use crate::state::{RoleRecord, Tags};

const DEFAULT_SECONDS: i64 = 3_600;
const CHAINED_SECONDS: i64 = 3_600;
const MAX_POLICY: usize = 2_048;
const MAX_POLICY_ARNS: usize = 10;
const MAX_TAGS: usize = 50;
/// Bytes of policies and tags that fit in a session; `PackedPolicySize` is a percentage of it.
const PACKED_BYTES: usize = 8_192;

fn seconds(cx: &Cx, role: &RoleRecord, asked: Option<i64>) -> Result<i64, ApiError> {
    let asked = asked.unwrap_or(DEFAULT_SECONDS);
    let chained = matches!(cx.principal.identity, PrincipalIdentity::AssumedRole { .. });
    if chained && asked > CHAINED_SECONDS {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        ));
    }
    if asked > role.max_session_duration {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(asked)
}

/// The session's tags and which of them are transitive: those asked for and those the calling session passes on.
fn session_tags(cx: &Cx, input: &AssumeRoleRequest) -> Result<(Tags, Vec<String>), ApiError> {
    let mut tags: Tags = BTreeMap::new();
    let mut transitive = Vec::new();
    if let Some(session) = &cx.principal.session {
        for key in &session.transitive_tag_keys {
            if let Some(value) = session.tags.get(key) {
                tags.insert(key.clone(), value.clone());
                transitive.push(key.clone());
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for tag in input.tags.iter().flatten() {
        let folded = tag.key.to_lowercase();
        if transitive.iter().any(|key| key.to_lowercase() == folded) {
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
        tags.insert(tag.key.clone(), tag.value.clone());
    }
    for key in input.transitive_tag_keys.iter().flatten() {
        if !tags.contains_key(key) {
            return Err(ApiError::validation(format!("the transitive tag key {key} is not one of the session's tags")));
        }
        if !transitive.contains(key) {
            transitive.push(key.clone());
        }
    }
    if tags.len() > MAX_TAGS {
        return Err(ApiError::validation(format!("a session has at most {MAX_TAGS} tags")));
    }
    Ok((tags, transitive))
}

fn source_identity(cx: &Cx, input: &AssumeRoleRequest) -> Result<Option<String>, ApiError> {
    let own = cx.principal.session.as_ref().and_then(|session| session.source_identity.clone());
    match (own, &input.source_identity) {
        (Some(own), Some(asked)) if own != *asked => {
            Err(denied("The source identity of the calling session cannot be changed."))
        }
        (Some(own), _) => Ok(Some(own)),
        (None, asked) => Ok(asked.clone()),
    }
}

impl Iam {
    async fn session_policies(&self, input: &AssumeRoleRequest) -> Result<Vec<String>, ApiError> {
        let mut policies = Vec::new();
        if let Some(text) = &input.policy {
            if text.chars().count() > MAX_POLICY {
                return Err(ApiError::validation(format!("a session policy has at most {MAX_POLICY} characters")));
            }
            let checked = Document::parse_as(text, PolicyKind::Identity);
            checked.map_err(|error| malformed_policy(error.to_string()))?;
            policies.push(text.clone());
        }
        let arns = input.policy_arns.iter().flatten().filter_map(|policy| policy.arn.as_ref());
        let account = input.role_arn.split(':').nth(4).unwrap_or_default();
        for arn in arns {
            let near = [account, "aws"].contains(&arn.split(':').nth(4).unwrap_or_default());
            if !near || self.managed_document(arn, &mut Sources::default()).await?.is_none() {
                return Err(ApiError::validation(format!(
                    "the session policy {arn} does not exist in the role's account"
                )));
            }
            policies.push(arn.clone());
        }
        if policies.len() > MAX_POLICY_ARNS + usize::from(input.policy.is_some()) {
            return Err(ApiError::validation(format!("at most {MAX_POLICY_ARNS} session policies can be named")));
        }
        Ok(policies)
    }
}

/// How much of the room for policies and tags is used, in percent; none when there are neither.
fn packed(policies: &[String], tags: &Tags) -> Result<Option<i64>, ApiError> {
    let bytes = policies.iter().map(String::len).sum::<usize>()
        + tags.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    let percent = (bytes * 100).div_ceil(PACKED_BYTES);
    if percent > 100 {
        let message = format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
        return Err(ApiError::new("PackedPolicyTooLargeException", 400, message));
    }
    Ok((bytes > 0).then(|| i64::try_from(percent).unwrap_or(100)))
}

impl Handles<op::AssumeRole> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<AssumeRoleRequest>) -> Result<AssumeRoleResponse, ApiError> {
        refuse_mfa(input.serial_number.as_deref(), input.token_code.as_deref())?;
        if input.provided_contexts.as_ref().is_some_and(|contexts| !contexts.is_empty()) {
            return Err(ApiError::validation("ProvidedContexts is not supported"));
        }
        if cx.principal.identity == PrincipalIdentity::Root {
            return Err(denied("Roles may not be assumed by root accounts."));
        }
        let trust = self.trust(&input.role_arn).await?;
        let missing = || {
            denied(&format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {}",
                cx.principal.arn, input.role_arn
            ))
        };
        let role = trust.role.as_ref().ok_or_else(missing)?;
        let seconds = seconds(cx, role, input.duration_seconds)?;
        let (tags, transitive) = session_tags(cx, &input)?;
        let policies = self.session_policies(&input).await?;
        let packed_policy_size = packed(&policies, &tags)?;
        let source_identity = source_identity(cx, &input)?;
        let claims = Claims {
            account: input.role_arn.split(':').nth(4).unwrap_or_default().parse().map_err(ApiError::internal)?,
            subject: Subject::Role {
                arn: role.arn.clone(),
                name: role.name.clone(),
                id: role.id.clone(),
                session: input.role_session_name.clone(),
            },
            issued: cx.now,
            expires: cx.now.plus_millis(seconds * 1000),
            principal_tags: role.tags.clone(),
            tags,
            transitive,
            policies,
            source_identity: source_identity.clone(),
            mfa_at: None,
            provider: None,
            keys: Default::default(),
        };
        let session = issue(&self.key, &*self.ids, &claims)?;
        let principal = claims.principal(&session.access_key_id);
        Ok(AssumeRoleResponse {
            credentials: Some(wire_credentials(&session)),
            assumed_role_user: Some(AssumedRoleUser { assumed_role_id: principal.principal_id, arn: principal.arn }),
            packed_policy_size,
            source_identity,
            session_token_utilization: None,
            session_token_size: None,
        })
    }
}
