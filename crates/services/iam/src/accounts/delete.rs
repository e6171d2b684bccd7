//! The end of an account: mark, let every service forget, remove. Each step may be done again.

use stoa_kernel::ApiError;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::AccountId;

use crate::Iam;
use crate::entity::Entity;
use crate::error::{invalid_input, store_failed};
use crate::organizations::ATTEMPTS;
use crate::state::{
    AccountRecord, InstanceProfileRecord, MfaRecord, OidcRecord, PolicyRecord, RoleRecord, SamlRecord, UserRecord,
    account_key, delegation_key, email_key, global_key, key_key, key_owner, kind,
};

const DELETING: &str = "Deleting";
/// What an account has in documents of its own, without tags.
const PLAIN: [&str; 6] = [
    kind::GROUP,
    kind::PASSWORD_POLICY,
    kind::PRINCIPAL_USE,
    kind::CREDENTIAL_REPORT,
    kind::LAST_ACCESSED,
    kind::ROLE_DELETION,
];

impl Iam {
    /// Deletes a member account with everything in it.
    ///
    /// # Errors
    /// `NoSuchEntity`; `InvalidInput` for the management account; what a service answers that cannot forget the
    /// account yet (then it stays in deletion, and calling again goes on).
    pub async fn delete_account(&self, account: &AccountId) -> Result<(), ApiError> {
        let loaded = self.load_account(account).await?;
        if loaded.record.management {
            return Err(invalid_input("the management account cannot be deleted"));
        }
        if loaded.document.status != DELETING {
            let marked = Document { status: DELETING.to_owned(), ..loaded.changed(self.clock.now())? };
            self.commit(Transaction::new().update(marked)).await?;
        }
        for owner in self.account_data.load_full().iter() {
            owner.delete_account_data(account).await?;
        }
        self.remove_account(&loaded.record).await
    }

    /// Carries through deletions that a crash interrupted. Called at every start, after [`Iam::set_account_data`]:
    /// what IAM removes first is lost to the services that have not forgotten the account yet.
    ///
    /// # Errors
    /// As [`Iam::delete_account`].
    pub async fn resume_deletions(&self) -> Result<(), ApiError> {
        for account in self.list_accounts().await? {
            if account.status == DELETING {
                tracing::info!(account = %account.id, "resuming the deletion of an account");
                self.delete_account(&account.id).await?;
            }
        }
        Ok(())
    }

    async fn remove_account(&self, account: &AccountRecord) -> Result<(), ApiError> {
        let id = &account.id;
        let mut transaction = self.remove_keys(Transaction::new(), &key_owner(id, None)).await?;
        for document in self.all_of(kind::USER, id).await? {
            let user: UserRecord = document.decode().map_err(store_failed)?;
            transaction = self.remove_keys(transaction, &key_owner(id, Some(&user.name))).await?;
            transaction = transaction.delete(document.key.clone(), Expect::Any).set_tags(&user.arn, Vec::new());
        }
        for document in self.all_of(kind::ROLE, id).await? {
            let role: RoleRecord = document.decode().map_err(store_failed)?;
            transaction = transaction.delete(document.key.clone(), Expect::Any).set_tags(&role.arn, Vec::new());
        }
        for document in self.all_of(kind::INSTANCE_PROFILE, id).await? {
            let profile: InstanceProfileRecord = document.decode().map_err(store_failed)?;
            transaction = transaction.delete(document.key.clone(), Expect::Any).set_tags(&profile.arn, Vec::new());
        }
        for plain in PLAIN {
            for document in self.all_of(plain, id).await? {
                transaction = transaction.delete(document.key.clone(), Expect::Any);
            }
        }
        for document in self.all_of(kind::POLICY, id).await? {
            let policy: PolicyRecord = document.decode().map_err(store_failed)?;
            transaction = transaction.delete(document.key.clone(), Expect::Any).set_tags(&policy.arn, Vec::new());
        }
        transaction = self.remove_entities::<MfaRecord>(transaction, kind::MFA, id).await?;
        transaction = self.remove_entities::<OidcRecord>(transaction, kind::OIDC, id).await?;
        transaction = self.remove_entities::<SamlRecord>(transaction, kind::SAML, id).await?;
        if let Some(alias) = &account.alias {
            transaction = transaction.delete(global_key(kind::ALIAS, &AccountId::aws(), alias), Expect::Any);
        }
        if let Some(email) = &account.email {
            transaction = transaction.delete(email_key(email), Expect::Any);
        }
        transaction = transaction.delete(delegation_key(id), Expect::Any);
        transaction = transaction.set_tags(&self.organization().await?.node_arn(id.as_str()), Vec::new());
        self.remove_from_tree(id, transaction.delete(account_key(id), Expect::Any)).await
    }

    /// Commits the end of an account together with the end of its node, again when the tree changed meanwhile.
    async fn remove_from_tree(&self, id: &AccountId, transaction: Transaction) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let mut attempt = transaction.clone();
            if let Some(node) = self.node(id.as_str()).await? {
                attempt = self.without_node(attempt, &node).await?;
            }
            match self.store.commit(attempt).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(store_failed(error)),
            }
        }
        Err(ApiError::unavailable("the organization is being changed by others"))
    }

    async fn remove_entities<E: Entity>(
        &self,
        mut transaction: Transaction,
        kind: &'static str,
        account: &AccountId,
    ) -> Result<Transaction, ApiError> {
        for document in self.all_of(kind, account).await? {
            let entity: E = document.decode().map_err(store_failed)?;
            transaction = transaction.delete(document.key.clone(), Expect::Any).set_tags(entity.arn(), Vec::new());
        }
        Ok(transaction)
    }

    async fn remove_keys(&self, mut transaction: Transaction, owner: &str) -> Result<Transaction, ApiError> {
        for document in self.all_with_parent(kind::ACCESS_KEY, owner).await? {
            transaction = transaction
                .delete(key_key(&document.key.id), Expect::Any)
                .delete(crate::usage::use_key(&document.key.id), Expect::Any);
        }
        Ok(transaction)
    }

    /// Every document of a kind in an account.
    pub(crate) async fn all_of(
        &self,
        kind: &'static str,
        account: &AccountId,
    ) -> Result<Vec<std::sync::Arc<Document>>, ApiError> {
        self.all(Query::of(kind).owned_by(account, None)).await
    }

    /// Every document of a kind with a parent.
    pub(crate) async fn all_with_parent(
        &self,
        kind: &'static str,
        parent: &str,
    ) -> Result<Vec<std::sync::Arc<Document>>, ApiError> {
        self.all(Query::of(kind).children_of(parent)).await
    }

    /// Every document that a query finds.
    pub(crate) async fn all(&self, query: Query) -> Result<Vec<std::sync::Arc<Document>>, ApiError> {
        let mut query = query.limit(1000);
        let mut found = Vec::new();
        loop {
            let page = self.store.query(&query).await.map_err(store_failed)?;
            found.extend(page.documents);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(found),
            }
        }
    }
}
