//! Lifecycle rules: which are taken, what they are about and when they strike. Pure, but for the reconciler.

mod reconcile;

use std::collections::BTreeSet;

use stoa_kernel::ApiError;
use stoa_kernel::ports::{LifecycleFilter, LifecycleRule, ObjectRecord, ObjectTags};
use stoa_types::Timestamp;

use crate::names::KEY_BYTES;

pub use reconcile::LifecycleReconciler;

const MOST_RULES: usize = 1000;
const LONGEST_ID: usize = 255;
const MOST_NEWER: u32 = 100;
const DAY_MILLIS: i64 = 86_400_000;

fn invalid(text: &str) -> ApiError {
    ApiError::new("InvalidArgument", 400, text)
}

fn invalid_request(text: &str) -> ApiError {
    ApiError::new("InvalidRequest", 400, text)
}

fn malformed() -> ApiError {
    let text = "The XML you provided was not well-formed or did not validate against our published schema";
    ApiError::new("MalformedXML", 400, text)
}

/// Refuses rules that S3 does not take.
pub(crate) fn check(rules: &[LifecycleRule]) -> Result<(), ApiError> {
    if rules.len() > MOST_RULES {
        return Err(malformed());
    }
    let mut ids = BTreeSet::new();
    for rule in rules {
        if rule.id.chars().count() > LONGEST_ID {
            return Err(invalid("ID length should not exceed allowed limit of 255"));
        }
        if !ids.insert(rule.id.as_str()) {
            return Err(invalid("Rule ID must be unique. Found same ID for more than one rule"));
        }
        check_rule(rule)?;
    }
    Ok(())
}

fn check_rule(rule: &LifecycleRule) -> Result<(), ApiError> {
    let expirations =
        [rule.days.is_some(), rule.date.is_some(), rule.expired_marker].into_iter().filter(|given| *given).count();
    if expirations > 1 {
        return Err(malformed());
    }
    if expirations == 0 && rule.noncurrent_days.is_none() && rule.abort_days.is_none() {
        return Err(invalid_request("At least one action needs to be specified in a rule"));
    }
    for (days, action) in [
        (rule.days, "'Days' for Expiration action must be a positive integer"),
        (rule.noncurrent_days, "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer"),
        (rule.abort_days, "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer"),
    ] {
        if days == Some(0) {
            return Err(invalid(action));
        }
    }
    if rule.date.is_some_and(|date| date.millis().rem_euclid(DAY_MILLIS) != 0) {
        return Err(invalid("'Date' must be at midnight GMT"));
    }
    if rule.newer_noncurrent.is_some_and(|kept| !(1..=MOST_NEWER).contains(&kept)) {
        return Err(invalid("'NewerNoncurrentVersions' must be between 1 and 100"));
    }
    check_filter(rule)
}

