//! Knows credentials and decides. Implemented by the IAM service.

use std::sync::Arc;

use async_trait::async_trait;
use stoa_policy::{Context, Effect, Slot};
use stoa_types::{AccountId, Secret, Timestamp};

use crate::{ApiError, Principal};

/// A credential as authentication needs it.
#[derive(Debug, Clone)]
pub struct Credential {
    /// What signatures are made with.
    pub secret: Secret,
    /// For temporary credentials: the token that must come with every request.
    pub session_token: Option<Secret>,
    /// For temporary credentials: when they end.
    pub expires_at: Option<Timestamp>,
    /// Whose it is.
    pub principal: Arc<Principal>,
}

/// A decision, owned. Allows carry no text, so that the hot path allocates nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What it came to.
    pub effect: Effect,
    /// The kind of policy that granted, denied, or lacks an Allow.
    pub slot: Slot,
    /// Denials: the policy and statement that denied, where one did (`policy-name#sid`).
    pub matched: Option<String>,
    /// Denials: AWS's words after `resource: …` (with `because ` where AWS has it).
    pub reason: Option<String>,
}

/// Where an account is in its organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPlace {
    /// `o-…`.
    pub organization: String,
    /// The one path from the organization to the account, as condition keys have it: `o-…/r-…/ou-…/`.
    pub paths: Vec<String>,
}

/// The authority over who may do what.
#[async_trait]
pub trait Authority: Send + Sync {
    /// The credential of an active access key id; none for an unknown or inactive one. On the hot path: cached.
    ///
    /// `session_token` is what came with the request (`X-Amz-Security-Token`, header or query). Temporary credentials
    /// are not stored: everything about them is sealed in the token, so `ASIA…` ids are found only by their token, and
    /// the answer's `session_token` is then the one given here. None also for a token that was not made here, that
    /// belongs to another key id, or whose role, user or account is gone. An expired session is still returned, with
    /// its `expires_at`: the caller compares it with the time and answers `ExpiredToken`.
    async fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<Option<Arc<Credential>>, ApiError>;

    /// Decides one action on one resource for a principal, all slots included.
    ///
    /// The resource's owner is the account in its ARN. For ARNs without one (S3), `aws:ResourceAccount` in the context
    /// says whose it is: the target of an operation on another account's bucket must set it.
    async fn decide(
        &self,
        principal: &Principal,
        action: &str,
        resource: &str,
        context: &(dyn Context + Sync),
    ) -> Result<Verdict, ApiError>;

    /// The principal a service becomes when it assumes a role it was passed (an execution role).
    /// None when the role does not exist or does not trust the service.
    async fn service_session(
        &self,
        role_arn: &str,
        service: &str,
        session_name: &str,
    ) -> Result<Option<Principal>, ApiError>;

    /// Where an account is in the organization; none for accounts that are in none. On the hot path: cached.
    async fn account_place(&self, _account: &str) -> Result<Option<Arc<AccountPlace>>, ApiError> {
        Ok(None)
    }

    /// The encoded form of a refusal, which `sts:DecodeAuthorizationMessage` opens again for the same account. None
    /// where this authority seals nothing.
    fn encode_refusal(&self, _account: &AccountId, _message: &str) -> Option<String> {
        None
    }
}
