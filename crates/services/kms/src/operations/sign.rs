//! Sign and Verify.

use std::sync::Arc;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    KeyUsageType, MessageType, SignRequest, SignResponse, SigningAlgorithmSpec, VerifyRequest, VerifyResponse,
};

use super::unless_dry;
use crate::Kms;
use crate::crypto::{digest, digest_length, sign, verify};
use crate::error::{crypto_failed, invalid_algorithm, refused, unsupported};
use crate::key::aside;
use crate::spec::signing_algorithms;
use crate::state::KeyRecord;

/// Holds a key to signatures by this algorithm.
pub(crate) fn signs(key: &KeyRecord, algorithm: SigningAlgorithmSpec, operation: &str) -> Result<(), ApiError> {
    key.must_be_for(KeyUsageType::SignVerify, operation)?;
    if !signing_algorithms(key.spec, key.usage).contains(&algorithm) {
        return Err(invalid_algorithm(algorithm.as_str(), key.spec.as_str()));
    }
    Ok(())
}

/// The digest that is signed: of the message, or the message itself.
fn signed_digest(
    algorithm: SigningAlgorithmSpec,
    kind: Option<MessageType>,
    message: &[u8],
) -> Result<Vec<u8>, ApiError> {
    match kind.unwrap_or(MessageType::Raw) {
        MessageType::Raw => Ok(digest(algorithm, message)),
        MessageType::Digest if message.len() == digest_length(algorithm) => Ok(message.to_vec()),
        MessageType::Digest => {
            let algorithm = algorithm.as_str();
            Err(ApiError::validation(format!("Digest is invalid length for algorithm {algorithm}.")))
        }
        other => Err(unsupported(format!("MessageType {} is not valid for this algorithm.", other.as_str()))),
    }
}

impl Handles<op::Sign> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<SignRequest>) -> Result<SignResponse, ApiError> {
        let input = input.into_inner();
        let found = self.key_for::<op::Sign>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let (key, algorithm) = (found.record(), input.signing_algorithm);
        signs(key, algorithm, "Sign")?;
        let digest = signed_digest(algorithm, input.message_type, &input.message)?;
        unless_dry(input.dry_run)?;
        let (spec, secret, ids) = (key.spec, self.current_secret(key)?, Arc::clone(&self.ids));
        let signature = aside(move || sign(spec, algorithm, &secret, &digest, &*ids)).await?;
        Ok(SignResponse {
            key_id: Some(key.arn.clone()),
            signature: Some(signature.map_err(crypto_failed)?.into()),
            signing_algorithm: Some(algorithm),
        })
    }
}

impl Handles<op::Verify> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<VerifyRequest>) -> Result<VerifyResponse, ApiError> {
        let input = input.into_inner();
        let found = self.key_for::<op::Verify>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let (key, algorithm) = (found.record(), input.signing_algorithm);
        signs(key, algorithm, "Verify")?;
        let digest = signed_digest(algorithm, input.message_type, &input.message)?;
        unless_dry(input.dry_run)?;
        let (spec, public, signature) = (key.spec, key.public_der()?, input.signature);
        let genuine = aside(move || verify(spec, algorithm, &public, &digest, &signature)).await?;
        if !genuine.map_err(crypto_failed)? {
            return Err(refused("KMSInvalidSignatureException", ""));
        }
        Ok(VerifyResponse {
            key_id: Some(key.arn.clone()),
            signature_valid: Some(true),
            signing_algorithm: Some(algorithm),
        })
    }
}
