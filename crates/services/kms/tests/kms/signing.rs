//! Signatures, MACs, shared secrets.

use crate::support::*;
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;

fn sign(key: &KeyMetadata, message: &[u8], algorithm: SigningAlgorithmSpec, kind: Option<MessageType>) -> SignRequest {
    SignRequest {
        key_id: key.key_id.clone(),
        message: message.to_vec().into(),
        message_type: kind,
        grant_tokens: None,
        signing_algorithm: algorithm,
        dry_run: None,
    }
}

#[tokio::test]
async fn what_is_signed_verifies_and_nothing_else() {
    let world = world().await;
    let admin = world.admin();
    for (spec, algorithms) in [
        (KeySpec::Rsa2048, vec![SigningAlgorithmSpec::RsassaPssSha256, SigningAlgorithmSpec::RsassaPkcs1V15Sha512]),
        (KeySpec::EccNistP521, vec![SigningAlgorithmSpec::EcdsaSha512]),
    ] {
        let key = world.key_of(&admin, spec, KeyUsageType::SignVerify).await;
        for algorithm in algorithms {
            let made = world.call::<op::Sign>(&admin, sign(&key, b"m", algorithm, None)).await.unwrap();
            assert_eq!((made.key_id, made.signing_algorithm), (key.arn.clone(), Some(algorithm)));
            let verify = VerifyRequest {
                key_id: key.key_id.clone(),
                message: b"m".to_vec().into(),
                message_type: Some(MessageType::Raw),
                signature: made.signature.unwrap(),
                signing_algorithm: algorithm,
                grant_tokens: None,
                dry_run: None,
            };
            let found = world.call::<op::Verify>(&admin, verify.clone()).await.unwrap();
            assert_eq!(found.signature_valid, Some(true));
            let other = VerifyRequest { message: b"n".to_vec().into(), ..verify.clone() };
            refused(world.call::<op::Verify>(&admin, other).await, "KMSInvalidSignatureException", "");
            let nonsense = VerifyRequest { signature: b"nonsense".to_vec().into(), ..verify };
            refused(world.call::<op::Verify>(&admin, nonsense).await, "KMSInvalidSignatureException", "");
        }
    }
}

#[tokio::test]
async fn digests_have_the_length_of_their_algorithm() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key_of(&admin, KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
    let algorithm = SigningAlgorithmSpec::EcdsaSha256;
    let request = sign(&key, &[1; 32], algorithm, Some(MessageType::Digest));
    world.call::<op::Sign>(&admin, request).await.unwrap();
    let request = sign(&key, &[1; 31], algorithm, Some(MessageType::Digest));
    let words = "Digest is invalid length for algorithm ECDSA_SHA_256.";
    refused(world.call::<op::Sign>(&admin, request).await, "ValidationException", words);
    let request = sign(&key, b"m", SigningAlgorithmSpec::EcdsaSha384, None);
    let words = "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.";
    refused(world.call::<op::Sign>(&admin, request).await, "InvalidKeyUsageException", words);
    let dry = SignRequest { dry_run: Some(true), ..sign(&key, b"m", algorithm, None) };
    refused(world.call::<op::Sign>(&admin, dry).await, "DryRunOperationException", "DryRun option is set");
}

#[tokio::test]
async fn macs_verify_and_altered_ones_do_not() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key_of(&admin, KeySpec::Hmac384, KeyUsageType::GenerateVerifyMac).await;
    let algorithm = MacAlgorithmSpec::HmacSha384;
    let request = GenerateMacRequest {
        message: b"m".to_vec().into(),
        key_id: key.key_id.clone(),
        mac_algorithm: algorithm,
        grant_tokens: None,
        dry_run: None,
    };
    let mac = world.call::<op::GenerateMac>(&admin, request.clone()).await.unwrap().mac.unwrap();
    assert_eq!(mac.len(), 48);
    let verify = VerifyMacRequest {
        message: b"m".to_vec().into(),
        key_id: key.key_id.clone(),
        mac_algorithm: algorithm,
        mac: mac.clone(),
        grant_tokens: None,
        dry_run: None,
    };
    assert_eq!(world.call::<op::VerifyMac>(&admin, verify.clone()).await.unwrap().mac_valid, Some(true));
    let mut altered = mac.to_vec();
    altered[0] ^= 1;
    let altered = VerifyMacRequest { mac: altered.into(), ..verify };
    refused(world.call::<op::VerifyMac>(&admin, altered).await, "KMSInvalidMacException", "");
    let other = GenerateMacRequest { mac_algorithm: MacAlgorithmSpec::HmacSha256, ..request };
    let words = "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_384.";
    refused(world.call::<op::GenerateMac>(&admin, other).await, "InvalidKeyUsageException", words);
}

#[tokio::test]
async fn two_keys_derive_one_secret() {
    let world = world().await;
    let admin = world.admin();
    let (one, two) = (
        world.key_of(&admin, KeySpec::EccNistP256, KeyUsageType::KeyAgreement).await,
        world.key_of(&admin, KeySpec::EccNistP256, KeyUsageType::KeyAgreement).await,
    );
    let mut secrets = Vec::new();
    for (own, other) in [(&one, &two), (&two, &one)] {
        let request = GetPublicKeyRequest { key_id: other.key_id.clone(), ..Default::default() };
        let public = world.call::<op::GetPublicKey>(&admin, request).await.unwrap();
        assert_eq!(public.key_agreement_algorithms, Some(vec![KeyAgreementAlgorithmSpec::Ecdh]));
        let request = DeriveSharedSecretRequest {
            key_id: own.key_id.clone(),
            key_agreement_algorithm: KeyAgreementAlgorithmSpec::Ecdh,
            public_key: public.public_key.unwrap(),
            grant_tokens: None,
            dry_run: None,
            recipient: None,
        };
        let derived = world.call::<op::DeriveSharedSecret>(&admin, request.clone()).await.unwrap();
        secrets.push(derived.shared_secret.unwrap());
        let nonsense = DeriveSharedSecretRequest { public_key: b"nonsense".to_vec().into(), ..request };
        refused(world.call::<op::DeriveSharedSecret>(&admin, nonsense).await, "ValidationException", "");
    }
    assert_eq!(secrets[0], secrets[1]);
}
