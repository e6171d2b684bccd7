//! Encrypt.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{EncryptRequest, EncryptResponse};

use super::{context, unless_dry};
use crate::Kms;

impl Handles<op::Encrypt> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<EncryptRequest>) -> Result<EncryptResponse, ApiError> {
        let input = input.into_inner();
        let found = self.key_for::<op::Encrypt>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let algorithm = Kms::encrypts(found.record(), input.encryption_algorithm, "Encrypt")?;
        let context = context(input.encryption_context)?;
        unless_dry(input.dry_run)?;
        let made = self.encrypt_by(&found, algorithm, &context, &input.plaintext).await?;
        Ok(EncryptResponse {
            ciphertext_blob: Some(made.ciphertext.into()),
            key_id: Some(found.record().arn.clone()),
            encryption_algorithm: Some(algorithm),
        })
    }
}
