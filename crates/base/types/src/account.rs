//! Account ids, regions and partitions: parsed at the edge, cheap to clone.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text_newtype {
    // text_newtype!(Region, "why") expands to a cloneable, ordered `struct Region(Arc<str>)` that displays as its text.
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, formatter)
            }
        }
    };
}

text_newtype!(AccountId, "Twelve digits, or the pseudo-account `aws` that owns the public hub.");
text_newtype!(Region, "A region name such as `us-west-2`.");
text_newtype!(Partition, "`aws`, `aws-cn` or `aws-us-gov`.");

/// A text that is no account id, region or partition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}")]
pub struct ParseIdError {
    what: &'static str,
    text: String,
}

impl AccountId {
    /// The pseudo-account that owns `SageMakerPublicHub` and the JumpStart cache buckets.
    pub fn aws() -> AccountId {
        AccountId(Arc::from("aws"))
    }

    /// Whether this is the pseudo-account `aws`.
    pub fn is_aws(&self) -> bool {
        &*self.0 == "aws"
    }

    /// The account with this number; only the last twelve digits count.
    pub fn from_number(number: u64) -> AccountId {
        AccountId(Arc::from(format!("{:012}", number % 1_000_000_000_000)))
    }
}

impl FromStr for AccountId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits || text == "aws" {
            return Ok(AccountId(Arc::from(text)));
        }
        Err(ParseIdError { what: "account id", text: text.to_owned() })
    }
}

impl FromStr for Region {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let shape = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let dashed = text.split('-').count() >= 3 && !text.starts_with('-') && !text.ends_with('-');
        if text.len() <= 32 && dashed && text.bytes().all(shape) {
            return Ok(Region(Arc::from(text)));
        }
        Err(ParseIdError { what: "region", text: text.to_owned() })
    }
}

impl Partition {
    /// The partition that a region belongs to.
    pub fn of(region: &Region) -> Partition {
        let text = match region.as_str() {
            name if name.starts_with("cn-") => "aws-cn",
            name if name.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        Partition(Arc::from(text))
    }
}
