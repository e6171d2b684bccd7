//! Forgeries made of a response that is truly signed: signature wrapping in its eight known forms, comments, entities,
//! bombs. Each must be refused; none may say `admin`.

use proptest::prelude::*;
use stoa_assertions::{Assertion, Metadata, SamlError, verify_response};

use crate::saml::{base64_of, provider};
use crate::signing::{Response, now};

fn judged(xml: &str) -> Result<Assertion, SamlError> {
    verify_response(&base64_of(xml.as_bytes()), &provider(), now())
}

/// The pieces that attacks are made of.
struct Pieces {
    /// The response, signed as a whole or in its assertion.
    original: String,
    /// The signed assertion, with its signature.
    assertion: String,
    /// The signature.
    signature: String,
    /// The assertion without its signature.
    bare: String,
    /// The attacker's assertion: another subject, another id, no signature.
    evil: String,
}

fn pieces() -> Pieces {
    let response = Response::default();
    let assertion = response.assertion();
    let start = assertion.find("<ds:Signature ").unwrap();
    let end = assertion.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let signature = assertion[start..end].to_owned();
    let bare = assertion.replace(&signature, "");
    let evil = bare.replace("anna", "admin").replace("_a1", "_evil");
    Pieces { original: response.xml(), assertion, signature, bare, evil }
}

/// The attacker's assertion with something right below its issuer, or at its end.
fn evil_with(pieces: &Pieces, after_issuer: &str, at_end: &str) -> String {
    let with = pieces.evil.replacen("</saml:Issuer>", &format!("</saml:Issuer>{after_issuer}"), 1);
    with.replace("</saml:Assertion>", &format!("{at_end}</saml:Assertion>"))
}

fn wrapped_in_object(signature: &str, content: &str) -> String {
    signature.replace("</ds:Signature>", &format!("<ds:Object>{content}</ds:Object></ds:Signature>"))
}

#[test]
fn signature_wrapping_of_assertions_is_refused() {
    let pieces = pieces();
    assert_eq!(judged(&pieces.original).unwrap().name_id, "anna");
    let response = Response::default();
    let object = wrapped_in_object(&pieces.signature, &pieces.bare);
    let extensions = format!(
        "<samlp:Extensions xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\">{}</samlp:Extensions>",
        pieces.assertion
    );
    let cases = [
        ("XSW3: the signed assertion after the evil one", format!("{}{}", pieces.evil, pieces.assertion)),
        ("XSW3, the other way round", format!("{}{}", pieces.assertion, pieces.evil)),
        ("XSW4: the signed assertion in the evil one", evil_with(&pieces, "", &pieces.assertion)),
        (
            "XSW5: the signature in the evil one, the signed at the end",
            format!("{}{}", evil_with(&pieces, &pieces.signature, ""), pieces.bare),
        ),
        (
            "XSW6: evil holds the signature, which holds the signed",
            evil_with(
                &pieces,
                &pieces.signature.replace("</ds:Signature>", &format!("{}</ds:Signature>", pieces.bare)),
                "",
            ),
        ),
        ("XSW7: the signed assertion in extensions", format!("{extensions}{}", pieces.evil)),
        ("XSW8: evil holds the signature with the signed in an Object", evil_with(&pieces, &object, "")),
        ("evil with the signature of the other", evil_with(&pieces, &pieces.signature, "")),
        ("the same id twice", format!("{}{}", pieces.evil.replace("_evil", "_a1"), pieces.assertion)),
        ("evil under the signed id", pieces.evil.replace("_evil", "_a1")),
        (
            "evil in the signed one",
            pieces.assertion.replace("</saml:Assertion>", &format!("{}</saml:Assertion>", pieces.evil)),
        ),
        (
            "two signatures",
            pieces.assertion.replacen("</ds:Signature>", &format!("</ds:Signature>{}", pieces.signature), 1),
        ),
        ("nothing signed", pieces.evil.clone()),
    ];
    for (what, inside) in cases {
        let outcome = judged(&response.around(&inside));
        assert!(matches!(outcome, Err(SamlError::Arrangement(_) | SamlError::Signature(_))), "{what}: {outcome:?}");
    }
}

