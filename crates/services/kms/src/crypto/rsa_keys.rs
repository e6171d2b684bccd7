//! RSA: RSASSA-PSS and PKCS #1 v1.5 signatures, RSAES-OAEP. Private operations are blinded.

use pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rsa::{Oaep, Pkcs1v15Sign, PrivateKey, Pss, PublicKey};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use stoa_models_kms::types::{EncryptionAlgorithmSpec, KeySpec, SigningAlgorithmSpec as Algorithm};
use stoa_types::IdSource;
use zeroize::Zeroizing;

use super::random::Random;
use super::{CryptoError, Generated};

pub(crate) fn generate(bits: usize, ids: &dyn IdSource) -> Result<Generated, CryptoError> {
    let key = PrivateKey::new(&mut Random(ids), bits).map_err(|_| CryptoError::Material)?;
    let public = key.to_public_key().to_public_key_der().map_err(|_| CryptoError::Material)?;
    let der = key.to_pkcs8_der().map_err(|_| CryptoError::Material)?;
    let secret = Zeroizing::new(der.as_bytes().to_vec());
    Ok(Generated { secret, public: Some(public.as_bytes().to_vec()) })
}

fn private(secret: &[u8]) -> Result<PrivateKey, CryptoError> {
    PrivateKey::from_pkcs8_der(secret).map_err(|_| CryptoError::Material)
}

fn public(public: &[u8]) -> Result<PublicKey, CryptoError> {
    PublicKey::from_public_key_der(public).map_err(|_| CryptoError::Material)
}

pub(crate) fn sign(
    algorithm: Algorithm,
    secret: &[u8],
    digest: &[u8],
    ids: &dyn IdSource,
) -> Result<Vec<u8>, CryptoError> {
    let (key, random) = (private(secret)?, &mut Random(ids));
    let signature = match algorithm {
        Algorithm::RsassaPssSha256 => key.sign_with_rng(random, Pss::<Sha256>::new(), digest),
        Algorithm::RsassaPssSha384 => key.sign_with_rng(random, Pss::<Sha384>::new(), digest),
        Algorithm::RsassaPssSha512 => key.sign_with_rng(random, Pss::<Sha512>::new(), digest),
        Algorithm::RsassaPkcs1V15Sha256 => key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha256>(), digest),
        Algorithm::RsassaPkcs1V15Sha384 => key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha384>(), digest),
        Algorithm::RsassaPkcs1V15Sha512 => key.sign_with_rng(random, Pkcs1v15Sign::new::<Sha512>(), digest),
        _ => return Err(CryptoError::Material),
    };
    signature.map_err(|_| CryptoError::Material)
}

pub(crate) fn verify(algorithm: Algorithm, key: &[u8], digest: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
    let key = public(key)?;
    let verified = match algorithm {
        Algorithm::RsassaPssSha256 => key.verify(Pss::<Sha256>::new(), digest, signature),
        Algorithm::RsassaPssSha384 => key.verify(Pss::<Sha384>::new(), digest, signature),
        Algorithm::RsassaPssSha512 => key.verify(Pss::<Sha512>::new(), digest, signature),
        Algorithm::RsassaPkcs1V15Sha256 => key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature),
        Algorithm::RsassaPkcs1V15Sha384 => key.verify(Pkcs1v15Sign::new::<Sha384>(), digest, signature),
        Algorithm::RsassaPkcs1V15Sha512 => key.verify(Pkcs1v15Sign::new::<Sha512>(), digest, signature),
        _ => return Err(CryptoError::Material),
    };
    Ok(verified.is_ok())
}

pub(crate) fn encrypt(
    algorithm: EncryptionAlgorithmSpec,
    key: &[u8],
    plaintext: &[u8],
    ids: &dyn IdSource,
) -> Result<Vec<u8>, CryptoError> {
    let (key, random) = (public(key)?, &mut Random(ids));
    let ciphertext = match algorithm {
        EncryptionAlgorithmSpec::RsaesOaepSha1 => key.encrypt(random, Oaep::<Sha1>::new(), plaintext),
        EncryptionAlgorithmSpec::RsaesOaepSha256 => key.encrypt(random, Oaep::<Sha256>::new(), plaintext),
        _ => return Err(CryptoError::Material),
    };
    ciphertext.map_err(|_| CryptoError::Input)
}

pub(crate) fn decrypt(
    algorithm: EncryptionAlgorithmSpec,
    secret: &[u8],
    ciphertext: &[u8],
    ids: &dyn IdSource,
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let (key, random) = (private(secret)?, &mut Random(ids));
    let plaintext = match algorithm {
        EncryptionAlgorithmSpec::RsaesOaepSha1 => key.decrypt_blinded(random, Oaep::<Sha1>::new(), ciphertext),
        EncryptionAlgorithmSpec::RsaesOaepSha256 => key.decrypt_blinded(random, Oaep::<Sha256>::new(), ciphertext),
        _ => return Err(CryptoError::Material),
    };
    plaintext.map(Zeroizing::new).map_err(|_| CryptoError::Input)
}

/// The most that fits in one RSAES-OAEP ciphertext; none for other keys.
pub(crate) fn longest_plaintext(spec: KeySpec, algorithm: EncryptionAlgorithmSpec) -> Option<usize> {
    let modulus = match spec {
        KeySpec::Rsa2048 => 256_usize,
        KeySpec::Rsa3072 => 384,
        KeySpec::Rsa4096 => 512,
        _ => return None,
    };
    let hash = if algorithm == EncryptionAlgorithmSpec::RsaesOaepSha1 { 20 } else { 32 };
    modulus.checked_sub(2 * hash + 2)
}