fn check_filter(rule: &LifecycleRule) -> Result<(), ApiError> {
    let LifecycleFilter { prefix, tags, greater_than, less_than, .. } = &rule.filter;
    if prefix.as_ref().is_some_and(|prefix| prefix.len() > KEY_BYTES) {
        return Err(invalid_request("The maximum size of a prefix is 1024."));
    }
    let sized = greater_than.is_some() || less_than.is_some();
    if rule.expired_marker && !tags.is_empty() {
        return Err(invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags."));
    }
    if rule.expired_marker && sized {
        return Err(invalid_request("ExpiredObjectDeleteMarker cannot be specified with object size."));
    }
    if rule.abort_days.is_some() && !tags.is_empty() {
        return Err(invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags."));
    }
    if rule.abort_days.is_some() && sized {
        return Err(invalid_request("AbortIncompleteMultipartUpload cannot be specified with object size."));
    }
    match (greater_than, less_than) {
        (Some(least), Some(most)) if least >= most => {
            Err(invalid_request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'."))
        }
        _ => Ok(()),
    }
}

fn begins(filter: &LifecycleFilter, key: &str) -> bool {
    filter.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
}

/// Whether a rule is about an object.
fn about(rule: &LifecycleRule, key: &str, size: u64, tags: &ObjectTags) -> bool {
    let filter = &rule.filter;
    rule.enabled
        && begins(filter, key)
        && filter.tags.iter().all(|(name, value)| tags.get(name) == Some(value))
        && filter.greater_than.is_none_or(|least| size > least)
        && filter.less_than.is_none_or(|most| size < most)
}

/// Whether a rule is about what has neither size nor tags: delete markers and uploads.
fn about_key(rule: &LifecycleRule, key: &str) -> bool {
    let filter = &rule.filter;
    let plain = filter.tags.is_empty() && filter.greater_than.is_none() && filter.less_than.is_none();
    rule.enabled && plain && begins(filter, key)
}

/// So many days after a time, put off to the next midnight.
fn after(time: Timestamp, days: u32) -> Timestamp {
    let end = time.millis().saturating_add(i64::from(days) * DAY_MILLIS);
    Timestamp::from_millis(
        end.div_euclid(DAY_MILLIS) * DAY_MILLIS + if end.rem_euclid(DAY_MILLIS) > 0 { DAY_MILLIS } else { 0 },
    )
}

/// When a rule removes an object that was written then.
fn end_of(rule: &LifecycleRule, modified: Timestamp) -> Option<Timestamp> {
    rule.date.or_else(|| rule.days.map(|days| after(modified, days)))
}

/// When an object is removed, and by which rule: the first that strikes.
pub(crate) fn expiry(rules: &[LifecycleRule], record: &ObjectRecord) -> Option<(Timestamp, String)> {
    let entry = &record.entry;
    let fits = rules.iter().filter(|rule| about(rule, &entry.key, entry.size, &record.attributes.tags));
    let ends = fits.filter_map(|rule| Some((end_of(rule, entry.last_modified)?, rule.id.clone())));
    ends.min_by_key(|(end, _)| *end)
}

/// Whether a version goes that is not the newest: `newer` are between it and the newest.
fn noncurrent_expired(rule: &LifecycleRule, since: Timestamp, newer: u32, now: Timestamp) -> bool {
    let kept = rule.newer_noncurrent.unwrap_or(0);
    rule.noncurrent_days.is_some_and(|days| newer >= kept && after(since, days) <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: Timestamp = Timestamp::from_millis(20_000 * DAY_MILLIS);

    fn rule() -> LifecycleRule {
        LifecycleRule { id: "r".to_owned(), enabled: true, days: Some(1), ..LifecycleRule::default() }
    }

    #[test]
    fn days_end_at_midnight() {
        let day = |number: i64| Timestamp::from_millis((20_000 + number) * DAY_MILLIS);
        assert_eq!(after(MIDNIGHT, 1), day(1));
        assert_eq!(after(MIDNIGHT.plus_millis(1), 1), day(2));
        assert_eq!(after(MIDNIGHT.plus_millis(DAY_MILLIS - 1), 3), day(4));
    }

    #[test]
    fn rules_that_are_refused() {
        let code = |rule: LifecycleRule| check(&[rule]).unwrap_err().code().to_owned();
        assert!(check(&[rule()]).is_ok());
        assert_eq!(code(LifecycleRule { days: Some(0), ..rule() }), "InvalidArgument");
        assert_eq!(code(LifecycleRule { days: None, ..rule() }), "InvalidRequest");
        assert_eq!(code(LifecycleRule { date: Some(MIDNIGHT), ..rule() }), "MalformedXML");
        assert_eq!(
            code(LifecycleRule { days: None, date: Some(MIDNIGHT.plus_millis(1)), ..rule() }),
            "InvalidArgument"
        );
        assert_eq!(code(LifecycleRule { abort_days: Some(0), ..rule() }), "InvalidArgument");
        let kept = LifecycleRule { noncurrent_days: Some(1), newer_noncurrent: Some(101), ..rule() };
        assert_eq!(code(kept), "InvalidArgument");
        let tags = [("a".to_owned(), "b".to_owned())].into();
        let tagged = LifecycleFilter { tags, ..LifecycleFilter::default() };
        assert_eq!(code(LifecycleRule { abort_days: Some(1), filter: tagged, ..rule() }), "InvalidRequest");
        let sizes = LifecycleFilter { greater_than: Some(5), less_than: Some(5), ..LifecycleFilter::default() };
        assert_eq!(code(LifecycleRule { filter: sizes, ..rule() }), "InvalidRequest");
        assert_eq!(check(&[rule(), rule()]).unwrap_err().code(), "InvalidArgument");
    }

    #[test]
    fn what_a_filter_is_about() {
        let tags: ObjectTags = [("a".to_owned(), "b".to_owned())].into();
        let fits = |filter: LifecycleFilter, size| about(&LifecycleRule { filter, ..rule() }, "logs/1", size, &tags);
        let filter = LifecycleFilter::default;
        assert!(fits(filter(), 0));
        assert!(fits(LifecycleFilter { prefix: Some("logs/".to_owned()), ..filter() }, 0));
        assert!(!fits(LifecycleFilter { prefix: Some("log/".to_owned()), ..filter() }, 0));
        assert!(fits(LifecycleFilter { tags: tags.clone(), ..filter() }, 0));
        let other = [("a".to_owned(), "c".to_owned())].into();
        assert!(!fits(LifecycleFilter { tags: other, ..filter() }, 0));
        let sizes = || LifecycleFilter { greater_than: Some(5), less_than: Some(7), ..filter() };
        assert_eq!([5, 6, 7].map(|size| fits(sizes(), size)), [false, true, false]);
        assert!(!about(&LifecycleRule { enabled: false, ..rule() }, "logs/1", 0, &tags));
    }

    #[test]
    fn newer_ones_are_kept() {
        let rule = LifecycleRule { noncurrent_days: Some(2), newer_noncurrent: Some(1), ..rule() };
        let expired = |newer, days| noncurrent_expired(&rule, MIDNIGHT, newer, MIDNIGHT.plus_millis(days * DAY_MILLIS));
        assert_eq!([expired(0, 2), expired(1, 1), expired(1, 2), expired(5, 9)], [false, false, true, true]);
    }
}
