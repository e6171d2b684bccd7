//! What RAM must know of the organization. Implemented by the IAM service, which keeps it.

use async_trait::async_trait;
use stoa_types::AccountId;

use crate::ApiError;

/// The organization of this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationName {
    /// `o-…`.
    pub id: String,
    /// `arn:aws:organizations::M:organization/o-…`.
    pub arn: String,
    /// The account that administers it.
    pub management_account: AccountId,
}

/// Knows the organization, and the accounts in and outside it.
#[async_trait]
pub trait OrganizationFacts: Send + Sync {
    /// The organization that an account is a member of; none for an account outside.
    async fn organization_of(&self, account: &AccountId) -> Result<Option<OrganizationName>, ApiError>;
    /// Whether there is an organizational unit of this id.
    async fn has_unit(&self, unit: &str) -> Result<bool, ApiError>;
    /// Whether there is an account of this number, in the organization or outside, that is neither closed nor being deleted.
    /// On the hot path: one cached read.
    async fn has_account(&self, account: &AccountId) -> Result<bool, ApiError>;
    /// Whether the organization trusts a service. On the hot path: one cached read.
    async fn trusts_service(&self, service: &str) -> Result<bool, ApiError>;
    /// Makes the organization trust a service; nothing when it does already.
    async fn trust_service(&self, service: &str) -> Result<(), ApiError>;
}