#[test]
fn signature_wrapping_of_responses_is_refused() {
    let response = Response { sign_assertion: false, sign_response: true, ..Response::default() };
    let signed = response.xml();
    assert_eq!(judged(&signed).unwrap().name_id, "anna");
    let start = signed.find("<ds:Signature ").unwrap();
    let end = signed.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let signature = signed[start..end].to_owned();
    let bare = signed.replace(&signature, "");
    let evil = bare.replace("anna", "admin").replace("_r1", "_evil").replace("_a1", "_evil2");
    let into = |inside: &str| evil.replacen("</saml:Issuer>", &format!("</saml:Issuer>{inside}"), 1);
    let cases = [
        (
            "XSW1: the signature holds the signed response",
            into(&signature.replace("</ds:Signature>", &format!("{bare}</ds:Signature>"))),
        ),
        ("XSW1 by an Object", into(&wrapped_in_object(&signature, &bare))),
        ("XSW2: the signed response before the detached signature", into(&format!("{bare}{signature}"))),
        ("XSW2, the other way round", into(&format!("{signature}{bare}"))),
        (
            "evil under the signed id",
            bare.replace("anna", "admin").replacen("</saml:Issuer>", &format!("</saml:Issuer>{signature}"), 1),
        ),
        ("an assertion added", signed.replace("</samlp:Response>", &format!("{}</samlp:Response>", pieces().evil))),
    ];
    for (what, xml) in cases {
        let outcome = judged(&xml);
        assert!(matches!(outcome, Err(SamlError::Arrangement(_) | SamlError::Signature(_))), "{what}: {outcome:?}");
    }
}

#[test]
fn a_comment_does_not_cut_a_name_short() {
    // Canonical form has no comments, so the signature holds; the whole name must come out, never its beginning.
    let mut response = Response::default();
    response.subject = response.subject.replace(">anna<", ">admin.evil.com<");
    let xml = response.xml().replace("admin.evil.com", "admin<!-- -->.evil.com");
    assert_eq!(judged(&xml).unwrap().name_id, "admin.evil.com");
    let split = response.xml().replace("admin.evil.com", "admin<![CDATA[.evil]]>.com");
    assert_eq!(judged(&split).unwrap().name_id, "admin.evil.com");
}

#[test]
fn what_is_not_signed_is_not_read() {
    let xml = pieces().original;
    // Attributes and text of the response around a signed assertion may differ; those of the assertion may not.
    assert_eq!(judged(&xml.replace("_r1", "_r2")).unwrap().name_id, "anna");
    for (from, to) in [
        (">anna<", ">admin<"),
        (">a<", ">admins<"),
        ("12:10:00Z", "23:10:00Z"),
        (
            "Version=\"2.0\" IssueInstant=\"2026-11-21T12:00:00Z\"><saml:Issuer>https",
            "Version=\"2.0\" IssueInstant=\"2026-11-21T12:00:01Z\"><saml:Issuer>https",
        ),
    ] {
        assert!(xml.contains(from), "{from}");
        let outcome = judged(&xml.replace(from, to));
        assert!(matches!(outcome, Err(SamlError::Signature(_))), "{from}: {outcome:?}");
    }
    let added = xml.replace("<saml:AttributeStatement>", "<saml:AttributeStatement><saml:Attribute Name=\"x\"/>");
    assert!(matches!(judged(&added), Err(SamlError::Signature(_))));
}

#[test]
fn entities_bombs_and_depth_are_refused() {
    let xml = pieces().original;
    let laughs = r#"<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>"#;
    let external = r#"<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>"#;
    let cases = [
        format!("{laughs}{}", xml.replace("anna", "&c;")),
        format!("{external}{}", xml.replace("anna", "&x;")),
        format!("<!DOCTYPE r>{xml}"),
        xml.replace("anna", "&undefined;"),
        format!("{}{}", "<a>".repeat(5_000), "</a>".repeat(5_000)),
        xml.replace("<samlp:Status>", "<?php x?><samlp:Status>"),
        String::new(),
        "{}".to_owned(),
        xml.replace("</samlp:Response>", ""),
    ];
    for case in cases {
        assert!(matches!(judged(&case), Err(SamlError::Malformed(_))), "{:.60}", case);
    }
    let provider = provider();
    assert!(matches!(verify_response("%%%%", &provider, now()), Err(SamlError::Malformed(_))));
    assert!(matches!(verify_response(&"A".repeat(100_001), &provider, now()), Err(SamlError::Malformed(_))));
    let latin = base64_of(b"<a>\xff</a>");
    assert!(matches!(verify_response(&latin, &provider, now()), Err(SamlError::Malformed(_))));
    let encrypted = xml.replace(
        "<samlp:Status>",
        "<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/><samlp:Status>",
    );
    assert_eq!(judged(&encrypted), Err(SamlError::Encrypted));
}

proptest! {
    #[test]
    fn no_change_of_a_byte_makes_another_assertion(at in 0_usize..2_000, byte in 32_u8..127) {
        let xml = pieces().original;
        let at = at % xml.len();
        let mut bytes = xml.clone().into_bytes();
        bytes[at] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        if let Ok(read) = judged(&changed) {
            prop_assert_eq!(read, judged(&xml).unwrap());
        }
    }

    #[test]
    fn nothing_that_is_presented_panics(text in ".{0,300}") {
        prop_assert!(judged(&text).is_err());
        prop_assert!(verify_response(&text, &provider(), now()).is_err());
        let _ = Metadata::parse(&text);
    }
}
