//! Who asks, and what it may know: its own account; the organization's management account knows every account.

use stoa_kernel::ports::OrganizationAccount;
use stoa_kernel::{ApiError, Cx};
use stoa_types::{AccountId, Partition, Region};

use crate::service::Insight;

/// Who asks.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The account that asks.
    pub account: AccountId,
    /// The region it asks in: names without an ARN are meant there.
    pub region: Region,
}

impl Viewer {
    /// The caller.
    pub(crate) fn of(cx: &Cx) -> Viewer {
        Viewer { account: cx.principal.account.clone(), region: cx.region.clone() }
    }

    /// The partition of the viewer's region.
    pub(crate) fn partition(&self) -> Partition {
        Partition::of(&self.region)
    }
}

/// What a viewer may know of.
#[derive(Debug)]
pub(crate) struct Scope {
    /// The accounts that were asked about, or all that the viewer may ask about.
    pub accounts: Vec<OrganizationAccount>,
    /// Whether the viewer may ask about every account.
    pub everything: bool,
}

impl Scope {
    /// Whether the account is in it.
    pub fn has(&self, account: &str) -> bool {
        self.accounts.iter().any(|known| known.id.as_str() == account)
    }
}

impl Insight {
    /// The accounts asked about, where the viewer may ask about them; without any, all that it may.
    pub(crate) async fn scope(&self, viewer: &Viewer, asked: Option<&[String]>) -> Result<Scope, ApiError> {
        let all = self.parts.policies.organization().await?;
        let everything = all.iter().any(|known| known.management && known.id == viewer.account);
        let asked = asked.unwrap_or_default();
        if asked.is_empty() {
            let visible = |known: &OrganizationAccount| everything || known.id == viewer.account;
            return Ok(Scope { accounts: all.into_iter().filter(visible).collect(), everything });
        }
        let mut accounts = Vec::new();
        for id in asked {
            if !everything && id != viewer.account.as_str() {
                return Err(foreign(viewer, id));
            }
            let known = all.iter().find(|known| known.id.as_str() == id);
            let missing = || ApiError::validation(format!("account {id} is not in this organization"));
            accounts.push(known.ok_or_else(missing)?.clone());
        }
        accounts.sort_by(|left, right| left.id.cmp(&right.id));
        accounts.dedup();
        Ok(Scope { accounts, everything })
    }
}

/// Another account's business.
pub(crate) fn foreign(viewer: &Viewer, account: &str) -> ApiError {
    ApiError::access_denied(format!(
        "account {} may ask about itself; only the organization's management account may ask about account {account}",
        viewer.account
    ))
}
