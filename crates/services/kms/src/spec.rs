//! What each kind of key is for and which algorithms it knows. Pure tables.

use stoa_kernel::ApiError;
use stoa_models_kms::types::{
    CustomerMasterKeySpec, DataKeyPairSpec, EncryptionAlgorithmSpec as Encryption, GrantOperation,
    KeyAgreementAlgorithmSpec as Agreement, KeySpec, KeyUsageType as Usage, MacAlgorithmSpec as MacAlgorithm,
    SigningAlgorithmSpec as Signing,
};

use crate::error::not_here;

const RSA_SIGNING: [Signing; 6] = [
    Signing::RsassaPkcs1V15Sha256,
    Signing::RsassaPkcs1V15Sha384,
    Signing::RsassaPkcs1V15Sha512,
    Signing::RsassaPssSha256,
    Signing::RsassaPssSha384,
    Signing::RsassaPssSha512,
];

/// The usages a key of this kind can have; an error names a kind that Stoa does not make.
pub(crate) fn usages(spec: KeySpec) -> Result<&'static [Usage], ApiError> {
    Ok(match spec {
        KeySpec::SymmetricDefault => &[Usage::EncryptDecrypt],
        KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => &[Usage::GenerateVerifyMac],
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => &[Usage::EncryptDecrypt, Usage::SignVerify],
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 => &[Usage::SignVerify, Usage::KeyAgreement],
        KeySpec::EccSecgP256k1 => &[Usage::SignVerify],
        other => return Err(not_here(&format!("KeySpec {}", other.as_str()))),
    })
}

/// `EncryptionAlgorithms`.
pub(crate) fn encryption_algorithms(spec: KeySpec, usage: Usage) -> &'static [Encryption] {
    match (spec, usage) {
        (KeySpec::SymmetricDefault, _) => &[Encryption::SymmetricDefault],
        (KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096, Usage::EncryptDecrypt) => {
            &[Encryption::RsaesOaepSha1, Encryption::RsaesOaepSha256]
        }
        _ => &[],
    }
}

/// `SigningAlgorithms`.
pub(crate) fn signing_algorithms(spec: KeySpec, usage: Usage) -> &'static [Signing] {
    match (spec, usage) {
        (KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096, Usage::SignVerify) => &RSA_SIGNING,
        (KeySpec::EccNistP256 | KeySpec::EccSecgP256k1, Usage::SignVerify) => &[Signing::EcdsaSha256],
        (KeySpec::EccNistP384, Usage::SignVerify) => &[Signing::EcdsaSha384],
        (KeySpec::EccNistP521, Usage::SignVerify) => &[Signing::EcdsaSha512],
        _ => &[],
    }
}

/// `MacAlgorithms`.
pub(crate) fn mac_algorithms(spec: KeySpec) -> &'static [MacAlgorithm] {
    match spec {
        KeySpec::Hmac224 => &[MacAlgorithm::HmacSha224],
        KeySpec::Hmac256 => &[MacAlgorithm::HmacSha256],
        KeySpec::Hmac384 => &[MacAlgorithm::HmacSha384],
        KeySpec::Hmac512 => &[MacAlgorithm::HmacSha512],
        _ => &[],
    }
}

/// `KeyAgreementAlgorithms`.
pub(crate) fn agreement_algorithms(usage: Usage) -> &'static [Agreement] {
    if usage == Usage::KeyAgreement { &[Agreement::Ecdh] } else { &[] }
}

/// Whether it is a pair of a private and a public key.
pub(crate) fn is_pair(spec: KeySpec) -> bool {
    spec != KeySpec::SymmetricDefault && mac_algorithms(spec).is_empty()
}

/// The operations that a grant on such a key can give.
pub(crate) fn grantable(spec: KeySpec, usage: Usage) -> &'static [GrantOperation] {
    use GrantOperation as Operation;
    match (spec, usage) {
        (KeySpec::SymmetricDefault, _) => &[
            Operation::Decrypt,
            Operation::Encrypt,
            Operation::GenerateDataKey,
            Operation::GenerateDataKeyWithoutPlaintext,
            Operation::GenerateDataKeyPair,
            Operation::GenerateDataKeyPairWithoutPlaintext,
            Operation::ReEncryptFrom,
            Operation::ReEncryptTo,
            Operation::CreateGrant,
            Operation::DescribeKey,
            Operation::RetireGrant,
        ],
        (_, Usage::EncryptDecrypt) => &[
            Operation::Decrypt,
            Operation::Encrypt,
            Operation::ReEncryptFrom,
            Operation::ReEncryptTo,
            Operation::GetPublicKey,
            Operation::CreateGrant,
            Operation::DescribeKey,
            Operation::RetireGrant,
        ],
        (_, Usage::SignVerify) => &[
            Operation::Sign,
            Operation::Verify,
            Operation::GetPublicKey,
            Operation::CreateGrant,
            Operation::DescribeKey,
            Operation::RetireGrant,
        ],
        (_, Usage::GenerateVerifyMac) => &[
            Operation::GenerateMac,
            Operation::VerifyMac,
            Operation::CreateGrant,
            Operation::DescribeKey,
            Operation::RetireGrant,
        ],
        (_, Usage::KeyAgreement) => &[
            Operation::DeriveSharedSecret,
            Operation::GetPublicKey,
            Operation::CreateGrant,
            Operation::DescribeKey,
            Operation::RetireGrant,
        ],
        _ => &[],
    }
}

/// The old name of a kind, which has all but the newest kinds.
pub(crate) fn old_name(spec: KeySpec) -> Option<CustomerMasterKeySpec> {
    spec.as_str().parse().ok()
}

/// The kind of a data key pair.
pub(crate) fn of_pair(spec: DataKeyPairSpec) -> Result<KeySpec, ApiError> {
    let found = spec.as_str().parse::<KeySpec>().map_err(ApiError::internal)?;
    usages(found).map_err(|_| not_here(&format!("KeyPairSpec {}", spec.as_str())))?;
    Ok(found)
}
