//! Resource shares: what is shared, with whom, and by which permission.
//!
//! A share is active from the moment it is created. What happens to its associations happens in the call: there is no
//! state in between but the wait for an invitation. A deleted share is seen as `DELETED` for a while, with nothing in
//! effect, and is removed when its owner makes a later one.

mod associate;
mod associations;
mod create;
mod delete;
mod disassociate;
mod list;
mod permissions;
mod policies;
mod resources;
mod update;

pub(crate) use disassociate::is_leaving;
use stoa_kernel::ports::AccountPlace;
use stoa_kernel::{ApiError, Cx};
use stoa_models_ram::types::{
    ResourceShare, ResourceShareAssociation, ResourceShareAssociationStatus, ResourceShareAssociationType,
    ResourceShareConfiguration, ResourceShareFeatureSet, ResourceShareStatus,
};
use stoa_store::{Document, Expect, Key, Query, Transaction};
use stoa_types::{AccountId, Arn, Region, Timestamp, uuid_v4};

use crate::Ram;
use crate::error::{invalid, malformed_arn, not_permitted, refused, store_failed, unknown, unknown_share};
use crate::permission::{Permission, default_of};
use crate::principal::{Named, Resolved};
use crate::shareable::ShareableType;
use crate::state::{
    InvitationName, InvitationRecord, Loaded, PermissionUse, PrincipalAssociation, ResourceAssociation, ShareRecord,
    Status, kind, load, regional,
};
use crate::tags;

/// How long a deleted share, and what was taken out of one, is still seen.
const SEEN_MILLIS: i64 = 60 * 60 * 1000;
const HOUR_MILLIS: i64 = 60 * 60 * 1000;
/// RAM's limits of principals and of resources in a share.
const MOST_IN_SHARE: usize = 5000;

/// The ARN of a share, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct ShareName {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    id: String,
}

impl ShareName {
    pub(crate) fn parse(text: &str) -> Option<ShareName> {
        let arn: Arn = text.parse().ok()?;
        let named = arn.service() == "ram" && arn.resource_type() == "resource-share" && !arn.resource_id().is_empty();
        named.then_some(())?;
        let id = arn.resource_id().to_owned();
        Some(ShareName { account: arn.account().parse().ok()?, region: arn.region().parse().ok()?, id })
    }

    pub(crate) fn key(&self) -> Key {
        regional(kind::SHARE, &self.account, &self.region, &self.id)
    }
}

/// A resource that a share may have.
#[derive(Debug, Clone)]
struct FoundResource {
    arn: String,
    known: &'static ShareableType,
    born: Timestamp,
}

impl Ram {
    /// The share with this ARN, of whoever; none when it is not there.
    pub(crate) async fn find_share(&self, arn: &str) -> Result<Option<Loaded<ShareRecord>>, ApiError> {
        let Some(name) = ShareName::parse(arn) else { return Ok(None) };
        load(&*self.parts.store, &name.key()).await
    }

    /// A share of the caller's own that is not deleted.
    async fn own_share(&self, cx: &Cx, arn: &str) -> Result<Loaded<ShareRecord>, ApiError> {
        let name = ShareName::parse(arn).ok_or_else(|| malformed_arn(arn))?;
        if name.account != cx.principal.account || name.region != cx.region {
            return Err(unknown_share(arn));
        }
        let found = load::<ShareRecord>(&*self.parts.store, &name.key()).await?;
        found.filter(|found| found.record.is_active()).ok_or_else(|| unknown_share(arn))
    }

    /// Where the caller's account is in the organization.
    async fn place(&self, cx: &Cx) -> Result<Option<std::sync::Arc<AccountPlace>>, ApiError> {
        cx.platform.authority.account_place(cx.principal.account.as_str()).await
    }

