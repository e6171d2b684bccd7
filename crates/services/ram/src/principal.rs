//! Whom a resource is shared with: an account, the organization, a unit of it, a user or a role.

use stoa_kernel::ports::AccountPlace;
use stoa_kernel::{ApiError, Cx};
use stoa_types::{AccountId, Arn};

use crate::Ram;
use crate::error::{invalid, not_permitted, unknown};

/// The longest ARN of a principal.
const LONGEST: usize = 2048;
/// The longest name of a user or role.
const LONGEST_NAME: usize = 64;

/// A principal by the form of its name; nothing is known of whether it exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Account(AccountId),
    /// `o-…`.
    Organization(String),
    /// `o-…`, `ou-…`.
    Unit(String, String),
    /// A user or role of an account.
    Identity(AccountId),
}

/// A principal that a share may have.
#[derive(Debug, Clone)]
pub(crate) struct Resolved {
    /// As the request has it.
    pub(crate) id: String,
    pub(crate) external: bool,
    /// Who is invited; none when the organization's sharing lets it in.
    pub(crate) invited: Option<AccountId>,
    /// Whether it is a single user or role.
    pub(crate) is_identity: bool,
}

impl Named {
    pub(crate) fn parse(text: &str) -> Option<Named> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Named::Account);
        }
        let arn: Arn = text.parse().ok().filter(|_| text.len() <= LONGEST)?;
        let parts: Vec<&str> = arn.resource().split('/').collect();
        match (arn.service(), parts.as_slice()) {
            ("organizations", ["organization", id]) => Some(Named::Organization((*id).to_owned())),
            ("organizations", ["ou", organization, id]) => {
                Some(Named::Unit((*organization).to_owned(), (*id).to_owned()))
            }
            ("iam", ["user" | "role", path @ .., name]) if arn.region().is_empty() && is_identity(path, name) => {
                arn.account().parse().ok().filter(|account: &AccountId| !account.is_aws()).map(Named::Identity)
            }
            _ => None,
        }
    }

    /// Whether it is the account itself, or one of its users and roles.
    pub(crate) fn is_of(&self, account: &AccountId) -> bool {
        matches!(self, Named::Account(own) | Named::Identity(own) if own == account)
    }

    /// Whether it is the account, or holds it, or is one of its users and roles.
    pub(crate) fn covers(&self, account: &AccountId, place: Option<&AccountPlace>) -> bool {
        match self {
            Named::Account(own) | Named::Identity(own) => own == account,
            Named::Organization(id) => place.is_some_and(|place| place.organization == *id),
            Named::Unit(_, id) => {
                let step = format!("/{id}/");
                place.is_some_and(|place| place.paths.iter().any(|path| path.contains(&step)))
            }
        }
    }
}

/// Whether it is the path and name of one user or role, as IAM lets them be: a wildcard names none.
fn is_identity(path: &[&str], name: &str) -> bool {
    let in_path = |byte: u8| byte.is_ascii_graphic() && !b"*?".contains(&byte);
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    path.iter().all(|part| !part.is_empty() && part.bytes().all(in_path))
        && (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(in_name)
}

impl Ram {
    /// The principals of a request, each checked against what the share allows.
    pub(crate) async fn resolve_principals(
        &self,
        cx: &Cx,
        names: Option<&[String]>,
        allow_external: bool,
    ) -> Result<Vec<Resolved>, ApiError> {
        let mut resolved = Vec::new();
        for name in names.unwrap_or_default() {
            let found = self.resolve(cx, name).await?;
            if found.external && !allow_external {
                return Err(not_permitted(format!(
                    "The resource share doesn't allow external principals, and {name} is outside of your organization."
                )));
            }
            resolved.push(found);
        }
        Ok(resolved)
    }

    async fn resolve(&self, cx: &Cx, name: &str) -> Result<Resolved, ApiError> {
        if name.ends_with(".amazonaws.com") && !name.contains([':', '/']) {
            return Err(invalid(format!("Principal {name}: the resource can't be shared with a service principal.")));
        }
        let malformed = || invalid(format!("Principal ID {name} is malformed. Verify the ID and try again."));
        let named = Named::parse(name).ok_or_else(malformed)?;
        let account = match &named {
            Named::Account(account) | Named::Identity(account) => account.clone(),
            Named::Organization(_) | Named::Unit(..) => {
                self.check_in_organization(cx, name, &named).await?;
                return Ok(Resolved { id: name.to_owned(), external: false, invited: None, is_identity: false });
            }
        };
        if account == cx.principal.account {
            return Err(invalid(format!(
                "Principal {name}: a resource can't be shared with the account that owns it."
            )));
        }
        if !self.parts.organization.has_account(&account).await? {
            return Err(unknown("Account", account.as_str()));
        }
        let ours = self.parts.organization.organization_of(&cx.principal.account).await?;
        let theirs = self.parts.organization.organization_of(&account).await?;
        let external = ours.is_none() || ours != theirs;
        let invited = (external || !self.organization_shares().await?).then_some(account);
        Ok(Resolved { id: name.to_owned(), external, invited, is_identity: matches!(named, Named::Identity(_)) })
    }

    /// The caller's own organization or a unit of it, with sharing enabled.
    async fn check_in_organization(&self, cx: &Cx, name: &str, named: &Named) -> Result<(), ApiError> {
        let ours = self.parts.organization.organization_of(&cx.principal.account).await?;
        let Some(ours) = ours else {
            return Err(not_permitted("Your account is not a member of an organization in AWS Organizations."));
        };
        let there = match named {
            Named::Organization(id) => *id == ours.id && name == ours.arn,
            Named::Unit(id, unit) => {
                let arn = ours.arn.replace(":organization/", ":ou/");
                *id == ours.id && name == format!("{arn}/{unit}") && self.parts.organization.has_unit(unit).await?
            }
            Named::Account(_) | Named::Identity(_) => false,
        };
        if !there {
            let (what, id) = match named {
                Named::Unit(_, unit) => ("OrganizationalUnit", unit.as_str()),
                Named::Organization(id) => ("Organization", id.as_str()),
                Named::Account(_) | Named::Identity(_) => ("Principal", name),
            };
            return Err(unknown(what, id));
        }
        if self.organization_shares().await? {
            return Ok(());
        }
        Err(not_permitted(
            "Sharing with your organization is not enabled: the management account enables it by \
             EnableSharingWithAwsOrganization.",
        ))
    }
}
