//! Temporary credentials: nothing is stored, everything is sealed in the session token.
//!
//! INVARIANT: a token opens only with the access key id it was issued with, and only while the role or user it was
//! issued for still exists under the same unique id (the authority checks that). Tokens survive restarts, since they
//! depend on the master key alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_kernel::{ApiError, Principal, PrincipalIdentity, SessionContext};
use stoa_types::{AccountId, IdSource, Secret, Timestamp, access_key_id, secret_access_key};

use crate::seal::{Purpose, SealError, SealingKey};
use crate::state::Tags;

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// A session of a role.
    Role { arn: String, name: String, id: String, session: String },
    /// A session of a user (GetSessionToken).
    User { arn: String, name: String, id: String },
    /// A session of the root user.
    Root,
    /// A federated user session, made with the key of this user (name and id), or of the root user.
    FederatedUser { name: String, user: Option<(String, String)> },
}

/// All that temporary credentials say.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) account: AccountId,
    pub(crate) subject: Subject,
    pub(crate) issued: Timestamp,
    pub(crate) expires: Timestamp,
    /// The tags of the role or user when the session was issued, and those of the session.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) principal_tags: Tags,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: Tags,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) transitive: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_identity: Option<String>,
    /// When a code of an MFA device was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mfa_at: Option<Timestamp>,
    /// The identity provider of a federated session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    /// Condition keys that the session carries (`saml:sub` and the like).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) keys: BTreeMap<String, Vec<String>>,
}

/// Temporary credentials, as they are handed out.
#[derive(Debug, Clone)]
pub struct SessionCredentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// What to sign with.
    pub secret_access_key: Secret,
    /// What must come with every request.
    pub session_token: Secret,
    /// When they end.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    secret: String,
    #[serde(flatten)]
    claims: Claims,
}

/// Issues credentials for these claims.
pub(crate) fn issue(key: &SealingKey, ids: &dyn IdSource, claims: &Claims) -> Result<SessionCredentials, ApiError> {
    let id = session_key_id(ids, &claims.account);
    let secret = secret_access_key(ids);
    let sealed = Sealed { secret: secret.expose().to_owned(), claims: claims.clone() };
    let text = serde_json::to_vec(&sealed).map_err(ApiError::internal)?;
    let token = key.seal(Purpose::Session, &id, &text, ids).map_err(ApiError::internal)?;
    Ok(SessionCredentials {
        access_key_id: id,
        secret_access_key: secret,
        session_token: Secret::new(token),
        expires_at: claims.expires,
    })
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// An id that names its account, as AWS's do, since nothing is stored to look the account up: eight letters for the
/// account's number, eight at random. The token, not the id, is what cannot be guessed.
fn session_key_id(ids: &dyn IdSource, account: &AccountId) -> String {
    let mut number: u64 = account.as_str().parse().unwrap_or_default();
    let mut letters = ['A'; 8];
    for letter in letters.iter_mut().rev() {
        let index = usize::try_from(number % 32).unwrap_or_default();
        *letter = BASE32.get(index).map_or('A', |byte| char::from(*byte));
        number /= 32;
    }
    let named: String = letters.iter().collect();
    let random = access_key_id(ids, "");
    format!("ASIA{named}{}", random.get(..8).unwrap_or_default())
}

/// The account that the id of a temporary access key names.
pub(crate) fn account_of_session_key(access_key_id: &str) -> Option<AccountId> {
    let letters = access_key_id.strip_prefix("ASIA")?;
    let mut number: u64 = 0;
    for byte in letters.get(..8)?.bytes() {
        let digit = BASE32.iter().position(|letter| *letter == byte)?;
        number = number * 32 + u64::try_from(digit).ok()?;
    }
    (letters.len() == 16 && number < 1_000_000_000_000).then(|| AccountId::from_number(number))
}

/// Opens a token that came with this access key id.
pub(crate) fn open(key: &SealingKey, access_key_id: &str, token: &str) -> Result<(Secret, Claims), SealError> {
    let text = key.open(Purpose::Session, access_key_id, token)?;
    let sealed: Sealed = serde_json::from_slice(&text).map_err(|_| SealError)?;
    Ok((Secret::new(sealed.secret), sealed.claims))
}

impl Claims {
    /// The principal that these claims make.
    pub(crate) fn principal(&self, access_key_id: &str) -> Principal {
        let account = &self.account;
        let (arn, principal_id, identity) = match &self.subject {
            Subject::Role { arn, name, id, session } => (
                format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
                format!("{id}:{session}"),
                PrincipalIdentity::AssumedRole {
                    role_arn: arn.clone(),
                    role_name: name.clone(),
                    session_name: session.clone(),
                },
            ),
            Subject::User { arn, name, id } => {
                (arn.clone(), id.clone(), PrincipalIdentity::User { name: name.clone() })
            }
            Subject::Root => (root_arn(account), account.as_str().to_owned(), PrincipalIdentity::Root),
            Subject::FederatedUser { name, user } => (
                format!("arn:aws:sts::{account}:federated-user/{name}"),
                format!("{account}:{name}"),
                PrincipalIdentity::FederatedUser {
                    name: name.clone(),
                    user: user.as_ref().map(|(name, _)| name.clone()),
                },
            ),
        };
        Principal {
            account: account.clone(),
            arn,
            principal_id,
            identity,
            access_key_id: access_key_id.to_owned(),
            tags: self.principal_tags.clone(),
            session: Some(SessionContext {
                issued_at: self.issued,
                expires_at: self.expires,
                tags: self.tags.clone(),
                transitive_tag_keys: self.transitive.clone(),
                policies: self.policies.clone(),
                source_identity: self.source_identity.clone(),
                mfa_authenticated_at: self.mfa_at,
                federated_provider: self.provider.clone(),
                keys: self.keys.clone(),
            }),
        }
    }
}

/// The ARN of an account's root user.
pub(crate) fn root_arn(account: &AccountId) -> String {
    format!("arn:aws:iam::{account}:root")
}
