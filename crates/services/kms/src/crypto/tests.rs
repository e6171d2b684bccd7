//! Each kind of key does what it is for, and nothing that was altered passes. The end-to-end tests hold the same to
//! another implementation (Python's `cryptography`).

use stoa_models_kms::types::{EncryptionAlgorithmSpec, KeySpec, MacAlgorithmSpec, SigningAlgorithmSpec as Algorithm};
use stoa_types::SequentialIds;

use super::*;

#[test]
fn signatures_verify_and_altered_ones_do_not() {
    let ids = SequentialIds::default();
    let rsa = [
        Algorithm::RsassaPssSha256,
        Algorithm::RsassaPssSha384,
        Algorithm::RsassaPssSha512,
        Algorithm::RsassaPkcs1V15Sha256,
        Algorithm::RsassaPkcs1V15Sha384,
        Algorithm::RsassaPkcs1V15Sha512,
    ];
    let kinds: [(KeySpec, &[Algorithm]); 5] = [
        (KeySpec::Rsa2048, &rsa),
        (KeySpec::EccNistP256, &[Algorithm::EcdsaSha256]),
        (KeySpec::EccNistP384, &[Algorithm::EcdsaSha384]),
        (KeySpec::EccNistP521, &[Algorithm::EcdsaSha512]),
        (KeySpec::EccSecgP256k1, &[Algorithm::EcdsaSha256]),
    ];
    for (spec, algorithms) in kinds {
        let pair = generate(spec, &ids).unwrap();
        let public = pair.public.unwrap();
        for algorithm in algorithms {
            let digest = digest(*algorithm, b"message");
            assert_eq!(digest.len(), digest_length(*algorithm));
            let signature = sign(spec, *algorithm, &pair.secret, &digest, &ids).unwrap();
            assert!(verify(spec, *algorithm, &public, &digest, &signature).unwrap(), "{algorithm:?}");
            let mut other = digest.clone();
            other[0] ^= 1;
            assert!(!verify(spec, *algorithm, &public, &other, &signature).unwrap(), "{algorithm:?}");
            let mut altered = signature.clone();
            let last = altered.len() - 1;
            altered[last] ^= 1;
            assert!(!verify(spec, *algorithm, &public, &digest, &altered).unwrap(), "{algorithm:?}");
            assert!(!verify(spec, *algorithm, &public, &digest, b"").unwrap(), "{algorithm:?}");
        }
    }
}

#[test]
fn oaep_decrypts_what_it_encrypted_and_refuses_the_rest() {
    let ids = SequentialIds::default();
    let pair = generate(KeySpec::Rsa2048, &ids).unwrap();
    let public = pair.public.unwrap();
    for algorithm in [EncryptionAlgorithmSpec::RsaesOaepSha1, EncryptionAlgorithmSpec::RsaesOaepSha256] {
        let longest = longest_plaintext(KeySpec::Rsa2048, algorithm).unwrap();
        let plaintext = vec![7; longest];
        let mut ciphertext = rsa_encrypt(algorithm, &public, &plaintext, &ids).unwrap();
        assert_eq!(&**rsa_decrypt(algorithm, &pair.secret, &ciphertext, &ids).unwrap(), &plaintext);
        assert_eq!(rsa_encrypt(algorithm, &public, &vec![7; longest + 1], &ids), Err(CryptoError::Input));
        ciphertext[9] ^= 1;
        assert_eq!(rsa_decrypt(algorithm, &pair.secret, &ciphertext, &ids), Err(CryptoError::Input));
    }
}

#[test]
fn two_parties_agree_on_one_secret() {
    let ids = SequentialIds::default();
    for (spec, length) in [(KeySpec::EccNistP256, 32), (KeySpec::EccNistP384, 48), (KeySpec::EccNistP521, 66)] {
        let (one, two) = (generate(spec, &ids).unwrap(), generate(spec, &ids).unwrap());
        let left = agree(spec, &one.secret, two.public.as_ref().unwrap()).unwrap();
        let right = agree(spec, &two.secret, one.public.as_ref().unwrap()).unwrap();
        assert_eq!(left, right);
        assert_eq!(left.len(), length);
        assert_eq!(agree(spec, &one.secret, b"nonsense"), Err(CryptoError::Input));
    }
}

#[test]
fn macs_are_those_of_rfc_4231() {
    // RFC 4231, test case 1.
    let expected = [
        (MacAlgorithmSpec::HmacSha224, "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22"),
        (MacAlgorithmSpec::HmacSha256, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    ];
    for (algorithm, hex) in expected {
        assert_eq!(hex::encode(mac(algorithm, &[0x0b; 20], b"Hi There").unwrap()), hex);
    }
    let made = mac(MacAlgorithmSpec::HmacSha512, b"key", b"message").unwrap();
    assert!(mac_matches(MacAlgorithmSpec::HmacSha512, b"key", b"message", &made).unwrap());
    assert!(!mac_matches(MacAlgorithmSpec::HmacSha512, b"key", b"messagE", &made).unwrap());
    assert!(!mac_matches(MacAlgorithmSpec::HmacSha512, b"key", b"message", &made[..10]).unwrap());
}
