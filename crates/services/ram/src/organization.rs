//! EnableSharingWithAwsOrganization: from then on what is shared within the organization needs no invitation.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::EnableSharingWithAwsOrganization;
use stoa_models_ram::types::{EnableSharingWithAwsOrganizationRequest, EnableSharingWithAwsOrganizationResponse};

use crate::Ram;
use crate::error::not_permitted;
use crate::service::PRINCIPAL;

impl Handles<EnableSharingWithAwsOrganization> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        _input: Authorized<EnableSharingWithAwsOrganizationRequest>,
    ) -> Result<EnableSharingWithAwsOrganizationResponse, ApiError> {
        let organization = self.parts.organization.organization_of(&cx.principal.account).await?;
        let administers = organization.is_some_and(|found| found.management_account == cx.principal.account);
        if !administers {
            return Err(not_permitted(
                "Sharing with AWS Organizations is enabled by the management account of an organization.",
            ));
        }
        self.parts.organization.trust_service(PRINCIPAL).await?;
        Ok(EnableSharingWithAwsOrganizationResponse { return_value: Some(true) })
    }
}
