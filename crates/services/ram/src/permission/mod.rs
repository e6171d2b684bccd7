//! Permissions: what a share lets its principals do with a type of resource. AWS's, which are in the table of types, and
//! the customers' own, with versions.
//!
//! INVARIANT: a version never changes once it is there, and none that a share uses or that is the default is deleted: the
//! shares of an account and its permissions are changed under the permission's generation.

mod create;
mod delete;
mod list;
mod replace;
mod template;
mod versions;

use serde_json::json;
use stoa_kernel::{ApiError, Cx};
use stoa_models_ram::types::{
    PermissionFeatureSet, PermissionStatus, PermissionType, ResourceSharePermissionDetail,
    ResourceSharePermissionSummary, Tag,
};
use stoa_store::{Document, Key, Query, Transaction};
use stoa_types::{AccountId, Arn, Region, Timestamp};

use crate::Ram;
use crate::error::{invalid, malformed_arn, store_failed, unknown_permission};
use crate::shareable::{MANAGED_VERSION, ManagedPermission, ShareableType, TYPES};
use crate::state::{Loaded, PermissionRecord, ShareRecord, kind, load, regional};

const MANAGED: &str = "arn:aws:ram::aws:permission/";

/// A permission that is there.
#[derive(Debug, Clone)]
pub(crate) enum Permission {
    Managed(&'static ShareableType, &'static ManagedPermission),
    Own(Loaded<PermissionRecord>),
}

/// The ARN of a customer's permission, taken apart.
struct OwnName {
    account: AccountId,
    region: Region,
    name: String,
}

impl OwnName {
    fn parse(text: &str) -> Option<OwnName> {
        let arn: Arn = text.parse().ok()?;
        if arn.service() != "ram" || arn.resource_type() != "permission" {
            return None;
        }
        let name = arn.resource_id().to_owned();
        Some(OwnName { account: arn.account().parse().ok()?, region: arn.region().parse().ok()?, name })
    }

    fn key(&self) -> Key {
        regional(kind::PERMISSION, &self.account, &self.region, &self.name)
    }
}

/// The template of one of AWS's permissions.
fn managed_template(permission: &ManagedPermission) -> String {
    json!({ "Effect": "Allow", "Action": permission.actions }).to_string()
}

fn managed(arn: &str) -> Option<(&'static ShareableType, &'static ManagedPermission)> {
    let name = arn.strip_prefix(MANAGED)?;
    TYPES.iter().find_map(|known| {
        known.permissions.iter().find(|permission| permission.name == name).map(|permission| (known, permission))
    })
}

/// Whether an ARN is of a permission that AWS manages, be it there or not.
pub(crate) fn is_managed(arn: &str) -> bool {
    arn.starts_with(MANAGED)
}

/// The ARN of what a share has for a type when nothing else is said.
pub(crate) fn default_of(known: &ShareableType) -> Option<(String, u32)> {
    known.permissions.first().map(|permission| (format!("{MANAGED}{}", permission.name), MANAGED_VERSION))
}

impl Permission {
    pub(crate) fn arn(&self) -> String {
        match self {
            Permission::Managed(_, permission) => format!("{MANAGED}{}", permission.name),
            Permission::Own(found) => found.record.arn.clone(),
        }
    }

