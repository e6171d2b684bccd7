//! Ciphertexts of symmetric keys: what they are made of, and nothing of keys or policies.
//!
//! ```text
//! 1  version (1)            8  account number        16 salt
//! 1  kind (1: AES-256-GCM)  16 key id (UUID)         12 nonce
//! 4  material version       1  length of the region  … ciphertext and tag
//!                           … region
//! ```
//!
//! INVARIANT: all before the ciphertext is authenticated with it, and so is the encryption context. Each ciphertext has
//! a key of its own, derived from the material and the salt, so that no nonce is ever used twice under one key.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use stoa_types::{AccountId, IdSource, Region};
use zeroize::Zeroizing;

use crate::crypto::CryptoError;

const VERSION: u8 = 1;
const AES_256_GCM: u8 = 1;
const SALT: usize = 16;
const NONCE: usize = 12;
const LABEL: &[u8] = b"stoa/kms/ciphertext/v1";

/// An encryption context.
pub(crate) type EncryptionContext = BTreeMap<String, String>;

/// Whose key, and which material of it, a ciphertext names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// The key's id, as a UUID with dashes.
    pub(crate) key_id: String,
    pub(crate) material: u32,
}

/// A ciphertext taken apart; nothing of it is proven yet.
#[derive(Debug)]
pub(crate) struct Blob<'b> {
    pub(crate) header: Header,
    salt: [u8; SALT],
    nonce: [u8; NONCE],
    authenticated: &'b [u8],
    body: &'b [u8],
}

/// Encrypts under a key's material.
pub(crate) fn encrypt(
    material: &[u8],
    header: &Header,
    context: &EncryptionContext,
    plaintext: &[u8],
    ids: &dyn IdSource,
) -> Result<Vec<u8>, CryptoError> {
    let mut random = [0_u8; SALT + NONCE];
    ids.fill(&mut random);
    let (salt, nonce) = random.split_first_chunk::<SALT>().ok_or(CryptoError::Material)?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| CryptoError::Material)?;
    let mut blob = header.write()?;
    blob.extend_from_slice(salt);
    blob.extend_from_slice(&nonce);
    let associated = associated(&blob, context);
    let payload = Payload { msg: plaintext, aad: &associated };
    let body = cipher(material, salt)?.encrypt(&Nonce::from(nonce), payload).map_err(|_| CryptoError::Material)?;
    blob.extend_from_slice(&body);
    Ok(blob)
}

impl<'b> Blob<'b> {
    /// Takes a ciphertext apart; none for what is not one of ours.
    pub(crate) fn read(bytes: &'b [u8]) -> Option<Blob<'b>> {
        let (start, rest) = bytes.split_first_chunk::<2>()?;
        if *start != [VERSION, AES_256_GCM] {
            return None;
        }
        let (material, rest) = rest.split_first_chunk::<4>()?;
        let (account, rest) = rest.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (region_length, rest) = rest.split_first()?;
        let (region, rest) = rest.split_at_checked(usize::from(*region_length))?;
        let (salt, rest) = rest.split_first_chunk::<SALT>()?;
        let (nonce, body) = rest.split_first_chunk::<NONCE>()?;
        let number = u64::from_be_bytes(*account);
        if number >= 1_000_000_000_000 {
            return None;
        }
        let header = Header {
            account: AccountId::from_number(number),
            region: std::str::from_utf8(region).ok()?.parse().ok()?,
            key_id: dashed(id)?,
            material: u32::from_be_bytes(*material),
        };
        let authenticated = bytes.get(..bytes.len() - body.len())?;
        Some(Blob { header, salt: *salt, nonce: *nonce, authenticated, body })
    }

    /// Decrypts and proves it: none when the ciphertext, its header or the context is not what was encrypted.
    pub(crate) fn decrypt(&self, material: &[u8], context: &EncryptionContext) -> Option<Zeroizing<Vec<u8>>> {
        let associated = associated(self.authenticated, context);
        let payload = Payload { msg: self.body, aad: &associated };
        let cipher = cipher(material, &self.salt).ok()?;
        cipher.decrypt(&Nonce::from(self.nonce), payload).ok().map(Zeroizing::new)
    }
}

impl Header {
    fn write(&self) -> Result<Vec<u8>, CryptoError> {
        let account: u64 = self.account.as_str().parse().map_err(|_| CryptoError::Material)?;
        let id = hex::decode(self.key_id.replace('-', "")).map_err(|_| CryptoError::Material)?;
        let region = self.region.as_str().as_bytes();
        let mut bytes = vec![VERSION, AES_256_GCM];
        bytes.extend_from_slice(&self.material.to_be_bytes());
        bytes.extend_from_slice(&account.to_be_bytes());
        bytes.extend_from_slice(&id);
        bytes.push(u8::try_from(region.len()).map_err(|_| CryptoError::Material)?);
        bytes.extend_from_slice(region);
        Ok(bytes)
    }
}

fn dashed(id: &[u8; 16]) -> Option<String> {
    let hex = hex::encode(id);
    let part = |from: usize, to: usize| hex.get(from..to);
    Some(format!("{}-{}-{}-{}-{}", part(0, 8)?, part(8, 12)?, part(12, 16)?, part(16, 20)?, part(20, 32)?))
}

/// The header and the context in one unambiguous string of bytes: lengths before texts, in order of the keys.
fn associated(header: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(header.len() + 64);
    let mut add = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    add(header);
    for (key, value) in context {
        add(key.as_bytes());
        add(value.as_bytes());
    }
    bytes
}

fn cipher(material: &[u8], salt: &[u8]) -> Result<Aes256Gcm, CryptoError> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(material).map_err(|_| CryptoError::Material)?;
    mac.update(LABEL);
    mac.update(salt);
    let key = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
    Aes256Gcm::new_from_slice(&*key).map_err(|_| CryptoError::Material)
}

