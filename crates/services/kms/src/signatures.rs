//! Signatures for other services: made in the caller's name and through the service, checked with the public half alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ports::{DataKeyCall, Signature, Signatures};
use stoa_kernel::{ApiError, Cx};
use stoa_types::Arn;

use crate::Kms;
use crate::crypto::{digest, sign, verify};
use crate::error::{crypto_failed, unsupported};
use crate::key::aside;
use crate::name::{Name, What};
use crate::operations::sign::signs;
use crate::spec::signing_algorithms;

#[async_trait]
impl Signatures for Kms {
    async fn sign(&self, cx: &Cx, service: &str, key: &str, message: &[u8]) -> Result<Signature, ApiError> {
        let context = BTreeMap::new();
        let call = DataKeyCall { service, key: Some(key), context: &context };
        let found = self.key_of_call(cx, &call).await?;
        self.decide_via(cx, "Sign", &found, &call).await?;
        let record = found.record();
        let algorithm = signing_algorithms(record.spec, record.usage).first().copied().ok_or_else(|| {
            unsupported(format!("{} is no key to sign with: its KeyUsage must be SIGN_VERIFY.", record.arn))
        })?;
        signs(record, algorithm, "Sign")?;
        let hash = digest(algorithm, message);
        let (spec, secret, ids) = (record.spec, self.current_secret(record)?, Arc::clone(&self.ids));
        let made = aside(move || sign(spec, algorithm, &secret, &hash, &*ids)).await?;
        Ok(Signature {
            key_arn: record.arn.clone(),
            algorithm: algorithm.as_str().to_owned(),
            bytes: made.map_err(crypto_failed)?,
        })
    }

    async fn is_genuine(&self, signature: &Signature, message: &[u8]) -> Result<bool, ApiError> {
        let Some(name) = key_named(&signature.key_arn) else { return Ok(false) };
        let Some(found) = self.find(name).await? else { return Ok(false) };
        let record = found.record();
        let Ok(algorithm) = signature.algorithm.parse() else { return Ok(false) };
        if !signing_algorithms(record.spec, record.usage).contains(&algorithm) {
            return Ok(false);
        }
        let hash = digest(algorithm, message);
        let (spec, public, bytes) = (record.spec, record.public_der()?, signature.bytes.clone());
        // A signature that cannot even be read is none.
        Ok(aside(move || verify(spec, algorithm, &public, &hash, &bytes)).await?.unwrap_or(false))
    }
}

/// The key of a key ARN, whoever asks.
fn key_named(arn: &str) -> Option<Name> {
    let arn: Arn = arn.parse().ok()?;
    let id = arn.resource().strip_prefix("key/").filter(|_| arn.service() == "kms")?;
    Some(Name {
        account: arn.account().parse().ok()?,
        region: arn.region().parse().ok()?,
        what: What::Key(id.to_owned()),
    })
}
