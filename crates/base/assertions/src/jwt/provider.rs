//! The signatures of `jsonwebtoken`, verified by `ring`, which is in the binary for TLS anyway. Nothing signs.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error as SignatureError, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

static INSTALLED: Once = Once::new();

/// Makes ring the library's provider, once for the process.
pub(super) fn install() {
    INSTALLED.call_once(|| {
        // Somebody else's provider, were there one, verifies as well.
        let _ = PROVIDER.install_default();
    });
}

enum Kind {
    Rsa(&'static RsaParameters),
    Ec(&'static EcdsaVerificationAlgorithm),
}

struct RingVerifier {
    algorithm: Algorithm,
    kind: Kind,
    key: DecodingKey,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let kind = match algorithm {
        Algorithm::RS256 => Kind::Rsa(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Kind::Rsa(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Kind::Rsa(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Kind::Rsa(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Kind::Rsa(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Kind::Rsa(&RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => Kind::Ec(&ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Kind::Ec(&ECDSA_P384_SHA384_FIXED),
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(RingVerifier { algorithm: *algorithm, kind, key: key.clone() }))
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), SignatureError> {
        let verified = match (&self.kind, self.key.kind()) {
            (Kind::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (Kind::Ec(algorithm), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(*algorithm, point).verify(message, signature)
            }
            _ => Err(ring::error::Unspecified),
        };
        verified.map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
