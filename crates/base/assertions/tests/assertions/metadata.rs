//! What is metadata of an identity provider.

use stoa_assertions::Metadata;

use crate::signing::{ENTITY, certificate, metadata};

#[test]
fn a_provider_is_read() {
    let read = Metadata::parse(&metadata(&certificate())).unwrap();
    assert_eq!(read.entity_id, ENTITY);
    assert_eq!(read.valid_until.unwrap().iso8601(), "2036-01-01T00:00:00Z");
    let spaced: String =
        certificate().as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    assert_eq!(Metadata::parse(&metadata(&spaced)).unwrap(), read);
}

#[test]
fn what_is_none_is_refused() {
    let good = metadata(&certificate());
    let bomb = format!(r#"<!DOCTYPE x [<!ENTITY a "aaaa">]>{}"#, good.split_once("?>").unwrap().1);
    let cases = [
        (String::new(), "well-formed"),
        ("<a/>".to_owned(), "EntityDescriptor"),
        (bomb, "DTD"),
        (good.replace("entityID", "other"), "entityID"),
        (good.replace("IDPSSODescriptor", "SPSSODescriptor"), "IDPSSODescriptor"),
        (good.replace("SAML:2.0:protocol\"", "SAML:1.1:protocol\""), "SAML 2.0"),
        (good.replace("use=\"signing\"", "use=\"encryption\""), "certificate"),
        (metadata("AAAA"), "certificate"),
        (metadata("%"), "base64"),
        (good.replace("2036-01-01T00:00:00Z", "one day"), "validUntil"),
        (good.replace("<md:KeyDescriptor", "<?pi x?><md:KeyDescriptor"), "well-formed"),
    ];
    for (text, words) in cases {
        let error = Metadata::parse(&text).unwrap_err().to_string();
        assert!(error.contains(words), "{error} lacks {words}");
    }
}
