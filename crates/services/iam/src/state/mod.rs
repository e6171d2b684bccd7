//! What IAM keeps: accounts, users, roles, managed policies, access keys, each one document.
//!
//! INVARIANT: ids are lower-case names, because AWS compares names without regard to case when it looks for
//! duplicates; the given case is in the body. Access keys are found by their id alone, so they are filed under the
//! pseudo-account `aws`, with account and user as their parent. Inline policies and attachments live in their owner's
//! document, and a policy's count of attachments changes in the same transaction as they do.

mod access_key;
mod account;
mod federation;
mod mfa;
mod policy;
mod role;
mod scp;
mod user;

pub(crate) use access_key::{AccessKeyRecord, key_key, key_owner};
pub(crate) use account::{AccountRecord, account_key};
pub(crate) use federation::{OidcRecord, SamlRecord, oidc_key, saml_key};
pub(crate) use mfa::{MfaRecord, mfa_key};
pub(crate) use policy::{PolicyRecord, PolicyVersionRecord, policy_key};
pub(crate) use role::{RoleRecord, role_key};
pub(crate) use scp::{ScpRecord, attachment_key};
pub(crate) use user::{UserRecord, user_key};

/// The kinds of documents of this service.
pub(crate) mod kind {
    /// Accounts.
    pub(crate) const ACCOUNT: &str = "iam:account";
    /// Users.
    pub(crate) const USER: &str = "iam:user";
    /// Roles.
    pub(crate) const ROLE: &str = "iam:role";
    /// Managed policies.
    pub(crate) const POLICY: &str = "iam:policy";
    /// Access keys.
    pub(crate) const ACCESS_KEY: &str = "iam:access-key";
    /// Account aliases, unique over all accounts.
    pub(crate) const ALIAS: &str = "iam:account-alias";
    /// Service control policies on roots, units and accounts.
    pub(crate) const SCP: &str = "organizations:scp-attachment";
    /// Resource control policies, likewise.
    pub(crate) const RCP: &str = "organizations:rcp-attachment";
    /// Virtual MFA devices. Not under `iam:`, so that the use of a code does not empty the caches.
    pub(crate) const MFA: &str = "iam-mfa:device";
    /// OpenID Connect providers: nobody's rights are made of them.
    pub(crate) const OIDC: &str = "iam-federation:oidc-provider";
    /// SAML providers.
    pub(crate) const SAML: &str = "iam-federation:saml-provider";
    /// When access keys were last used. Not under `iam:`, so that noting a use does not empty the caches.
    pub(crate) const KEY_USE: &str = "iam-usage:access-key";
}

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use stoa_kernel::ApiError;
use stoa_store::{Document, Key, Store};
use stoa_types::{AccountId, Timestamp};

use crate::error::store_failed;

/// Tags, by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// A document with its decoded body.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<T> {
    /// As it was read.
    pub(crate) document: Arc<Document>,
    /// Its body.
    pub(crate) record: T,
}

impl<T: Serialize + DeserializeOwned> Loaded<T> {
    /// The document to write back, at the generation it was read at.
    pub(crate) fn changed(&self, now: Timestamp) -> Result<Document, ApiError> {
        self.document.with_body(now, &self.record).map_err(store_failed)
    }
}

/// Reads and decodes a document.
pub(crate) async fn load<T: DeserializeOwned>(store: &dyn Store, key: &Key) -> Result<Option<Loaded<T>>, ApiError> {
    let Some(document) = store.get(key).await.map_err(store_failed)? else { return Ok(None) };
    let record = document.decode().map_err(store_failed)?;
    Ok(Some(Loaded { document, record }))
}

/// A global key.
pub(crate) fn global_key(kind: &'static str, account: &AccountId, id: &str) -> Key {
    Key { kind, account: account.clone(), region: None, id: id.to_ascii_lowercase() }
}

/// Tags in the form of the store.
pub(crate) fn tag_list(tags: &Tags) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}
