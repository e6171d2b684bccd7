//! GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext.

use bytes::Bytes;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    DataKeyPairSpec, EncryptionAlgorithmSpec, GenerateDataKeyPairRequest, GenerateDataKeyPairResponse,
    GenerateDataKeyPairWithoutPlaintextRequest, GenerateDataKeyPairWithoutPlaintextResponse,
};
use zeroize::Zeroizing;

use super::{Encrypted, context, no_recipient, unless_dry};
use crate::Kms;
use crate::blob::EncryptionContext;
use crate::crypto::CryptoError;
use crate::error::crypto_failed;
use crate::find::Found;
use crate::spec::of_pair;

struct Pair {
    secret: Zeroizing<Vec<u8>>,
    public: Vec<u8>,
    encrypted: Encrypted,
}

impl Kms {
    async fn data_key_pair(
        &self,
        found: &Found,
        spec: DataKeyPairSpec,
        context: &EncryptionContext,
    ) -> Result<Pair, ApiError> {
        let made = self.generate(of_pair(spec)?).await?;
        let public = made.public.ok_or_else(|| crypto_failed(CryptoError::Material))?;
        let algorithm = EncryptionAlgorithmSpec::SymmetricDefault;
        let encrypted = self.encrypt_by(found, algorithm, context, &made.secret).await?;
        Ok(Pair { secret: made.secret, public, encrypted })
    }
}

impl Handles<op::GenerateDataKeyPair> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GenerateDataKeyPairRequest>,
    ) -> Result<GenerateDataKeyPairResponse, ApiError> {
        let input = input.into_inner();
        no_recipient(input.recipient.as_ref())?;
        let found = self.key_for::<op::GenerateDataKeyPair>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        Kms::encrypts(found.record(), None, "GenerateDataKeyPair")?;
        of_pair(input.key_pair_spec)?;
        let context = context(input.encryption_context)?;
        unless_dry(input.dry_run)?;
        let made = self.data_key_pair(&found, input.key_pair_spec, &context).await?;
        Ok(GenerateDataKeyPairResponse {
            private_key_ciphertext_blob: Some(made.encrypted.ciphertext.into()),
            private_key_plaintext: Some(Bytes::copy_from_slice(&made.secret)),
            public_key: Some(made.public.into()),
            key_id: Some(found.record().arn.clone()),
            key_pair_spec: Some(input.key_pair_spec),
            ciphertext_for_recipient: None,
            key_material_id: made.encrypted.material_id,
        })
    }
}

impl Handles<op::GenerateDataKeyPairWithoutPlaintext> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GenerateDataKeyPairWithoutPlaintextRequest>,
    ) -> Result<GenerateDataKeyPairWithoutPlaintextResponse, ApiError> {
        let input = input.into_inner();
        let found = self.key_for::<op::GenerateDataKeyPairWithoutPlaintext>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        Kms::encrypts(found.record(), None, "GenerateDataKeyPairWithoutPlaintext")?;
        of_pair(input.key_pair_spec)?;
        let context = context(input.encryption_context)?;
        unless_dry(input.dry_run)?;
        let made = self.data_key_pair(&found, input.key_pair_spec, &context).await?;
        Ok(GenerateDataKeyPairWithoutPlaintextResponse {
            private_key_ciphertext_blob: Some(made.encrypted.ciphertext.into()),
            public_key: Some(made.public.into()),
            key_id: Some(found.record().arn.clone()),
            key_pair_spec: Some(input.key_pair_spec),
            key_material_id: made.encrypted.material_id,
        })
    }
}
