//! An identity provider of our own: one P-256 key that signs tokens and SAML responses.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use stoa_kernel::ports::{IssuerKeys, IssuerKeysError};
use stoa_kernel::{Cx, Principal};
use stoa_types::Timestamp;

use crate::support::World;

pub const ISSUER: &str = "https://login.example.com/realms/lab";
pub const HOST: &str = "login.example.com/realms/lab";
pub const ENTITY: &str = "https://login.example.com/saml";

/// The provider's key.
pub struct Idp {
    key: EcdsaKeyPair,
    certificate: Vec<u8>,
}

impl Idp {
    pub fn new() -> Idp {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let pair = rcgen::KeyPair::try_from(document.as_ref()).unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["idp".to_owned()]).unwrap().self_signed(&pair).unwrap();
        Idp { key, certificate: certificate.der().to_vec() }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    pub fn jwks(&self, kid: &str) -> Value {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": kid, "x": text(x), "y": text(y)}]})
    }

    pub fn token(&self, kid: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"alg": "ES256", "kid": kid})), part(claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes())))
    }

    pub fn metadata(&self) -> String {
        let certificate = STANDARD.encode(&self.certificate);
        format!(
            r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{ENTITY}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor></md:IDPSSODescriptor></md:EntityDescriptor>"#
        )
    }

    /// A response with these attributes, issued now. What is signed is written in canonical form as it stands.
    pub fn response(&self, now: Timestamp, subject: &str, attributes: &[(&str, &[&str])]) -> String {
        let later = now.plus_millis(300_000).iso8601();
        let (now, saml) = (now.iso8601(), "urn:oasis:names:tc:SAML:2.0:assertion");
        let mut statement = String::new();
        for (name, values) in attributes {
            let values: String =
                values.iter().map(|value| format!("<saml:AttributeValue>{value}</saml:AttributeValue>")).collect();
            statement += &format!(r#"<saml:Attribute Name="{name}">{values}</saml:Attribute>"#);
        }
        let rest = format!(
            r#"<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{later}" Recipient="https://signin.aws.amazon.com/saml"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{now}" NotOnOrAfter="{later}"><saml:AudienceRestriction><saml:Audience>urn:amazon:webservices</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{now}"></saml:AuthnStatement><saml:AttributeStatement>{statement}</saml:AttributeStatement></saml:Assertion>"#
        );
        let start = format!(
            r#"<saml:Assertion xmlns:saml="{saml}" ID="_a" IssueInstant="{now}" Version="2.0"><saml:Issuer>{ENTITY}</saml:Issuer>"#
        );
        let text = format!("{start}{rest}");
        let digest = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()));
        let info = format!(
            r##"<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"></ds:SignatureMethod><ds:Reference URI="#_a"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"##
        );
        let value = STANDARD.encode(self.sign(info.as_bytes()));
        let signature = format!(
            r#"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>"#
        );
        STANDARD.encode(format!(
            r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_r" Version="2.0"><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{start}{signature}{rest}</samlp:Response>"#
        ))
    }
}

/// Keys as the test publishes them; how often they were asked for anew is counted.
pub struct Published {
    pub set: parking_lot::Mutex<Value>,
    pub after_rotation: parking_lot::Mutex<Option<Value>>,
}

#[async_trait]
impl IssuerKeys for Published {
    async fn key_set(&self, issuer: &str, _thumbprints: &[String], fresh: bool) -> Result<Arc<[u8]>, IssuerKeysError> {
        if issuer != ISSUER {
            return Err(IssuerKeysError(format!("{issuer}: connection refused")));
        }
        if fresh && let Some(rotated) = self.after_rotation.lock().take() {
            *self.set.lock() = rotated;
        }
        Ok(self.set.lock().to_string().into_bytes().into())
    }

    async fn thumbprint(&self, _issuer: &str) -> Result<String, IssuerKeysError> {
        Ok("AB".repeat(20).to_ascii_lowercase())
    }
}

/// Publishes the keys of this provider under a key id.
pub fn publish(world: &World, idp: &Idp) -> Arc<Published> {
    let published = Arc::new(Published { set: idp.jwks("k1").into(), after_rotation: None.into() });
    world.iam.set_issuer_keys(published.clone());
    published
}

/// Nobody: an unsigned call.
pub fn nobody(world: &World) -> Cx {
    world.cx(Arc::new(Principal::anonymous()))
}

/// A role that this provider's statement is in the trust policy of.
pub fn trusting(provider: &str, actions: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{provider}"}},"Action":{actions},"Condition":{condition}}}]}}"#
    )
}
