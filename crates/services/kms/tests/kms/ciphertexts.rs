//! Encryption, data keys and re-encryption.

use crate::support::*;
use stoa_models_kms::operations as op;
use stoa_models_kms::types::*;

const INCORRECT: &str = "The key ID in the request does not identify a CMK that can perform this operation.";

#[tokio::test]
async fn a_ciphertext_names_its_key_and_is_bound_to_its_context() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let blob = world.encrypt(&admin, &key.key_id, &[("a", "1")]).await.unwrap();
    assert_eq!(world.decrypt(&admin, &blob, &[("a", "1")]).await.unwrap(), b"plain");
    for context in [&[][..], &[("a", "2")], &[("A", "1")], &[("a", "1"), ("b", "")]] {
        refused(world.decrypt(&admin, &blob, context).await, "InvalidCiphertextException", "");
    }
    let request = DecryptRequest {
        ciphertext_blob: Some(blob.clone().into()),
        encryption_context: pairs(&[("a", "1")]),
        key_id: Some(key.key_id.clone()),
        ..Default::default()
    };
    let opened = world.call::<op::Decrypt>(&admin, request.clone()).await.unwrap();
    assert_eq!(opened.key_id, key.arn);
    assert_eq!(opened.encryption_algorithm, Some(EncryptionAlgorithmSpec::SymmetricDefault));
    assert_eq!(opened.key_material_id, key.current_key_material_id);
    let other = world.key(&admin).await;
    let request = DecryptRequest { key_id: Some(other.key_id), ..request };
    refused(world.call::<op::Decrypt>(&admin, request).await, "IncorrectKeyException", INCORRECT);
}

#[tokio::test]
async fn a_changed_bit_in_any_region_of_a_ciphertext_is_refused() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let blob = world.encrypt(&admin, &key.key_id, &[]).await.unwrap();
    for index in 0..blob.len() {
        let mut altered = blob.clone();
        altered[index] ^= 1;
        let (code, _) = refusal(world.decrypt(&admin, &altered, &[]).await);
        // What names the key names another one then, which is not there.
        assert!(matches!(&*code, "InvalidCiphertextException" | "AccessDeniedException"), "byte {index}: {code}");
        let request = DecryptRequest {
            ciphertext_blob: Some(altered.into()),
            key_id: Some(key.key_id.clone()),
            ..Default::default()
        };
        let (code, _) = refusal(world.call::<op::Decrypt>(&admin, request).await);
        assert!(matches!(&*code, "InvalidCiphertextException" | "IncorrectKeyException"), "byte {index}: {code}");
    }
    for cut in [0, 1, 20, blob.len() - 1] {
        let (code, _) = refusal(world.decrypt(&admin, &blob[..cut], &[]).await);
        assert!(matches!(&*code, "InvalidCiphertextException" | "ValidationException"), "cut at {cut}: {code}");
    }
}

#[tokio::test]
async fn plaintexts_have_at_most_4096_bytes() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let request =
        |length| EncryptRequest { key_id: key.key_id.clone(), plaintext: vec![1; length].into(), ..Default::default() };
    let made = world.call::<op::Encrypt>(&admin, request(4096)).await.unwrap();
    assert_eq!(
        (made.key_id, made.encryption_algorithm),
        (key.arn.clone(), Some(EncryptionAlgorithmSpec::SymmetricDefault))
    );
    let blob = made.ciphertext_blob.unwrap();
    assert!(blob.len() <= 6144);
    assert_eq!(world.decrypt(&admin, &blob, &[]).await.unwrap().len(), 4096);
    let words = "at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096";
    refused(world.call::<op::Encrypt>(&admin, request(4097)).await, "ValidationException", words);
    refused(world.call::<op::Encrypt>(&admin, request(0)).await, "ValidationException", "'plaintext'");
}

