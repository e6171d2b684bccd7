//! GetResourceShareAssociations: what is in the caller's own shares.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::GetResourceShareAssociations;
use stoa_models_ram::types::{
    GetResourceShareAssociationsRequest, GetResourceShareAssociationsResponse, ResourceOwner, ResourceShareAssociation,
    ResourceShareAssociationType,
};

use super::list::{check_named, is_named};
use crate::Ram;
use crate::error::{invalid, not_here};
use crate::paging::Asked;
use crate::state::ShareRecord;

impl Ram {
    /// The resources of a share, as the API has them.
    pub(crate) async fn wire_resources(&self, share: &ShareRecord) -> Result<Vec<ResourceShareAssociation>, ApiError> {
        let mut associations = Vec::new();
        for (arn, association) in &share.resources {
            let there = self.resource_created(arn).await? == Some(association.born);
            associations.extend(share.wire_resource(arn, there));
        }
        Ok(associations)
    }
}

impl Handles<GetResourceShareAssociations> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetResourceShareAssociationsRequest>,
    ) -> Result<GetResourceShareAssociationsResponse, ApiError> {
        let principals = match input.association_type {
            ResourceShareAssociationType::Principal => true,
            ResourceShareAssociationType::Resource => false,
            ResourceShareAssociationType::Source => return Err(not_here("associationType SOURCE")),
        };
        if principals && input.resource_arn.is_some() {
            return Err(invalid("You cannot specify a resource ARN when the association type is PRINCIPAL."));
        }
        if !principals && input.principal.is_some() {
            return Err(invalid("You cannot specify a principal when the association type is RESOURCE."));
        }
        let filters = (
            (input.association_type, &input.resource_share_arns, &input.resource_arn),
            (&input.principal, input.association_status),
        );
        let operation = "GetResourceShareAssociations";
        let asked = Asked::of(cx, operation, &filters, input.next_token.as_ref(), input.max_results);
        let shares = self.shares(cx, ResourceOwner::SelfValue).await?;
        let named = input.resource_share_arns.as_deref();
        check_named(named, &shares)?;
        let mut list = Vec::new();
        for share in shares.iter().filter(|share| is_named(named, share)) {
            let associations = if principals {
                share.principals.keys().filter_map(|id| share.wire_principal(id, cx.now)).collect()
            } else {
                self.wire_resources(share).await?
            };
            for association in associations {
                let entity = association.associated_entity.clone().unwrap_or_default();
                let asked_for = input.principal.as_ref().or(input.resource_arn.as_ref());
                if asked_for.is_none_or(|wanted| *wanted == entity)
                    && input.association_status.is_none_or(|status| association.status == Some(status))
                {
                    list.push((format!("{} {entity}", share.arn), association));
                }
            }
        }
        let (associations, next_token) = self.page(&asked, list)?;
        Ok(GetResourceShareAssociationsResponse { resource_share_associations: Some(associations), next_token })
    }
}
