//! The metadata document of an identity provider: who it is, and which certificates sign for it.
//!
//! The document's own signature is not looked at: whoever may register a provider vouches for it, as in AWS.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stoa_types::Timestamp;

use super::{METADATA, PROTOCOL, SIGNATURE};
use crate::key::SigningKey;
use crate::xml::{Element, parse};

const MAX_CERTIFICATES: usize = 20;

/// Why a document is no metadata of an identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MetadataError(&'static str);

/// An identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Its `entityID`.
    pub entity_id: String,
    /// Until when the document is valid, where it says.
    pub valid_until: Option<Timestamp>,
    keys: Vec<SigningKey>,
}

impl Metadata {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is not XML, has a DTD, describes no single identity provider, or has no certificate that can be used.
    pub fn parse(text: &str) -> Result<Metadata, MetadataError> {
        let document = parse(text).map_err(|_| MetadataError("it is not well-formed XML, or has a DTD"))?;
        let root = Element::root(&document).ok_or(MetadataError("it is empty"))?;
        if !root.is(METADATA, "EntityDescriptor") {
            return Err(MetadataError("its element is not an EntityDescriptor"));
        }
        let entity_id = root.attribute("entityID").filter(|id| !id.is_empty());
        let entity_id = entity_id.ok_or(MetadataError("the EntityDescriptor has no entityID"))?.to_owned();
        let provider = root.only(METADATA, "IDPSSODescriptor");
        let provider = provider.ok_or(MetadataError("it does not have exactly one IDPSSODescriptor"))?;
        let supported = provider.attribute("protocolSupportEnumeration").unwrap_or_default();
        if !supported.split_whitespace().any(|one| one == PROTOCOL) {
            return Err(MetadataError("its IDPSSODescriptor does not support SAML 2.0"));
        }
        let keys = signing_keys(&provider)?;
        let valid_until = match root.attribute("validUntil") {
            None => None,
            Some(text) => Some(instant(text).ok_or(MetadataError("its validUntil is no date and time"))?),
        };
        Ok(Metadata { entity_id, valid_until, keys })
    }

    pub(crate) fn keys(&self) -> &[SigningKey] {
        &self.keys
    }
}

fn signing_keys(provider: &Element<'_>) -> Result<Vec<SigningKey>, MetadataError> {
    let mut keys = Vec::new();
    for descriptor in provider.named(METADATA, "KeyDescriptor") {
        if !matches!(descriptor.attribute("use"), None | Some("signing")) {
            continue;
        }
        for certificate in descriptor.all().filter(|element| element.is(SIGNATURE, "X509Certificate")) {
            let text = certificate.text().ok_or(MetadataError("an X509Certificate holds more than text"))?;
            let der = decode_base64(&text).ok_or(MetadataError("an X509Certificate is not base64"))?;
            // A key of a kind that cannot be used here does not spoil the others.
            keys.extend(SigningKey::of_certificate(&der));
            if keys.len() > MAX_CERTIFICATES {
                return Err(MetadataError("it has too many certificates"));
            }
        }
    }
    if keys.is_empty() {
        return Err(MetadataError("it has no signing certificate with an RSA (2048 bits or more), P-256 or P-384 key"));
    }
    Ok(keys)
}

/// Base64 with white space anywhere, as XML has it.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let compact: String = text.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).ok()
}

/// An `xs:dateTime`.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::parse_iso8601(text).ok()
}
