//! The service: its ports, its cache, and how changes are written. Handlers and ports are implemented on it.
//!
//! INVARIANT: nothing but compiled policies is held in memory.

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use stoa_kernel::ports::{OrganizationFacts, ShareableResources};
use stoa_kernel::{ApiError, Cx};
use stoa_store::{Document, PageTokens, Query, Store, StoreError, Transaction};
use stoa_types::IdSource;

use crate::access::Cache;
use crate::error::store_failed;

/// How often a change is tried again when another one came between.
pub(crate) const ATTEMPTS: usize = 32;
/// The service principal that the organization trusts when it shares within itself.
pub(crate) const PRINCIPAL: &str = "ram.amazonaws.com";
const BATCH: usize = 1000;

/// What the service is made of.
pub struct RamParts {
    /// Where shares, invitations and permissions are.
    pub store: Arc<dyn Store>,
    /// Makes ids.
    pub ids: Arc<dyn IdSource>,
    /// The installation's page tokens.
    pub tokens: PageTokens,
    /// The organization, and who is in it.
    pub organization: Arc<dyn OrganizationFacts>,
    /// The resources that can be shared.
    pub resources: Vec<Arc<dyn ShareableResources>>,
}

/// RAM of one installation.
pub struct Ram {
    pub(crate) parts: RamParts,
    pub(crate) access: RwLock<Cache>,
}

impl fmt::Debug for Ram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ram")
    }
}

impl Ram {
    /// The service over its ports.
    pub fn new(parts: RamParts) -> Arc<Ram> {
        Arc::new(Ram { parts, access: RwLock::default() })
    }

    /// Commits; false when another change came between, and all is to be read again.
    pub(crate) async fn applied(&self, transaction: Transaction) -> Result<bool, ApiError> {
        match self.parts.store.commit(transaction).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(other) => Err(store_failed(other)),
        }
    }

    /// Every document that a query finds.
    pub(crate) async fn all(&self, query: Query) -> Result<Vec<Arc<Document>>, ApiError> {
        let mut query = query.limit(BATCH);
        let mut found = Vec::new();
        loop {
            let page = self.parts.store.query(&query).await.map_err(store_failed)?;
            found.extend(page.documents);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// When a resource was made; none when it is not there.
    pub(crate) async fn resource_created(&self, arn: &str) -> Result<Option<stoa_types::Timestamp>, ApiError> {
        for source in &self.parts.resources {
            if let Some(created) = source.resource_created(arn).await? {
                return Ok(Some(created));
            }
        }
        Ok(None)
    }

    /// Whether sharing within the organization is enabled.
    pub(crate) async fn organization_shares(&self) -> Result<bool, ApiError> {
        self.parts.organization.trusts_service(PRINCIPAL).await
    }

    /// An ARN of RAM's in the caller's account and region.
    pub(crate) fn arn(cx: &Cx, resource: &str) -> String {
        cx.arn("ram", resource)
    }
}
