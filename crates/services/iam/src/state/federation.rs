//! Identity providers: OpenID Connect and SAML.

use serde::{Deserialize, Serialize};
use stoa_store::Key;
use stoa_types::{AccountId, Timestamp};

use super::{Tags, global_key, kind};

/// An OpenID Connect provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OidcRecord {
    pub(crate) arn: String,
    /// The issuer without `https://`: the name in the ARN, and the start of its condition keys.
    pub(crate) host: String,
    pub(crate) client_ids: Vec<String>,
    /// SHA-1 thumbprints, lower-case hexadecimal.
    pub(crate) thumbprints: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) tags: Tags,
}

/// A SAML provider.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SamlRecord {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) metadata: String,
    pub(crate) created: Timestamp,
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) tags: Tags,
}

/// The key of an OpenID Connect provider.
pub(crate) fn oidc_key(account: &AccountId, host: &str) -> Key {
    global_key(kind::OIDC, account, host)
}

/// The key of a SAML provider.
pub(crate) fn saml_key(account: &AccountId, name: &str) -> Key {
    global_key(kind::SAML, account, name)
}
