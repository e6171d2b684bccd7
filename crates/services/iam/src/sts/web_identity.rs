//! AssumeRoleWithWebIdentity: a role for whom an OpenID Connect provider of its account vouches by a signed token.

use serde_json::{Map, Value};
use stoa_kernel::{ApiError, Authorized, Cx, FederatedCaller, Handles};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::{AssumeRoleWithWebIdentityRequest, AssumeRoleWithWebIdentityResponse, AssumedRoleUser};

use super::federated::{Asked, Keys, check_source_identity, role_account};
use super::wire_credentials;
use crate::Iam;
use crate::oidc::{JudgedToken, claim_texts};

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
/// Claims about the token, not about whom it speaks of.
const TECHNICAL: [&str; 7] = ["iss", "aud", "azp", "exp", "iat", "nbf", "jti"];
/// The keys that AWS keeps for the session's whole life.
const KEPT: [&str; 3] = ["aud", "sub", "amr"];

fn wrong_tags() -> ApiError {
    ApiError::new("InvalidIdentityTokenException", 400, "The session tags of the ID Token are not as they must be")
}

/// The condition keys of a token, under the provider's name: every claim that can be compared, and `aud`, which is the
/// authorized party where there is one (`oaud` is then what `aud` says).
fn keys(judged: &JudgedToken) -> Keys {
    let host = &judged.provider.host;
    let mut keys = Keys::new();
    for (name, value) in &judged.token.claims {
        let ours = name.starts_with("https://aws.amazon.com/");
        if !ours
            && !TECHNICAL.contains(&&**name)
            && let Some(texts) = claim_texts(value).filter(|texts| !texts.is_empty())
        {
            keys.insert(format!("{host}:{name}"), texts);
        }
    }
    let audiences = match &judged.token.authorized_party {
        Some(party) => {
            keys.insert(format!("{host}:oaud"), judged.token.audiences.clone());
            vec![party.clone()]
        }
        None => judged.token.audiences.clone(),
    };
    keys.insert(format!("{host}:aud"), audiences);
    keys
}

/// The one value of a principal tag, which tokens give as a text or as a list of one.
fn tag_value(value: &Value) -> Result<String, ApiError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Array(list) => match list.as_slice() {
            [Value::String(text)] => Ok(text.clone()),
            _ => Err(wrong_tags()),
        },
        _ => Err(wrong_tags()),
    }
}

/// Session tags, and which of them are transitive.
type Tagged = (Vec<(String, String)>, Vec<String>);

/// Tags and transitive keys, from the nested claim or from flat ones.
fn tags(claims: &Map<String, Value>) -> Result<Tagged, ApiError> {
    let mut tags = Vec::new();
    let mut transitive = Vec::new();
    if let Some(nested) = claims.get(TAGS) {
        let nested = nested.as_object().ok_or_else(wrong_tags)?;
        for (key, value) in nested.get("principal_tags").and_then(Value::as_object).into_iter().flatten() {
            tags.push((key.clone(), tag_value(value)?));
        }
        if let Some(keys) = nested.get("transitive_tag_keys") {
            transitive.extend(claim_texts(keys).ok_or_else(wrong_tags)?);
        }
    }
    for (name, value) in claims {
        let Some(rest) = name.strip_prefix(TAGS).and_then(|rest| rest.strip_prefix('/')) else { continue };
        if let Some(key) = rest.strip_prefix("principal_tags/") {
            tags.push((key.to_owned(), tag_value(value)?));
        } else if rest == "transitive_tag_keys" {
            transitive.extend(claim_texts(value).ok_or_else(wrong_tags)?);
        }
    }
    Ok((tags, transitive))
}

fn source_identity(claims: &Map<String, Value>) -> Result<Option<String>, ApiError> {
    let identity = claims.get(SOURCE_IDENTITY).and_then(Value::as_str).map(str::to_owned);
    check_source_identity(identity.as_deref())?;
    Ok(identity)
}

impl Handles<op::AssumeRoleWithWebIdentity> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<AssumeRoleWithWebIdentityRequest>,
    ) -> Result<AssumeRoleWithWebIdentityResponse, ApiError> {
        if input.provider_id.is_some() {
            return Err(ApiError::validation("ProviderId is for OAuth 2.0 access tokens, which are not supported"));
        }
        let account = role_account(&input.role_arn, ACTION)?;
        let judged = self.judge_token(&account, &input.web_identity_token, cx.now).await?;
        let provider = judged.provider.arn.as_str();
        let subject = judged.token.subject.clone();
        cx.note_federated_caller(FederatedCaller {
            kind: "WebIdentityUser",
            principal_id: format!("{provider}:{}:{subject}", judged.client),
            user_name: subject.clone(),
            identity_provider: provider.to_owned(),
            account,
        });
        let (tags, transitive) = tags(&judged.token.claims)?;
        let keys = keys(&judged);
        let kept = |key: &str| KEPT.iter().any(|name| key == format!("{}:{name}", judged.provider.host));
        let session_keys = keys.iter().filter(|(key, _)| kept(key)).map(|(key, values)| (key.clone(), values.clone()));
        let asked = Asked {
            action: ACTION,
            role_arn: &input.role_arn,
            provider_arn: provider,
            session_name: &input.role_session_name,
            session_keys: session_keys.collect(),
            keys,
            tags,
            transitive,
            source_identity: source_identity(&judged.token.claims)?,
            policy: input.policy.as_deref(),
            policy_arns: input.policy_arns.as_deref(),
            seconds: input.duration_seconds,
            latest_end: None,
        };
        let source_identity = asked.source_identity.clone();
        let made = self.federated_session(cx, asked).await?;
        Ok(AssumeRoleWithWebIdentityResponse {
            credentials: Some(wire_credentials(&made.credentials)),
            subject_from_web_identity_token: Some(subject),
            assumed_role_user: Some(AssumedRoleUser {
                assumed_role_id: made.principal.principal_id,
                arn: made.principal.arn,
            }),
            packed_policy_size: made.packed_policy_size,
            provider: Some(provider.to_owned()),
            audience: Some(judged.client.clone()),
            source_identity,
            session_token_utilization: None,
            session_token_size: None,
        })
    }
}
