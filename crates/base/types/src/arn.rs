//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

use std::fmt;
use std::str::FromStr;

/// A parsed ARN. Region and account may be empty (IAM, S3); the resource keeps its given case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    text: String,
    ends: [usize; 5],
}

/// The text is no ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid ARN")]
pub struct ParseArnError(String);

impl Arn {
    /// Joins the six parts.
    pub fn new(partition: &str, service: &str, region: &str, account: &str, resource: &str) -> Arn {
        let text = format!("arn:{partition}:{service}:{region}:{account}:{resource}");
        let mut ends = [3; 5];
        for (index, part) in [partition, service, region, account].iter().enumerate() {
            ends[index + 1] = ends[index] + 1 + part.len();
        }
        Arn { text, ends }
    }

    fn part(&self, index: usize) -> &str {
        let start = self.ends.get(index).map_or(0, |end| end + 1);
        let end = self.ends.get(index + 1).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or("")
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.part(0)
    }
    /// The service prefix, such as `sagemaker`.
    pub fn service(&self) -> &str {
        self.part(1)
    }
    /// The region, possibly empty.
    pub fn region(&self) -> &str {
        self.part(2)
    }
    /// The account, possibly empty.
    pub fn account(&self) -> &str {
        self.part(3)
    }
    /// All after the fifth colon.
    pub fn resource(&self) -> &str {
        self.part(4)
    }
    /// The resource type: the resource up to its first `/` or `:`.
    pub fn resource_type(&self) -> &str {
        let resource = self.resource();
        resource.split(['/', ':']).next().unwrap_or(resource)
    }
    /// The resource after its type and separator; empty when there is none.
    pub fn resource_id(&self) -> &str {
        self.resource().split_once(['/', ':']).map_or("", |(_, id)| id)
    }
}

impl FromStr for Arn {
    type Err = ParseArnError;
    fn from_str(text: &str) -> Result<Self, ParseArnError> {
        let mut ends = [0; 5];
        let mut colons = text.match_indices(':');
        for end in &mut ends {
            match colons.next() {
                Some((position, _)) => *end = position,
                None => return Err(ParseArnError(text.to_owned())),
            }
        }
        let arn = Arn { text: text.to_owned(), ends };
        let named = !arn.partition().is_empty() && !arn.service().is_empty() && !arn.resource().is_empty();
        if text.starts_with("arn:") && named { Ok(arn) } else { Err(ParseArnError(text.to_owned())) }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
