//! AES-256-GCM under keys derived from the master key.
//!
//! INVARIANT: every sealed text has a key of its own, derived from the master key, its purpose and a fresh salt, so no
//! nonce is ever used twice under one key. What a sealed text belongs to is authenticated with it, so that the sealed
//! secret of one owner does not open as another's. The newest master key alone seals; all of them open.

use std::fmt;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use stoa_types::IdSource;
use zeroize::Zeroizing;

use crate::text::{NONCE, SALT, Sealed};

/// The sealed text is not one of ours for this purpose and owner, or was altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed secret cannot be opened with this master key")]
pub struct SealError;

/// What a master key is called in the texts sealed under it: says nothing of the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MasterKeyId(String);

impl MasterKeyId {
    /// Sixteen hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[derive(Clone)]
struct Master {
    id: MasterKeyId,
    key: Zeroizing<[u8; 32]>,
}

/// The master key, and those that it is replacing.
#[derive(Clone)]
pub struct SealingKey {
    newest: Master,
    older: Vec<Master>,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealingKey(…)")
    }
}

impl SealingKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> SealingKey {
        SealingKey { newest: Master::new(bytes), older: Vec::new() }
    }

    /// Opens also what was sealed under this key.
    #[must_use]
    pub fn with_older(mut self, bytes: [u8; 32]) -> SealingKey {
        let older = Master::new(bytes);
        if older.id != self.newest.id {
            self.older.push(older);
        }
        self
    }

    /// The key that seals.
    pub fn id(&self) -> &MasterKeyId {
        &self.newest.id
    }

    /// Whether texts sealed under this key can be opened.
    pub fn knows(&self, id: &str) -> bool {
        self.masters().any(|master| master.id.0 == id)
    }

    /// Seals bytes. `purpose` and `owner` are needed again to open them.
    pub fn seal(
        &self,
        purpose: impl AsRef<[u8]>,
        owner: &str,
        secret: &[u8],
        ids: &dyn IdSource,
    ) -> Result<String, SealError> {
        let mut random = [0_u8; SALT + NONCE];
        ids.fill(&mut random);
        let (salt, nonce) = random.split_first_chunk::<SALT>().ok_or(SealError)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| SealError)?;
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let cipher = self.newest.cipher(purpose.as_ref(), salt)?;
        let body = cipher.encrypt(&Nonce::from(nonce), payload).map_err(|_| SealError)?;
        Ok(Sealed { master: Some(&self.newest.id.0), salt: *salt, nonce, body }.write(purpose.as_ref(), owner))
    }

    /// Opens a sealed text.
    pub fn open(&self, purpose: impl AsRef<[u8]>, owner: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let sealed = Sealed::read(sealed).ok_or(SealError)?;
        let payload = || Payload { msg: &sealed.body, aad: owner.as_bytes() };
        for master in self.masters().filter(|master| sealed.master.is_none_or(|id| master.id.0 == id)) {
            let cipher = master.cipher(purpose.as_ref(), &sealed.salt)?;
            if let Ok(secret) = cipher.decrypt(&Nonce::from(sealed.nonce), payload()) {
                return Ok(Zeroizing::new(secret));
            }
        }
        Err(SealError)
    }

    /// A key of its own for something else, such as page tokens. It changes with the master key.
    pub fn derive(&self, label: &[u8]) -> [u8; 32] {
        let mut mac = self.newest.mac();
        mac.update(label);
        mac.finalize().into_bytes().into()
    }

    fn masters(&self) -> impl Iterator<Item = &Master> {
        std::iter::once(&self.newest).chain(&self.older)
    }
}

impl Master {
    fn new(bytes: [u8; 32]) -> Master {
        let mut master = Master { id: MasterKeyId(String::new()), key: Zeroizing::new(bytes) };
        let mut mac = master.mac();
        mac.update(b"stoa/master-key-id/v1");
        let digest = mac.finalize().into_bytes();
        master.id = MasterKeyId(hex::encode(digest.get(..8).unwrap_or_default()));
        master
    }

    fn mac(&self) -> Hmac<Sha256> {
        match <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.key) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes keys of any length"),
        }
    }

    fn cipher(&self, purpose: &[u8], salt: &[u8; SALT]) -> Result<Aes256Gcm, SealError> {
        let mut mac = self.mac();
        mac.update(purpose);
        mac.update(salt);
        let key = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        Aes256Gcm::new_from_slice(&*key).map_err(|_| SealError)
    }
}
