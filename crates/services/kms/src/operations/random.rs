//! GenerateRandom.

use bytes::Bytes;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{GenerateRandomRequest, GenerateRandomResponse};
use zeroize::Zeroizing;

use super::no_recipient;
use crate::Kms;
use crate::error::not_here;

impl Handles<op::GenerateRandom> for Kms {
    async fn handle(
        &self,
        _cx: &Cx,
        input: Authorized<GenerateRandomRequest>,
    ) -> Result<GenerateRandomResponse, ApiError> {
        no_recipient(input.recipient.as_ref())?;
        if input.custom_key_store_id.is_some() {
            return Err(not_here("CustomKeyStoreId"));
        }
        let length = input.number_of_bytes.ok_or_else(|| ApiError::validation("NumberOfBytes is required."))?;
        let mut bytes = Zeroizing::new(vec![0; usize::try_from(length).map_err(ApiError::internal)?]);
        self.ids.fill(&mut bytes);
        Ok(GenerateRandomResponse { plaintext: Some(Bytes::copy_from_slice(&bytes)), ciphertext_for_recipient: None })
    }
}
