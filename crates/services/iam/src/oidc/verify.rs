//! From a web identity token to what it says, judged by the provider that the role's account has for its issuer.
//!
//! INVARIANT: the issuer in the token only finds the provider; what is believed was signed by a key of that issuer. A key
//! the last known set did not have is asked for once more, since issuers rotate.

use serde_json::Value;
use stoa_assertions::{KeySet, TokenError, WebToken, peek_issuer, peek_key_id, verify_token};
use stoa_kernel::ApiError;
use stoa_types::{AccountId, Timestamp};

use crate::Iam;
use crate::state::{OidcRecord, load, oidc_key};

/// A token that was verified, and the provider it is from.
pub(crate) struct JudgedToken {
    pub(crate) provider: OidcRecord,
    pub(crate) token: WebToken,
    /// The client it was issued to: `azp`, or the one of its audiences that the provider lists.
    pub(crate) client: String,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidIdentityTokenException", 400, message)
}

fn unreachable(cause: &str) -> ApiError {
    ApiError::new(
        "IDPCommunicationErrorException",
        400,
        format!(
            "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements: {cause}"
        ),
    )
}

fn refused(error: TokenError) -> ApiError {
    match error {
        TokenError::Expired => ApiError::new("ExpiredTokenException", 400, "Token expired"),
        TokenError::NotYet => invalid("Token is not valid yet"),
        TokenError::UnknownKey => invalid("Couldn't retrieve verification key from your identity provider"),
        TokenError::Claim(name) => invalid(format!("Missing a required claim: {name}")),
        TokenError::Malformed => {
            invalid("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
        }
        TokenError::Algorithm | TokenError::Critical | TokenError::Signature => {
            invalid(format!("The ID Token provided could not be validated: {error}"))
        }
    }
}

impl Iam {
    /// The thumbprint that a provider gets whose creator gave none; none where issuers' servers are not asked.
    pub(super) async fn issuer_thumbprint(&self, host: &str) -> Result<Option<String>, ApiError> {
        let Some(keys) = self.issuer_keys() else { return Ok(None) };
        match keys.thumbprint(&format!("https://{host}")).await {
            Ok(thumbprint) => Ok(Some(thumbprint)),
            Err(error) => {
                // A provider whose keys the operator has pinned needs no server that answers.
                tracing::info!(%error, host, "an issuer's certificate cannot be looked at");
                Ok(None)
            }
        }
    }

    /// Verifies a token for a role of this account.
    pub(crate) async fn judge_token(
        &self,
        account: &AccountId,
        token: &str,
        now: Timestamp,
    ) -> Result<JudgedToken, ApiError> {
        let issuer = peek_issuer(token).map_err(refused)?;
        let missing = || invalid(format!("No OpenIDConnect provider found in your account for {issuer}"));
        // Google's tokens may leave the scheme out.
        let host = issuer.strip_prefix("https://").unwrap_or(&issuer);
        let host = host.strip_suffix('/').unwrap_or(host);
        let provider = load::<OidcRecord>(&*self.store, &oidc_key(account, host)).await?;
        let provider =
            provider.map(|loaded| loaded.record).filter(|provider| provider.host == host).ok_or_else(missing)?;
        let verified = self.verify_by_issuer(&provider, token, now).await?;
        if verified.issuer != issuer {
            return Err(invalid("The issuer of the ID Token is not its provider"));
        }
        let client = client(&provider, &verified).ok_or_else(|| invalid("Incorrect token audience"))?;
        Ok(JudgedToken { provider, token: verified, client })
    }

    async fn verify_by_issuer(&self, provider: &OidcRecord, token: &str, now: Timestamp) -> Result<WebToken, ApiError> {
        let keys = self.keys_of_issuer(provider, false).await?;
        match verify_token(token, &keys, now) {
            Err(TokenError::UnknownKey) => {
                let keys = self.keys_of_issuer(provider, true).await?;
                if !keys.knows(peek_key_id(token).as_deref()) {
                    return Err(refused(TokenError::UnknownKey));
                }
                verify_token(token, &keys, now).map_err(refused)
            }
            other => other.map_err(refused),
        }
    }

    async fn keys_of_issuer(&self, provider: &OidcRecord, fresh: bool) -> Result<KeySet, ApiError> {
        let source = self.issuer_keys().ok_or_else(|| unreachable("no issuer is asked here"))?;
        let issuer = format!("https://{}", provider.host);
        let set = source.key_set(&issuer, &provider.thumbprints, fresh).await;
        let set = set.map_err(|error| unreachable(&error.to_string()))?;
        KeySet::parse(&set).map_err(|error| unreachable(&error.to_string()))
    }
}

/// The listed client that the token is for. Where there is an authorized party, it alone counts.
fn client(provider: &OidcRecord, token: &WebToken) -> Option<String> {
    let listed = |client: &&String| provider.client_ids.contains(client);
    match &token.authorized_party {
        Some(party) => Some(party).filter(listed).cloned(),
        None => token.audiences.iter().find(listed).cloned(),
    }
}

/// The text of a claim that a condition can compare; none for structures.
pub(crate) fn claim_texts(value: &Value) -> Option<Vec<String>> {
    Some(match value {
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Array(list) => list.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?,
        Value::Null | Value::Object(_) => return None,
    })
}
