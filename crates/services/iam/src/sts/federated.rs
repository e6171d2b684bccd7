//! Sessions of roles for whom an identity provider vouches: what tokens and SAML responses have in common.
//!
//! INVARIANT: the assertion has been verified when it comes here. The role's trust policy decides, for the provider as
//! principal and with the assertion's keys, also over the tags and the source identity that the assertion asks for.

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Cx, Principal, PrincipalIdentity, Target};
use stoa_models_sts::types::PolicyDescriptorType;
use stoa_types::{AccountId, Timestamp};

use super::assume_role::seconds;
use super::denied;
use super::limits::{add_session_tags, add_transitive, packed};
use crate::Iam;
use crate::authority::role_key_of;
use crate::session::{Claims, SessionCredentials, Subject, issue};
use crate::state::Tags;

/// Condition keys with their values.
pub(super) type Keys = BTreeMap<String, Vec<String>>;

/// What an assertion asks for, and what the request asks besides.
pub(super) struct Asked<'a> {
    /// `sts:AssumeRoleWithSAML` or `sts:AssumeRoleWithWebIdentity`.
    pub(super) action: &'static str,
    pub(super) role_arn: &'a str,
    pub(super) provider_arn: &'a str,
    pub(super) session_name: &'a str,
    /// What the trust policy sees of the assertion.
    pub(super) keys: Keys,
    /// What every later call of the session carries of it.
    pub(super) session_keys: Keys,
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive: Vec<String>,
    pub(super) source_identity: Option<String>,
    pub(super) policy: Option<&'a str>,
    pub(super) policy_arns: Option<&'a [PolicyDescriptorType]>,
    pub(super) seconds: Option<i64>,
    /// The session ends then at the latest.
    pub(super) latest_end: Option<Timestamp>,
}

/// A session that was made.
pub(super) struct Made {
    pub(super) credentials: SessionCredentials,
    pub(super) principal: Principal,
    pub(super) packed_policy_size: Option<i64>,
}

/// The account of a role's ARN; a refusal that tells nothing for what is none.
pub(super) fn role_account(role_arn: &str, action: &str) -> Result<AccountId, ApiError> {
    let key = role_key_of(role_arn).ok_or_else(|| denied(&format!("Not authorized to perform {action}")))?;
    Ok(key.account)
}

/// Letters that names of sessions and source identities have, two to sixty-four of them.
pub(super) fn is_session_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (2..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// Refuses a source identity that is none.
pub(super) fn check_source_identity(identity: Option<&str>) -> Result<(), ApiError> {
    match identity {
        Some(identity) if !is_session_name(identity) || identity.to_ascii_lowercase().starts_with("aws:") => {
            let message = "Source Identity must match [a-zA-Z_0-9+=,.@-]{2,64} and not begin with \"aws:\"";
            Err(ApiError::new("InvalidIdentityTokenException", 400, message))
        }
        _ => Ok(()),
    }
}

fn targets(asked: &Asked<'_>) -> Vec<Target> {
    let target = |action: &'static str| {
        let mut target = Target::new(action, asked.role_arn)
            .with_key("aws:FederatedProvider", asked.provider_arn)
            .with_key("sts:RoleSessionName", asked.session_name);
        for (key, values) in &asked.keys {
            match values.as_slice() {
                [value] => target.keys.set(key, value.as_str()),
                many => target.keys.set_many(key, many.iter().map(String::as_str)),
            };
        }
        for (key, value) in &asked.tags {
            target.keys.set(&format!("aws:RequestTag/{key}"), value.as_str());
        }
        if !asked.tags.is_empty() {
            target.keys.set_many("aws:TagKeys", asked.tags.iter().map(|(key, _)| key.as_str()));
        }
        if !asked.transitive.is_empty() {
            target.keys.set_many("sts:TransitiveTagKeys", asked.transitive.iter().map(String::as_str));
        }
        match &asked.source_identity {
            Some(identity) => target.with_key("sts:SourceIdentity", identity.as_str()),
            None => target,
        }
    };
    let mut targets = vec![target(asked.action)];
    if !asked.tags.is_empty() {
        targets.push(target("sts:TagSession"));
    }
    if asked.source_identity.is_some() {
        targets.push(target("sts:SetSourceIdentity"));
    }
    targets
}

impl Iam {
    /// Decides and makes the session.
    pub(super) async fn federated_session(&self, cx: &Cx, asked: Asked<'_>) -> Result<Made, ApiError> {
        let account = role_account(asked.role_arn, asked.action)?;
        let caller = Principal {
            account: account.clone(),
            arn: asked.provider_arn.to_owned(),
            principal_id: asked.provider_arn.to_owned(),
            identity: PrincipalIdentity::Federated { provider: asked.provider_arn.to_owned() },
            access_key_id: String::new(),
            tags: Default::default(),
            session: None,
        };
        cx.authorize_federated(&caller, &targets(&asked)).await?;
        let trust = self.trust(asked.role_arn).await?;
        let role = trust.role.as_ref().ok_or_else(|| denied(&format!("Not authorized to perform {}", asked.action)))?;
        let seconds = seconds(cx, role, asked.seconds)?;
        let mut tags = Tags::new();
        let mut transitive = Vec::new();
        add_session_tags(&mut tags, &[], asked.tags.iter().map(|(key, value)| (&**key, &**value)))?;
        add_transitive(&tags, &mut transitive, &asked.transitive)?;
        let policies = self.session_policies(account.as_str(), asked.policy, asked.policy_arns).await?;
        let packed_policy_size = packed(&policies, &tags)?;
        let expires = cx.now.plus_millis(seconds * 1000);
        let expires = asked.latest_end.map_or(expires, |end| end.min(expires));
        let claims = Claims {
            account,
            subject: Subject::Role {
                arn: role.arn.clone(),
                name: role.name.clone(),
                id: role.id.clone(),
                session: asked.session_name.to_owned(),
            },
            issued: cx.now,
            expires,
            principal_tags: role.tags.clone(),
            tags,
            transitive,
            policies,
            source_identity: asked.source_identity,
            mfa_at: None,
            provider: Some(asked.provider_arn.to_owned()),
            keys: asked.session_keys,
        };
        let credentials = issue(&self.key, &*self.ids, &claims)?;
        let principal = claims.principal(&credentials.access_key_id);
        Ok(Made { credentials, principal, packed_policy_size })
    }
}
