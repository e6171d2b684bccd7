//! The service: its ports.

use std::fmt;
use std::sync::Arc;

use stoa_audit::{AuditError, Journal};
use stoa_kernel::ApiError;
use stoa_kernel::ports::{HubContents, ObjectSource, PolicyInsight, ResourceTags};
use stoa_store::PageTokens;

/// What the service is made of.
#[derive(Clone)]
pub struct InsightParts {
    /// Policies and principals.
    pub policies: Arc<dyn PolicyInsight>,
    /// What hubs hold.
    pub hubs: Arc<dyn HubContents>,
    /// Whose a bucket is: its ARN does not say.
    pub buckets: Arc<dyn ObjectSource>,
    /// Tags of resources.
    pub tags: Arc<dyn ResourceTags>,
    /// Calls of the past.
    pub journal: Arc<dyn Journal>,
    /// The installation's page tokens.
    pub tokens: PageTokens,
}

/// Answers an auditor's questions.
pub struct Insight {
    pub(crate) parts: InsightParts,
}

impl fmt::Debug for Insight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Insight")
    }
}

impl Insight {
    /// The service over its ports.
    pub fn new(parts: InsightParts) -> Insight {
        Insight { parts }
    }
}

/// The journal could not be read.
pub(crate) fn journal_failed(cause: AuditError) -> ApiError {
    ApiError::unavailable("the audit journal cannot be read").with_cause(cause)
}
