//! What IAM keeps: accounts, users, groups, roles, managed policies, access keys and the like, each one document.
//! What IAM keeps: accounts, users, roles, managed policies, access keys, and the organization: each one document.
//!
//! INVARIANT: ids are lower-case names, because AWS compares names without regard to case when it looks for
//! duplicates; the given case is in the body. Access keys are found by their id alone, so they are filed under the
//! pseudo-account `aws`, with account and user as their parent. Inline policies and attachments live in their owner's
//! document, and a policy's count of attachments changes in the same transaction as they do.

mod access_key;
mod account;
mod federation;
mod group;
mod instance_profile;
mod mfa;
mod organization;
mod password;
mod policy;
mod role;
mod user;

pub(crate) use access_key::{AccessKeyRecord, key_key, key_owner};
pub(crate) use account::{AccountRecord, account_key};
pub(crate) use federation::{OidcRecord, SamlRecord, oidc_key, saml_key};
pub(crate) use group::{GroupRecord, group_key};
pub(crate) use instance_profile::{InstanceProfileRecord, instance_profile_key};
pub(crate) use mfa::{MfaRecord, mfa_key};
pub(crate) use organization::{
    AccountRequestRecord, DelegationPolicyRecord, DelegationRecord, NodeKind, NodeRecord, OldAttachmentRecord,
    OrganizationPolicyRecord, TrustedServiceRecord, account_request_key, delegation_key, delegation_policy_key,
    email_key, node_key, organization_key, organization_policy_key, organization_policy_name_key, trusted_service_key,
};
pub use organization::{Organization, PolicyType};
pub(crate) use password::{LoginProfileRecord, PasswordPolicyRecord, password_policy_key};
pub(crate) use policy::{PolicyRecord, PolicyVersionRecord, policy_key};
pub(crate) use role::{RoleRecord, role_key};
pub(crate) use user::{UserRecord, user_key};

/// The kinds of documents of this service.
pub(crate) mod kind {
    /// Accounts.
    pub(crate) const ACCOUNT: &str = "iam:account";
    /// Users.
    pub(crate) const USER: &str = "iam:user";
    /// Groups.
    pub(crate) const GROUP: &str = "iam:group";
    /// Roles.
    pub(crate) const ROLE: &str = "iam:role";
    /// Managed policies.
    pub(crate) const POLICY: &str = "iam:policy";
    /// Instance profiles.
    pub(crate) const INSTANCE_PROFILE: &str = "iam:instance-profile";
    /// The account's rules for passwords.
    pub(crate) const PASSWORD_POLICY: &str = "iam:password-policy";
    /// Access keys.
    pub(crate) const ACCESS_KEY: &str = "iam:access-key";
    /// Account aliases, unique over all accounts.
    pub(crate) const ALIAS: &str = "iam:account-alias";
    /// Virtual MFA devices. Not under `iam:`, so that the use of a code does not empty the caches.
    pub(crate) const MFA: &str = "iam-mfa:device";
    /// OpenID Connect providers: nobody's rights are made of them.
    pub(crate) const OIDC: &str = "iam-federation:oidc-provider";
    /// SAML providers.
    pub(crate) const SAML: &str = "iam-federation:saml-provider";
    /// The one organization.
    pub(crate) const ORGANIZATION: &str = "organizations:organization";
    /// Root, units and accounts.
    pub(crate) const NODE: &str = "organizations:node";
    /// Policies of the organization.
    pub(crate) const ORGANIZATION_POLICY: &str = "organizations:policy";
    /// Their names, unique within a type.
    pub(crate) const ORGANIZATION_POLICY_NAME: &str = "organizations:policy-name";
    /// Accounts' addresses, unique over all accounts.
    pub(crate) const EMAIL: &str = "organizations:email";
    /// Requests for accounts.
    pub(crate) const ACCOUNT_REQUEST: &str = "organizations:account-request";
    /// Services that may act in the organization.
    pub(crate) const TRUSTED_SERVICE: &str = "organizations:trusted-service";
    /// Accounts that administer the organization for services.
    pub(crate) const DELEGATION: &str = "organizations:delegation";
    /// The organization's resource policy.
    pub(crate) const DELEGATION_POLICY: &str = "organizations:delegation-policy";
    /// Service control policies on targets as early versions kept them.
    pub(crate) const OLD_ATTACHMENT: &str = "organizations:scp-attachment";
    /// When access keys were last used. Not under `iam:`, so that noting a use does not empty the caches.
    pub(crate) const KEY_USE: &str = "iam-usage:access-key";
    /// What principals last used. Not under `iam:`, for the same reason.
    pub(crate) const PRINCIPAL_USE: &str = "iam-usage:principal";
    /// The credential report of an account.
    pub(crate) const CREDENTIAL_REPORT: &str = "iam-report:credentials";
    /// Answers to GenerateServiceLastAccessedDetails.
    pub(crate) const LAST_ACCESSED: &str = "iam-report:last-accessed";
    /// Deletions of service-linked roles.
    pub(crate) const ROLE_DELETION: &str = "iam-report:role-deletion";
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
