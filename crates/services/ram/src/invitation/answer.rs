//! AcceptResourceShareInvitation, RejectResourceShareInvitation: the invitation and the share's association, at once.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{AcceptResourceShareInvitation, RejectResourceShareInvitation};
use stoa_models_ram::types::{
    AcceptResourceShareInvitationRequest, AcceptResourceShareInvitationResponse, RejectResourceShareInvitationRequest,
    RejectResourceShareInvitationResponse, ResourceShareInvitation,
};
use stoa_store::Transaction;

use super::{must_be_pending, not_found};
use crate::Ram;
use crate::error::too_busy;
use crate::idempotency::Ticket;
use crate::service::ATTEMPTS;
use crate::state::Status;

impl Ram {
    /// Answers an invitation; again after an answer by the same ticket it changes nothing.
    async fn answer_invitation(
        &self,
        cx: &Cx,
        ticket: &Ticket,
        arn: &str,
        accept: bool,
    ) -> Result<ResourceShareInvitation, ApiError> {
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(ticket).await? {
                return Ok(answer);
            }
            let mut invitation = self.received(cx, arn).await?;
            must_be_pending(&invitation.record, cx.now)?;
            let found = self.find_share(&invitation.record.share_arn).await?;
            let mut share = found.ok_or_else(|| not_found(arn))?;
            let association = share.record.principals.get_mut(&invitation.record.principal);
            // INVARIANT: an association that waits for this invitation names it; any other has nothing to do with it.
            let named = |name: &crate::state::InvitationName| name.id == invitation.record.id;
            let waits = |found: &crate::state::PrincipalAssociation| {
                found.status == Status::Associating && found.invitation.as_ref().is_some_and(named)
            };
            let association = association.filter(|found| waits(found)).ok_or_else(|| not_found(arn))?;
            association.status = if accept { Status::Associated } else { Status::Disassociated };
            association.updated = cx.now;
            invitation.record.accepted = Some(accept);
            invitation.record.answered = Some(cx.now);
            let answer = invitation.record.wire(share.record.name.clone(), cx.now);
            let transaction = Transaction::new().update(invitation.changed(cx.now)?).update(share.changed(cx.now)?);
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}

impl Handles<AcceptResourceShareInvitation> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<AcceptResourceShareInvitationRequest>,
    ) -> Result<AcceptResourceShareInvitationResponse, ApiError> {
        let ticket = Ticket::of(cx, "AcceptResourceShareInvitation", input.client_token.as_ref(), &*input)?;
        let answer = self.answer_invitation(cx, &ticket, &input.resource_share_invitation_arn, true).await?;
        Ok(AcceptResourceShareInvitationResponse {
            resource_share_invitation: Some(answer),
            client_token: input.client_token.clone(),
        })
    }
}

impl Handles<RejectResourceShareInvitation> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<RejectResourceShareInvitationRequest>,
    ) -> Result<RejectResourceShareInvitationResponse, ApiError> {
        let ticket = Ticket::of(cx, "RejectResourceShareInvitation", input.client_token.as_ref(), &*input)?;
        let answer = self.answer_invitation(cx, &ticket, &input.resource_share_invitation_arn, false).await?;
        Ok(RejectResourceShareInvitationResponse {
            resource_share_invitation: Some(answer),
            client_token: input.client_token.clone(),
        })
    }
}
