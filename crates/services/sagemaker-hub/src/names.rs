//! Names of hubs and hub contents: plain or as ARNs, in and out.

use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::types::HubContentType;
use stoa_sagemaker_common::Version;
use stoa_types::{AccountId, Arn, Partition, Region};

use crate::catalog::is_name;

/// The public hub; its owner is the pseudo-account `aws`.
pub(crate) const PUBLIC_HUB: &str = "SageMakerPublicHub";

/// A hub: whose it is, where, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HubName {
    pub partition: Partition,
    pub region: Region,
    pub account: AccountId,
    pub name: String,
}

impl HubName {
    /// The hub that a plain name or an ARN means to this caller; none for a text that is neither.
    pub fn parse(cx: &Cx, text: &str) -> Option<HubName> {
        HubName::of(&cx.principal.account, &cx.region, text)
    }

    /// The hub that a plain name or an ARN means to an account in a region; none for a text that is neither.
    pub fn of(account: &AccountId, region: &Region, text: &str) -> Option<HubName> {
        if text.starts_with("arn:") {
            return HubName::parse_arn(text);
        }
        let account = if text == PUBLIC_HUB { AccountId::aws() } else { account.clone() };
        is_name(text).then(|| HubName {
            partition: Partition::of(region),
            region: region.clone(),
            account,
            name: text.to_owned(),
        })
    }

    /// The hub with this ARN.
    pub fn parse_arn(text: &str) -> Option<HubName> {
        let arn: Arn = text.parse().ok()?;
        let name = arn.resource().strip_prefix("hub/").filter(|name| is_name(name))?;
        HubName::of_arn(&arn, name)
    }

    /// The caller's own hub of this name.
    pub fn own(cx: &Cx, name: &str) -> HubName {
        HubName {
            partition: cx.partition.clone(),
            region: cx.region.clone(),
            account: cx.principal.account.clone(),
            name: name.to_owned(),
        }
    }

    /// The public hub in the caller's region.
    pub fn public(cx: &Cx) -> HubName {
        HubName { account: AccountId::aws(), name: PUBLIC_HUB.to_owned(), ..HubName::own(cx, PUBLIC_HUB) }
    }

    fn of_arn(arn: &Arn, name: &str) -> Option<HubName> {
        let region: Region = arn.region().parse().ok()?;
        let partition = Partition::of(&region);
        let ours = arn.service() == "sagemaker" && arn.partition() == partition.as_str();
        ours.then_some(())?;
        Some(HubName { partition, region, account: arn.account().parse().ok()?, name: name.to_owned() })
    }

    pub fn is_public(&self) -> bool {
        self.account.is_aws() && self.name == PUBLIC_HUB
    }

    pub fn arn(&self) -> String {
        format!("{}hub/{}", self.prefix(), self.name)
    }

    /// The ARN of a content without its version, as policies name it.
    pub fn content_arn(&self, kind: &str, name: &str) -> String {
        format!("{}hub-content/{}/{kind}/{name}", self.prefix(), self.name)
    }

    /// The ARN of a KMS key or alias that the hub's owner names: whoever asks, a plain name is one of the owner's.
    pub fn key_arn(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let kind = if name.starts_with("alias/") { "" } else { "key/" };
        format!("arn:{}:kms:{}:{}:{kind}{name}", self.partition, self.region, self.account)
    }

    fn prefix(&self) -> String {
        format!("arn:{}:sagemaker:{}:{}:", self.partition, self.region, self.account)
    }
}

/// The ARN of a hub content, with or without a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContentArn {
    pub hub: HubName,
    pub kind: HubContentType,
    pub name: String,
    pub version: Option<Version>,
}

impl ContentArn {
    /// None for a text that is no such ARN. The SDK writes the version `None` when it has none.
    pub fn parse(text: &str) -> Option<ContentArn> {
        let arn: Arn = text.parse().ok()?;
        let mut parts = arn.resource().split('/');
        if parts.next() != Some("hub-content") {
            return None;
        }
        let hub = parts.next().filter(|name| is_name(name))?;
        let kind = parts.next()?.parse().ok()?;
        let name = parts.next().filter(|name| is_name(name))?.to_owned();
        let version = match parts.next() {
            None | Some("None") => None,
            Some(text) => Some(text.parse().ok()?),
        };
        if parts.next().is_some() {
            return None;
        }
        Some(ContentArn { hub: HubName::of_arn(&arn, hub)?, kind, name, version })
    }
}

/// A version in a request.
pub(crate) fn version(member: &str, text: &str) -> Result<Version, ApiError> {
    text.parse().map_err(|error| ApiError::validation(format!("{member}: {error}")))
}

/// A version in a request that may lack it.
pub(crate) fn optional_version(member: &str, text: Option<&String>) -> Result<Option<Version>, ApiError> {
    text.map(|text| version(member, text)).transpose()
}