    /// The type of resource it is for.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Permission::Managed(known, _) => known.name,
            Permission::Own(found) => &found.record.kind,
        }
    }

    pub(crate) fn default_version(&self) -> u32 {
        match self {
            Permission::Managed(..) => MANAGED_VERSION,
            Permission::Own(found) => found.record.default,
        }
    }

    fn versions(&self) -> Vec<u32> {
        match self {
            Permission::Managed(..) => vec![MANAGED_VERSION],
            Permission::Own(found) => found.record.versions.keys().copied().collect(),
        }
    }

    fn template(&self, version: u32) -> Option<String> {
        match self {
            Permission::Managed(_, permission) => (version == MANAGED_VERSION).then(|| managed_template(permission)),
            Permission::Own(found) => found.record.versions.get(&version).map(|version| version.template.clone()),
        }
    }

    fn times(&self, version: u32) -> (Option<Timestamp>, Option<Timestamp>) {
        match self {
            Permission::Managed(..) => (None, None),
            Permission::Own(found) => {
                (found.record.versions.get(&version).map(|version| version.created), Some(found.record.updated))
            }
        }
    }

    fn is_type_default(&self) -> bool {
        ShareableType::named(self.kind()).and_then(default_of).is_some_and(|(default, _)| default == self.arn())
    }

    fn permission_type(&self) -> PermissionType {
        match self {
            Permission::Managed(..) => PermissionType::AwsManaged,
            Permission::Own(_) => PermissionType::CustomerManaged,
        }
    }

    fn name(&self) -> String {
        match self {
            Permission::Managed(_, permission) => permission.name.to_owned(),
            Permission::Own(found) => found.record.name.clone(),
        }
    }

    fn tags(&self) -> Option<Vec<Tag>> {
        match self {
            Permission::Managed(..) => None,
            Permission::Own(found) => Some(crate::tags::wire(&found.record.tags)),
        }
    }

    pub(crate) fn summary(&self, version: u32) -> ResourceSharePermissionSummary {
        let (created, updated) = self.times(version);
        ResourceSharePermissionSummary {
            arn: Some(self.arn()),
            version: Some(version.to_string()),
            default_version: Some(version == self.default_version()),
            name: Some(self.name()),
            resource_type: Some(self.kind().to_owned()),
            status: Some(PermissionStatus::Attachable.as_str().to_owned()),
            creation_time: created,
            last_updated_time: updated,
            is_resource_type_default: Some(self.is_type_default()),
            permission_type: Some(self.permission_type()),
            feature_set: Some(PermissionFeatureSet::Standard),
            tags: self.tags(),
            ..Default::default()
        }
    }

    fn detail(&self, version: u32) -> ResourceSharePermissionDetail {
        let (created, updated) = self.times(version);
        ResourceSharePermissionDetail {
            arn: Some(self.arn()),
            version: Some(version.to_string()),
            default_version: Some(version == self.default_version()),
            name: Some(self.name()),
            resource_type: Some(self.kind().to_owned()),
            permission: self.template(version),
            creation_time: created,
            last_updated_time: updated,
            is_resource_type_default: Some(self.is_type_default()),
            permission_type: Some(self.permission_type()),
            feature_set: Some(PermissionFeatureSet::Standard),
            status: Some(PermissionStatus::Attachable),
            tags: self.tags(),
            ..Default::default()
        }
    }

    /// Writes the permission again as it was read: whoever deletes it at the same time begins again.
    pub(crate) fn held(&self, transaction: Transaction) -> Transaction {
        match self {
            Permission::Managed(..) => transaction,
            Permission::Own(found) => transaction.update(Document::clone(&found.document)),
        }
    }

    /// The version that a request names, or the default one.
    fn version(&self, named: Option<i64>) -> Result<u32, ApiError> {
        let Some(named) = named else { return Ok(self.default_version()) };
        let there = u32::try_from(named).ok().filter(|version| self.versions().contains(version));
        there.ok_or_else(|| invalid(format!("Version {named} of permission {} does not exist.", self.arn())))
    }
}

impl Ram {
    /// The permission with this ARN: AWS's, or one of the caller's in the region of the call.
    pub(crate) async fn permission(&self, cx: &Cx, arn: &str) -> Result<Permission, ApiError> {
        if let Some((known, permission)) = managed(arn) {
            return Ok(Permission::Managed(known, permission));
        }
        if is_managed(arn) {
            return Err(unknown_permission(arn));
        }
        let name = OwnName::parse(arn).ok_or_else(|| malformed_arn(arn))?;
        if name.account != cx.principal.account || name.region != cx.region {
            return Err(unknown_permission(arn));
        }
        let found = load(&*self.parts.store, &name.key()).await?;
        found.map(Permission::Own).ok_or_else(|| unknown_permission(arn))
    }

    /// A permission of the caller's own, to be changed.
    async fn own_permission(&self, cx: &Cx, arn: &str) -> Result<Loaded<PermissionRecord>, ApiError> {
        match self.permission(cx, arn).await? {
            Permission::Own(found) => Ok(found),
            Permission::Managed(..) => {
                Err(crate::error::not_permitted(format!("Permission {arn} is managed by AWS and can't be changed.")))
            }
        }
    }

    /// The type of resource that a permission is for, whoever's it is; none where there is no such permission.
    pub(crate) async fn kind_of_permission(&self, arn: &str) -> Result<Option<String>, ApiError> {
        if let Some((known, _)) = managed(arn) {
            return Ok(Some(known.name.to_owned()));
        }
        let Some(name) = OwnName::parse(arn) else { return Ok(None) };
        let found = load::<PermissionRecord>(&*self.parts.store, &name.key()).await?;
        Ok(found.map(|found| found.record.kind))
    }

    /// What a version of a permission allows.
    pub(crate) async fn template(&self, arn: &str, version: u32) -> Result<Option<String>, ApiError> {
        if let Some((_, permission)) = managed(arn) {
            return Ok(Some(managed_template(permission)));
        }
        let Some(name) = OwnName::parse(arn) else { return Ok(None) };
        let found = load::<PermissionRecord>(&*self.parts.store, &name.key()).await?;
        Ok(found.and_then(|found| found.record.versions.get(&version).map(|version| version.template.clone())))
    }

    /// The caller's active shares in the region of the call.
    pub(crate) async fn own_shares(&self, cx: &Cx) -> Result<Vec<Loaded<ShareRecord>>, ApiError> {
        let mut shares = Vec::new();
        for document in self.all(Query::of(kind::SHARE).owned_by(&cx.principal.account, Some(&cx.region))).await? {
            let record: ShareRecord = document.decode().map_err(store_failed)?;
            if record.is_active() {
                shares.push(Loaded { document, record });
            }
        }
        Ok(shares)
    }

    /// Whether a share of the caller uses a permission, at this version or at any.
    async fn is_used(&self, cx: &Cx, arn: &str, version: Option<u32>) -> Result<bool, ApiError> {
        let uses = |share: &Loaded<ShareRecord>| {
            let mut used = share.record.permissions.values();
            used.any(|used| used.arn == arn && version.is_none_or(|version| used.version == version))
        };
        Ok(self.own_shares(cx).await?.iter().any(uses))
    }
}
