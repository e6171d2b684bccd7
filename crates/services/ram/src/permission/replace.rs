//! ReplacePermissionAssociations: one permission in place of another, in every share of the caller. And the record of it.
//!
//! AWS does this over time; here it is one transaction over all the shares, so a replacement is `COMPLETED` when it is
//! answered, and none is seen half done. Its record is seen for a day, and is removed by a later replacement.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{ListReplacePermissionAssociationsWork, ReplacePermissionAssociations};
use stoa_models_ram::types::{
    ListReplacePermissionAssociationsWorkRequest, ListReplacePermissionAssociationsWorkResponse,
    ReplacePermissionAssociationsRequest, ReplacePermissionAssociationsResponse, ReplacePermissionAssociationsWork,
    ReplacePermissionAssociationsWorkStatus,
};
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::uuid_v4;

use crate::Ram;
use crate::error::{invalid, not_here, store_failed, too_busy};
use crate::idempotency::Ticket;
use crate::paging::Asked;
use crate::service::ATTEMPTS;
use crate::state::{PermissionUse, ReplacementRecord, kind, regional};

/// How long a replacement is still seen.
const SEEN_MILLIS: i64 = 24 * 60 * 60 * 1000;

fn wire(record: &ReplacementRecord) -> ReplacePermissionAssociationsWork {
    ReplacePermissionAssociationsWork {
        id: Some(record.id.clone()),
        from_permission_arn: Some(record.from.clone()),
        from_permission_version: record.from_version.map(|version| version.to_string()),
        to_permission_arn: Some(record.to.clone()),
        to_permission_version: Some(record.to_version.to_string()),
        status: Some(ReplacePermissionAssociationsWorkStatus::Completed),
        creation_time: Some(record.at),
        last_updated_time: Some(record.at),
        ..Default::default()
    }
}

impl Handles<ReplacePermissionAssociations> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ReplacePermissionAssociationsRequest>,
    ) -> Result<ReplacePermissionAssociationsResponse, ApiError> {
        let ticket = Ticket::of(cx, "ReplacePermissionAssociations", input.client_token.as_ref(), &*input)?;
        if input.permission_template_parameters.as_ref().is_some_and(|list| !list.is_empty()) {
            return Err(not_here("permissionTemplateParameters"));
        }
        self.forget_replacements(cx).await?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.answered(&ticket).await? {
                return Ok(answer);
            }
            let from = self.permission(cx, &input.from_permission_arn).await?;
            let to = self.permission(cx, &input.to_permission_arn).await?;
            if from.kind() != to.kind() {
                return Err(invalid("Both permissions must be for the same resource type."));
            }
            let from_version = input.from_permission_version.map(|version| from.version(Some(version))).transpose()?;
            let record = ReplacementRecord {
                id: uuid_v4(&*self.parts.ids),
                from: from.arn(),
                from_version,
                to: to.arn(),
                to_version: to.default_version(),
                at: cx.now,
            };
            let key = regional(kind::REPLACEMENT, &cx.principal.account, &cx.region, &record.id);
            let document = Document::new(key, &record.id, cx.now, &record).map_err(store_failed)?;
            let mut transaction = to.held(Transaction::new().create(document));
            for mut share in self.own_shares(cx).await? {
                let Some(used) = share.record.permissions.get(to.kind()) else { continue };
                if used.arn != record.from || from_version.is_some_and(|version| version != used.version) {
                    continue;
                }
                let new = PermissionUse { arn: record.to.clone(), version: record.to_version, updated: cx.now };
                share.record.permissions.insert(to.kind().to_owned(), new);
                share.record.updated = cx.now;
                transaction = transaction.update(share.changed(cx.now)?);
            }
            let answer = ReplacePermissionAssociationsResponse {
                replace_permission_associations_work: Some(wire(&record)),
                client_token: input.client_token.clone(),
            };
            if self.applied(ticket.remember(transaction, &answer)?).await? {
                return Ok(answer);
            }
        }
        Err(too_busy())
    }
}

impl Ram {
    async fn forget_replacements(&self, cx: &Cx) -> Result<(), ApiError> {
        let owned = Query::of(kind::REPLACEMENT).owned_by(&cx.principal.account, Some(&cx.region));
        for document in self.all(owned).await? {
            let record: ReplacementRecord = document.decode().map_err(store_failed)?;
            if record.at.plus_millis(SEEN_MILLIS) <= cx.now {
                let expect = Expect::Generation(document.generation);
                self.applied(Transaction::new().delete(document.key.clone(), expect)).await?;
            }
        }
        Ok(())
    }
}

impl Handles<ListReplacePermissionAssociationsWork> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListReplacePermissionAssociationsWorkRequest>,
    ) -> Result<ListReplacePermissionAssociationsWorkResponse, ApiError> {
        let filters = (&input.work_ids, input.status);
        let operation = "ListReplacePermissionAssociationsWork";
        let asked = Asked::of(cx, operation, &filters, input.next_token.as_ref(), input.max_results);
        let mut list = Vec::new();
        let owned = Query::of(kind::REPLACEMENT).owned_by(&cx.principal.account, Some(&cx.region));
        for document in self.all(owned).await? {
            let record: ReplacementRecord = document.decode().map_err(store_failed)?;
            let named = input.work_ids.as_ref().is_none_or(|ids| ids.is_empty() || ids.contains(&record.id));
            let completed = ReplacePermissionAssociationsWorkStatus::Completed;
            if named && input.status.is_none_or(|status| status == completed) {
                list.push((record.id.clone(), wire(&record)));
            }
        }
        let (works, next_token) = self.page(&asked, list)?;
        Ok(ListReplacePermissionAssociationsWorkResponse {
            replace_permission_associations_works: Some(works),
            next_token,
        })
    }
}