#[cfg(test)]
mod tests {
    //! Every byte of a ciphertext and of its context matters.

    use super::*;
    use stoa_types::SequentialIds;

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn header() -> Header {
        Header {
            account: AccountId::from_number(123_456_789_012),
            region: "us-west-2".parse().unwrap(),
            key_id: "1234abcd-12ab-34cd-56ef-1234567890ab".to_owned(),
            material: 3,
        }
    }

    #[test]
    fn a_ciphertext_says_whose_it_is_and_decrypts() {
        let ids = SequentialIds::default();
        let bytes = encrypt(&[5; 32], &header(), &context(&[("a", "b")]), b"plain", &ids).unwrap();
        let blob = Blob::read(&bytes).unwrap();
        assert_eq!(blob.header, header());
        assert_eq!(&**blob.decrypt(&[5; 32], &context(&[("a", "b")])).unwrap(), b"plain");
        assert!(blob.decrypt(&[6; 32], &context(&[("a", "b")])).is_none());
        let again = encrypt(&[5; 32], &header(), &context(&[("a", "b")]), b"plain", &ids).unwrap();
        assert_ne!(bytes, again);
    }

    #[test]
    fn a_changed_bit_anywhere_and_a_cut_anywhere_are_noticed() {
        let ids = SequentialIds::default();
        let bytes = encrypt(&[5; 32], &header(), &context(&[]), b"plain", &ids).unwrap();
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[index] ^= 1 << bit;
                let opened = Blob::read(&altered).and_then(|blob| blob.decrypt(&[5; 32], &context(&[])));
                assert!(opened.is_none(), "byte {index}, bit {bit}");
            }
            let opened = Blob::read(&bytes[..index]).and_then(|blob| blob.decrypt(&[5; 32], &context(&[])));
            assert!(opened.is_none(), "cut at {index}");
        }
    }

    #[test]
    fn another_context_does_not_decrypt_however_its_texts_are_cut() {
        let ids = SequentialIds::default();
        let own = context(&[("ab", "c"), ("d", "e")]);
        let bytes = encrypt(&[5; 32], &header(), &own, b"plain", &ids).unwrap();
        let blob = Blob::read(&bytes).unwrap();
        let others: [&[(&str, &str)]; 5] = [
            &[],
            &[("ab", "c")],
            &[("a", "bc"), ("d", "e")],
            &[("ab", "c"), ("d", "E")],
            &[("ab", "c"), ("d", "e"), ("f", "")],
        ];
        for other in others {
            assert!(blob.decrypt(&[5; 32], &context(other)).is_none(), "{other:?}");
        }
        assert!(blob.decrypt(&[5; 32], &own).is_some());
    }
}
