//! The cryptography of keys: making material, signatures, MACs, asymmetric encryption, key agreement.
//!
//! Pure functions over bytes, all from the RustCrypto crates. Private keys are PKCS #8, public keys SubjectPublicKeyInfo,
//! both DER, as AWS hands them out. Secrets are in zeroizing types.

mod curves;
mod digest;
mod mac;
mod random;
mod rsa_keys;

#[cfg(test)]
mod tests;

use stoa_models_kms::types::{KeySpec, SigningAlgorithmSpec};
use stoa_types::IdSource;
use zeroize::Zeroizing;

pub(crate) use digest::{digest, digest_length};
pub(crate) use mac::{mac, mac_matches};
pub(crate) use rsa_keys::{decrypt as rsa_decrypt, encrypt as rsa_encrypt, longest_plaintext};

/// Cryptography that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CryptoError {
    /// Our own key material is not what it should be. Internal.
    #[error("the key material cannot be used")]
    Material,
    /// What the caller gave is no ciphertext or public key of this kind: the operation's own error.
    #[error("the input is not of this key's kind")]
    Input,
}

/// Fresh material.
pub(crate) struct Generated {
    /// Raw bytes, or PKCS #8 for key pairs.
    pub(crate) secret: Zeroizing<Vec<u8>>,
    /// SubjectPublicKeyInfo, for key pairs.
    pub(crate) public: Option<Vec<u8>>,
}

/// Makes material of a kind. Slow for RSA.
pub(crate) fn generate(spec: KeySpec, ids: &dyn IdSource) -> Result<Generated, CryptoError> {
    match spec {
        KeySpec::SymmetricDefault | KeySpec::Hmac256 => Ok(bytes(32, ids)),
        KeySpec::Hmac224 => Ok(bytes(28, ids)),
        KeySpec::Hmac384 => Ok(bytes(48, ids)),
        KeySpec::Hmac512 => Ok(bytes(64, ids)),
        KeySpec::Rsa2048 => rsa_keys::generate(2048, ids),
        KeySpec::Rsa3072 => rsa_keys::generate(3072, ids),
        KeySpec::Rsa4096 => rsa_keys::generate(4096, ids),
        KeySpec::EccNistP256 => curves::p256::generate(ids),
        KeySpec::EccNistP384 => curves::p384::generate(ids),
        KeySpec::EccNistP521 => curves::p521::generate(ids),
        KeySpec::EccSecgP256k1 => curves::k256::generate(ids),
        _ => Err(CryptoError::Material),
    }
}

fn bytes(length: usize, ids: &dyn IdSource) -> Generated {
    let mut secret = Zeroizing::new(vec![0; length]);
    ids.fill(&mut secret);
    Generated { secret, public: None }
}

/// Signs a digest.
pub(crate) fn sign(
    spec: KeySpec,
    algorithm: SigningAlgorithmSpec,
    secret: &[u8],
    digest: &[u8],
    ids: &dyn IdSource,
) -> Result<Vec<u8>, CryptoError> {
    match spec {
        KeySpec::EccNistP256 => curves::p256::sign(secret, digest),
        KeySpec::EccNistP384 => curves::p384::sign(secret, digest),
        KeySpec::EccNistP521 => curves::p521::sign(secret, digest),
        KeySpec::EccSecgP256k1 => curves::k256::sign(secret, digest),
        _ => rsa_keys::sign(algorithm, secret, digest, ids),
    }
}

/// Whether a signature is of this digest by this key.
pub(crate) fn verify(
    spec: KeySpec,
    algorithm: SigningAlgorithmSpec,
    public: &[u8],
    digest: &[u8],
    signature: &[u8],
) -> Result<bool, CryptoError> {
    match spec {
        KeySpec::EccNistP256 => curves::p256::verify(public, digest, signature),
        KeySpec::EccNistP384 => curves::p384::verify(public, digest, signature),
        KeySpec::EccNistP521 => curves::p521::verify(public, digest, signature),
        KeySpec::EccSecgP256k1 => curves::k256::verify(public, digest, signature),
        _ => rsa_keys::verify(algorithm, public, digest, signature),
    }
}

/// The raw shared secret of our private key and another's public key.
pub(crate) fn agree(spec: KeySpec, secret: &[u8], other: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    match spec {
        KeySpec::EccNistP256 => curves::p256::agree(secret, other),
        KeySpec::EccNistP384 => curves::p384::agree(secret, other),
        KeySpec::EccNistP521 => curves::p521::agree(secret, other),
        _ => Err(CryptoError::Material),
    }
}
