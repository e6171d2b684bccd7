//! Honest responses, and those that are honest but too late, too early or for somebody else.

use stoa_assertions::{Assertion, Metadata, SamlError, verify_response};
use stoa_types::Timestamp;

use crate::signing::{ENTITY, ENVELOPED, Response, certificate, metadata, now};

pub fn provider() -> Metadata {
    Metadata::parse(&metadata(&certificate())).unwrap()
}

fn judged(response: &Response) -> Result<Assertion, SamlError> {
    verify_response(&response.encoded(), &provider(), now())
}

#[test]
fn an_assertion_is_read_whether_it_or_the_response_or_both_are_signed() {
    for (sign_assertion, sign_response) in [(true, false), (false, true), (true, true)] {
        let read = judged(&Response { sign_assertion, sign_response, ..Response::default() }).unwrap();
        assert_eq!(read.issuer, ENTITY);
        assert_eq!(read.name_id, "anna");
        assert_eq!(read.name_id_format, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");
        assert_eq!(read.recipient, "https://signin.aws.amazon.com/saml");
        assert_eq!(read.session_ends.unwrap().iso8601(), "2026-11-21T20:00:00Z");
        assert_eq!(read.attributes["groups"], ["a", "b"]);
        assert_eq!(read.attributes["https://aws.amazon.com/SAML/Attributes/RoleSessionName"], ["anna & co"]);
    }
    let unsigned = Response { sign_assertion: false, ..Response::default() };
    assert!(matches!(judged(&unsigned), Err(SamlError::Signature(_))));
}

#[test]
fn other_certificates_and_weak_algorithms_are_refused() {
    let key = rcgen::KeyPair::generate().unwrap();
    let other = rcgen::CertificateParams::new(vec!["idp".to_owned()]).unwrap().self_signed(&key).unwrap();
    let other = Metadata::parse(&metadata(&base64_of(other.der()))).unwrap();
    let response = Response::default().encoded();
    assert!(matches!(verify_response(&response, &other, now()), Err(SamlError::Signature(_))));
    let bent: [fn(&mut Response); 8] = [
        |response| response.method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1".to_owned(),
        |response| response.method = "http://www.w3.org/2000/09/xmldsig#hmac-sha1".to_owned(),
        |response| response.digest = "http://www.w3.org/2000/09/xmldsig#sha1".to_owned(),
        |response| response.reference = "#_r1".to_owned(),
        |response| response.transforms = format!(r#"<ds:Transform Algorithm="{ENVELOPED}"/>"#).repeat(3),
        |response| response.transforms = String::new(),
        |response| {
            let xslt = r#"<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/>"#;
            response.transforms = format!(r#"<ds:Transform Algorithm="{ENVELOPED}"/>{xslt}"#);
        },
        |response| response.transforms = response.transforms.replace("exc-c14n#", "exc-c14n#WithComments"),
    ];
    for (at, bend) in bent.iter().enumerate() {
        let mut response = Response::default();
        bend(&mut response);
        assert!(matches!(judged(&response), Err(SamlError::Signature(_))), "{at}");
    }
}

pub fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn time_is_looked_at_with_a_minute_of_skew() {
    let at = |text: &str| Timestamp::parse_iso8601(text).unwrap();
    let judged =
        |response: &Response, now: &str| verify_response(&response.encoded(), &provider(), at(now)).map(|_| ());
    let plain = Response::default();
    assert_eq!(judged(&plain, "2026-11-21T11:59:00Z"), Ok(()));
    assert_eq!(judged(&plain, "2026-11-21T11:58:59Z"), Err(SamlError::NotYet));
    // Five minutes from its issue, whatever its conditions say.
    assert_eq!(judged(&plain, "2026-11-21T12:05:59Z"), Ok(()));
    assert_eq!(judged(&plain, "2026-11-21T12:06:00Z"), Err(SamlError::Expired));
    let reissued = |from: &str, to: &str| {
        let mut response = Response { issued: "2026-11-21T12:20:00Z".to_owned(), ..Response::default() };
        response.subject = response.subject.replace("2026-11-21T12:05:00.000Z", "2026-11-21T12:30:00Z");
        response.conditions = response.conditions.replace("2026-11-21T12:10:00Z", "2026-11-21T12:30:00Z");
        for part in [&mut response.subject, &mut response.conditions, &mut response.authn] {
            *part = part.replace(from, to);
        }
        response
    };
    let later = "2026-11-21T12:21:00Z";
    assert_eq!(judged(&reissued("", ""), later), Ok(()));
    let cases = [
        (
            r#"NotOnOrAfter="2026-11-21T12:30:00Z"><saml:Aud"#,
            r#"NotOnOrAfter="2026-11-21T12:20:00Z"><saml:Aud"#,
            SamlError::Expired,
        ),
        (
            r#"NotOnOrAfter="2026-11-21T12:30:00Z" Rec"#,
            r#"NotOnOrAfter="2026-11-21T12:20:00Z" Rec"#,
            SamlError::Expired,
        ),
        (r#"NotBefore="2026-11-21T11:59:00Z""#, r#"NotBefore="2026-11-21T12:22:01Z""#, SamlError::NotYet),
        ("2026-11-21T20:00:00Z", "2026-11-21T12:20:59Z", SamlError::Expired),
        ("2026-11-21T20:00:00Z", "tonight", SamlError::Malformed("a date and time cannot be read")),
    ];
    for (from, to, error) in cases {
        assert_eq!(judged(&reissued(from, to), later), Err(error), "{to}");
    }
}

#[test]
fn what_is_for_somebody_else_is_refused() {
    let bent = |from: &str, to: &str| {
        let mut response = Response::default();
        for part in [&mut response.subject, &mut response.conditions, &mut response.authn, &mut response.status] {
            *part = part.replace(from, to);
        }
        judged(&response)
    };
    let audience = "<saml:Audience>urn:amazon:webservices</saml:Audience>";
    for to in
        ["<saml:Audience>urn:other</saml:Audience>", "", "<saml:Audience>urn:amazon:webservices.evil</saml:Audience>"]
    {
        assert_eq!(bent(audience, to), Err(SamlError::Audience), "{to}");
    }
    bent("urn:amazon:webservices", "https://signin.aws.amazon.com/saml").unwrap();
    let restriction = format!("<saml:AudienceRestriction>{audience}</saml:AudienceRestriction>");
    let both =
        format!("{restriction}<saml:AudienceRestriction><saml:Audience>x</saml:Audience></saml:AudienceRestriction>");
    assert_eq!(bent(&restriction, &both), Err(SamlError::Audience));
    assert_eq!(bent(&restriction, ""), Err(SamlError::Audience));
    assert!(matches!(bent(&restriction, &format!("{restriction}<saml:Odd/>")), Err(SamlError::Malformed(_))));
    let here = "https://signin.aws.amazon.com/saml";
    for to in ["https://eu-west-1.signin.aws.amazon.com/saml", "https://signin.aws.amazon.com/saml/acs/SAMLSPA1B2"] {
        bent(here, to).unwrap();
    }
    for to in [
        "http://signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/saml/",
        "https://signin.aws.amazon.com.evil.com/saml",
        "https://evil.com/.signin.aws.amazon.com/saml",
        "https://evilsignin.aws.amazon.com/saml",
        "https://a@b.signin.aws.amazon.com/saml",
        "",
    ] {
        assert_eq!(bent(here, to), Err(SamlError::Recipient), "{to}");
    }
    assert!(matches!(bent("cm:bearer", "cm:sender-vouches"), Err(SamlError::Subject(_))));
    assert!(matches!(bent(r#"NotOnOrAfter="2026-11-21T12:05:00.000Z" "#, ""), Err(SamlError::Subject(_))));
    assert!(matches!(bent(">anna<", "><"), Err(SamlError::Subject(_))));
    assert!(matches!(bent(">anna<", "><saml:b/>anna<"), Err(SamlError::Subject(_))));
    assert_eq!(bent("status:Success", "status:Responder"), Err(SamlError::Status));
    let issuer = Response { issuer: "https://other.example.com".to_owned(), ..Response::default() };
    assert_eq!(judged(&issuer), Err(SamlError::Issuer));
    let twice = r#"<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/></saml:Subject>"#;
    assert!(matches!(bent("</saml:Subject>", twice), Err(SamlError::Subject(_))));
}
