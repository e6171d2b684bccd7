//! Resources that other accounts share with the caller's. Implemented by RAM.

use async_trait::async_trait;

use crate::{ApiError, Cx};

/// What is shared with an account.
#[async_trait]
pub trait SharedResources: Send + Sync {
    /// The ARNs of the resources of this type (`sagemaker:Hub`) in the region of the call that others share with the
    /// caller's account, in order, each once. Whether the caller may use them is decided as ever.
    async fn shared_with(&self, cx: &Cx, kind: &str) -> Result<Vec<String>, ApiError>;
}
