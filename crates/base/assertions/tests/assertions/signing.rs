//! An identity provider of our own: keys, tokens, metadata and responses, signed with `ring`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bergshamra_c14n::{C14nMode, canonicalize};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair,
};
use serde_json::{Value, json};
use stoa_types::Timestamp;

pub const ENTITY: &str = "https://idp.example.com/saml";

pub fn now() -> Timestamp {
    Timestamp::parse_iso8601("2026-11-21T12:00:00Z").unwrap()
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn rsa() -> RsaKeyPair {
    RsaKeyPair::from_der(include_bytes!("../fixtures/rsa.der")).unwrap()
}

pub fn elliptic(algorithm: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap()
}

/// The keys of an issuer, and its tokens.
pub struct Issuer {
    pub rsa: RsaKeyPair,
    pub p256: EcdsaKeyPair,
    pub p384: EcdsaKeyPair,
}

impl Issuer {
    pub fn new() -> Issuer {
        Issuer {
            rsa: rsa(),
            p256: elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING),
            p384: elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING),
        }
    }

    pub fn rsa_jwk(&self) -> Value {
        use x509_parser::prelude::{FromDer, X509Certificate};
        let (_, certificate) = X509Certificate::from_der(include_bytes!("../fixtures/rsa.crt")).unwrap();
        let Ok(x509_parser::public_key::PublicKey::RSA(public)) = certificate.public_key().parsed() else { panic!() };
        let n = base64url(public.modulus.strip_prefix(&[0]).unwrap_or(public.modulus));
        let e = base64url(public.exponent);
        json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": n, "e": e})
    }

    fn ec_jwk(curve: &str, kid: &str, key: &EcdsaKeyPair) -> Value {
        let point = &key.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        json!({"kty": "EC", "kid": kid, "crv": curve, "x": base64url(x), "y": base64url(y)})
    }

    pub fn jwks(&self) -> Value {
        json!({"keys": [
            self.rsa_jwk(),
            Issuer::ec_jwk("P-256", "p256", &self.p256),
            Issuer::ec_jwk("P-384", "p384", &self.p384),
            {"kty": "oct", "kid": "shared", "k": base64url("secret"), "alg": "HS256"},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": base64url([7; 32])},
            {"kty": "none of ours", "kid": "odd"},
        ]})
    }

    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let encoding: &'static dyn RsaEncoding = match algorithm {
            "ES256" => return self.p256.sign(&random, message).unwrap().as_ref().to_vec(),
            "ES384" => return self.p384.sign(&random, message).unwrap().as_ref().to_vec(),
            "RS256" => &RSA_PKCS1_SHA256,
            "RS384" => &RSA_PKCS1_SHA384,
            "RS512" => &RSA_PKCS1_SHA512,
            "PS256" => &RSA_PSS_SHA256,
            "PS384" => &RSA_PSS_SHA384,
            "PS512" => &RSA_PSS_SHA512,
            other => panic!("{other}"),
        };
        let mut signature = vec![0; self.rsa.public().modulus_len()];
        self.rsa.sign(encoding, &random, message, &mut signature).unwrap();
        signature
    }

    pub fn token_with(&self, header: &Value, claims: &Value, algorithm: &str) -> String {
        let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", base64url(signature))
    }

    pub fn token(&self, algorithm: &str, claims: &Value) -> String {
        let kid = match algorithm {
            "ES256" => "p256",
            "ES384" => "p384",
            _ => "rsa",
        };
        self.token_with(&json!({"alg": algorithm, "kid": kid, "typ": "JWT"}), claims, algorithm)
    }
}

pub fn certificate() -> String {
    STANDARD.encode(include_bytes!("../fixtures/rsa.crt"))
}

pub fn metadata(certificate: &str) -> String {
    format!(
        r#"<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}" validUntil="2036-01-01T00:00:00Z">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data>
      <ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="{ENTITY}"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>"#
    )
}

