//! Policy documents on their way in and out, and tags.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use stoa_kernel::ApiError;
use stoa_models_iam::types::Tag;
use stoa_policy::{Document, PolicyKind};

use crate::error::{invalid_input, limit_exceeded, malformed_policy};
use crate::state::Tags;

/// RFC 3986's unreserved letters stay as they are.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const MAX_TAGS: usize = 50;

/// A document as IAM returns it: percent-encoded.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

/// Refuses what is no policy of this kind.
pub(crate) fn check(text: &str, kind: PolicyKind) -> Result<(), ApiError> {
    Document::parse_as(text, kind).map(|_| ()).map_err(|error| malformed_policy(error.to_string()))
}

/// A document's size as quotas count it: without white space.
pub(crate) fn size(text: &str) -> usize {
    text.chars().filter(|letter| !letter.is_whitespace()).count()
}

/// Adds tags from a request to those there are.
pub(crate) fn add_tags(tags: &mut Tags, given: Vec<Tag>) -> Result<(), ApiError> {
    let mut seen = std::collections::BTreeSet::new();
    for tag in given {
        if !seen.insert(tag.key.to_lowercase()) {
            return Err(invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid_input("Tag keys may not begin with aws:, which is reserved."));
        }
        // A key that differs in case alone replaces the one that is there.
        let old = tags.keys().find(|key| key.to_lowercase() == tag.key.to_lowercase()).cloned();
        if let Some(old) = old {
            tags.remove(&old);
        }
        tags.insert(tag.key, tag.value);
    }
    if tags.len() > MAX_TAGS {
        return Err(limit_exceeded(format!("The number of tags has reached the maximum limit of {MAX_TAGS}.")));
    }
    Ok(())
}

/// Removes the tags with these keys, whatever their case.
pub(crate) fn remove_tags(tags: &mut Tags, keys: &[String]) {
    tags.retain(|key, _| !keys.iter().any(|other| other.to_lowercase() == key.to_lowercase()));
}

/// Tags as the API has them; none where there are none.
pub(crate) fn wire_tags(tags: &Tags) -> Option<Vec<Tag>> {
    (!tags.is_empty()).then(|| tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect())
}
