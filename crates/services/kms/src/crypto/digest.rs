//! The digest that a signing algorithm signs.

use sha2::{Digest, Sha256, Sha384, Sha512};
use stoa_models_kms::types::SigningAlgorithmSpec as Algorithm;

/// The hash functions of signing algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

pub(crate) fn hash_of(algorithm: Algorithm) -> Hash {
    match algorithm {
        Algorithm::RsassaPssSha384 | Algorithm::RsassaPkcs1V15Sha384 | Algorithm::EcdsaSha384 => Hash::Sha384,
        Algorithm::RsassaPssSha512 | Algorithm::RsassaPkcs1V15Sha512 | Algorithm::EcdsaSha512 => Hash::Sha512,
        _ => Hash::Sha256,
    }
}

/// The digest of a message.
pub(crate) fn digest(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    match hash_of(algorithm) {
        Hash::Sha256 => Sha256::digest(message).to_vec(),
        Hash::Sha384 => Sha384::digest(message).to_vec(),
        Hash::Sha512 => Sha512::digest(message).to_vec(),
    }
}

/// How long a digest is.
pub(crate) fn digest_length(algorithm: Algorithm) -> usize {
    match hash_of(algorithm) {
        Hash::Sha256 => 32,
        Hash::Sha384 => 48,
        Hash::Sha512 => 64,
    }
}
