//! Invitations: to an account that a share names and that no organization's sharing lets in. Pending until it is
//! accepted or rejected, expired after as many hours as the type of resource says. One that has ended is seen for a day,
//! and is removed when its receiver is invited again.

mod answer;
mod list;

use std::collections::BTreeSet;

use stoa_kernel::{ApiError, Cx};
use stoa_models_ram::types::{ResourceShareInvitation, ResourceShareInvitationStatus};
use stoa_store::{Expect, Query, Transaction};
use stoa_types::{AccountId, Arn, Timestamp};

use crate::Ram;
use crate::error::{malformed_arn, refused, store_failed};
use crate::principal::Named;
use crate::state::{InvitationRecord, Loaded, kind, load, regional};

/// How long an invitation is still seen after it was answered or expired.
const SEEN_MILLIS: i64 = 24 * 60 * 60 * 1000;

impl InvitationRecord {
    pub(crate) fn status(&self, now: Timestamp) -> ResourceShareInvitationStatus {
        match self.accepted {
            Some(true) => ResourceShareInvitationStatus::Accepted,
            Some(false) => ResourceShareInvitationStatus::Rejected,
            None if self.expires <= now => ResourceShareInvitationStatus::Expired,
            None => ResourceShareInvitationStatus::Pending,
        }
    }

    /// When it was answered or expired; none while it is pending.
    fn ended(&self, now: Timestamp) -> Option<Timestamp> {
        let expired = (self.expires <= now).then_some(self.expires);
        self.answered.or(self.accepted.map(|_| self.expires)).or(expired)
    }

    /// As the API has it, with the name that the share has now.
    fn wire(&self, share_name: String, now: Timestamp) -> ResourceShareInvitation {
        let single = matches!(Named::parse(&self.principal), Some(Named::Identity(_)));
        ResourceShareInvitation {
            resource_share_invitation_arn: Some(self.arn.clone()),
            resource_share_name: Some(share_name),
            resource_share_arn: Some(self.share_arn.clone()),
            sender_account_id: Some(self.sender.as_str().to_owned()),
            receiver_account_id: Some(self.receiver.as_str().to_owned()),
            invitation_timestamp: Some(self.sent),
            status: Some(self.status(now)),
            receiver_arn: single.then(|| self.principal.clone()),
            ..Default::default()
        }
    }
}

/// The account that a principal would be invited by.
fn account_of(principal: &str) -> Option<AccountId> {
    match Named::parse(principal)? {
        Named::Account(account) | Named::Identity(account) => Some(account),
        Named::Organization(_) | Named::Unit(..) => None,
    }
}

fn not_found(arn: &str) -> ApiError {
    refused(
        "ResourceShareInvitationArnNotFoundException",
        format!("Resource share invitation {arn} could not be found."),
    )
}

impl Ram {
    /// The name of the share that an invitation is to; the one it had where it is not there any more.
    pub(crate) async fn name_of_share(&self, invitation: &InvitationRecord) -> Result<String, ApiError> {
        let share = self.find_share(&invitation.share_arn).await?;
        Ok(share.map_or_else(|| invitation.share_name.clone(), |share| share.record.name))
    }

    /// Removes what the accounts that are invited now were invited to before, a day after its end.
    pub(crate) async fn forget_invitations(&self, cx: &Cx, principals: Option<&[String]>) -> Result<(), ApiError> {
        let accounts: BTreeSet<AccountId> =
            principals.unwrap_or_default().iter().filter_map(|name| account_of(name)).collect();
        for account in accounts {
            for document in self.all(Query::of(kind::INVITATION).owned_by(&account, Some(&cx.region))).await? {
                let invitation: InvitationRecord = document.decode().map_err(store_failed)?;
                if invitation.ended(cx.now).is_some_and(|ended| ended.plus_millis(SEEN_MILLIS) <= cx.now) {
                    let expect = Expect::Generation(document.generation);
                    self.applied(Transaction::new().delete(document.key.clone(), expect)).await?;
                }
            }
        }
        Ok(())
    }

    /// An invitation that the caller's account received in the region of the call.
    async fn received(&self, cx: &Cx, text: &str) -> Result<Loaded<InvitationRecord>, ApiError> {
        let found = self.invitation_for(cx, text).await?;
        found.ok_or_else(|| not_found(text))
    }

    /// As above; none where there is no such invitation.
    pub(crate) async fn invitation_for(
        &self,
        cx: &Cx,
        text: &str,
    ) -> Result<Option<Loaded<InvitationRecord>>, ApiError> {
        let arn: Arn = text.parse().map_err(|_| malformed_arn(text))?;
        if arn.service() != "ram" || arn.resource_type() != "resource-share-invitation" {
            return Err(malformed_arn(text));
        }
        let key = regional(kind::INVITATION, &cx.principal.account, &cx.region, arn.resource_id());
        let found = load::<InvitationRecord>(&*self.parts.store, &key).await?;
        Ok(found.filter(|found| found.record.arn == text))
    }
}

/// Refuses an invitation that is not pending any more.
fn must_be_pending(invitation: &InvitationRecord, now: Timestamp) -> Result<(), ApiError> {
    let arn = &invitation.arn;
    match invitation.status(now) {
        ResourceShareInvitationStatus::Pending => Ok(()),
        ResourceShareInvitationStatus::Accepted => Err(refused(
            "ResourceShareInvitationAlreadyAcceptedException",
            format!("Resource share invitation {arn} was accepted before."),
        )),
        ResourceShareInvitationStatus::Rejected => Err(refused(
            "ResourceShareInvitationAlreadyRejectedException",
            format!("Resource share invitation {arn} was rejected before."),
        )),
        ResourceShareInvitationStatus::Expired => Err(refused(
            "ResourceShareInvitationExpiredException",
            format!("Resource share invitation {arn} has expired."),
        )),
    }
}
