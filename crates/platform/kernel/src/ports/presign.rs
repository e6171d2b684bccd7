//! Makes URLs that work without credentials for a while. Wired in `app` from the signer and a service credential.

use async_trait::async_trait;

use crate::{ApiError, Cx};

/// The service principal in whose name these URLs are signed. The rules of derived buckets
/// ([`ObjectSource::check_read`](super::ObjectSource::check_read)) let it read gated content: a URL is only made after
/// the caller's consent was checked. What is under a KMS key it opens only by a grant, in the name of who asked for it.
pub const PRESIGNING_PRINCIPAL: &str = "sagemaker.amazonaws.com";

/// The session key of a principal that came by a URL with a grant; its value is the grant's name.
pub const GRANT_KEY: &str = "stoa:PresignedGrant";

/// Presigned GETs of objects.
#[async_trait]
pub trait PresignObject: Send + Sync {
    /// A URL that reads the object once or often until `expires_seconds` from now, as the caller can reach this server
    /// (`cx.connection.base_url`), signed for `cx.region` in the name of [`PRESIGNING_PRINCIPAL`].
    async fn presign_get(&self, cx: &Cx, bucket: &str, key: &str, expires_seconds: u32) -> Result<String, ApiError>;
    /// The same, for a download that is decided again each time: the URL carries the name of a grant, which the request
    /// then has in the session key [`GRANT_KEY`] of its principal.
    async fn presign_granted(
        &self,
        cx: &Cx,
        bucket: &str,
        key: &str,
        expires_seconds: u32,
        grant: &str,
    ) -> Result<String, ApiError>;
}
