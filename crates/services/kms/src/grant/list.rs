//! ListGrants and ListRetirableGrants.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    GrantConstraints, GrantListEntry, ListGrantsRequest, ListGrantsResponse, ListRetirableGrantsRequest,
};
use stoa_store::{Document, Query};

use crate::Kms;
use crate::error::{not_here, refused, store_failed};
use crate::paging::{Items, Paging};
use crate::state::{GrantRecord, kind};

fn wire(grant: GrantRecord) -> GrantListEntry {
    let constrained = grant.subset.is_some() || grant.equals.is_some();
    GrantListEntry {
        key_id: Some(grant.key_arn),
        grant_id: Some(grant.id),
        // AWS returns an empty name where there is none.
        name: Some(grant.name.unwrap_or_default()),
        creation_date: Some(grant.created),
        grantee_principal: Some(grant.grantee),
        retiring_principal: grant.retiring,
        issuing_account: Some(grant.issuer),
        operations: Some(grant.operations),
        constraints: constrained.then_some(GrantConstraints {
            encryption_context_subset: grant.subset,
            encryption_context_equals: grant.equals,
            source_arn: None,
        }),
        ..GrantListEntry::default()
    }
}

fn response(page: Items<GrantListEntry>) -> ListGrantsResponse {
    ListGrantsResponse { truncated: page.truncated(), grants: Some(page.items), next_marker: page.marker }
}

impl Handles<op::ListGrants> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<ListGrantsRequest>) -> Result<ListGrantsResponse, ApiError> {
        if input.grantee_service_principal.is_some() {
            return Err(not_here("GranteeServicePrincipal"));
        }
        let found = self.key_by_id(cx, &input.key_id).await?;
        let (grant_id, grantee) = (input.grant_id.as_deref(), input.grantee_principal.as_deref());
        let paging = Paging {
            scope: format!("ListGrants/{}/{grant_id:?}/{grantee:?}", found.record().arn),
            marker: input.marker.as_deref(),
            limit: input.limit,
            default: 50,
        };
        let owner = &found.key.document.key;
        let query =
            Query::of(kind::GRANT).owned_by(&owner.account, owner.region.as_ref()).children_of(&found.record().id);
        let item = |document: &Document| {
            let grant: GrantRecord = document.decode().map_err(store_failed)?;
            let wanted = grant_id.is_none_or(|id| grant.id == id) && grantee.is_none_or(|arn| grant.grantee == arn);
            Ok(wanted.then(|| wire(grant)))
        };
        let page = self.page_of_documents(cx, &paging, query, item).await?;
        if grant_id.is_some() && page.items.is_empty() && page.marker.is_none() {
            return Err(refused("InvalidGrantIdException", "The grant ID is not valid."));
        }
        Ok(response(page))
    }
}

impl Handles<op::ListRetirableGrants> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListRetirableGrantsRequest>,
    ) -> Result<ListGrantsResponse, ApiError> {
        if input.retiring_service_principal.is_some() {
            return Err(not_here("RetiringServicePrincipal"));
        }
        let retiring = input.retiring_principal.as_deref().ok_or_else(|| {
            ApiError::validation(
                "1 validation error detected: Value null at 'retiringPrincipal' failed to satisfy constraint: Member must \
                 not be null",
            )
        })?;
        // Grants on keys of all accounts, for principals of one's own alone.
        let account = retiring.split(':').nth(4).unwrap_or_default();
        if account != cx.principal.account.as_str() {
            let arn = &cx.principal.arn;
            return Err(ApiError::access_denied(format!(
                "User: {arn} is not authorized to perform: kms:ListRetirableGrants for the principal {retiring}"
            )));
        }
        let paging = Paging {
            scope: format!("ListRetirableGrants/{retiring}"),
            marker: input.marker.as_deref(),
            limit: input.limit,
            default: 50,
        };
        let mut query = Query::of(kind::GRANT);
        query.region = Some(cx.region.clone());
        query.statuses = vec![retiring.to_owned()];
        let item = |document: &Document| Ok(Some(wire(document.decode().map_err(store_failed)?)));
        Ok(response(self.page_of_documents(cx, &paging, query, item).await?))
    }
}
