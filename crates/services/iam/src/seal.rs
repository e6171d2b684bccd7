//! Secrets at rest and in session tokens: AES-256-GCM under keys derived from the master key.
//!
//! INVARIANT: every sealed text has a key of its own, derived from the master key, its purpose and a fresh salt, so no
//! nonce is ever used twice under one key. What a sealed text belongs to is authenticated with it, so that the sealed
//! secret of one access key does not open as another's. The master key lives outside the store; a crash loses nothing.

use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use stoa_types::IdSource;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const SALT: usize = 16;
const NONCE: usize = 12;

/// What a sealed text is for; a text sealed for one purpose does not open for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The secret of a long-term access key.
    AccessKey,
    /// A session token.
    Session,
    /// The encoded message of a refusal.
    Refusal,
    /// The seed of a virtual MFA device.
    MfaSeed,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Purpose::AccessKey => b"stoa/iam/access-key/v1",
            Purpose::Session => b"stoa/iam/session-token/v1",
            Purpose::Refusal => b"stoa/iam/authorization-message/v1",
            Purpose::MfaSeed => b"stoa/iam/mfa-seed/v1",
        }
    }
}

/// The sealed text is not one of ours for this purpose and owner, or was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret cannot be opened with this master key")]
pub struct SealError;

/// The master key: thirty-two bytes that the app reads from `<data-dir>/master.key`.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey(…)")
    }
}

impl SealingKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> SealingKey {
        SealingKey(Zeroizing::new(bytes))
    }

    /// Seals a text. `owner` is needed again to open it.
    pub(crate) fn seal(
        &self,
        purpose: Purpose,
        owner: &str,
        text: &[u8],
        ids: &dyn IdSource,
    ) -> Result<String, SealError> {
        let mut sealed = vec![0_u8; 1 + SALT + NONCE];
        ids.fill(&mut sealed);
        if let Some(version) = sealed.first_mut() {
            *version = VERSION;
        }
        let Parts { salt, nonce, .. } = parts(&sealed).ok_or(SealError)?;
        let payload = Payload { msg: text, aad: owner.as_bytes() };
        let cipher = self.cipher(purpose, salt)?;
        let body = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| SealError)?;
        sealed.extend_from_slice(&body);
        Ok(STANDARD.encode(sealed))
    }

    /// Opens a sealed text.
    pub(crate) fn open(&self, purpose: Purpose, owner: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| SealError)?;
        let Parts { version, salt, nonce, body } = parts(&bytes).ok_or(SealError)?;
        if version != VERSION {
            return Err(SealError);
        }
        let payload = Payload { msg: body, aad: owner.as_bytes() };
        let cipher = self.cipher(purpose, salt)?;
        cipher.decrypt(&Nonce::from(nonce), payload).map(Zeroizing::new).map_err(|_| SealError)
    }

    /// A key of its own for something else, such as page tokens.
    pub(crate) fn derive(&self, label: &[u8]) -> [u8; 32] {
        let mut mac = self.mac();
        mac.update(label);
        mac.finalize().into_bytes().into()
    }

    fn mac(&self) -> Hmac<Sha256> {
        match <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.0) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes keys of any length"),
        }
    }

    fn cipher(&self, purpose: Purpose, salt: &[u8]) -> Result<Aes256Gcm, SealError> {
        let mut mac = self.mac();
        mac.update(purpose.label());
        mac.update(salt);
        let key = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        Aes256Gcm::new_from_slice(&*key).map_err(|_| SealError)
    }
}

/// A sealed text taken apart.
struct Parts<'b> {
    version: u8,
    salt: &'b [u8],
    nonce: [u8; NONCE],
    body: &'b [u8],
}

fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let (version, rest) = bytes.split_first()?;
    let (salt, rest) = rest.split_at_checked(SALT)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE>()?;
    Some(Parts { version: *version, salt, nonce: *nonce, body })
}

#[cfg(test)]
mod tests {
    use super::{Purpose, SealingKey};
    use stoa_types::SequentialIds;

    #[test]
    fn a_sealed_text_opens_only_for_its_key_purpose_and_owner() {
        let ids = SequentialIds::default();
        let key = SealingKey::new([7; 32]);
        let sealed = key.seal(Purpose::AccessKey, "AKIA1", b"secret", &ids).unwrap();
        assert_eq!(&**key.open(Purpose::AccessKey, "AKIA1", &sealed).unwrap(), b"secret");
        assert!(key.open(Purpose::AccessKey, "AKIA2", &sealed).is_err());
        assert!(key.open(Purpose::Session, "AKIA1", &sealed).is_err());
        assert!(SealingKey::new([8; 32]).open(Purpose::AccessKey, "AKIA1", &sealed).is_err());
        let again = key.seal(Purpose::AccessKey, "AKIA1", b"secret", &ids).unwrap();
        assert_ne!(sealed, again);
        let cut = &sealed[..sealed.len() - 4];
        assert!(key.open(Purpose::AccessKey, "AKIA1", cut).is_err());
        assert!(key.open(Purpose::AccessKey, "AKIA1", "").is_err());
    }
}