    /// The active shares of others, in the region of the call, that the caller's account has part in.
    pub(crate) async fn shares_of_others(&self, cx: &Cx) -> Result<Vec<ShareRecord>, ApiError> {
        let place = self.place(cx).await?;
        let organization_shares = self.organization_shares().await?;
        let mut query = Query::of(kind::SHARE);
        query.region = Some(cx.region.clone());
        let mut shares = Vec::new();
        for document in self.all(query).await? {
            if document.key.account == cx.principal.account {
                continue;
            }
            let share: ShareRecord = document.decode().map_err(store_failed)?;
            if share.is_active()
                && share.is_for(&cx.principal.account, place.as_deref(), organization_shares)
                && self.parts.organization.has_account(&share.owner).await?
            {
                shares.push(share);
            }
        }
        Ok(shares)
    }

    /// Whether the caller's account has part in a share.
    pub(crate) async fn has_part(&self, cx: &Cx, share: &ShareRecord) -> Result<bool, ApiError> {
        let place = self.place(cx).await?;
        let organization_shares = self.organization_shares().await?;
        let is_in = share.is_active() && share.is_for(&cx.principal.account, place.as_deref(), organization_shares);
        Ok(is_in && self.parts.organization.has_account(&share.owner).await?)
    }

    /// The resources of a request: the caller's own, in the region of the call, of a type that can be shared.
    async fn find_resources(&self, cx: &Cx, arns: Option<&[String]>) -> Result<Vec<FoundResource>, ApiError> {
        let mut found = Vec::new();
        for text in arns.unwrap_or_default() {
            let arn: Arn = text.parse().map_err(|_| malformed_arn(text))?;
            let known = ShareableType::of_resource(&arn).ok_or_else(|| {
                refused("MalformedArnException", format!("You cannot share the selected resource type: {text}."))
            })?;
            if arn.account() != cx.principal.account.as_str() {
                return Err(not_permitted(format!("You can share only resources that your account owns: {text}.")));
            }
            if arn.region() != cx.region.as_str() {
                return Err(invalid(format!(
                    "Resource {text} is in another Region than the resource share: share it from {}.",
                    arn.region()
                )));
            }
            let born = self.resource_created(text).await?.ok_or_else(|| unknown("Resource", text))?;
            found.push(FoundResource { arn: text.clone(), known, born });
        }
        Ok(found)
    }

    /// The permissions of a request, at their default versions.
    async fn find_permissions(&self, cx: &Cx, arns: Option<&[String]>) -> Result<Vec<Permission>, ApiError> {
        let mut found: Vec<Permission> = Vec::new();
        for arn in arns.unwrap_or_default() {
            let permission = self.permission(cx, arn).await?;
            if found.iter().any(|other| other.kind() == permission.kind()) {
                return Err(invalid(format!(
                    "A resource share has one permission for a resource type, {} has more.",
                    permission.kind()
                )));
            }
            found.push(permission);
        }
        Ok(found)
    }

    /// A new invitation to a share.
    fn invitation(&self, cx: &Cx, share: &ShareRecord, principal: &str, receiver: &AccountId) -> InvitationRecord {
        let id = uuid_v4(&*self.parts.ids);
        let kinds = share.resources.values().filter_map(|resource| ShareableType::named(&resource.kind));
        // A share without a resource yet waits as long as the most patient type.
        let hours = kinds.map(|known| known.invitation_hours).min();
        let hours = hours.or_else(|| crate::shareable::TYPES.iter().map(|known| known.invitation_hours).max());
        InvitationRecord {
            arn: Ram::arn(cx, &format!("resource-share-invitation/{id}")),
            id,
            share_id: share.id.clone(),
            share_arn: share.arn.clone(),
            share_name: share.name.clone(),
            sender: share.owner.clone(),
            receiver: receiver.clone(),
            principal: principal.to_owned(),
            sent: cx.now,
            expires: cx.now.plus_millis(hours.unwrap_or(12) * HOUR_MILLIS),
            accepted: None,
            answered: None,
        }
    }

