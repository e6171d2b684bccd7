//! The licences of gated models, for whoever records that one was accepted. Implemented by the hub service.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ApiError, Cx};

/// The text that a consent is to: of this model and no other, whatever hubs call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceText {
    /// The model's id in the public hub.
    pub model: String,
    /// The SHA-256 of the text, lower-case hex.
    pub digest: String,
}

/// Finds licences.
#[async_trait]
pub trait Licences: Send + Sync {
    /// The licence of the latest version of what a hub calls by this name (a content's, or a repository's). The caller
    /// must be allowed to describe it; `ValidationException` where it is not gated.
    async fn licence(&self, cx: &Cx, hub_arn: &str, name: &str) -> Result<LicenceText, ApiError>;
}
