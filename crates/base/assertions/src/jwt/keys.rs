//! The public keys of an issuer: a JWK set.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::TokenError;

/// Keys of one set that are looked at; no issuer publishes more.
const MAX_KEYS: usize = 100;

/// The document is no JWK set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the document is not a JSON Web Key set: {0}")]
pub struct KeySetError(String);

/// The signing keys of a set. Keys for encryption, symmetric keys and kinds that are not known are left out.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Jwk>);

impl KeySet {
    /// Reads a JWK set.
    ///
    /// # Errors
    /// When it is no set, or holds no key that could sign a token.
    pub fn parse(bytes: &[u8]) -> Result<KeySet, KeySetError> {
        let document: Value = serde_json::from_slice(bytes).map_err(|error| KeySetError(error.to_string()))?;
        let Some(Value::Array(list)) = document.get("keys") else {
            return Err(KeySetError("it has no list `keys`".to_owned()));
        };
        let parsed = list.iter().take(MAX_KEYS).filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
        let keys: Vec<Jwk> = parsed.filter(signs).collect();
        if keys.is_empty() {
            return Err(KeySetError("it has no RSA or P-256/P-384 key for signatures".to_owned()));
        }
        Ok(KeySet(keys))
    }

    /// Whether a key of this id is there; a token without an id may be any key's.
    pub fn knows(&self, key_id: Option<&str>) -> bool {
        key_id.is_none_or(|id| self.0.iter().any(|key| key.common.key_id.as_deref() == Some(id)))
    }

    /// The keys that a token with this header can be signed by.
    pub(super) fn candidates(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<DecodingKey>, TokenError> {
        if !accepted(algorithm) {
            return Err(TokenError::Algorithm);
        }
        let named = |key: &&Jwk| key_id.is_none_or(|id| key.common.key_id.as_deref() == Some(id));
        let named: Vec<&Jwk> = self.0.iter().filter(named).collect();
        if named.is_empty() {
            return Err(TokenError::UnknownKey);
        }
        let fitting: Vec<DecodingKey> = named
            .into_iter()
            .filter(|key| fits(key, algorithm))
            .filter_map(|key| DecodingKey::from_jwk(key).ok())
            .collect();
        if fitting.is_empty() { Err(TokenError::Algorithm) } else { Ok(fitting) }
    }
}

fn accepted(algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, PS256, PS384, PS512, RS256, RS384, RS512};
    matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512 | ES256 | ES384)
}

fn signs(key: &Jwk) -> bool {
    let kind = match &key.algorithm {
        AlgorithmParameters::RSA(_) => true,
        AlgorithmParameters::EllipticCurve(curve) => {
            matches!(curve.curve, EllipticCurve::P256 | EllipticCurve::P384)
        }
        _ => false,
    };
    let for_signatures = key.common.public_key_use.as_ref().is_none_or(|kind| *kind == PublicKeyUse::Signature);
    let operations = key.common.key_operations.as_ref();
    kind && for_signatures && operations.is_none_or(|listed| listed.contains(&KeyOperations::Verify))
}

/// Whether the key is of the algorithm's family and curve, and for it where the set says so.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let family = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES256) => curve.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES384) => curve.curve == EllipticCurve::P384,
        (AlgorithmParameters::RSA(_), algorithm) => {
            accepted(algorithm) && !matches!(algorithm, Algorithm::ES256 | Algorithm::ES384)
        }
        _ => false,
    };
    let said = key.common.key_algorithm.as_ref().map(|said| said.to_string());
    family && said.is_none_or(|said| said.parse::<Algorithm>().is_ok_and(|said| said == algorithm))
}
