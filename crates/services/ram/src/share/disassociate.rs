//! DisassociateResourceShare: by the owner, whatever is in the share; by a consumer, its own account.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::DisassociateResourceShare;
use stoa_models_ram::types::{DisassociateResourceShareRequest, DisassociateResourceShareResponse};
use stoa_store::Transaction;
use stoa_types::AccountId;

use super::associate::check_any;
use super::create::check_sources;
use super::{ShareName, leave};
use crate::Ram;
use crate::error::{malformed_arn, not_permitted, too_busy, unknown, unknown_share};
use crate::idempotency::Ticket;
use crate::principal::Named;
use crate::service::ATTEMPTS;
use crate::state::{Loaded, ShareRecord, Status};

/// Whether a consumer asks to leave: with its own account, or users and roles of it, and nothing else.
pub(crate) fn is_leaving(account: &AccountId, resources: &[&str], principals: &[&str]) -> bool {
    let own = |name: &&str| Named::parse(name).is_some_and(|named| named.is_of(account));
    resources.is_empty() && !principals.is_empty() && principals.iter().all(own)
}

/// What a request takes out of a share: for a consumer that names its account, all of that account that is in it.
fn principals_to_take(share: &ShareRecord, caller: &AccountId, named: &[String]) -> Vec<String> {
    let leaves = share.owner != *caller && named.iter().any(|name| name == caller.as_str());
    if !leaves {
        return named.to_vec();
    }
    let own = |id: &&String| Named::parse(id).is_some_and(|found| found.is_of(caller));
    share.principals.keys().filter(own).cloned().collect()
}

impl Ram {
    /// The share that a request takes something out of.
    async fn share_to_leave(
        &self,
        cx: &Cx,
        input: &DisassociateResourceShareRequest,
    ) -> Result<Loaded<ShareRecord>, ApiError> {
        let arn = &input.resource_share_arn;
        let name = ShareName::parse(arn).ok_or_else(|| malformed_arn(arn))?;
        let account = &cx.principal.account;
        if name.account == *account {
            return self.own_share(cx, arn).await;
        }
        if name.region != cx.region {
            return Err(unknown_share(arn));
        }
        let found = self.find_share(arn).await?.filter(|found| found.record.is_active());
        let found = found.ok_or_else(|| unknown_share(arn))?;
        let resources: Vec<&str> = input.resource_arns.iter().flatten().map(String::as_str).collect();
        let principals: Vec<&str> = input.principals.iter().flatten().map(String::as_str).collect();
        if !is_leaving(account, &resources, &principals) {
            return Err(unknown_share(arn));
        }
        let leaving = principals_to_take(&found.record, account, input.principals.as_deref().unwrap_or_default());
        let associations: Vec<_> = leaving.iter().filter_map(|id| found.record.principals.get(id)).collect();
        if associations.is_empty() {
            return Err(unknown_share(arn));
        }
        if associations.iter().any(|association| association.by_organization && association.is_associated()) {
            return Err(not_permitted(
                "You can't leave a resource share that your organization shares with you: its owner takes you out.",
            ));
        }
        Ok(found)
    }
}

impl Handles<DisassociateResourceShare> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DisassociateResourceShareRequest>,
    ) -> Result<DisassociateResourceShareResponse, ApiError> {
        let ticket = Ticket::of(cx, "DisassociateResourceShare", input.client_token.as_ref(), &*input)?;
        check_sources(input.sources.as_deref())?;
        check_any(input.resource_arns.as_deref(), input.principals.as_deref())?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let mut found = self.share_to_leave(cx, &input).await?;
            let share = &mut found.record;
            let mut associations = Vec::new();
            for arn in input.resource_arns.iter().flatten() {
                let association = share.resources.get_mut(arn).ok_or_else(|| unknown("Resource", arn))?;
                if association.is_associated() {
                    association.status = Status::Disassociated;
                    association.updated = cx.now;
                }
                associations.extend(share.wire_resource(arn, true));
            }
            let mut transaction = Transaction::new();
            let named = input.principals.as_deref().unwrap_or_default();
            for id in &principals_to_take(share, &cx.principal.account, named) {
                if !share.principals.contains_key(id) {
                    return Err(unknown("Principal", id));
                }
                transaction = leave(cx, share, id, &cx.region, transaction);
                associations.extend(share.wire_principal(id, cx.now));
            }
            share.updated = cx.now;
            let answer = DisassociateResourceShareResponse {
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
