//! Decrypt: by the key that the request names, or else by the one that the ciphertext does.

use bytes::Bytes;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{DecryptRequest, DecryptResponse};

use super::{context, no_recipient, unless_dry};
use crate::Kms;
use crate::blob::Blob;
use crate::error::{invalid_ciphertext, not_found_key, not_here};
use crate::find::Found;
use crate::name::{Name, What};

impl Handles<op::Decrypt> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<DecryptRequest>) -> Result<DecryptResponse, ApiError> {
        let input = input.into_inner();
        no_recipient(input.recipient.as_ref())?;
        if input.dry_run_modifiers.is_some() {
            return Err(not_here("DryRunModifiers"));
        }
        let blob = input.ciphertext_blob.clone().ok_or_else(no_ciphertext)?;
        let found = match &input.key_id {
            Some(key) => self.key_for::<op::Decrypt>(cx, key, &input).await?,
            None => self.key_of_ciphertext(&blob).await?,
        };
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let algorithm = Kms::encrypts(found.record(), input.encryption_algorithm, "Decrypt")?;
        let context = context(input.encryption_context)?;
        let opened = self.decrypt_by(&found, algorithm, &context, &blob).await?;
        unless_dry(input.dry_run)?;
        Ok(DecryptResponse {
            key_id: Some(found.record().arn.clone()),
            plaintext: Some(Bytes::copy_from_slice(&opened.plaintext)),
            encryption_algorithm: Some(algorithm),
            ciphertext_for_recipient: None,
            key_material_id: opened.material_id,
        })
    }
}

/// AWS's refusal of a request without a ciphertext.
pub(super) fn no_ciphertext() -> ApiError {
    ApiError::validation(
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
    )
}

impl Kms {
    /// The key that a ciphertext names, which the targets have decided on: what it names cannot change.
    pub(super) async fn key_of_ciphertext(&self, blob: &Bytes) -> Result<Found, ApiError> {
        let header = Blob::read(blob).ok_or_else(invalid_ciphertext)?.header;
        let id = header.key_id.clone();
        let name = Name { account: header.account, region: header.region, what: What::Key(header.key_id) };
        self.find(name).await?.ok_or_else(|| not_found_key(&id))
    }
}
