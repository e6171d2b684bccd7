//! What other services ask of the organization (the kernel's `OrganizationFacts`).

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{OrganizationFacts, OrganizationName};
use stoa_store::{Document, StoreError, Transaction};
use stoa_types::AccountId;

use super::members::ACTIVE;
use crate::Iam;
use crate::error::store_failed;
use crate::state::{NodeKind, TrustedServiceRecord, account_key, trusted_service_key};

#[async_trait]
impl OrganizationFacts for Iam {
    async fn organization_of(&self, account: &AccountId) -> Result<Option<OrganizationName>, ApiError> {
        if self.place_of(account).await?.is_none() {
            return Ok(None);
        }
        let organization = self.organization().await?;
        let arn = organization.own_arn();
        Ok(Some(OrganizationName { id: organization.id, arn, management_account: organization.management_account }))
    }

    async fn has_unit(&self, unit: &str) -> Result<bool, ApiError> {
        Ok(self.node(unit).await?.is_some_and(|node| node.record.what == NodeKind::Unit))
    }

    async fn has_account(&self, account: &AccountId) -> Result<bool, ApiError> {
        let document = self.store.get(&account_key(account)).await.map_err(store_failed)?;
        Ok(document.is_some_and(|document| document.status == ACTIVE))
    }

    async fn trusts_service(&self, service: &str) -> Result<bool, ApiError> {
        Ok(self.store.get(&trusted_service_key(service)).await.map_err(store_failed)?.is_some())
    }

    async fn trust_service(&self, service: &str) -> Result<(), ApiError> {
        let now = self.clock.now();
        let record = TrustedServiceRecord { service: service.to_owned(), enabled: now };
        let document = Document::new(trusted_service_key(service), service, now, &record).map_err(store_failed)?;
        match self.store.commit(Transaction::new().create(document)).await {
            // Trusted before: it stays, with its date.
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
            Err(other) => Err(store_failed(other)),
        }
    }
}
