//! The public key of a certificate, and XML-DSig's signatures under it.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// The kinds of key that sign assertions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
}

/// A certificate's public key. The certificate is trusted because it is in the metadata; its dates and its issuer say
/// nothing more, as in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SigningKey {
    family: Family,
    bytes: Vec<u8>,
}

impl SigningKey {
    /// The key of a certificate in DER; none when it is no certificate with a key that can be used here.
    pub(crate) fn of_certificate(der: &[u8]) -> Option<SigningKey> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let key = certificate.public_key();
        let family = match key.parsed().ok()? {
            PublicKey::RSA(rsa) if rsa.key_size() >= 2048 => Family::Rsa,
            PublicKey::EC(point) if point.key_size() == 256 => Family::P256,
            PublicKey::EC(point) if point.key_size() == 384 => Family::P384,
            _ => return None,
        };
        Some(SigningKey { family, bytes: key.subject_public_key.data.to_vec() })
    }

    /// Whether the signature over the message is this key's, by XML-DSig's name of the algorithm. SHA-1 is refused.
    pub(crate) fn verifies(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let Some((family, algorithm)) = algorithm_of(algorithm) else { return false };
        family == self.family && UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }
}

fn algorithm_of(name: &str) -> Option<(Family, &'static dyn VerificationAlgorithm)> {
    Some(match name {
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => (Family::Rsa, &RSA_PKCS1_2048_8192_SHA256),
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384" => (Family::Rsa, &RSA_PKCS1_2048_8192_SHA384),
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => (Family::Rsa, &RSA_PKCS1_2048_8192_SHA512),
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" => (Family::P256, &ECDSA_P256_SHA256_FIXED),
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384" => (Family::P384, &ECDSA_P384_SHA384_FIXED),
        _ => return None,
    })
}
