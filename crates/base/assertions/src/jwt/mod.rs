//! Web identity tokens: OpenID Connect ID tokens as signed JWTs.
//!
//! INVARIANT: only asymmetric algorithms are accepted, and only one that fits the key by family, curve and `alg`; a set
//! never holds symmetric keys, so a public key can never be taken for a shared secret. Time is checked here, against the
//! time that was given, since the library would look at the clock.

mod keys;
mod provider;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Validation, decode, decode_header};
use serde_json::{Map, Value};
use stoa_types::Timestamp;

pub use keys::{KeySet, KeySetError};

use crate::CLOCK_SKEW_MILLIS;

/// Longer ones are not looked at.
const MAX_BYTES: usize = 20_000;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no signed JWT.
    #[error("the token is not a JSON Web Token in compact form")]
    Malformed,
    /// `none`, a symmetric one, an unknown one, or one that the key is not for.
    #[error("the token's signature algorithm is not accepted")]
    Algorithm,
    /// Its header has `crit`, and we understand no extension.
    #[error("the token has critical header parameters")]
    Critical,
    /// No key of the set fits its `kid` and algorithm.
    #[error("no key of the issuer fits the token")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the token's signature is not valid")]
    Signature,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is to come.
    #[error("the token is not valid yet")]
    NotYet,
    /// A claim that must be there is not, or has another type.
    #[error("the token lacks the claim `{0}`, or it has another type than it should")]
    Claim(&'static str),
}

/// A token that was verified.
#[derive(Debug, Clone)]
pub struct WebToken {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `aud`, at least one.
    pub audiences: Vec<String>,
    /// `azp`.
    pub authorized_party: Option<String>,
    /// `exp`.
    pub expires: Timestamp,
    /// Every claim.
    pub claims: Map<String, Value>,
}

fn parts(token: &str) -> Result<[&str; 3], TokenError> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(head), Some(claims), Some(signature), None) if token.len() <= MAX_BYTES => Ok([head, claims, signature]),
        _ => Err(TokenError::Malformed),
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

/// Who the token says it is from, unverified: good for finding the keys that may verify it, and for nothing else.
///
/// # Errors
/// `Malformed`, or `Claim("iss")`.
pub fn peek_issuer(token: &str) -> Result<String, TokenError> {
    let [_, claims, _] = parts(token)?;
    let claims = object(claims)?;
    claims.get("iss").and_then(Value::as_str).map(str::to_owned).ok_or(TokenError::Claim("iss"))
}

/// The key the token says it is signed with, unverified.
pub fn peek_key_id(token: &str) -> Option<String> {
    let [head, _, _] = parts(token).ok()?;
    object(head).ok()?.get("kid").and_then(Value::as_str).map(str::to_owned)
}

/// Verifies signature and time, and reads the claims that every ID token has. Issuer and audience are the caller's to
/// compare.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_token(token: &str, keys: &KeySet, now: Timestamp) -> Result<WebToken, TokenError> {
    let [head, _, _] = parts(token)?;
    if object(head)?.contains_key("crit") {
        return Err(TokenError::Critical);
    }
    let header = decode_header(token).map_err(|_| TokenError::Algorithm)?;
    let candidates = keys.candidates(header.kid.as_deref(), header.alg)?;
    provider::install();
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let found = candidates.iter().find_map(|key| decode::<Map<String, Value>>(token, key, &validation).ok());
    let claims = found.ok_or(TokenError::Signature)?.claims;
    check_time(&claims, now)?;
    read(claims)
}

/// A NumericDate in milliseconds.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_i64().and_then(|seconds| seconds.checked_mul(1000));
    // A fraction of a second is dropped; what is no time of the next ten thousand years is no time.
    let fraction = || value.as_f64().filter(|seconds| seconds.abs() < 1e12).map(|seconds| (seconds * 1000.0) as i64);
    whole.or_else(fraction).map(Some).ok_or(TokenError::Claim(name))
}

fn check_time(claims: &Map<String, Value>, now: Timestamp) -> Result<(), TokenError> {
    let now = now.millis();
    let expires = date(claims, "exp")?.ok_or(TokenError::Claim("exp"))?;
    let issued = date(claims, "iat")?.ok_or(TokenError::Claim("iat"))?;
    let starts = date(claims, "nbf")?.unwrap_or(issued);
    if expires.saturating_add(CLOCK_SKEW_MILLIS) <= now {
        return Err(TokenError::Expired);
    }
    if issued.max(starts) > now.saturating_add(CLOCK_SKEW_MILLIS) {
        return Err(TokenError::NotYet);
    }
    Ok(())
}

fn read(claims: Map<String, Value>) -> Result<WebToken, TokenError> {
    let text = |name: &'static str| {
        let value = claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        value.map(str::to_owned).ok_or(TokenError::Claim(name))
    };
    let audiences = match claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            let texts: Option<Vec<String>> = many.iter().map(|one| one.as_str().map(str::to_owned)).collect();
            texts.filter(|texts| !texts.is_empty()).ok_or(TokenError::Claim("aud"))?
        }
        _ => return Err(TokenError::Claim("aud")),
    };
    let authorized_party = match claims.get("azp") {
        None => None,
        Some(_) => Some(text("azp")?),
    };
    Ok(WebToken {
        issuer: text("iss")?,
        subject: text("sub")?,
        audiences,
        authorized_party,
        expires: Timestamp::from_millis(date(&claims, "exp")?.unwrap_or_default()),
        claims,
    })
}
