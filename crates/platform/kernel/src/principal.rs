//! Who is calling: made by authentication from a credential, never from anything the caller merely says. It can be stored,
//! for what is decided about the same caller later on (a grant behind a download URL); no secret is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_types::{AccountId, Timestamp};

/// The identity behind a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The account it belongs to.
    pub account: AccountId,
    /// `arn:aws:iam::A:root`, `…:user/path/name`, `arn:aws:sts::A:assumed-role/Name/session`, or a service's name.
    pub arn: String,
    /// The unique id: `AIDA…`, `AROA…:session`, the account for root.
    pub principal_id: String,
    /// What kind it is.
    pub identity: PrincipalIdentity,
    /// The key the call was signed with; empty for services and anonymous callers.
    pub access_key_id: String,
    /// The tags of the user or role.
    pub tags: BTreeMap<String, String>,
    /// For temporary credentials.
    pub session: Option<SessionContext>,
}

/// The kinds of identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PrincipalIdentity {
    /// The account's root user.
    Root,
    /// An IAM user, by name.
    User {
        /// The name, without path.
        name: String,
    },
    /// A session of a role.
    AssumedRole {
        /// `arn:aws:iam::A:role/path/Name`.
        role_arn: String,
        /// The role's name, without path.
        role_name: String,
        /// The session's name.
        session_name: String,
    },
    /// A federated user session (`GetFederationToken`): `arn:aws:sts::A:federated-user/name`.
    FederatedUser {
        /// The name that was asked for.
        name: String,
        /// The IAM user whose key made the session; none when the root user's did.
        user: Option<String>,
    },
    /// Who presents a SAML assertion or a web identity token, before a role is theirs.
    Federated {
        /// `arn:aws:iam::A:saml-provider/x` or `…:oidc-provider/host`.
        provider: String,
    },
    /// An AWS service principal, such as `sagemaker.amazonaws.com`.
    Service {
        /// Its name.
        name: String,
    },
    /// Nobody: an unsigned request.
    Anonymous,
}

/// What temporary credentials carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionContext {
    /// When they were issued.
    pub issued_at: Timestamp,
    /// When they end.
    pub expires_at: Timestamp,
    /// Session tags, which override the role's.
    pub tags: BTreeMap<String, String>,
    /// The keys of session tags that go on to every role assumed from this session.
    pub transitive_tag_keys: Vec<String>,
    /// Session policies: JSON documents, or ARNs of managed policies. Where there are any, one of them must allow.
    pub policies: Vec<String>,
    /// `sts:SourceIdentity`.
    pub source_identity: Option<String>,
    /// When the caller showed a code of its MFA device, where it did.
    pub mfa_authenticated_at: Option<Timestamp>,
    /// The provider behind a federated session: `aws:FederatedProvider`.
    pub federated_provider: Option<String>,
    /// Condition keys that the session carries for its whole life (`saml:sub`, `token.example.com:aud`), with their values.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// Who a verified assertion speaks of, in CloudTrail's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedCaller {
    /// `WebIdentityUser` or `SAMLUser`.
    pub kind: &'static str,
    /// Provider, audience and subject; or name qualifier and subject.
    pub principal_id: String,
    /// The subject.
    pub user_name: String,
    /// The provider.
    pub identity_provider: String,
    /// The account of the provider and of the role.
    pub account: AccountId,
}

impl Principal {
    /// Nobody.
    pub fn anonymous() -> Principal {
        Principal {
            account: AccountId::from_number(0),
            arn: "*".to_owned(),
            principal_id: "ANONYMOUS".to_owned(),
            identity: PrincipalIdentity::Anonymous,
            access_key_id: String::new(),
            tags: BTreeMap::new(),
            session: None,
        }
    }
    /// An AWS service acting for an account.
    pub fn service(name: &str, account: AccountId) -> Principal {
        Principal {
            account,
            arn: name.to_owned(),
            principal_id: name.to_owned(),
            identity: PrincipalIdentity::Service { name: name.to_owned() },
            access_key_id: String::new(),
            tags: BTreeMap::new(),
            session: None,
        }
    }
    /// The ARN that policies and `aws:PrincipalArn` name: the role's for a role session, its own for the rest.
    pub fn policy_arn(&self) -> &str {
        match &self.identity {
            PrincipalIdentity::AssumedRole { role_arn, .. } => role_arn,
            _ => &self.arn,
        }
    }
    /// CloudTrail's `userIdentity.type` and `aws:PrincipalType`.
    pub fn type_name(&self) -> &'static str {
        match self.identity {
            PrincipalIdentity::Root => "Root",
            PrincipalIdentity::User { .. } => "IAMUser",
            PrincipalIdentity::AssumedRole { .. } => "AssumedRole",
            PrincipalIdentity::FederatedUser { .. } => "FederatedUser",
            PrincipalIdentity::Federated { .. } => "WebIdentityUser",
            PrincipalIdentity::Service { .. } => "AWSService",
            PrincipalIdentity::Anonymous => "AWSAccount",
        }
    }
}
