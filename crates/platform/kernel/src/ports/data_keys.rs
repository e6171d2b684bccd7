//! Data keys under KMS keys, for services that encrypt what they store. Implemented by KMS.

use std::collections::BTreeMap;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{ApiError, Cx};

/// Which key, through which service.
#[derive(Debug, Clone, Copy)]
pub struct DataKeyCall<'a> {
    /// The service's endpoint name, `s3`: it becomes `kms:ViaService` (`s3.us-west-2.amazonaws.com`).
    pub service: &'a str,
    /// Id, ARN, alias or alias ARN of the key; none for the service's AWS managed key, made when it is first used.
    pub key: Option<&'a str>,
    /// The encryption context: the same for decryption.
    pub context: &'a BTreeMap<String, String>,
}

/// A fresh data key. `Debug` shows no secret.
pub struct DataKey {
    /// The ARN of the key it is under.
    pub key_arn: String,
    /// Thirty-two bytes to encrypt with.
    pub plaintext: Zeroizing<Vec<u8>>,
    /// The same under the key: to be stored.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "DataKey({})", self.key_arn)
    }
}

/// Data keys in the caller's name: key policy, grants and the caller's own policies decide each call, and its errors are
/// KMS's own (`AccessDeniedException`, `NotFoundException`, `DisabledException`, `KMSInvalidStateException`).
#[async_trait]
pub trait DataKeys: Send + Sync {
    /// The ARN of the key that a call means. Nothing is decided: for answers that name the key.
    async fn key_arn(&self, cx: &Cx, call: &DataKeyCall<'_>) -> Result<String, ApiError>;
    /// A fresh data key (`kms:GenerateDataKey`).
    async fn generate_data_key(&self, cx: &Cx, call: &DataKeyCall<'_>) -> Result<DataKey, ApiError>;
    /// The data key in a ciphertext (`kms:Decrypt`). `call.key` does not matter: the ciphertext names its key.
    async fn decrypt_data_key(
        &self,
        cx: &Cx,
        call: &DataKeyCall<'_>,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ApiError>;
}
