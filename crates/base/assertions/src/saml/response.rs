//! A SAML response: from its base64 to an assertion that can be believed.
//!
//! INVARIANT: an honest response has one assertion, right below it, and a signature right below what it signs. Anything
//! else (assertions in other places, signatures that sign something else, one ID twice) is refused before anything is
//! read; after that only text that was signed is read. Either alone stops signature wrapping.

use std::collections::{BTreeMap, BTreeSet};

use stoa_types::Timestamp;

use super::conditions;
use super::metadata::{Metadata, decode_base64};
use super::signature;
use super::{ASSERTION, PROTOCOL, SIGNATURE, SamlError};
use crate::xml::{Element, parse};

const MAX_BYTES: usize = 100_000;
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// What an assertion says, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The issuer: the provider's entity.
    pub issuer: String,
    /// `NameID`.
    pub name_id: String,
    /// Its `Format`; empty when it has none.
    pub name_id_format: String,
    /// The `Recipient` of the confirmation.
    pub recipient: String,
    /// Until when the session at the identity provider lasts, where it says.
    pub session_ends: Option<Timestamp>,
    /// The attributes' values, by name.
    pub attributes: BTreeMap<String, Vec<String>>,
}

/// Verifies a response against the provider's certificates and the time.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_response(encoded: &str, metadata: &Metadata, now: Timestamp) -> Result<Assertion, SamlError> {
    if encoded.len() > MAX_BYTES {
        return Err(SamlError::Malformed("it is too long"));
    }
    let bytes = decode_base64(encoded).ok_or(SamlError::Malformed("it is not base64"))?;
    let text = String::from_utf8(bytes).map_err(|_| SamlError::Malformed("it is not UTF-8"))?;
    let signed = signed_text(&text, metadata)?;
    let document = parse(&signed).map_err(|_| SamlError::Malformed("what is signed is not XML"))?;
    let root = Element::root(&document).ok_or(SamlError::Malformed("what is signed is empty"))?;
    let assertion = if root.is(ASSERTION, "Assertion") {
        root
    } else {
        root.only(ASSERTION, "Assertion").ok_or(SamlError::Arrangement("no assertion is signed"))?
    };
    conditions::read(&assertion, metadata, now)
}

/// The canonical text of the assertion, or of the response around it, whichever is signed.
fn signed_text(text: &str, metadata: &Metadata) -> Result<String, SamlError> {
    let document = parse(text).map_err(|_| SamlError::Malformed("it is not well-formed XML, or has a DTD"))?;
    let response = Element::root(&document).ok_or(SamlError::Malformed("it is empty"))?;
    if !response.is(PROTOCOL, "Response") || response.attribute("Version") != Some("2.0") {
        return Err(SamlError::Malformed("it is not a SAML 2.0 Response"));
    }
    let everything: Vec<Element<'_>> = response.all().collect();
    if everything.iter().any(|element| element.is(ASSERTION, "EncryptedAssertion")) {
        return Err(SamlError::Encrypted);
    }
    check_status(&response)?;
    check_issuer(&response, metadata)?;
    let assertion = check_arrangement(&response, &everything)?;
    let of = |owner: &Element<'_>| owner.named(SIGNATURE, "Signature").next().map(|found| found.node);
    let (outer, inner) = (of(&response), of(&assertion));
    let verify =
        |owner: &Element<'_>, node| signature::verify(owner, &Element { document: &document, node }, metadata.keys());
    // Both must hold where there are both; the inner one is then read, being the narrower.
    let outer = outer.map(|node| verify(&response, node)).transpose()?;
    let inner = inner.map(|node| verify(&assertion, node)).transpose()?;
    inner.or(outer).ok_or(SamlError::Signature("it is not signed"))
}

fn check_status(response: &Element<'_>) -> Result<(), SamlError> {
    let status = response.only(PROTOCOL, "Status").and_then(|status| status.only(PROTOCOL, "StatusCode"));
    match status.and_then(|code| code.attribute("Value")) {
        Some(SUCCESS) => Ok(()),
        _ => Err(SamlError::Status),
    }
}

fn check_issuer(response: &Element<'_>, metadata: &Metadata) -> Result<(), SamlError> {
    let mut issuers = response.named(ASSERTION, "Issuer");
    match (issuers.next(), issuers.next()) {
        (None, _) => Ok(()),
        (Some(issuer), None) if issuer.text().as_deref() == Some(&*metadata.entity_id) => Ok(()),
        _ => Err(SamlError::Issuer),
    }
}

/// Refuses every arrangement that no honest response has; the one assertion otherwise.
fn check_arrangement<'d>(response: &Element<'d>, everything: &[Element<'d>]) -> Result<Element<'d>, SamlError> {
    let assertion = response.only(ASSERTION, "Assertion");
    let assertion = assertion.ok_or(SamlError::Arrangement("there is not exactly one assertion in the response"))?;
    if everything.iter().filter(|element| element.is(ASSERTION, "Assertion")).count() != 1 {
        return Err(SamlError::Arrangement("there is an assertion in another place"));
    }
    if everything.iter().filter(|element| element.is(PROTOCOL, "Response")).count() != 1 {
        return Err(SamlError::Arrangement("there is a response in another place"));
    }
    let mut placed = 0;
    for owner in [response, &assertion] {
        let count = owner.named(SIGNATURE, "Signature").count();
        if count > 1 {
            return Err(SamlError::Arrangement("an element has more than one signature"));
        }
        placed += count;
    }
    if everything.iter().filter(|element| element.is(SIGNATURE, "Signature")).count() != placed {
        return Err(SamlError::Arrangement("there is a signature in another place"));
    }
    let mut ids = BTreeSet::new();
    for element in everything {
        for name in ["ID", "Id", "id"] {
            if element.attribute(name).is_some_and(|id| !ids.insert(id)) {
                return Err(SamlError::Arrangement("an ID occurs twice"));
            }
        }
    }
    Ok(assertion)
}
