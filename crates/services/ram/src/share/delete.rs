//! DeleteResourceShare: nothing of it is in effect any more, and nobody is invited.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::DeleteResourceShare;
use stoa_models_ram::types::{DeleteResourceShareRequest, DeleteResourceShareResponse};
use stoa_store::Transaction;

use super::leave;
use crate::Ram;
use crate::error::too_busy;
use crate::idempotency::Ticket;
use crate::service::ATTEMPTS;
use crate::state::Status;

impl Handles<DeleteResourceShare> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DeleteResourceShareRequest>,
    ) -> Result<DeleteResourceShareResponse, ApiError> {
        let ticket = Ticket::of(cx, "DeleteResourceShare", input.client_token.as_ref(), &*input)?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let mut found = self.own_share(cx, &input.resource_share_arn).await?;
            let share = &mut found.record;
            let mut transaction = Transaction::new().set_tags(&share.arn, Vec::new());
            for id in share.principals.keys().cloned().collect::<Vec<_>>() {
                transaction = leave(cx, share, &id, &cx.region, transaction);
            }
            for association in share.resources.values_mut().filter(|association| association.is_associated()) {
                association.status = Status::Disassociated;
                association.updated = cx.now;
            }
            share.permissions.clear();
            share.deleted = Some(cx.now);
            share.updated = cx.now;
            let transaction = transaction.update(found.changed(cx.now)?);
            let answer =
                DeleteResourceShareResponse { return_value: Some(true), client_token: input.client_token.clone() };
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}