    /// Adds principals to a share, and an invitation for each that needs one.
    fn add_principals(
        &self,
        cx: &Cx,
        share: &mut ShareRecord,
        principals: &[Resolved],
        mut transaction: Transaction,
    ) -> Result<Transaction, ApiError> {
        for principal in principals {
            let there = share.principals.get(&principal.id);
            if there.is_some_and(|there| there.is_in_as(principal.invited.is_some(), cx.now)) {
                continue;
            }
            if there.is_some_and(|there| there.status_at(cx.now) != Status::Disassociated) {
                // What it came by does not count any more: the invitation goes, and the organization's sharing.
                transaction = leave(cx, share, &principal.id, &cx.region, transaction);
            }
            let invitation = principal.invited.as_ref().map(|to| self.invitation(cx, share, &principal.id, to));
            if let Some(invitation) = &invitation {
                let key = regional(kind::INVITATION, &invitation.receiver, &cx.region, &invitation.id);
                let document = Document::new(key, &invitation.id, cx.now, invitation).map_err(store_failed)?;
                transaction = transaction.create(document.with_parent(&share.id));
            }
            let association = PrincipalAssociation {
                status: if invitation.is_some() { Status::Associating } else { Status::Associated },
                external: principal.external,
                by_organization: invitation.is_none(),
                invitation: invitation.map(|invitation| InvitationName {
                    receiver: invitation.receiver,
                    id: invitation.id,
                    expires: invitation.expires,
                }),
                created: cx.now,
                updated: cx.now,
            };
            share.principals.insert(principal.id.clone(), association);
        }
        let in_it = share.principals.values().filter(|found| found.status_at(cx.now) != Status::Disassociated);
        check_number(in_it.count(), "principals")?;
        Ok(transaction)
    }
}

impl ShareRecord {
    /// Whether an account has part in it.
    fn is_for(&self, account: &AccountId, place: Option<&AccountPlace>, organization_shares: bool) -> bool {
        self.principals.iter().any(|(id, association)| {
            association.counts(organization_shares)
                && Named::parse(id).is_some_and(|named| named.covers(account, place))
        })
    }

    /// Forgets what was taken out of it long ago.
    fn forget_what_left(&mut self, now: Timestamp) {
        let is_seen = |since: Timestamp| since.plus_millis(SEEN_MILLIS) > now;
        self.principals.retain(|_, found| {
            let expired = found.invitation.as_ref().filter(|_| found.status == Status::Associating);
            let since = expired.map_or(found.updated, |invitation| invitation.expires);
            found.status_at(now) != Status::Disassociated || is_seen(since)
        });
        self.resources.retain(|_, found| found.is_associated() || is_seen(found.updated));
    }

    /// Adds resources, and for each new type the permission that goes with it.
    fn add_resources(&mut self, cx: &Cx, resources: &[FoundResource]) -> Result<(), ApiError> {
        for found in resources {
            if !self.permissions.contains_key(found.known.name) {
                let (arn, version) = default_of(found.known)
                    .ok_or_else(|| invalid(format!("A permission for {} must be given.", found.known.name)))?;
                let used = PermissionUse { arn, version, updated: cx.now };
                self.permissions.insert(found.known.name.to_owned(), used);
            }
            let there = self.resources.get(&found.arn);
            if there.is_some_and(|there| there.is_associated() && there.born == found.born) {
                continue;
            }
            let association = ResourceAssociation {
                kind: found.known.name.to_owned(),
                born: found.born,
                status: Status::Associated,
                created: cx.now,
                updated: cx.now,
            };
            self.resources.insert(found.arn.clone(), association);
        }
        check_number(self.resources.values().filter(|found| found.is_associated()).count(), "resources")
    }

