//! DeriveSharedSecret.

use bytes::Bytes;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{DeriveSharedSecretRequest, DeriveSharedSecretResponse, KeyUsageType, OriginType};

use super::{no_recipient, unless_dry};
use crate::Kms;
use crate::crypto::{CryptoError, agree};
use crate::error::crypto_failed;
use crate::key::aside;

impl Handles<op::DeriveSharedSecret> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DeriveSharedSecretRequest>,
    ) -> Result<DeriveSharedSecretResponse, ApiError> {
        let input = input.into_inner();
        no_recipient(input.recipient.as_ref())?;
        let found = self.key_for::<op::DeriveSharedSecret>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let key = found.record();
        key.must_be_for(KeyUsageType::KeyAgreement, "DeriveSharedSecret")?;
        unless_dry(input.dry_run)?;
        let (spec, secret, other) = (key.spec, self.current_secret(key)?, input.public_key);
        let shared = aside(move || agree(spec, &secret, &other)).await?.map_err(|error| match error {
            // AWS adds no words to this one.
            CryptoError::Input => ApiError::validation(""),
            CryptoError::Material => crypto_failed(error),
        })?;
        Ok(DeriveSharedSecretResponse {
            key_id: Some(key.arn.clone()),
            shared_secret: Some(Bytes::copy_from_slice(&shared)),
            ciphertext_for_recipient: None,
            key_agreement_algorithm: Some(input.key_agreement_algorithm),
            key_origin: Some(OriginType::AwsKms),
        })
    }
}
