//! Grant tokens: they name a grant and are authenticated with its own key, so any number of them stand for one grant.
//!
//! Grants take effect with the answer that makes them, so a token is needed for nothing here but to retire its grant; a
//! request that carries one still must carry a genuine one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stoa_kernel::ApiError;
use stoa_types::{Arn, IdSource};
use subtle::ConstantTimeEq;

use crate::Kms;
use crate::error::refused;
use crate::state::{GrantRecord, grant_key, load};

const NONCE: usize = 16;
const TAG: usize = 32;

/// A fresh token for a grant.
pub(super) fn issue(grant: &GrantRecord, ids: &dyn IdSource) -> String {
    let mut token = vec![0; NONCE];
    ids.fill(&mut token);
    token.extend_from_slice(format!("{}#{}", grant.key_arn, grant.id).as_bytes());
    let tag = tag(grant, &token);
    token.extend_from_slice(&tag);
    URL_SAFE_NO_PAD.encode(token)
}

fn tag(grant: &GrantRecord, signed: &[u8]) -> [u8; TAG] {
    let mut mac = match <Hmac<Sha256> as KeyInit>::new_from_slice(grant.token_key.as_bytes()) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    };
    mac.update(signed);
    mac.finalize().into_bytes().into()
}

/// The key's ARN and the grant's id in a token.
fn named(signed: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(signed.get(NONCE..)?).ok()?.split_once('#')
}

fn invalid() -> ApiError {
    refused("InvalidGrantTokenException", "The grant token is not valid.")
}

impl Kms {
    /// The grant that a token stands for.
    pub(crate) async fn grant_of_token(&self, token: &str) -> Result<GrantRecord, ApiError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
        let split = bytes.len().checked_sub(TAG).ok_or_else(invalid)?;
        let (signed, given) = bytes.split_at_checked(split).ok_or_else(invalid)?;
        let (arn, id) = named(signed).ok_or_else(invalid)?;
        let arn: Arn = arn.parse().map_err(|_| invalid())?;
        let account = arn.account().parse().map_err(|_| invalid())?;
        let region = arn.region().parse().map_err(|_| invalid())?;
        let key = grant_key(&account, &region, arn.resource_id(), id);
        let grant = load::<GrantRecord>(&*self.store, &key).await?.ok_or_else(invalid)?.record;
        let genuine: bool = tag(&grant, signed).ct_eq(given).into();
        if genuine { Ok(grant) } else { Err(invalid()) }
    }

    /// Refuses a request with a token that is none.
    pub(crate) async fn check_tokens(&self, tokens: Option<&[String]>) -> Result<(), ApiError> {
        for token in tokens.unwrap_or_default() {
            self.grant_of_token(token).await?;
        }
        Ok(())
    }
}
