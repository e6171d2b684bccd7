//! Elliptic curves: ECDSA over digests with DER signatures, and ECDH.

macro_rules! curve {
    // curve!(p256, ::p256, agrees) makes a module `p256` with generate, sign, verify and agree over the crate `p256`.
    ($name:ident, $crate_path:path $(, $agrees:ident)?) => {
        pub(crate) mod $name {
            use $crate_path as curve;

            use curve::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
            use curve::ecdsa::{Signature, SigningKey, VerifyingKey};
            use curve::elliptic_curve::Generate;
            use curve::{PublicKey, SecretKey};
            use pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
            use stoa_types::IdSource;
            use zeroize::Zeroizing;

            use crate::crypto::random::Random;
            use crate::crypto::{CryptoError, Generated};

            pub(crate) fn generate(ids: &dyn IdSource) -> Result<Generated, CryptoError> {
                let secret = SecretKey::generate_from_rng(&mut Random(ids));
                let public = secret.public_key().to_public_key_der().map_err(|_| CryptoError::Material)?;
                let der = secret.to_pkcs8_der().map_err(|_| CryptoError::Material)?;
                let secret = Zeroizing::new(der.as_bytes().to_vec());
                Ok(Generated { secret, public: Some(public.as_bytes().to_vec()) })
            }

            pub(crate) fn sign(secret: &[u8], digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
                let key = SecretKey::from_pkcs8_der(secret).map_err(|_| CryptoError::Material)?;
                let signature: Signature =
                    SigningKey::from(key).sign_prehash(digest).map_err(|_| CryptoError::Material)?;
                Ok(signature.to_der().as_bytes().to_vec())
            }

            pub(crate) fn verify(public: &[u8], digest: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
                let key = PublicKey::from_public_key_der(public).map_err(|_| CryptoError::Material)?;
                let Ok(signature) = Signature::from_der(signature) else { return Ok(false) };
                // Either of the two forms of a signature is one, as for AWS; the crates differ in what they take.
                let signature = signature.normalize_s();
                Ok(VerifyingKey::from(key).verify_prehash(digest, &signature).is_ok())
            }

            $(
                pub(crate) fn $agrees(secret: &[u8], other: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
                    let key = SecretKey::from_pkcs8_der(secret).map_err(|_| CryptoError::Material)?;
                    let other = PublicKey::from_public_key_der(other).map_err(|_| CryptoError::Input)?;
                    let shared = key.diffie_hellman(&other);
                    Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
                }
            )?
        }
    };
}

curve!(p256, ::p256, agree);
curve!(p384, ::p384, agree);
curve!(p521, ::p521, agree);
curve!(k256, ::k256);
