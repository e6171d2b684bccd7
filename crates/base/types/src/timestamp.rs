//! Points in time: milliseconds since the Unix epoch, UTC. Every wire form is derived from this one.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// The text is no time in the expected form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid timestamp")]
pub struct ParseTimestampError(String);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }
    /// From seconds since the epoch, rounded to the millisecond.
    pub fn from_seconds_f64(seconds: f64) -> Timestamp {
        Timestamp((seconds * 1000.0).round() as i64)
    }
    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }
    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
    /// Seconds since the epoch with their fraction, as awsJson sends them.
    pub fn seconds_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }
    /// This time plus so many milliseconds, saturating.
    pub const fn plus_millis(self, millis: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(millis))
    }

    fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// `2026-11-21T01:02:03Z`, as awsQuery and CloudTrail write it.
    pub fn iso8601(self) -> String {
        let t = self.date_time();
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }
    /// `2026-11-21T01:02:03.004Z`, as S3 writes it.
    pub fn iso8601_millis(self) -> String {
        let text = self.iso8601();
        format!("{}.{:03}Z", text.trim_end_matches('Z'), self.0.rem_euclid(1000))
    }
    /// `20261121T010203Z`, as SigV4 writes it.
    pub fn amz_date(self) -> String {
        self.iso8601().replace(['-', ':'], "")
    }
    /// `Sat, 21 Nov 2026 01:02:03 GMT`, as HTTP headers write it.
    pub fn http_date(self) -> String {
        self.date_time().format(&Rfc2822).map(|text| text.replace("+0000", "GMT")).unwrap_or_default()
    }
    /// Parses RFC 3339 / ISO 8601 with a zone.
    pub fn parse_iso8601(text: &str) -> Result<Timestamp, ParseTimestampError> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| ParseTimestampError(text.to_owned()))?;
        Ok(Timestamp((parsed.unix_timestamp_nanos() / 1_000_000) as i64))
    }
    /// Parses an HTTP date.
    pub fn parse_http_date(text: &str) -> Result<Timestamp, ParseTimestampError> {
        let zoned = text.replace("GMT", "+0000");
        let parsed = OffsetDateTime::parse(&zoned, &Rfc2822).map_err(|_| ParseTimestampError(text.to_owned()))?;
        Ok(Timestamp(parsed.unix_timestamp() * 1000))
    }
    /// Parses `20261121T010203Z`.
    pub fn parse_amz_date(text: &str) -> Result<Timestamp, ParseTimestampError> {
        let error = || ParseTimestampError(text.to_owned());
        if text.len() != 16 || !text.is_ascii() {
            return Err(error());
        }
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let iso =
            format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(9, 11), part(11, 13), part(13, 15));
        if part(8, 9) != "T" || part(15, 16) != "Z" {
            return Err(error());
        }
        Timestamp::parse_iso8601(&iso).map_err(|_| error())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.iso8601())
    }
}
