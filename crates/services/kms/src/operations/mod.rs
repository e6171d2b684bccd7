//! The cryptographic operations. Each finds its key, holds it to its state and usage, and works on its material.

mod agree;
mod data_key;
mod data_key_pair;
mod decrypt;
mod encrypt;
mod mac;
mod random;
mod re_encrypt;
pub(crate) mod sign;
mod symmetric;

use stoa_kernel::ApiError;

use crate::blob::EncryptionContext;
use crate::error::{dry_run, not_here};

pub(crate) use symmetric::Encrypted;

/// AWS's limit for an encryption context.
const MAX_CONTEXT: usize = 8192;

/// The encryption context of a request, within its limit.
pub(crate) fn context(given: Option<EncryptionContext>) -> Result<EncryptionContext, ApiError> {
    let context = given.unwrap_or_default();
    let size: usize = context.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_CONTEXT {
        return Err(ApiError::validation(format!("The encryption context is larger than {MAX_CONTEXT} bytes.")));
    }
    Ok(context)
}

/// Ends a request that only asks whether it would have succeeded.
pub(crate) fn unless_dry(dry: Option<bool>) -> Result<(), ApiError> {
    if dry == Some(true) { Err(dry_run()) } else { Ok(()) }
}

/// Refuses an answer for an attested enclave.
pub(crate) fn no_recipient<T>(recipient: Option<&T>) -> Result<(), ApiError> {
    if recipient.is_some() { Err(not_here("Recipient (attestation)")) } else { Ok(()) }
}
