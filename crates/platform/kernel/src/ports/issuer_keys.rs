//! Finds the signing keys of OpenID Connect issuers: pinned by the operator, or fetched from the issuer.

use std::sync::Arc;

use async_trait::async_trait;

/// Why an issuer's keys cannot be had. The text is shown to callers, so it names the issuer and no address of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IssuerKeysError(pub String);

/// Where the keys of issuers come from.
#[async_trait]
pub trait IssuerKeys: Send + Sync {
    /// The JWK set of the issuer (`https://host/path`), as it was published. `thumbprints` are the SHA-1 thumbprints, in
    /// lower-case hexadecimal, of certificates that vouch for its server where no trusted authority does. `fresh` asks
    /// for a newer one than the last, because a token names a key that it did not have.
    async fn key_set(&self, issuer: &str, thumbprints: &[String], fresh: bool) -> Result<Arc<[u8]>, IssuerKeysError>;

    /// The thumbprint of the topmost certificate that the issuer's server shows.
    async fn thumbprint(&self, issuer: &str) -> Result<String, IssuerKeysError>;
}
