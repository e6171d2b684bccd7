//! What an account leaves behind in a service. Implemented by every service that stores anything, wired in `app`.

use async_trait::async_trait;
use stoa_types::AccountId;

use crate::ApiError;

/// Forgets an account.
#[async_trait]
pub trait DeleteAccountData: Send + Sync {
    /// Deletes everything of this account in this service. Idempotent: it is called again after a crash. An error
    /// leaves the account in deletion, refused to its credentials, until a later call succeeds.
    async fn delete_account_data(&self, account: &AccountId) -> Result<(), ApiError>;
}
