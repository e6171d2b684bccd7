//! Encryption and decryption by key, for the operations that are made of them. The key has been decided on.

use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_models_kms::types::{EncryptionAlgorithmSpec as Algorithm, KeySpec, KeyUsageType};
use zeroize::Zeroizing;

use crate::Kms;
use crate::blob::{Blob, EncryptionContext, Header, encrypt};
use crate::crypto::{longest_plaintext, rsa_decrypt, rsa_encrypt};
use crate::error::{crypto_failed, invalid_algorithm, invalid_ciphertext, not_found_key, refused};
use crate::find::Found;
use crate::key::aside;
use crate::spec::encryption_algorithms;
use crate::state::KeyRecord;

/// A ciphertext, and the material that made it.
pub(crate) struct Encrypted {
    pub(crate) ciphertext: Vec<u8>,
    pub(crate) material_id: Option<String>,
}

/// A plaintext, and the material that its ciphertext was made with.
pub(crate) struct Decrypted {
    pub(crate) plaintext: Zeroizing<Vec<u8>>,
    pub(crate) material_id: Option<String>,
}

impl Kms {
    /// Holds a key to encryption by this algorithm (the symmetric one where none is named).
    pub(crate) fn encrypts(
        key: &KeyRecord,
        algorithm: Option<Algorithm>,
        operation: &str,
    ) -> Result<Algorithm, ApiError> {
        key.must_be_for(KeyUsageType::EncryptDecrypt, operation)?;
        let algorithm = algorithm.unwrap_or(Algorithm::SymmetricDefault);
        if !encryption_algorithms(key.spec, key.usage).contains(&algorithm) {
            return Err(invalid_algorithm(algorithm.as_str(), key.spec.as_str()));
        }
        Ok(algorithm)
    }

    /// Encrypts under the key's newest material.
    pub(crate) async fn encrypt_by(
        &self,
        found: &Found,
        algorithm: Algorithm,
        context: &EncryptionContext,
        plaintext: &[u8],
    ) -> Result<Encrypted, ApiError> {
        let key = found.record();
        if key.spec != KeySpec::SymmetricDefault {
            return self.encrypt_to_pair(key, algorithm, context, plaintext).await;
        }
        let material = key.current().ok_or_else(|| not_found_key(&key.arn))?;
        let secret = self.open_material(key, material)?;
        let header = Header {
            account: found.name.account.clone(),
            region: found.name.region.clone(),
            key_id: key.id.clone(),
            material: material.version,
        };
        let ciphertext = encrypt(&secret, &header, context, plaintext, &*self.ids).map_err(crypto_failed)?;
        Ok(Encrypted { ciphertext, material_id: Some(material.id.clone()) })
    }

    async fn encrypt_to_pair(
        &self,
        key: &KeyRecord,
        algorithm: Algorithm,
        context: &EncryptionContext,
        plaintext: &[u8],
    ) -> Result<Encrypted, ApiError> {
        no_context(key, context)?;
        if let Some(longest) = longest_plaintext(key.spec, algorithm).filter(|longest| plaintext.len() > *longest) {
            return Err(ApiError::validation(format!(
                "Algorithm {} and key spec {} cannot encrypt data larger than {longest} bytes.",
                algorithm.as_str(),
                key.spec.as_str()
            )));
        }
        let (public, ids) = (key.public_der()?, Arc::clone(&self.ids));
        let plaintext = Zeroizing::new(plaintext.to_vec());
        let made = aside(move || rsa_encrypt(algorithm, &public, &plaintext, &*ids)).await?;
        Ok(Encrypted { ciphertext: made.map_err(crypto_failed)?, material_id: None })
    }

    /// Decrypts what was encrypted under any of the key's materials.
    pub(crate) async fn decrypt_by(
        &self,
        found: &Found,
        algorithm: Algorithm,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Result<Decrypted, ApiError> {
        let key = found.record();
        if key.spec != KeySpec::SymmetricDefault {
            return self.decrypt_by_pair(key, algorithm, context, ciphertext).await;
        }
        let blob = Blob::read(ciphertext).ok_or_else(invalid_ciphertext)?;
        let owner = &found.name;
        if blob.header.key_id != key.id || blob.header.account != owner.account || blob.header.region != owner.region {
            return Err(refused(
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this operation.",
            ));
        }
        let material = key.material(blob.header.material).ok_or_else(invalid_ciphertext)?;
        let secret = self.open_material(key, material)?;
        let plaintext = blob.decrypt(&secret, context).ok_or_else(invalid_ciphertext)?;
        Ok(Decrypted { plaintext, material_id: Some(material.id.clone()) })
    }

    async fn decrypt_by_pair(
        &self,
        key: &KeyRecord,
        algorithm: Algorithm,
        context: &EncryptionContext,
        ciphertext: &[u8],
    ) -> Result<Decrypted, ApiError> {
        no_context(key, context)?;
        let (secret, ids, ciphertext) = (self.current_secret(key)?, Arc::clone(&self.ids), ciphertext.to_vec());
        let opened = aside(move || rsa_decrypt(algorithm, &secret, &ciphertext, &*ids)).await?;
        let plaintext = opened.map_err(|_| invalid_ciphertext())?;
        Ok(Decrypted { plaintext, material_id: None })
    }
}

fn no_context(key: &KeyRecord, context: &EncryptionContext) -> Result<(), ApiError> {
    if context.is_empty() {
        return Ok(());
    }
    Err(ApiError::validation(format!("An encryption context is not valid for keys of key spec {}.", key.spec.as_str())))
}
