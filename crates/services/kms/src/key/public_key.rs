//! GetPublicKey.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{GetPublicKeyRequest, GetPublicKeyResponse};

use super::some;
use crate::Kms;
use crate::crypto::CryptoError;
use crate::error::crypto_failed;
use crate::spec::{agreement_algorithms, encryption_algorithms, old_name, signing_algorithms};
use crate::state::KeyRecord;

impl KeyRecord {
    /// SubjectPublicKeyInfo in DER.
    pub(crate) fn public_der(&self) -> Result<Vec<u8>, ApiError> {
        let text = self.public_key.as_ref().ok_or_else(|| crypto_failed(CryptoError::Material))?;
        STANDARD.decode(text).map_err(ApiError::internal)
    }
}

impl Handles<op::GetPublicKey> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<GetPublicKeyRequest>) -> Result<GetPublicKeyResponse, ApiError> {
        let input = input.into_inner();
        let found = self.key_for::<op::GetPublicKey>(cx, &input.key_id, &input).await?;
        let key = found.record();
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        key.must_be_enabled()?;
        key.must_be_pair("GetPublicKey")?;
        Ok(GetPublicKeyResponse {
            key_id: Some(key.arn.clone()),
            public_key: Some(key.public_der()?.into()),
            customer_master_key_spec: old_name(key.spec),
            key_spec: Some(key.spec),
            key_usage: Some(key.usage),
            encryption_algorithms: some(encryption_algorithms(key.spec, key.usage)),
            signing_algorithms: some(signing_algorithms(key.spec, key.usage)),
            key_agreement_algorithms: some(agreement_algorithms(key.usage)),
            encapsulation_algorithms: None,
        })
    }
}
