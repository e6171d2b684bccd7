//! Versions of hub contents and schemas: three numbers, compared as numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `n.n.n`, each at most four digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version([u16; 3]);

/// The text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version: three numbers of at most four digits are expected, such as 1.0.0")]
pub struct ParseVersionError(String);

impl Version {
    /// `1.0.0`.
    pub const FIRST: Version = Version([1, 0, 0]);

    /// From its three numbers; each must be under 10,000.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Version {
        Version([major, minor, patch])
    }
    /// The version that follows when none is named: one more in the last number; none when there is no room.
    pub fn next(self) -> Option<Version> {
        let Version([major, minor, patch]) = self;
        (patch < 9999).then_some(Version([major, minor, patch + 1]))
    }
    /// One number in the same order.
    pub fn rank(self) -> i64 {
        self.0.iter().fold(0, |rank, part| rank * 10_000 + i64::from(*part))
    }
}

impl FromStr for Version {
    type Err = ParseVersionError;
    fn from_str(text: &str) -> Result<Version, ParseVersionError> {
        let error = || ParseVersionError(text.to_owned());
        let mut parts = text.split('.');
        let mut version = [0; 3];
        for slot in &mut version {
            let part = parts.next().ok_or_else(error)?;
            if part.is_empty() || part.len() > 4 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(error());
            }
            // `1.01.0` and `1.1.0` would be two names of one version.
            if part.len() > 1 && part.starts_with('0') {
                return Err(error());
            }
            *slot = part.parse().map_err(|_| error())?;
        }
        if parts.next().is_some() { Err(error()) } else { Ok(Version(version)) }
    }
}

impl TryFrom<String> for Version {
    type Error = ParseVersionError;
    fn try_from(text: String) -> Result<Version, ParseVersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Version([major, minor, patch]) = self;
        write!(formatter, "{major}.{minor}.{patch}")
    }
}
