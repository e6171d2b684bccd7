//! Sealing, opening, and sealing anew.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stoa_types::SequentialIds;

use crate::SealingKey;

const PURPOSE: &str = "test/secret/v1";

/// Sealed by the first release under the master key [42; 32] for the purpose `stoa/iam/access-key/v1`.
fn first_form(key: &SealingKey, ids: &SequentialIds) -> String {
    // The body of both forms is the same; only what is written around it differs.
    let sealed = key.seal(PURPOSE, "owner", b"secret", ids).unwrap();
    let bytes = sealed.rsplit('.').next().unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(bytes).unwrap();
    STANDARD.encode([&[1_u8], &*bytes].concat())
}

#[test]
fn a_sealed_text_opens_only_for_its_key_purpose_and_owner() {
    let ids = SequentialIds::default();
    let key = SealingKey::new([7; 32]);
    let sealed = key.seal(PURPOSE, "owner", b"secret", &ids).unwrap();
    assert_eq!(&**key.open(PURPOSE, "owner", &sealed).unwrap(), b"secret");
    assert!(key.open(PURPOSE, "other", &sealed).is_err());
    assert!(key.open("test/other/v1", "owner", &sealed).is_err());
    assert!(SealingKey::new([8; 32]).open(PURPOSE, "owner", &sealed).is_err());
    assert_ne!(sealed, key.seal(PURPOSE, "owner", b"secret", &ids).unwrap());
    assert!(key.open(PURPOSE, "owner", &sealed[..sealed.len() - 4]).is_err());
    assert!(key.open(PURPOSE, "owner", "").is_err());
}

#[test]
fn a_changed_letter_anywhere_is_noticed_or_means_nothing() {
    let ids = SequentialIds::default();
    let key = SealingKey::new([7; 32]);
    let sealed = key.seal(PURPOSE, "owner", b"secret", &ids).unwrap();
    for index in 0..sealed.len() {
        let mut altered = sealed.clone().into_bytes();
        altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        if let Ok(opened) = key.open(PURPOSE, "owner", &altered) {
            // What is written of purpose and owner only helps to seal anew; what opens is what was sealed.
            assert_eq!(&**opened, b"secret", "{index}");
        }
    }
}

#[test]
fn the_form_of_the_first_release_still_opens() {
    let ids = SequentialIds::default();
    let key = SealingKey::new([42; 32]);
    let old = first_form(&key, &ids);
    assert_eq!(&**key.open(PURPOSE, "owner", &old).unwrap(), b"secret");
    assert_eq!(&**SealingKey::new([1; 32]).with_older([42; 32]).open(PURPOSE, "owner", &old).unwrap(), b"secret");
    assert!(key.open(PURPOSE, "other", &old).is_err());
}

#[test]
fn the_newest_key_seals_and_all_of_them_open() {
    let ids = SequentialIds::default();
    let old = SealingKey::new([1; 32]);
    let sealed = old.seal(PURPOSE, "owner", b"secret", &ids).unwrap();
    let both = SealingKey::new([2; 32]).with_older([1; 32]);
    assert!(both.knows(old.id().as_str()) && both.knows(both.id().as_str()));
    assert_eq!(&**both.open(PURPOSE, "owner", &sealed).unwrap(), b"secret");
    let fresh = both.seal(PURPOSE, "owner", b"secret", &ids).unwrap();
    assert!(old.open(PURPOSE, "owner", &fresh).is_err());
    assert_eq!(&**SealingKey::new([2; 32]).open(PURPOSE, "owner", &fresh).unwrap(), b"secret");
}

#[test]
fn sealed_texts_in_a_document_are_sealed_anew_and_nothing_else_changes() {
    let ids = SequentialIds::default();
    let old = SealingKey::new([1; 32]);
    let (one, two) = (old.seal("a/v1", "x", b"one", &ids).unwrap(), old.seal("b/v1", "ü", b"two", &ids).unwrap());
    let document = format!(r#"{{"name":"stoa-sealed.2. is no secret","one":"{one}","deep":[{{"two":"{two}"}}]}}"#);
    let both = SealingKey::new([2; 32]).with_older([1; 32]);
    let done = both.reseal_in(&document, &ids).unwrap();
    assert_eq!((done.changed, done.unreadable), (2, 1));
    let text = done.text.unwrap();
    let new = SealingKey::new([2; 32]);
    let value: Vec<&str> =
        text.split('"').filter(|part| part.starts_with("stoa-sealed.2.") && part.len() > 60).collect();
    assert_eq!(&**new.open("a/v1", "x", value[0]).unwrap(), b"one");
    assert_eq!(&**new.open("b/v1", "ü", value[1]).unwrap(), b"two");
    assert_eq!(text.replace(value[0], &one).replace(value[1], &two), document);
    let again = both.reseal_in(&text, &ids).unwrap();
    assert_eq!((again.changed, again.text), (0, None));
}

#[test]
fn a_planted_text_that_opens_under_no_key_is_left_as_it_is() {
    let ids = SequentialIds::default();
    let key = SealingKey::new([1; 32]);
    let foreign = SealingKey::new([9; 32]).seal("a/v1", "x", b"one", &ids).unwrap();
    let done = key.reseal_in(&format!("\"{foreign}\""), &ids).unwrap();
    assert_eq!((done.changed, done.unreadable, done.text), (0, 1, None));
}
