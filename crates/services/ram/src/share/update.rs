//! UpdateResourceShare.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::UpdateResourceShare;
use stoa_models_ram::types::{UpdateResourceShareRequest, UpdateResourceShareResponse};
use stoa_store::Transaction;

use super::create::check_name;
use crate::Ram;
use crate::error::{not_permitted, refused, too_busy};
use crate::idempotency::Ticket;
use crate::service::ATTEMPTS;
use crate::state::Status;

impl Handles<UpdateResourceShare> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateResourceShareRequest>,
    ) -> Result<UpdateResourceShareResponse, ApiError> {
        let ticket = Ticket::of(cx, "UpdateResourceShare", input.client_token.as_ref(), &*input)?;
        if input.name.is_none() && input.allow_external_principals.is_none() {
            let message = "Specify a name or whether external principals are allowed.";
            return Err(refused("MissingRequiredParameterException", message));
        }
        if let Some(name) = &input.name {
            check_name(name)?;
        }
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let mut found = self.own_share(cx, &input.resource_share_arn).await?;
            let mut external = found.record.principals.values().filter(|association| association.external);
            if input.allow_external_principals == Some(false)
                && external.any(|association| association.status_at(cx.now) != Status::Disassociated)
            {
                return Err(not_permitted(
                    "The resource share has external principals: disassociate them before you disallow them.",
                ));
            }
            if let Some(name) = &input.name {
                found.record.name.clone_from(name);
            }
            found.record.allow_external = input.allow_external_principals.unwrap_or(found.record.allow_external);
            found.record.updated = cx.now;
            let answer = UpdateResourceShareResponse {
                resource_share: Some(found.record.wire(true)),
                client_token: input.client_token.clone(),
            };
            let mut document = found.changed(cx.now)?;
            document.name.clone_from(&found.record.name);
            if self.applied(ticket.remember(Transaction::new().update(document), &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}