#[tokio::test]
async fn a_data_key_decrypts_to_itself() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let request = |spec, bytes| GenerateDataKeyRequest {
        key_id: key.key_id.clone(),
        key_spec: spec,
        number_of_bytes: bytes,
        encryption_context: pairs(&[("a", "1")]),
        ..Default::default()
    };
    for (spec, bytes, length) in
        [(Some(DataKeySpec::Aes256), None, 32), (Some(DataKeySpec::Aes128), None, 16), (None, Some(1024), 1024)]
    {
        let made = world.call::<op::GenerateDataKey>(&admin, request(spec, bytes)).await.unwrap();
        let plaintext = made.plaintext.unwrap();
        assert_eq!(plaintext.len(), length);
        assert_eq!(world.decrypt(&admin, &made.ciphertext_blob.unwrap(), &[("a", "1")]).await.unwrap(), plaintext);
    }
    for (spec, bytes) in [(None, None), (Some(DataKeySpec::Aes256), Some(32))] {
        let words = "Please specify either number of bytes or key spec.";
        refused(world.call::<op::GenerateDataKey>(&admin, request(spec, bytes)).await, "ValidationException", words);
    }
    refused(
        world.call::<op::GenerateDataKey>(&admin, request(None, Some(1025))).await,
        "ValidationException",
        "Member must have value less than or equal to 1024",
    );
    let request = GenerateDataKeyWithoutPlaintextRequest {
        key_id: key.key_id.clone(),
        key_spec: Some(DataKeySpec::Aes256),
        ..Default::default()
    };
    let made = world.call::<op::GenerateDataKeyWithoutPlaintext>(&admin, request).await.unwrap();
    assert_eq!(world.decrypt(&admin, &made.ciphertext_blob.unwrap(), &[]).await.unwrap().len(), 32);
}

fn pair_request(key: &KeyMetadata, spec: DataKeyPairSpec) -> GenerateDataKeyPairRequest {
    GenerateDataKeyPairRequest {
        encryption_context: None,
        key_id: key.key_id.clone(),
        key_pair_spec: spec,
        grant_tokens: None,
        recipient: None,
        dry_run: None,
    }
}

#[tokio::test]
async fn a_data_key_pair_belongs_together() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    for spec in [DataKeyPairSpec::Rsa2048, DataKeyPairSpec::EccNistP384, DataKeyPairSpec::EccSecgP256k1] {
        let request = pair_request(&key, spec);
        let made = world.call::<op::GenerateDataKeyPair>(&admin, request).await.unwrap();
        let opened = world.decrypt(&admin, &made.private_key_ciphertext_blob.unwrap(), &[]).await.unwrap();
        assert_eq!(made.private_key_plaintext.unwrap(), opened);
        assert!(!made.public_key.unwrap().is_empty());
    }
    let request = pair_request(&key, DataKeyPairSpec::MlKem768);
    let made = world.call::<op::GenerateDataKeyPair>(&admin, request).await;
    refused(made, "UnsupportedOperationException", "KeyPairSpec ML_KEM_768 is not supported by Stoa");
}

#[tokio::test]
async fn re_encryption_moves_between_keys_and_contexts() {
    let world = world().await;
    let admin = world.admin();
    let (from, to) = (world.key(&admin).await, world.key(&admin).await);
    let blob = world.encrypt(&admin, &from.key_id, &[("a", "1")]).await.unwrap();
    let request = ReEncryptRequest {
        ciphertext_blob: Some(blob.clone().into()),
        source_encryption_context: pairs(&[("a", "1")]),
        destination_key_id: to.key_id.clone(),
        destination_encryption_context: pairs(&[("b", "2")]),
        ..Default::default()
    };
    let made = world.call::<op::ReEncrypt>(&admin, request.clone()).await.unwrap();
    assert_eq!((made.source_key_id, made.key_id), (from.arn.clone(), to.arn.clone()));
    let fresh = made.ciphertext_blob.unwrap();
    assert_eq!(world.decrypt(&admin, &fresh, &[("b", "2")]).await.unwrap(), b"plain");
    refused(world.decrypt(&admin, &fresh, &[("a", "1")]).await, "InvalidCiphertextException", "");
    let wrong = ReEncryptRequest { source_encryption_context: None, ..request.clone() };
    refused(world.call::<op::ReEncrypt>(&admin, wrong).await, "InvalidCiphertextException", "");
    let wrong = ReEncryptRequest { source_key_id: Some(to.key_id.clone()), ..request.clone() };
    refused(world.call::<op::ReEncrypt>(&admin, wrong).await, "IncorrectKeyException", INCORRECT);
    let dry = ReEncryptRequest { dry_run: Some(true), ..request };
    refused(world.call::<op::ReEncrypt>(&admin, dry).await, "DryRunOperationException", "would have succeeded");
}

