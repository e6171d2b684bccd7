//! Bearer tokens in place of signatures, for clients that know nothing else. Implemented by the IAM service.

use std::sync::Arc;

use async_trait::async_trait;
use stoa_types::Timestamp;

use super::{Credential, LicenceText};
use crate::ApiError;

/// What a token stands for. It is no more than the credential that it was made with: when that one ends, so does it.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The credential of whoever had it made.
    pub credential: Arc<Credential>,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// The ARN of the one hub that it is for; none: every hub.
    pub hub_arn: Option<String>,
    /// The licences that its owner accepted when it was made: these texts and no later ones.
    pub accepted: Vec<LicenceText>,
}

/// Opens bearer tokens.
#[async_trait]
pub trait BearerTokens: Send + Sync {
    /// What the token stands for; none for one that was not made here, was altered, or whose credential is gone. An
    /// expired token is still returned: the caller compares its end (and the credential's) with the time.
    async fn bearer(&self, token: &str) -> Result<Option<Bearer>, ApiError>;
}
