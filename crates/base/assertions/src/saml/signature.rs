//! XML signatures, as SAML profiles them and no wider: a signature sits right below the element it signs, has one
//! reference, to that element by its ID, and only the enveloped-signature and canonicalization transforms.
//!
//! INVARIANT: what comes out is the canonical text that was hashed. Callers parse and read that, never the document it
//! was found in: what is read is what was signed, whatever else the document holds. `KeyInfo` is not looked at: the keys
//! are the provider's.

use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use uppsala::NodeId;

use super::SamlError;
use super::metadata::decode_base64;
use super::{SIGNATURE, SamlError as Error};
use crate::key::SigningKey;
use crate::xml::Element;

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const MAX_TRANSFORMS: usize = 2;

/// The canonical text of the element that the signature signs, once it held.
pub(super) fn verify(signed: &Element<'_>, signature: &Element<'_>, keys: &[SigningKey]) -> Result<String, SamlError> {
    let info = signature.only(SIGNATURE, "SignedInfo").ok_or(Error::Signature("SignedInfo is missing"))?;
    let value = signature.only(SIGNATURE, "SignatureValue").and_then(|value| value.text());
    let value = value.and_then(|text| decode_base64(&text)).ok_or(Error::Signature("SignatureValue is missing"))?;
    let method = info.only(SIGNATURE, "SignatureMethod").and_then(|method| method.attribute("Algorithm"));
    let method = method.ok_or(Error::Signature("SignatureMethod is missing"))?;
    let canonical = info.only(SIGNATURE, "CanonicalizationMethod");
    let form = canonical.and_then(|element| Form::of(&element)).ok_or(Error::Signature("odd canonicalization"))?;
    let signed_info = form.write(&info, &[])?;
    if !keys.iter().any(|key| key.verifies(method, signed_info.as_bytes(), &value)) {
        return Err(Error::Signature("no certificate of the provider verifies it"));
    }
    verify_reference(signed, signature, &info)
}

fn verify_reference(signed: &Element<'_>, signature: &Element<'_>, info: &Element<'_>) -> Result<String, SamlError> {
    let reference = info.only(SIGNATURE, "Reference").ok_or(Error::Signature("there is not exactly one Reference"))?;
    let id = signed.attribute("ID").ok_or(Error::Signature("what is signed has no ID"))?;
    if reference.attribute("URI").and_then(|uri| uri.strip_prefix('#')) != Some(id) {
        return Err(Error::Signature("the Reference is not to the element that holds the signature"));
    }
    let form = transforms(&reference)?;
    let text = form.write(signed, &[signature.node])?;
    let method = reference.only(SIGNATURE, "DigestMethod").and_then(|method| method.attribute("Algorithm"));
    let algorithm =
        method.and_then(digest_algorithm).ok_or(Error::Signature("the digest algorithm is not accepted"))?;
    let value = reference.only(SIGNATURE, "DigestValue").and_then(|value| value.text());
    let value = value.and_then(|text| decode_base64(&text)).ok_or(Error::Signature("DigestValue is missing"))?;
    if digest(algorithm, text.as_bytes()).as_ref() != value {
        return Err(Error::Signature("the digest differs"));
    }
    Ok(text)
}

/// The canonical form that the transforms end in: enveloped-signature must be among them, once.
fn transforms(reference: &Element<'_>) -> Result<Form, SamlError> {
    let list = reference.only(SIGNATURE, "Transforms").ok_or(Error::Signature("Transforms are missing"))?;
    let list: Vec<Element<'_>> = list.children().collect();
    let (first, second) = match list.as_slice() {
        [first] => (first, None),
        [first, second] if list.len() <= MAX_TRANSFORMS => (first, Some(second)),
        _ => return Err(Error::Signature("there are more transforms than accepted")),
    };
    let odd = || Error::Signature("a transform is not accepted");
    if !first.is(SIGNATURE, "Transform") || first.attribute("Algorithm") != Some(ENVELOPED) {
        return Err(odd());
    }
    match second {
        Some(second) if second.is(SIGNATURE, "Transform") => Form::of(second).ok_or_else(odd),
        Some(_) => Err(odd()),
        // Without one, XML-DSig takes Canonical XML 1.0.
        None => Ok(Form { mode: C14nMode::Inclusive, prefixes: Vec::new() }),
    }
}

fn digest_algorithm(name: &str) -> Option<&'static Algorithm> {
    Some(match name {
        "http://www.w3.org/2001/04/xmlenc#sha256" => &SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &SHA512,
        _ => return None,
    })
}

/// A canonical form, without comments.
struct Form {
    mode: C14nMode,
    prefixes: Vec<String>,
}

impl Form {
    /// What an element with `Algorithm` (and `InclusiveNamespaces`) names.
    fn of(element: &Element<'_>) -> Option<Form> {
        let mode = C14nMode::from_uri(element.attribute("Algorithm")?)?;
        if mode.with_comments() {
            return None;
        }
        let mut prefixes = Vec::new();
        for child in element.children() {
            if !mode.is_exclusive() || !child.is(EXCLUSIVE, "InclusiveNamespaces") {
                return None;
            }
            let list = child.attribute("PrefixList").unwrap_or_default().split_whitespace();
            prefixes.extend(list.map(|prefix| if prefix == "#default" { String::new() } else { prefix.to_owned() }));
        }
        Some(Form { mode, prefixes })
    }

    /// The element in this form, without the elements that are left out.
    fn write(&self, element: &Element<'_>, left_out: &[NodeId]) -> Result<String, SamlError> {
        let document = element.document;
        let mut nodes = NodeSet::tree_without_comments(element.node, document);
        for top in left_out {
            nodes.remove_id(*top);
            for below in document.descendants(*top) {
                nodes.remove_id(below);
            }
        }
        let bytes = canonicalize_doc(document, self.mode, Some(&nodes), &self.prefixes);
        let bytes = bytes.map_err(|_| Error::Signature("it cannot be put into canonical form"))?;
        String::from_utf8(bytes).map_err(|_| Error::Signature("it cannot be put into canonical form"))
    }
}
