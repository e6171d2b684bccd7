//! GenerateMac and VerifyMac.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    GenerateMacRequest, GenerateMacResponse, KeyUsageType, MacAlgorithmSpec, VerifyMacRequest, VerifyMacResponse,
};

use super::unless_dry;
use crate::Kms;
use crate::crypto::{mac, mac_matches};
use crate::error::{crypto_failed, invalid_algorithm, refused};
use crate::spec::mac_algorithms;
use crate::state::KeyRecord;

/// Holds a key to MACs by this algorithm.
fn makes_macs(key: &KeyRecord, algorithm: MacAlgorithmSpec, operation: &str) -> Result<(), ApiError> {
    key.must_be_for(KeyUsageType::GenerateVerifyMac, operation)?;
    if !mac_algorithms(key.spec).contains(&algorithm) {
        return Err(invalid_algorithm(algorithm.as_str(), key.spec.as_str()));
    }
    Ok(())
}

impl Handles<op::GenerateMac> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<GenerateMacRequest>) -> Result<GenerateMacResponse, ApiError> {
        let input = input.into_inner();
        let found = self.key_for::<op::GenerateMac>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let (key, algorithm) = (found.record(), input.mac_algorithm);
        makes_macs(key, algorithm, "GenerateMac")?;
        unless_dry(input.dry_run)?;
        let made = mac(algorithm, &self.current_secret(key)?, &input.message).map_err(crypto_failed)?;
        Ok(GenerateMacResponse {
            mac: Some(made.into()),
            mac_algorithm: Some(algorithm),
            key_id: Some(key.arn.clone()),
        })
    }
}

impl Handles<op::VerifyMac> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<VerifyMacRequest>) -> Result<VerifyMacResponse, ApiError> {
        let input = input.into_inner();
        let found = self.key_for::<op::VerifyMac>(cx, &input.key_id, &input).await?;
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let (key, algorithm) = (found.record(), input.mac_algorithm);
        makes_macs(key, algorithm, "VerifyMac")?;
        unless_dry(input.dry_run)?;
        let genuine = mac_matches(algorithm, &self.current_secret(key)?, &input.message, &input.mac);
        if !genuine.map_err(crypto_failed)? {
            return Err(refused("KMSInvalidMacException", ""));
        }
        Ok(VerifyMacResponse { key_id: Some(key.arn.clone()), mac_valid: Some(true), mac_algorithm: Some(algorithm) })
    }
}
