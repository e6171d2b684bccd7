//! Key material: made, sealed for its key and version, opened for one call.

use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_models_kms::types::{KeySpec, RotationType};
use stoa_types::Timestamp;
use zeroize::Zeroizing;

use crate::Kms;
use crate::crypto::{self, CryptoError, Generated};
use crate::error::crypto_failed;
use crate::state::{KeyRecord, Material};

/// What key material is sealed for.
const PURPOSE: &str = "stoa/kms/key-material/v1";

fn owner(arn: &str, version: u32) -> String {
    format!("{arn}#{version}")
}

/// Work on the processor that would hold up others: it runs on a thread of its own.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CryptoError> + Send + 'static,
) -> Result<Result<T, CryptoError>, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)
}

impl Kms {
    /// Fresh material of a kind.
    pub(crate) async fn generate(&self, spec: KeySpec) -> Result<Generated, ApiError> {
        let ids = Arc::clone(&self.ids);
        aside(move || crypto::generate(spec, &*ids)).await?.map_err(crypto_failed)
    }

    /// Material in the form that is stored.
    pub(crate) fn sealed_material(
        &self,
        arn: &str,
        version: u32,
        secret: &[u8],
        rotation: Option<RotationType>,
        now: Timestamp,
    ) -> Result<Material, ApiError> {
        let mut id = [0_u8; 32];
        self.ids.fill(&mut id);
        let sealed = self.key.seal(PURPOSE, &owner(arn, version), secret, &*self.ids).map_err(ApiError::internal)?;
        Ok(Material { version, id: hex::encode(id), created: now, sealed, rotation })
    }

    /// The secret of a key's material.
    pub(crate) fn open_material(&self, key: &KeyRecord, material: &Material) -> Result<Zeroizing<Vec<u8>>, ApiError> {
        self.key.open(PURPOSE, &owner(&key.arn, material.version), &material.sealed).map_err(ApiError::internal)
    }

    /// The secret that encrypts, signs or makes MACs now.
    pub(crate) fn current_secret(&self, key: &KeyRecord) -> Result<Zeroizing<Vec<u8>>, ApiError> {
        let current = key.current().ok_or_else(|| crypto_failed(CryptoError::Material))?;
        self.open_material(key, current)
    }
}
