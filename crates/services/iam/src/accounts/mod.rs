//! Accounts as the app's CLI and admin endpoint see them. Not AWS's wire: Organizations will stand on the same state.
//!
//! INVARIANT: an account is made whole in one transaction. A deletion first marks the account (its credentials are
//! refused from then on), then lets every service forget it, then removes IAM's own documents in one transaction;
//! after a crash in between, [`Iam::resume_deletions`] carries it through.

mod bootstrap;
mod create;
mod credentials_file;
mod delete;

pub(crate) use bootstrap::organization_key;
pub use bootstrap::{LocalCredentials, Organization};
pub use create::NewAccount;

use stoa_kernel::ApiError;
use stoa_policy::{Document as PolicyDocument, PolicyKind};
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::{AccountId, Timestamp};

use crate::Iam;
use crate::error::{malformed_policy, no_such_entity, store_failed};
use crate::state::{AccountRecord, Loaded, ScpRecord, account_key, attachment_key, kind, load};

/// An account, for listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Whether it is the management account.
    pub management: bool,
    /// `Active`, or `Deleting`.
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

    /// Puts a service control policy on a target: an account id, or the root id of [`Organization`].
    ///
    /// # Errors
    /// `MalformedPolicyDocument`, and the store's.
    pub async fn attach_scp(&self, target: &str, name: &str, document: &str) -> Result<(), ApiError> {
        PolicyDocument::parse_as(document, PolicyKind::Scp).map_err(|error| malformed_policy(error.to_string()))?;
        self.attach_control(kind::SCP, target, name, document).await
    }

    /// Puts a resource control policy on a target.
    ///
    /// # Errors
    /// `MalformedPolicyDocument`, and the store's.
    pub async fn attach_rcp(&self, target: &str, name: &str, document: &str) -> Result<(), ApiError> {
        PolicyDocument::parse_as(document, PolicyKind::Resource)
            .map_err(|error| malformed_policy(error.to_string()))?;
        self.attach_control(kind::RCP, target, name, document).await
    }

    /// Takes a service control policy off again.
    ///
    /// # Errors
    /// `NoSuchEntity` when it is not there, and the store's.
    pub async fn detach_scp(&self, target: &str, name: &str) -> Result<(), ApiError> {
        self.detach_control(kind::SCP, target, name).await
    }

    /// Takes a resource control policy off again.
    ///
    /// # Errors
    /// `NoSuchEntity` when it is not there, and the store's.
    pub async fn detach_rcp(&self, target: &str, name: &str) -> Result<(), ApiError> {
        self.detach_control(kind::RCP, target, name).await
    }

    async fn attach_control(
        &self,
        kind: &'static str,
        target: &str,
        name: &str,
        document: &str,
    ) -> Result<(), ApiError> {
        let record = ScpRecord { target: target.to_owned(), name: name.to_owned(), document: document.to_owned() };
        let key = attachment_key(kind, target, name);
        let stored = Document::new(key, name, self.clock.now(), &record).map_err(store_failed)?;
        self.commit(Transaction::new().put(stored.with_parent(target))).await
    }

    async fn detach_control(&self, kind: &'static str, target: &str, name: &str) -> Result<(), ApiError> {
        let transaction = Transaction::new().delete(attachment_key(kind, target, name), Expect::Present);
        self.commit_or(transaction, || no_such_entity(format!("the policy {name} is not attached to {target}"))).await
    }

    pub(crate) async fn load_account(&self, account: &AccountId) -> Result<Loaded<AccountRecord>, ApiError> {
        let found = load(&*self.store, &account_key(account)).await?;
        found.ok_or_else(|| no_such_entity(format!("the account {account} does not exist")))
    }
}
