//! HMAC.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use stoa_models_kms::types::MacAlgorithmSpec as Algorithm;
use subtle::ConstantTimeEq;

use super::CryptoError;

/// The MAC of a message.
pub(crate) fn mac(algorithm: Algorithm, key: &[u8], message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    match algorithm {
        Algorithm::HmacSha224 => of::<Hmac<Sha224>>(key, message),
        Algorithm::HmacSha256 => of::<Hmac<Sha256>>(key, message),
        Algorithm::HmacSha384 => of::<Hmac<Sha384>>(key, message),
        Algorithm::HmacSha512 => of::<Hmac<Sha512>>(key, message),
    }
}

/// Whether this is the MAC of the message, in constant time.
pub(crate) fn mac_matches(algorithm: Algorithm, key: &[u8], message: &[u8], given: &[u8]) -> Result<bool, CryptoError> {
    Ok(mac(algorithm, key, message)?.ct_eq(given).into())
}

fn of<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|_| CryptoError::Material)?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}
