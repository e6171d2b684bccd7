//! SAML 2.0: the metadata of an identity provider, and the responses it signs.

mod conditions;
mod metadata;
mod response;
mod signature;

pub use metadata::{Metadata, MetadataError};
pub use response::{Assertion, verify_response};

pub(crate) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub(crate) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(crate) const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub(crate) const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Why a response is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SamlError {
    /// It is no base64, no XML that is accepted, or no SAML response.
    #[error("the SAML response is malformed: {0}")]
    Malformed(&'static str),
    /// It is arranged as no honest response is: more assertions or signatures than one reads, or in other places.
    #[error("the SAML response is arranged in a way that is not accepted: {0}")]
    Arrangement(&'static str),
    /// It is encrypted, which is not supported.
    #[error("the assertion is encrypted")]
    Encrypted,
    /// The identity provider answered that it did not authenticate anyone.
    #[error("the SAML response reports no success")]
    Status,
    /// No signature, or one that does not hold under the provider's certificates.
    #[error("the SAML response's signature is not valid: {0}")]
    Signature(&'static str),
    /// The issuer is not the provider's entity.
    #[error("the issuer is not the provider's entity")]
    Issuer,
    /// It is for somebody else.
    #[error("the audience is not AWS")]
    Audience,
    /// It was to be delivered elsewhere.
    #[error("the recipient is not AWS")]
    Recipient,
    /// The subject or its confirmation is not as it must be.
    #[error("the subject is not confirmed: {0}")]
    Subject(&'static str),
    /// It is no longer valid.
    #[error("the assertion has expired")]
    Expired,
    /// It is not valid yet.
    #[error("the assertion is not valid yet")]
    NotYet,
}