/// A response in the making. The fields are what tests bend.
pub struct Response {
    pub issuer: String,
    pub issued: String,
    pub subject: String,
    pub conditions: String,
    pub authn: String,
    pub attributes: String,
    pub status: String,
    pub reference: String,
    pub transforms: String,
    pub method: String,
    pub digest: String,
    pub sign_assertion: bool,
    pub sign_response: bool,
}

pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

impl Default for Response {
    fn default() -> Response {
        let confirmation = r#"<saml:SubjectConfirmationData NotOnOrAfter="2026-11-21T12:05:00.000Z" Recipient="https://signin.aws.amazon.com/saml"/>"#;
        Response {
            issuer: ENTITY.to_owned(),
            issued: "2026-11-21T12:00:00Z".to_owned(),
            subject: format!(
                r#"<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">anna</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">{confirmation}</saml:SubjectConfirmation></saml:Subject>"#
            ),
            conditions: r#"<saml:Conditions NotBefore="2026-11-21T11:59:00Z" NotOnOrAfter="2026-11-21T12:10:00Z"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions>"#.to_owned(),
            authn: r#"<saml:AuthnStatement AuthnInstant="2026-11-21T12:00:00Z" SessionNotOnOrAfter="2026-11-21T20:00:00Z"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"#.to_owned(),
            attributes: r#"<saml:AttributeStatement><saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"><saml:AttributeValue>anna &amp; co</saml:AttributeValue></saml:Attribute><saml:Attribute Name="groups"><saml:AttributeValue>a</saml:AttributeValue><saml:AttributeValue>b</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"#.to_owned(),
            status: "urn:oasis:names:tc:SAML:2.0:status:Success".to_owned(),
            reference: String::new(),
            transforms: format!(
                r#"<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{EXCLUSIVE}"/>"#
            ),
            method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256".to_owned(),
            digest: "http://www.w3.org/2001/04/xmlenc#sha256".to_owned(),
            sign_assertion: true,
            sign_response: false,
        }
    }
}

impl Response {
    /// A signature over an element that stands as a document of its own.
    fn signature(&self, id: &str, element: &str) -> String {
        let text = canonicalize::<&str>(element, C14nMode::Exclusive, None, &[]).unwrap();
        let digest = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, &text));
        let reference = if self.reference.is_empty() { format!("#{id}") } else { self.reference.clone() };
        let (transforms, method, digest_method) = (&self.transforms, &self.method, &self.digest);
        let info = format!(
            r#"<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:CanonicalizationMethod Algorithm="{EXCLUSIVE}"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod><ds:Reference URI="{reference}"><ds:Transforms>{transforms}</ds:Transforms><ds:DigestMethod Algorithm="{digest_method}"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"#
        );
        let canonical = canonicalize::<&str>(&info, C14nMode::Exclusive, None, &[]).unwrap();
        let value = STANDARD.encode(Issuer::new().sign("RS256", &canonical));
        format!(
            r#"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>"#
        )
    }

    /// The assertion, signed where it is to be.
    pub fn assertion(&self) -> String {
        let make = |signature: &str| {
            format!(
                r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="{}"><saml:Issuer>{}</saml:Issuer>{signature}{}{}{}{}</saml:Assertion>"#,
                self.issued, self.issuer, self.subject, self.conditions, self.authn, self.attributes
            )
        };
        if self.sign_assertion { make(&self.signature("_a1", &make(""))) } else { make("") }
    }

    /// The whole response as XML.
    pub fn xml(&self) -> String {
        self.around(&self.assertion())
    }

    /// A response around this assertion.
    pub fn around(&self, assertion: &str) -> String {
        let make = |signature: &str| {
            format!(
                r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r1" Version="2.0" IssueInstant="{}"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">{}</saml:Issuer>{signature}<samlp:Status><samlp:StatusCode Value="{}"/></samlp:Status>{assertion}</samlp:Response>"#,
                self.issued, self.issuer, self.status
            )
        };
        if self.sign_response { make(&self.signature("_r1", &make(""))) } else { make("") }
    }

    pub fn encoded(&self) -> String {
        STANDARD.encode(self.xml())
    }
}
