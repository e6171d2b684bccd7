//! Bundle keys: Ed25519, in PEM files that OpenSSL reads too (PKCS#8 and SubjectPublicKeyInfo), or as `ed25519:` and the
//! public key in base64, which is also what a key is called in reports.
//!
//! Pure: whoever makes a key brings the randomness and writes the files.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use stoa_kernel::ApiError;

/// What stands before the 32 bytes in PKCS#8 (RFC 8410).
const SECRET_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// And in SubjectPublicKeyInfo.
const PUBLIC_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
const PREFIX: &str = "ed25519:";

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustedKey([u8; 32]);

impl fmt::Display for TrustedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl TrustedKey {
    /// Reads the short form, or the text of a PEM file.
    pub fn parse(text: &str) -> Result<TrustedKey, ApiError> {
        let wrong = || {
            ApiError::validation(format!(
                "neither a PEM file with an Ed25519 public key nor `{PREFIX}` and 32 bytes in base64"
            ))
        };
        let bytes = match text.trim().strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| wrong())?,
            None => of_pem(text, "PUBLIC KEY", &PUBLIC_HEAD).ok_or_else(wrong)?,
        };
        Ok(TrustedKey(bytes.try_into().map_err(|_| wrong())?))
    }

    /// The text of a PEM file.
    pub fn pem(&self) -> String {
        pem("PUBLIC KEY", &PUBLIC_HEAD, &self.0)
    }

    /// Whether the signature is this key's over the bytes.
    pub(crate) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(signed, signature).is_ok()
    }
}

/// A secret key. Its `Debug` says nothing of it.
pub struct SecretKey(Ed25519KeyPair);

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey(…)")
    }
}

impl SecretKey {
    /// The text of a new key's PEM file, from thirty-two random bytes.
    pub fn new_pem(random: &[u8; 32]) -> String {
        pem("PRIVATE KEY", &SECRET_HEAD, random)
    }

    /// Reads the text of a PEM file.
    pub fn parse(text: &str) -> Result<SecretKey, ApiError> {
        let seed = of_pem(text, "PRIVATE KEY", &SECRET_HEAD);
        let pair = seed.and_then(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).ok());
        let wrong =
            || ApiError::validation("not a PEM file with an Ed25519 private key; `stoa catalog keygen` makes one");
        pair.map(SecretKey).ok_or_else(wrong)
    }

    /// What signatures of it are checked with.
    pub fn public(&self) -> TrustedKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        TrustedKey(bytes)
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

fn pem(label: &str, head: &[u8], bytes: &[u8]) -> String {
    let encoded = STANDARD.encode([head, bytes].concat());
    format!("-----BEGIN {label}-----\n{encoded}\n-----END {label}-----\n")
}

fn of_pem(text: &str, label: &str, head: &[u8]) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (encoded, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let encoded: String = encoded.split_whitespace().collect();
    let bytes = STANDARD.decode(encoded).ok()?;
    bytes.strip_prefix(head).filter(|key| key.len() == 32).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    //! Forms of keys, and signatures by RFC 8032's first vector.

    use super::*;

    #[test]
    fn keys_in_every_form() {
        let seed: [u8; 32] = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
            .unwrap()
            .try_into()
            .unwrap();
        let secret = SecretKey::parse(&SecretKey::new_pem(&seed)).unwrap();
        let public = secret.public();
        assert_eq!(hex::encode(public.0), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let signature = secret.sign(b"");
        assert!(
            hex::encode(&signature).starts_with("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555f")
        );
        assert!(public.verifies(b"", &signature));
        assert!(!public.verifies(b"x", &signature));
        assert_eq!(TrustedKey::parse(&public.pem()).unwrap(), public);
        assert_eq!(TrustedKey::parse(&public.to_string()).unwrap(), public);
        for bad in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", &SecretKey::new_pem(&seed)] {
            assert!(TrustedKey::parse(bad).is_err(), "{bad}");
        }
        assert!(SecretKey::parse(&public.pem()).is_err());
        assert_eq!(format!("{secret:?}"), "SecretKey(…)");
    }
}
