//! How requests name keys: by id, key ARN, alias name or alias ARN.

use stoa_kernel::{ApiError, Cx};
use stoa_types::{AccountId, Arn, Region};

use crate::error::{not_found, refused};

/// What all alias names begin with.
pub(crate) const ALIAS: &str = "alias/";
/// What the alias names of AWS managed keys begin with.
pub(crate) const RESERVED: &str = "alias/aws/";

/// A name, taken apart; nothing is known of whether it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) what: What,
}

/// A key or an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// By id.
    Key(String),
    /// By name, with `alias/`.
    Alias(String),
}

impl Name {
    /// Reads a name; aliases are refused where the operation does not take them.
    pub(crate) fn parse(cx: &Cx, text: &str, aliases: bool) -> Result<Name, ApiError> {
        let own = |what| Name { account: cx.principal.account.clone(), region: cx.region.clone(), what };
        let name = if text.starts_with("arn:") {
            Name::of_arn(cx, text)?
        } else if text.starts_with(ALIAS) {
            own(What::Alias(text.to_owned()))
        } else {
            own(What::Key(text.to_owned()))
        };
        match &name.what {
            What::Alias(_) if !aliases => Err(invalid(text)),
            What::Key(id) if !is_key_id(id) => Err(invalid(id)),
            _ => Ok(name),
        }
    }

    fn of_arn(cx: &Cx, text: &str) -> Result<Name, ApiError> {
        let wrong = || refused("InvalidArnException", format!("Invalid arn {text}"));
        let arn: Arn = text.parse().map_err(|_| wrong())?;
        if arn.service() != "kms" || arn.partition() != cx.partition.as_str() {
            return Err(wrong());
        }
        if arn.region() != cx.region.as_str() {
            return Err(not_found(format!("Invalid arn {}", arn.region())));
        }
        let account: AccountId = arn.account().parse().map_err(|_| wrong())?;
        let what = match arn.resource().split_once('/') {
            Some(("key", id)) => What::Key(id.to_owned()),
            Some(("alias", _)) => What::Alias(arn.resource().to_owned()),
            _ => return Err(wrong()),
        };
        Ok(Name { account, region: cx.region.clone(), what })
    }

    /// The ARN of what is named.
    pub(crate) fn arn(&self, cx: &Cx) -> String {
        let resource = match &self.what {
            What::Key(id) => format!("key/{id}"),
            What::Alias(name) => name.clone(),
        };
        format!("arn:{}:kms:{}:{}:{resource}", cx.partition, self.region, self.account)
    }

    /// Whether it belongs to the caller's account.
    pub(crate) fn is_own(&self, cx: &Cx) -> bool {
        self.account == cx.principal.account
    }
}

fn invalid(text: &str) -> ApiError {
    not_found(format!("Invalid keyId '{text}'"))
}

/// A UUID in its usual form, or the id of a multi-Region key.
fn is_key_id(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let uuid = text.len() == 36
        && text.bytes().enumerate().all(
            |(index, byte)| {
                if dashes.contains(&index) { byte == b'-' } else { byte.is_ascii_hexdigit() }
            },
        );
    let multi = text.strip_prefix("mrk-").is_some_and(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    uuid || multi
}

/// Refuses what is no name that a caller may give an alias.
pub(crate) fn check_alias_name(name: &str) -> Result<(), ApiError> {
    if !name.starts_with(ALIAS) {
        return Err(ApiError::validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    }
    if name.len() == ALIAS.len() || name.contains(':') {
        return Err(ApiError::validation(format!("{name} contains invalid characters for an alias")));
    }
    Ok(())
}
