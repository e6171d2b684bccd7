//! What RAM keeps: shares, invitations, customer managed permissions and replaced permissions, each one document.
//!
//! INVARIANT: a share's document holds all its associations, so every change of what it lets whom do is one write of
//! it. An invitation is pending only while the share's association with its principal names it: both change together.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_store::{Document, Key, Store};
use stoa_types::{AccountId, Region, Timestamp};

use crate::error::store_failed;

/// The kinds of documents of this service.
pub(crate) mod kind {
    /// Resource shares; the owner's.
    pub(crate) const SHARE: &str = "ram:share";
    /// Invitations; the receiver's, the parent is the share's id.
    pub(crate) const INVITATION: &str = "ram:invitation";
    /// Customer managed permissions.
    pub(crate) const PERMISSION: &str = "ram:permission";
    /// Replacements of permissions.
    pub(crate) const REPLACEMENT: &str = "ram:replacement";
}

/// The states that associations have here. `ASSOCIATING` is one that waits for its invitation to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Associating,
    Associated,
    Disassociated,
}

/// A resource share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ShareRecord {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) owner: AccountId,
    pub(crate) allow_external: bool,
    /// `retainSharingOnAccountLeaveOrganization`.
    #[serde(default)]
    pub(crate) retain: bool,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// When it was deleted: its status is then `DELETED`, `ACTIVE` before.
    #[serde(default)]
    pub(crate) deleted: Option<Timestamp>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// By ARN.
    #[serde(default)]
    pub(crate) resources: BTreeMap<String, ResourceAssociation>,
    /// By what names the principal in requests: an account's number, or an ARN.
    #[serde(default)]
    pub(crate) principals: BTreeMap<String, PrincipalAssociation>,
    /// By type of resource.
    #[serde(default)]
    pub(crate) permissions: BTreeMap<String, PermissionUse>,
}

/// A resource in a share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ResourceAssociation {
    /// Its type.
    pub(crate) kind: String,
    /// When the resource was made: a later one of the same name is not shared.
    pub(crate) born: Timestamp,
    pub(crate) status: Status,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// A principal of a share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PrincipalAssociation {
    pub(crate) status: Status,
    /// Whether its account is outside the owner's organization.
    pub(crate) external: bool,
    /// Whether it counts by sharing within the organization, and only while that is enabled.
    #[serde(default)]
    pub(crate) by_organization: bool,
    /// The invitation that it waits for, or came by.
    #[serde(default)]
    pub(crate) invitation: Option<InvitationName>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// Where an invitation is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InvitationName {
    pub(crate) receiver: AccountId,
    pub(crate) id: String,
    pub(crate) expires: Timestamp,
}

/// A permission of a share, at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PermissionUse {
    pub(crate) arn: String,
    pub(crate) version: u32,
    pub(crate) updated: Timestamp,
}

/// An invitation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InvitationRecord {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) share_id: String,
    pub(crate) share_arn: String,
    pub(crate) share_name: String,
    pub(crate) sender: AccountId,
    pub(crate) receiver: AccountId,
    /// The principal that the share names.
    pub(crate) principal: String,
    pub(crate) sent: Timestamp,
    pub(crate) expires: Timestamp,
    /// What the receiver said; none while it is pending or expired.
    #[serde(default)]
    pub(crate) accepted: Option<bool>,
    /// When it was said.
    #[serde(default)]
    pub(crate) answered: Option<Timestamp>,
}

/// A customer managed permission.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PermissionRecord {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) kind: String,
    pub(crate) versions: BTreeMap<u32, PermissionVersion>,
    pub(crate) default: u32,
    pub(crate) latest: u32,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// One of its versions, which never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PermissionVersion {
    pub(crate) template: String,
    pub(crate) created: Timestamp,
}

/// Permissions that were replaced in all shares at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReplacementRecord {
    pub(crate) id: String,
    pub(crate) from: String,
    pub(crate) from_version: Option<u32>,
    pub(crate) to: String,
    pub(crate) to_version: u32,
    pub(crate) at: Timestamp,
}

/// A document with its decoded body.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<T> {
    pub(crate) document: Arc<Document>,
    pub(crate) record: T,
}

impl<T: Serialize> Loaded<T> {
    /// The document to write back, at the generation it was read at.
    pub(crate) fn changed(&self, now: Timestamp) -> Result<Document, ApiError> {
        self.document.with_body(now, &self.record).map_err(store_failed)
    }
}

/// Reads and decodes a document.
pub(crate) async fn load<T: DeserializeOwned>(store: &dyn Store, key: &Key) -> Result<Option<Loaded<T>>, ApiError> {
    let Some(document) = store.get(key).await.map_err(store_failed)? else { return Ok(None) };
    let record = document.decode().map_err(store_failed)?;
    Ok(Some(Loaded { document, record }))
}

/// The key of a document in an account and region.
pub(crate) fn regional(kind: &'static str, account: &AccountId, region: &Region, id: &str) -> Key {
    Key { kind, account: account.clone(), region: Some(region.clone()), id: id.to_owned() }
}

impl ShareRecord {
    pub(crate) fn is_active(&self) -> bool {
        self.deleted.is_none()
    }
}

impl ResourceAssociation {
    pub(crate) fn is_associated(&self) -> bool {
        self.status == Status::Associated
    }
}

impl PrincipalAssociation {
    pub(crate) fn is_associated(&self) -> bool {
        self.status == Status::Associated
    }

    /// What it is now: an invitation that expired leaves nothing to wait for.
    pub(crate) fn status_at(&self, now: Timestamp) -> Status {
        match &self.invitation {
            Some(invitation) if self.status == Status::Associating && invitation.expires <= now => {
                Status::Disassociated
            }
            _ => self.status,
        }
    }

    /// Whether the principal need not be added again, where it would come in by an invitation or by none: one that came
    /// in by the organization's sharing must be invited once that is disabled, and one that waits need not any longer
    /// once it is enabled.
    pub(crate) fn is_in_as(&self, invited: bool, now: Timestamp) -> bool {
        match self.status_at(now) {
            Status::Disassociated => false,
            Status::Associated => !(invited && self.by_organization),
            Status::Associating => invited,
        }
    }

    /// Whether it lets its principal in.
    pub(crate) fn counts(&self, organization_shares: bool) -> bool {
        self.status == Status::Associated && (organization_shares || !self.by_organization)
    }
}
