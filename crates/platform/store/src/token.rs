//! Page tokens: opaque, versioned, authenticated, bound to account, operation and filter; never an offset.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const VERSION: u8 = 1;
const TAG: usize = 16;

/// Makes and opens page tokens with a key of this installation.
#[derive(Clone)]
pub struct PageTokens {
    key: [u8; 32],
}

impl std::fmt::Debug for PageTokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PageTokens")
    }
}

/// The token is not one of ours for this request: altered, foreign, or made for another account or filter.
/// Becomes ValidationException (`InvalidNextToken` where the service models it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pagination token is invalid or was made for another request")]
pub struct PageTokenError;

impl PageTokens {
    /// Tokens under this key.
    pub fn new(key: [u8; 32]) -> PageTokens {
        PageTokens { key }
    }
    /// A token for a position. `scope` names account, operation and every filter of the request.
    pub fn seal(&self, scope: &str, position: &str) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.tag(scope, position));
        bytes.extend_from_slice(position.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }
    /// The position in a token that was made for the same scope.
    pub fn open(&self, scope: &str, token: &str) -> Result<String, PageTokenError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| PageTokenError)?;
        let (version, rest) = bytes.split_first().ok_or(PageTokenError)?;
        let (tag, position) = rest.split_at_checked(TAG).ok_or(PageTokenError)?;
        let position = std::str::from_utf8(position).map_err(|_| PageTokenError)?;
        let genuine: bool = subtle::ConstantTimeEq::ct_eq(&self.tag(scope, position)[..], tag).into();
        if *version != VERSION || !genuine {
            return Err(PageTokenError);
        }
        Ok(position.to_owned())
    }

    fn tag(&self, scope: &str, position: &str) -> [u8; TAG] {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.key) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes keys of any length"),
        };
        mac.update(&(scope.len() as u64).to_be_bytes());
        mac.update(scope.as_bytes());
        mac.update(position.as_bytes());
        let full = mac.finalize().into_bytes();
        let mut tag = [0; TAG];
        tag.copy_from_slice(&full[..TAG]);
        tag
    }
}
