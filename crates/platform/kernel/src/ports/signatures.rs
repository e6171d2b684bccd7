//! Signatures under KMS keys, for services that must later know what they wrote. Implemented by KMS.

use async_trait::async_trait;

use crate::{ApiError, Cx};

/// A signature and what it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The ARN of the key.
    pub key_arn: String,
    /// KMS's name of the algorithm.
    pub algorithm: String,
    /// As KMS returns it.
    pub bytes: Vec<u8>,
}

/// Signing in the caller's name, and checking in nobody's.
#[async_trait]
pub trait Signatures: Send + Sync {
    /// Signs under a key (id, ARN, alias or alias ARN) for a service (`sagemaker`). `kms:Sign` is decided for the caller
    /// with `kms:ViaService`, and errors are KMS's own.
    async fn sign(&self, cx: &Cx, service: &str, key: &str, message: &[u8]) -> Result<Signature, ApiError>;
    /// Whether the signature is of this message. Nothing is decided: it takes the public half only. False also when the
    /// key is gone or is no signing key.
    async fn is_genuine(&self, signature: &Signature, message: &[u8]) -> Result<bool, ApiError>;
}
