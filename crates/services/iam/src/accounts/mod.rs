//! Accounts as the app's CLI and admin endpoint see them. AWS's API over the same state is in `organizations`.
//!
//! INVARIANT: an account is made whole in one transaction. A deletion first marks the account (its credentials are
//! refused from then on), then lets every service forget it, then removes IAM's own documents in one transaction;
//! after a crash in between, [`Iam::resume_deletions`] carries it through.

mod bootstrap;
mod create;
mod credentials_file;
mod delete;

pub use bootstrap::LocalCredentials;
pub(crate) use create::AccountOrder;
pub use create::NewAccount;
pub(crate) use create::with_role;

use stoa_kernel::ApiError;
use stoa_store::Query;
use stoa_types::{AccountId, Timestamp};

use crate::Iam;
use crate::error::{no_such_entity, store_failed};
use crate::state::{AccountRecord, Loaded, account_key, kind, load};

/// An account, for listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Whether it is the management account.
    pub management: bool,
    /// `Active`, `Suspended` or `Deleting`.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
}

impl Iam {
    /// All accounts, by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn list_accounts(&self) -> Result<Vec<Account>, ApiError> {
        let mut accounts = Vec::new();
        let mut query = Query::of(kind::ACCOUNT).limit(1000);
        loop {
            let page = self.store.query(&query).await.map_err(store_failed)?;
            for document in &page.documents {
                let record: AccountRecord = document.decode().map_err(store_failed)?;
                accounts.push(Account {
                    id: record.id,
                    name: record.name,
                    management: record.management,
                    status: document.status.clone(),
                    created: record.created,
                });
            }
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(accounts),
            }
        }
    }

    pub(crate) async fn load_account(&self, account: &AccountId) -> Result<Loaded<AccountRecord>, ApiError> {
        let found = load(&*self.store, &account_key(account)).await?;
        found.ok_or_else(|| no_such_entity(format!("the account {account} does not exist")))
    }
}
