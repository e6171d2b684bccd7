//! AssociateResourceShare: more resources, more principals.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::AssociateResourceShare;
use stoa_models_ram::types::{AssociateResourceShareRequest, AssociateResourceShareResponse};
use stoa_store::Transaction;

use super::create::check_sources;
use crate::Ram;
use crate::error::{invalid, too_busy};
use crate::idempotency::Ticket;
use crate::service::ATTEMPTS;

pub(super) fn check_any(resources: Option<&[String]>, principals: Option<&[String]>) -> Result<(), ApiError> {
    let none = |list: Option<&[String]>| list.is_none_or(<[String]>::is_empty);
    if none(resources) && none(principals) {
        return Err(invalid("Specify at least one resource or principal."));
    }
    Ok(())
}

impl Handles<AssociateResourceShare> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<AssociateResourceShareRequest>,
    ) -> Result<AssociateResourceShareResponse, ApiError> {
        let ticket = Ticket::of(cx, "AssociateResourceShare", input.client_token.as_ref(), &*input)?;
        check_sources(input.sources.as_deref())?;
        check_any(input.resource_arns.as_deref(), input.principals.as_deref())?;
        self.forget_invitations(cx, input.principals.as_deref()).await?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let mut found = self.own_share(cx, &input.resource_share_arn).await?;
            let allow_external = found.record.allow_external;
            let resources = self.find_resources(cx, input.resource_arns.as_deref()).await?;
            let principals = self.resolve_principals(cx, input.principals.as_deref(), allow_external).await?;
            let share = &mut found.record;
            share.forget_what_left(cx.now);
            share.add_resources(cx, &resources)?;
            share.check_identities(&principals)?;
            let transaction = self.add_principals(cx, share, &principals, Transaction::new())?;
            share.updated = cx.now;
            let mut associations = Vec::new();
            for resource in &resources {
                associations.extend(share.wire_resource(&resource.arn, true));
            }
            for principal in &principals {
                associations.extend(share.wire_principal(&principal.id, cx.now));
            }
            let answer = AssociateResourceShareResponse {
                resource_share_associations: Some(associations),
                client_token: input.client_token.clone(),
            };
            let transaction = transaction.update(found.changed(cx.now)?);
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}