    /// Refuses single users and roles where a type in the share cannot be shared with them.
    fn check_identities(&self, principals: &[Resolved]) -> Result<(), ApiError> {
        let kinds = || self.resources.values().filter_map(|resource| ShareableType::named(&resource.kind));
        match principals.iter().find(|principal| principal.is_identity) {
            Some(identity) if kinds().any(|known| !known.principals) => {
                Err(invalid(format!("{}: the resource type can't be shared with IAM users and roles.", identity.id)))
            }
            _ => Ok(()),
        }
    }

    /// The share as the API has it. Tags are its owner's to see.
    fn wire(&self, for_owner: bool) -> ResourceShare {
        ResourceShare {
            resource_share_arn: Some(self.arn.clone()),
            name: Some(self.name.clone()),
            owning_account_id: Some(self.owner.as_str().to_owned()),
            allow_external_principals: Some(self.allow_external),
            status: Some(self.status()),
            tags: for_owner.then(|| tags::wire(&self.tags)),
            creation_time: Some(self.created),
            last_updated_time: Some(self.updated),
            feature_set: Some(ResourceShareFeatureSet::Standard),
            resource_share_configuration: Some(ResourceShareConfiguration {
                retain_sharing_on_account_leave_organization: Some(self.retain),
            }),
            ..Default::default()
        }
    }

    fn status(&self) -> ResourceShareStatus {
        if self.is_active() { ResourceShareStatus::Active } else { ResourceShareStatus::Deleted }
    }

    /// The association of a principal as the API has it.
    pub(crate) fn wire_principal(&self, id: &str, now: Timestamp) -> Option<ResourceShareAssociation> {
        let association = self.principals.get(id)?;
        Some(ResourceShareAssociation {
            association_type: Some(ResourceShareAssociationType::Principal),
            status: Some(wire_status(association.status_at(now))),
            external: Some(association.external),
            ..self.wire_association(id, association.created, association.updated)
        })
    }

    /// The association of a resource as the API has it. `there`: it is the very resource that was shared.
    pub(crate) fn wire_resource(&self, arn: &str, there: bool) -> Option<ResourceShareAssociation> {
        let association = self.resources.get(arn)?;
        let status = if there { association.status } else { Status::Disassociated };
        Some(ResourceShareAssociation {
            association_type: Some(ResourceShareAssociationType::Resource),
            status: Some(wire_status(status)),
            external: Some(false),
            ..self.wire_association(arn, association.created, association.updated)
        })
    }

    fn wire_association(&self, entity: &str, created: Timestamp, updated: Timestamp) -> ResourceShareAssociation {
        ResourceShareAssociation {
            resource_share_arn: Some(self.arn.clone()),
            resource_share_name: Some(self.name.clone()),
            associated_entity: Some(entity.to_owned()),
            creation_time: Some(created),
            last_updated_time: Some(updated),
            ..Default::default()
        }
    }
}

fn check_number(number: usize, what: &str) -> Result<(), ApiError> {
    if number <= MOST_IN_SHARE {
        return Ok(());
    }
    let message = format!("A resource share has {MOST_IN_SHARE} {what} at most.");
    Err(refused("ResourceShareLimitExceededException", message))
}

fn wire_status(status: Status) -> ResourceShareAssociationStatus {
    match status {
        Status::Associating => ResourceShareAssociationStatus::Associating,
        Status::Associated => ResourceShareAssociationStatus::Associated,
        Status::Disassociated => ResourceShareAssociationStatus::Disassociated,
    }
}

/// Takes a principal out of a share, and the invitation it waits for with it.
fn leave(cx: &Cx, share: &mut ShareRecord, id: &str, region: &Region, transaction: Transaction) -> Transaction {
    let Some(association) = share.principals.get_mut(id) else { return transaction };
    let pending = association.status == Status::Associating;
    if association.status != Status::Disassociated {
        association.status = Status::Disassociated;
        association.updated = cx.now;
    }
    match association.invitation.take_if(|_| pending) {
        Some(name) => transaction.delete(regional(kind::INVITATION, &name.receiver, region, &name.id), Expect::Any),
        None => transaction,
    }
}
