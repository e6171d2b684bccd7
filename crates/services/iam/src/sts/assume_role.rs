//! AssumeRole. That the caller may (its own policies and the role's trust policy, also for `sts:TagSession` and
//! `sts:SetSourceIdentity`) was decided by the pipeline; here are the limits of what it may ask for.
//!
//! A code of an MFA device is looked at before the decision, since trust policies ask for it, and used up after it.

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles, PrincipalIdentity, Target, Targets};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::{AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser};
use stoa_schema::Value;

use super::limits::{add_session_tags, add_transitive, packed};
use super::{denied, wire_credentials};
use crate::Iam;
use crate::mfa::GivenCode;
use crate::session::{Claims, Subject, issue};
use crate::state::{RoleRecord, Tags};

const DEFAULT_SECONDS: i64 = 3_600;
const CHAINED_SECONDS: i64 = 3_600;

/// How long a session of the role lasts.
pub(super) fn seconds(cx: &Cx, role: &RoleRecord, asked: Option<i64>) -> Result<i64, ApiError> {
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
    let asked = input.tags.iter().flatten().map(|tag| (&*tag.key, &*tag.value));
    add_session_tags(&mut tags, &transitive, asked)?;
    add_transitive(&tags, &mut transitive, input.transitive_tag_keys.as_deref().unwrap_or_default())?;
    Ok((tags, transitive))
}

/// The source identity, which a chained session keeps.
fn source_identity(cx: &Cx, asked: Option<&str>) -> Result<Option<String>, ApiError> {
    let own = cx.principal.session.as_ref().and_then(|session| session.source_identity.clone());
    match (own, asked) {
        (Some(own), Some(asked)) if own != asked => {
            Err(denied("The source identity of the calling session cannot be changed."))
        }
        (Some(own), _) => Ok(Some(own)),
        (None, asked) => Ok(asked.map(str::to_owned)),
    }
}

fn given_code(input: &Value) -> GivenCode<'_> {
    GivenCode { serial: input.str_member("SerialNumber"), code: input.str_member("TokenCode") }
}

impl Targets<op::AssumeRole> for Iam {
    async fn targets(&self, cx: &Cx, input: &Value) -> Result<Vec<Target>, ApiError> {
        let has_mfa = self.look_at_code(cx, given_code(input)).await?;
        // A chained session brings its source identity along; AWS asks for the right to set it again.
        let session = cx.principal.session.as_ref();
        let identity = session.and_then(|session| session.source_identity.as_deref());
        let identity = identity.or_else(|| input.str_member("SourceIdentity"));
        let role = input.str_member("RoleArn").unwrap_or("*");
        let target = |action: &'static str| {
            let mut target = Target::new(action, role).with_request_tags(input, "Tags");
            if has_mfa {
                target = target.with_key("aws:MultiFactorAuthPresent", "true").with_key("aws:MultiFactorAuthAge", "0");
            }
            if let Some(identity) = identity {
                target = target.with_key("sts:SourceIdentity", identity);
            }
            if let Some(Value::List(keys)) = input.member("TransitiveTagKeys") {
                target.keys.set_many("sts:TransitiveTagKeys", keys.iter().filter_map(Value::as_str));
            }
            for (key, member) in [("sts:ExternalId", "ExternalId"), ("sts:RoleSessionName", "RoleSessionName")] {
                if let Some(value) = input.str_member(member) {
                    target = target.with_key(key, value);
                }
            }
            target
        };
        let mut targets = vec![target("sts:AssumeRole")];
        if matches!(input.member("Tags"), Some(Value::List(tags)) if !tags.is_empty()) {
            targets.push(target("sts:TagSession"));
        }
        if identity.is_some() {
            targets.push(target("sts:SetSourceIdentity"));
        }
        Ok(targets)
    }
}

impl Handles<op::AssumeRole> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<AssumeRoleRequest>) -> Result<AssumeRoleResponse, ApiError> {
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
        let account = input.role_arn.split(':').nth(4).unwrap_or_default();
        let policies = self.session_policies(account, input.policy.as_deref(), input.policy_arns.as_deref()).await?;
        let packed_policy_size = packed(&policies, &tags)?;
        let source_identity = source_identity(cx, input.source_identity.as_deref())?;
        let given = GivenCode { serial: input.serial_number.as_deref(), code: input.token_code.as_deref() };
        let mfa_at = self.take_code(cx, given).await?;
        let claims = Claims {
            account: account.parse().map_err(ApiError::internal)?,
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
            mfa_at,
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
