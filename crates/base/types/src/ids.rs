//! The forms of the ids that AWS hands out, made from an [`IdSource`].

use crate::{IdSource, Secret};

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn letters<const N: usize>(ids: &dyn IdSource, alphabet: &[u8], length: usize) -> String {
    let mut bytes = [0_u8; N];
    ids.fill(&mut bytes);
    bytes.iter().take(length).map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
}

/// An access key id: `AKIA` (long-term) or `ASIA` (session) and sixteen letters.
pub fn access_key_id(ids: &dyn IdSource, prefix: &str) -> String {
    format!("{prefix}{}", letters::<16>(ids, BASE32, 16))
}

/// A unique principal id: `AIDA` (user), `AROA` (role), `ANPA` (policy), `AGPA` (group) and seventeen letters.
pub fn principal_id(ids: &dyn IdSource, prefix: &str) -> String {
    format!("{prefix}{}", letters::<17>(ids, BASE32, 17))
}

/// A secret access key: forty characters of base64's alphabet.
pub fn secret_access_key(ids: &dyn IdSource) -> Secret {
    Secret::new(letters::<40>(ids, BASE64, 40))
}

/// A random UUID (version 4), lower case with dashes.
pub fn uuid_v4(ids: &dyn IdSource) -> String {
    let mut bytes = [0_u8; 16];
    ids.fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut hex = [0_u8; 32];
    // Thirty-two characters for sixteen bytes always fit.
    let _ = hex::encode_to_slice(bytes, &mut hex);
    let text = String::from_utf8_lossy(&hex);
    format!("{}-{}-{}-{}-{}", &text[0..8], &text[8..12], &text[12..16], &text[16..20], &text[20..32])
}

/// A request id, in the form of a UUID.
pub fn request_id(ids: &dyn IdSource) -> String {
    uuid_v4(ids)
}
