//! An assertion's statements: for whom, for how long, about whom. Read from signed text only.

use std::collections::BTreeMap;

use stoa_types::Timestamp;

use super::metadata::{Metadata, instant};
use super::response::Assertion;
use super::{ASSERTION, SamlError};
use crate::CLOCK_SKEW_MILLIS;
use crate::xml::Element;

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const AUDIENCES: [&str; 2] = ["https://signin.aws.amazon.com/saml", "urn:amazon:webservices"];
/// How long after it was issued AWS takes an assertion.
const REDEEM_MILLIS: i64 = 5 * 60_000;

/// Checks an assertion and reads it.
pub(super) fn read(assertion: &Element<'_>, metadata: &Metadata, now: Timestamp) -> Result<Assertion, SamlError> {
    if assertion.attribute("Version") != Some("2.0") {
        return Err(SamlError::Malformed("the assertion is not of SAML 2.0"));
    }
    let issuer = assertion.only(ASSERTION, "Issuer").and_then(|issuer| issuer.text());
    let issuer = issuer.filter(|issuer| *issuer == metadata.entity_id).ok_or(SamlError::Issuer)?;
    check_age(assertion, now)?;
    check_conditions(assertion, now)?;
    let subject = assertion.only(ASSERTION, "Subject").ok_or(SamlError::Subject("there is not exactly one Subject"))?;
    let recipient = check_confirmation(&subject, now)?;
    let name_id = subject.only(ASSERTION, "NameID").ok_or(SamlError::Subject("there is not exactly one NameID"))?;
    let name = name_id.text().filter(|name| !name.is_empty()).ok_or(SamlError::Subject("the NameID is empty"))?;
    Ok(Assertion {
        issuer,
        name_id: name,
        name_id_format: name_id.attribute("Format").unwrap_or_default().to_owned(),
        recipient,
        session_ends: session_end(assertion, now)?,
        attributes: attributes(assertion)?,
    })
}

/// A time in an attribute: none when it is not there, an error when it is no time.
fn time(element: &Element<'_>, name: &str) -> Result<Option<i64>, SamlError> {
    let Some(text) = element.attribute(name) else { return Ok(None) };
    let at = instant(text).ok_or(SamlError::Malformed("a date and time cannot be read"))?;
    Ok(Some(at.millis()))
}

/// `NotBefore` and `NotOnOrAfter`, where they are there.
fn check_period(element: &Element<'_>, now: Timestamp) -> Result<(), SamlError> {
    let now = now.millis();
    if time(element, "NotBefore")?.is_some_and(|start| start > now + CLOCK_SKEW_MILLIS) {
        return Err(SamlError::NotYet);
    }
    if time(element, "NotOnOrAfter")?.is_some_and(|end| end.saturating_add(CLOCK_SKEW_MILLIS) <= now) {
        return Err(SamlError::Expired);
    }
    Ok(())
}

fn check_age(assertion: &Element<'_>, now: Timestamp) -> Result<(), SamlError> {
    let issued = time(assertion, "IssueInstant")?.ok_or(SamlError::Malformed("the assertion has no IssueInstant"))?;
    if issued > now.millis() + CLOCK_SKEW_MILLIS {
        return Err(SamlError::NotYet);
    }
    if issued.saturating_add(REDEEM_MILLIS + CLOCK_SKEW_MILLIS) <= now.millis() {
        return Err(SamlError::Expired);
    }
    Ok(())
}

fn check_conditions(assertion: &Element<'_>, now: Timestamp) -> Result<(), SamlError> {
    let conditions = assertion.only(ASSERTION, "Conditions").ok_or(SamlError::Audience)?;
    check_period(&conditions, now)?;
    let mut restricted = false;
    for condition in conditions.children() {
        if condition.is(ASSERTION, "AudienceRestriction") {
            let mut audiences = condition.named(ASSERTION, "Audience").filter_map(|audience| audience.text());
            if !audiences.any(|audience| AUDIENCES.contains(&&*audience)) {
                return Err(SamlError::Audience);
            }
            restricted = true;
        } else if !condition.is(ASSERTION, "OneTimeUse") && !condition.is(ASSERTION, "ProxyRestriction") {
            // SAML's rule: an assertion with a condition that is not understood is not valid.
            return Err(SamlError::Malformed("it has a condition that is not understood"));
        }
    }
    if restricted { Ok(()) } else { Err(SamlError::Audience) }
}

/// The recipient of the one confirmation there must be.
fn check_confirmation(subject: &Element<'_>, now: Timestamp) -> Result<String, SamlError> {
    let confirmation = subject.only(ASSERTION, "SubjectConfirmation");
    let confirmation = confirmation.ok_or(SamlError::Subject("there is not exactly one SubjectConfirmation"))?;
    if confirmation.attribute("Method") != Some(BEARER) {
        return Err(SamlError::Subject("it is not confirmed by bearer"));
    }
    let data = confirmation.only(ASSERTION, "SubjectConfirmationData");
    let data = data.ok_or(SamlError::Subject("there is not exactly one SubjectConfirmationData"))?;
    if data.attribute("NotOnOrAfter").is_none() {
        return Err(SamlError::Subject("its confirmation has no NotOnOrAfter"));
    }
    check_period(&data, now)?;
    let recipient =
        data.attribute("Recipient").filter(|recipient| is_sign_in(recipient)).ok_or(SamlError::Recipient)?;
    Ok(recipient.to_owned())
}

/// AWS's sign-in endpoint, global or of a region, with or without a provider's own path.
fn is_sign_in(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let region = host.strip_suffix("signin.aws.amazon.com").and_then(|start| match start.strip_suffix('.') {
        Some(region) => Some(region),
        None if start.is_empty() => Some(""),
        None => None,
    });
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let path_fits = path == "saml" || path.strip_prefix("saml/acs/").is_some_and(|id| !id.is_empty() && plain(id));
    region.is_some_and(plain) && path_fits
}

/// The end of the session at the identity provider, which there must be a statement of.
fn session_end(assertion: &Element<'_>, now: Timestamp) -> Result<Option<Timestamp>, SamlError> {
    let mut statements = assertion.named(ASSERTION, "AuthnStatement").peekable();
    if statements.peek().is_none() {
        return Err(SamlError::Malformed("the assertion has no AuthnStatement"));
    }
    let mut end: Option<i64> = None;
    for statement in statements {
        if let Some(ends) = time(&statement, "SessionNotOnOrAfter")? {
            end = Some(end.map_or(ends, |known| known.min(ends)));
        }
    }
    if end.is_some_and(|end| end <= now.millis()) {
        return Err(SamlError::Expired);
    }
    Ok(end.map(Timestamp::from_millis))
}

fn attributes(assertion: &Element<'_>) -> Result<BTreeMap<String, Vec<String>>, SamlError> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for statement in assertion.named(ASSERTION, "AttributeStatement") {
        for attribute in statement.named(ASSERTION, "Attribute") {
            let name = attribute.attribute("Name").ok_or(SamlError::Malformed("an attribute has no name"))?;
            let values = all.entry(name.to_owned()).or_default();
            for value in attribute.named(ASSERTION, "AttributeValue") {
                // Structured values (eduPersonTargetedID's NameID) are nothing that a condition could compare.
                values.extend(value.text());
            }
        }
    }
    Ok(all)
}
