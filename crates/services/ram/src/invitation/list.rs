//! GetResourceShareInvitations, ListPendingInvitationResources: what the caller's account received.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{GetResourceShareInvitations, ListPendingInvitationResources};
use stoa_models_ram::types::{
    GetResourceShareInvitationsRequest, GetResourceShareInvitationsResponse, ListPendingInvitationResourcesRequest,
    ListPendingInvitationResourcesResponse, ResourceRegionScopeFilter,
};
use stoa_store::Query;

use super::{must_be_pending, not_found};
use crate::Ram;
use crate::error::store_failed;
use crate::paging::Asked;
use crate::state::{InvitationRecord, kind};

impl Handles<GetResourceShareInvitations> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetResourceShareInvitationsRequest>,
    ) -> Result<GetResourceShareInvitationsResponse, ApiError> {
        let filters = (&input.resource_share_invitation_arns, &input.resource_share_arns);
        let operation = "GetResourceShareInvitations";
        let asked = Asked::of(cx, operation, &filters, input.next_token.as_ref(), input.max_results);
        for arn in input.resource_share_invitation_arns.iter().flatten() {
            self.received(cx, arn).await?;
        }
        let named = |list: &Option<Vec<String>>, arn: &String| {
            list.as_ref().is_none_or(|list| list.is_empty() || list.contains(arn))
        };
        let mut list = Vec::new();
        let received = Query::of(kind::INVITATION).owned_by(&cx.principal.account, Some(&cx.region));
        for document in self.all(received).await? {
            let invitation: InvitationRecord = document.decode().map_err(store_failed)?;
            if named(&input.resource_share_invitation_arns, &invitation.arn)
                && named(&input.resource_share_arns, &invitation.share_arn)
            {
                let name = self.name_of_share(&invitation).await?;
                list.push((invitation.arn.clone(), invitation.wire(name, cx.now)));
            }
        }
        let (invitations, next_token) = self.page(&asked, list)?;
        Ok(GetResourceShareInvitationsResponse { resource_share_invitations: Some(invitations), next_token })
    }
}

impl Handles<ListPendingInvitationResources> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPendingInvitationResourcesRequest>,
    ) -> Result<ListPendingInvitationResourcesResponse, ApiError> {
        let arn = &input.resource_share_invitation_arn;
        let filters = (arn, input.resource_region_scope);
        let operation = "ListPendingInvitationResources";
        let asked = Asked::of(cx, operation, &filters, input.next_token.as_ref(), input.max_results);
        let invitation = self.received(cx, arn).await?;
        must_be_pending(&invitation.record, cx.now)?;
        let share = self.find_share(&invitation.record.share_arn).await?.ok_or_else(|| not_found(arn))?;
        let mut list = Vec::new();
        // Every type is of a region.
        let regional = input.resource_region_scope != Some(ResourceRegionScopeFilter::Global);
        for (arn, association) in share.record.resources.iter().filter(|(_, found)| regional && found.is_associated()) {
            list.push((arn.clone(), self.wire_shared(&share.record, arn, association).await?));
        }
        let (resources, next_token) = self.page(&asked, list)?;
        Ok(ListPendingInvitationResourcesResponse { resources: Some(resources), next_token })
    }
}
