//! Times in filters: `YYYY-mm-ddTHH:MM:SS`, UTC where no zone is given.

use stoa_kernel::ApiError;
use stoa_types::Timestamp;

/// The time that a filter's value names.
pub(super) fn parse(property: &str, text: &str) -> Result<Timestamp, ApiError> {
    let parsed = Timestamp::parse_iso8601(text).or_else(|_| Timestamp::parse_iso8601(&format!("{text}Z")));
    parsed.map_err(|_| {
        ApiError::validation(format!("Value `{text}` of {property} must be a time of the form YYYY-mm-ddTHH:MM:SS"))
    })
}

/// A stored time as it compares with a filter's: by the second where the filter names a whole one.
pub(super) fn comparable(stored: Timestamp, wanted: Timestamp) -> i64 {
    match wanted.millis().rem_euclid(1000) {
        0 => stored.millis().div_euclid(1000) * 1000,
        _ => stored.millis(),
    }
}
