//! Bearer tokens for Hugging Face's clients, which sign nothing: `stoa:CreateHuggingFaceToken`, and what a token opens.
//!
//! A token seals the caller's access key id, the session token that belongs to it, an end, and what it is limited to. It
//! holds no secret key and no rights: each use looks the credential up again, so that a key made inactive, an expired
//! session or a removed role ends the token too. An EULA that it says was accepted is a model's text by its digest: another
//! text, or another model under the same name, is not accepted. Nothing is stored; a crash loses nothing.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use stoa_kernel::ports::{Authority, Bearer, BearerTokens, LicenceText};
use stoa_kernel::{ApiError, Authorized, Cx, Handles, PrincipalIdentity};
use stoa_models_stoa::operations as op;
use stoa_models_stoa::types::{CreateHuggingFaceTokenRequest, CreateHuggingFaceTokenResponse};
use stoa_types::{Arn, Timestamp};

use crate::Iam;
use crate::seal::Purpose;

/// What the token is sealed for besides its purpose: tokens have no owner outside themselves.
const OWNER: &str = "bearer";
/// Clients show the beginning of a token; this says whose it is.
const PREFIX: &str = "hf_";
const DEFAULT_SECONDS: i64 = 12 * 3600;
const PUBLIC_HUB: &str = "SageMakerPublicHub";

#[derive(Serialize, Deserialize)]
struct Claims {
    access_key_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_token: Option<String>,
    expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hub_arn: Option<String>,
    /// Names alone, as earlier tokens had them (`accepted_eulas`), are no consent: a name may stand for another text now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accepted: Vec<LicenceText>,
}

impl Handles<op::CreateHuggingFaceToken> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateHuggingFaceTokenRequest>,
    ) -> Result<CreateHuggingFaceTokenResponse, ApiError> {
        let input = input.into_inner();
        let hub_arn = input.hub_name.as_deref().map(|name| hub_arn(cx, name)).transpose()?;
        let accepted = self.licences_named(cx, hub_arn.as_deref(), input.accepted_eulas.unwrap_or_default()).await?;
        let seconds = input.duration_seconds.unwrap_or(DEFAULT_SECONDS);
        let asked = cx.now.plus_millis(seconds * 1000);
        let session_end = cx.principal.session.as_ref().map(|session| session.expires_at);
        let claims = Claims {
            access_key_id: cx.principal.access_key_id.clone(),
            session_token: self.session_token_of(cx)?,
            expires: session_end.map_or(asked, |end| end.min(asked)),
            hub_arn,
            accepted,
        };
        let text = serde_json::to_vec(&claims).map_err(ApiError::internal)?;
        let sealed = self.key.seal(Purpose::HuggingFace, OWNER, &text, &*self.ids).map_err(ApiError::internal)?;
        Ok(CreateHuggingFaceTokenResponse {
            token: format!("{PREFIX}{sealed}"),
            expiration: claims.expires,
            hub_arn: claims.hub_arn,
        })
    }
}

impl Iam {
    /// The licences that these names stand for now, in the hub that the token is for or in the public one.
    async fn licences_named(
        &self,
        cx: &Cx,
        hub: Option<&str>,
        names: Vec<String>,
    ) -> Result<Vec<LicenceText>, ApiError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let licences = self.licences().ok_or_else(|| ApiError::internal("no licences were given"))?;
        let public = hub_arn(cx, PUBLIC_HUB)?;
        let mut accepted = Vec::with_capacity(names.len());
        for name in names {
            let licence = licences.licence(cx, hub.unwrap_or(&public), &name).await?;
            if !accepted.contains(&licence) {
                accepted.push(licence);
            }
        }
        Ok(accepted)
    }

    /// The session token that this very call was signed with.
    fn session_token_of(&self, cx: &Cx) -> Result<Option<String>, ApiError> {
        if cx.principal.session.is_none() {
            return Ok(None);
        }
        // Authentication has just put the credential there; only a flood of other callers takes it out again.
        let cached = self.credentials.get(&cx.principal.access_key_id);
        let token = cached.and_then(|cached| cached.session_token());
        token.map(Some).ok_or_else(|| ApiError::unavailable("the session could not be looked up, try again"))
    }
}

/// The ARN of the hub that a name or an ARN means to the caller.
fn hub_arn(cx: &Cx, text: &str) -> Result<String, ApiError> {
    let refused = || ApiError::validation(format!("HubName `{text}` is neither the name nor the ARN of a hub"));
    if text.starts_with("arn:") {
        let arn: Arn = text.parse().map_err(|_| refused())?;
        let fits = arn.service() == "sagemaker" && arn.resource().strip_prefix("hub/").is_some_and(is_name);
        return if fits { Ok(text.to_owned()) } else { Err(refused()) };
    }
    if !is_name(text) {
        return Err(refused());
    }
    if text == PUBLIC_HUB {
        return Ok(format!("arn:{}:sagemaker:{}:aws:hub/{text}", cx.partition, cx.region));
    }
    Ok(cx.arn("sagemaker", &format!("hub/{text}")))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[async_trait]
impl BearerTokens for Iam {
    async fn bearer(&self, token: &str) -> Result<Option<Bearer>, ApiError> {
        let Some(sealed) = token.strip_prefix(PREFIX) else { return Ok(None) };
        let Ok(text) = self.key.open(Purpose::HuggingFace, OWNER, sealed) else { return Ok(None) };
        let claims: Claims = serde_json::from_slice(&text).map_err(ApiError::internal)?;
        let credential = self.credential(&claims.access_key_id, claims.session_token.as_deref()).await?;
        let Some(credential) = credential else { return Ok(None) };
        // A token of anybody else's making would have no access key.
        if matches!(credential.principal.identity, PrincipalIdentity::Service { .. } | PrincipalIdentity::Anonymous) {
            return Ok(None);
        }
        Ok(Some(Bearer { credential, expires_at: claims.expires, hub_arn: claims.hub_arn, accepted: claims.accepted }))
    }
}
