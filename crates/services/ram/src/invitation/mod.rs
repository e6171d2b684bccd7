//! Invitations: to an account that a share names and that no organization's sharing lets in. Pending until it is
//! accepted or rejected, expired after as many hours as the type of resource says.

mod answer;
mod list;

use stoa_kernel::{ApiError, Cx};
use stoa_models_ram::types::{ResourceShareInvitation, ResourceShareInvitationStatus};
use stoa_types::{Arn, Timestamp};

use crate::Ram;
use crate::error::{malformed_arn, refused};
use crate::principal::Named;
use crate::state::{InvitationRecord, Loaded, kind, load, regional};

impl InvitationRecord {
    pub(crate) fn status(&self, now: Timestamp) -> ResourceShareInvitationStatus {
        match self.accepted {
            Some(true) => ResourceShareInvitationStatus::Accepted,
            Some(false) => ResourceShareInvitationStatus::Rejected,
            None if self.expires <= now => ResourceShareInvitationStatus::Expired,
            None => ResourceShareInvitationStatus::Pending,
        }
    }

    fn wire(&self, now: Timestamp) -> ResourceShareInvitation {
        let single = matches!(Named::parse(&self.principal), Some(Named::Identity(_)));
        ResourceShareInvitation {
            resource_share_invitation_arn: Some(self.arn.clone()),
            resource_share_name: Some(self.share_name.clone()),
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

fn not_found(arn: &str) -> ApiError {
    refused(
        "ResourceShareInvitationArnNotFoundException",
        format!("Resource share invitation {arn} could not be found."),
    )
}

impl Ram {
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