#[tokio::test]
async fn rsa_encrypts_by_oaep() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key_of(&admin, KeySpec::Rsa2048, KeyUsageType::EncryptDecrypt).await;
    let algorithm = Some(EncryptionAlgorithmSpec::RsaesOaepSha256);
    let request = EncryptRequest {
        key_id: key.key_id.clone(),
        plaintext: b"plain".to_vec().into(),
        encryption_algorithm: algorithm,
        ..Default::default()
    };
    let blob = world.call::<op::Encrypt>(&admin, request.clone()).await.unwrap().ciphertext_blob.unwrap();
    let decrypt = DecryptRequest {
        ciphertext_blob: Some(blob.clone()),
        key_id: Some(key.key_id.clone()),
        encryption_algorithm: algorithm,
        ..Default::default()
    };
    let opened = world.call::<op::Decrypt>(&admin, decrypt.clone()).await.unwrap();
    assert_eq!(opened.plaintext.unwrap(), &b"plain"[..]);
    let without = DecryptRequest { encryption_algorithm: None, ..decrypt.clone() };
    let words = "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.";
    refused(world.call::<op::Decrypt>(&admin, without).await, "InvalidKeyUsageException", words);
    let other = DecryptRequest { encryption_algorithm: Some(EncryptionAlgorithmSpec::RsaesOaepSha1), ..decrypt };
    refused(world.call::<op::Decrypt>(&admin, other).await, "InvalidCiphertextException", "");
    refused(world.decrypt(&admin, &blob, &[]).await, "InvalidCiphertextException", "");
    let long = EncryptRequest { plaintext: vec![1; 191].into(), ..request.clone() };
    let words = "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.";
    refused(world.call::<op::Encrypt>(&admin, long).await, "ValidationException", words);
    let with_context = EncryptRequest { encryption_context: pairs(&[("a", "1")]), ..request };
    refused(world.call::<op::Encrypt>(&admin, with_context).await, "ValidationException", "encryption context");
}

#[tokio::test]
async fn keys_of_another_usage_are_refused_by_name() {
    let world = world().await;
    let admin = world.admin();
    let signing = world.key_of(&admin, KeySpec::EccNistP256, KeyUsageType::SignVerify).await;
    let arn = signing.arn.clone().unwrap();
    let words = format!("{arn} key usage is SIGN_VERIFY which is not valid for Encrypt.");
    refused(world.encrypt(&admin, &signing.key_id, &[]).await, "InvalidKeyUsageException", &words);
    let symmetric = world.key(&admin).await;
    let request = GenerateMacRequest {
        key_id: symmetric.key_id.clone(),
        message: b"m".to_vec().into(),
        mac_algorithm: MacAlgorithmSpec::HmacSha256,
        grant_tokens: None,
        dry_run: None,
    };
    let words = "key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.";
    refused(world.call::<op::GenerateMac>(&admin, request).await, "InvalidKeyUsageException", words);
    let request = GetPublicKeyRequest { key_id: symmetric.key_id, ..Default::default() };
    let found = world.call::<op::GetPublicKey>(&admin, request).await;
    refused(found, "UnsupportedOperationException", "SYMMETRIC_DEFAULT");
}

#[tokio::test]
async fn attestation_and_unknown_options_are_refused_by_name() {
    let world = world().await;
    let admin = world.admin();
    let key = world.key(&admin).await;
    let recipient = Some(RecipientInfo::default());
    let request = GenerateDataKeyRequest {
        key_id: key.key_id.clone(),
        key_spec: Some(DataKeySpec::Aes256),
        recipient: recipient.clone(),
        ..Default::default()
    };
    let words = "Recipient (attestation) is not supported by Stoa.";
    refused(world.call::<op::GenerateDataKey>(&admin, request).await, "UnsupportedOperationException", words);
    let request = GenerateRandomRequest { number_of_bytes: Some(1), recipient, ..Default::default() };
    refused(world.call::<op::GenerateRandom>(&admin, request).await, "UnsupportedOperationException", words);
}

#[tokio::test]
async fn random_bytes_are_as_many_as_asked_for() {
    let world = world().await;
    let admin = world.admin();
    let request = |count| GenerateRandomRequest { number_of_bytes: count, ..Default::default() };
    let one = world.call::<op::GenerateRandom>(&admin, request(Some(64))).await.unwrap().plaintext.unwrap();
    let two = world.call::<op::GenerateRandom>(&admin, request(Some(64))).await.unwrap().plaintext.unwrap();
    assert_eq!((one.len(), two.len()), (64, 64));
    assert_ne!(one, two);
    let none = world.call::<op::GenerateRandom>(&admin, request(None)).await;
    refused(none, "ValidationException", "NumberOfBytes is required.");
}
