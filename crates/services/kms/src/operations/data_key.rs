//! GenerateDataKey and GenerateDataKeyWithoutPlaintext.

use bytes::Bytes;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    DataKeySpec, EncryptionAlgorithmSpec, GenerateDataKeyRequest, GenerateDataKeyResponse,
    GenerateDataKeyWithoutPlaintextRequest, GenerateDataKeyWithoutPlaintextResponse,
};
use zeroize::Zeroizing;

use super::{Encrypted, context, no_recipient, unless_dry};
use crate::Kms;
use crate::blob::EncryptionContext;
use crate::find::Found;

/// A data key in both forms.
pub(crate) struct DataKey {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    pub(crate) encrypted: Encrypted,
}

fn length(spec: Option<DataKeySpec>, bytes: Option<i64>) -> Result<usize, ApiError> {
    match (spec, bytes) {
        (Some(DataKeySpec::Aes256), None) => Ok(32),
        (Some(DataKeySpec::Aes128), None) => Ok(16),
        (None, Some(bytes)) => usize::try_from(bytes).map_err(ApiError::internal),
        _ => Err(ApiError::validation("Please specify either number of bytes or key spec.")),
    }
}

impl Kms {
    /// Fresh random bytes, and the same under the key.
    pub(crate) async fn data_key(
        &self,
        found: &Found,
        length: usize,
        context: &EncryptionContext,
    ) -> Result<DataKey, ApiError> {
        let mut plaintext = Zeroizing::new(vec![0; length]);
        self.ids.fill(&mut plaintext);
        let algorithm = EncryptionAlgorithmSpec::SymmetricDefault;
        let encrypted = self.encrypt_by(found, algorithm, context, &plaintext).await?;
        Ok(DataKey { plaintext, encrypted })
    }
}

impl Handles<op::GenerateDataKey> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GenerateDataKeyRequest>,
    ) -> Result<GenerateDataKeyResponse, ApiError> {
        let input = input.into_inner();
        no_recipient(input.recipient.as_ref())?;
        let length = length(input.key_spec, input.number_of_bytes)?;
        let found = self.key_for::<op::GenerateDataKey>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        Kms::encrypts(found.record(), None, "GenerateDataKey")?;
        let context = context(input.encryption_context)?;
        unless_dry(input.dry_run)?;
        let made = self.data_key(&found, length, &context).await?;
        Ok(GenerateDataKeyResponse {
            ciphertext_blob: Some(made.encrypted.ciphertext.into()),
            plaintext: Some(Bytes::copy_from_slice(&made.plaintext)),
            key_id: Some(found.record().arn.clone()),
            ciphertext_for_recipient: None,
            key_material_id: made.encrypted.material_id,
        })
    }
}

impl Handles<op::GenerateDataKeyWithoutPlaintext> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GenerateDataKeyWithoutPlaintextRequest>,
    ) -> Result<GenerateDataKeyWithoutPlaintextResponse, ApiError> {
        let input = input.into_inner();
        let length = length(input.key_spec, input.number_of_bytes)?;
        let found = self.key_for::<op::GenerateDataKeyWithoutPlaintext>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        Kms::encrypts(found.record(), None, "GenerateDataKeyWithoutPlaintext")?;
        let context = context(input.encryption_context)?;
        unless_dry(input.dry_run)?;
        let made = self.data_key(&found, length, &context).await?;
        Ok(GenerateDataKeyWithoutPlaintextResponse {
            ciphertext_blob: Some(made.encrypted.ciphertext.into()),
            key_id: Some(found.record().arn.clone()),
            key_material_id: made.encrypted.material_id,
        })
    }
}
