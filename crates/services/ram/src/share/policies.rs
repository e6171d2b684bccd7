//! GetResourcePolicies: the policies that shares put on the caller's resources, as they are decided by.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::GetResourcePolicies;
use stoa_models_ram::types::{GetResourcePoliciesRequest, GetResourcePoliciesResponse};
use stoa_types::Arn;

use crate::Ram;
use crate::error::{malformed_arn, refused};
use crate::paging::Asked;

impl Handles<GetResourcePolicies> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetResourcePoliciesRequest>,
    ) -> Result<GetResourcePoliciesResponse, ApiError> {
        let filters = (&input.resource_arns, &input.principal);
        let asked = Asked::of(cx, "GetResourcePolicies", &filters, input.next_token.as_ref(), input.max_results);
        let organization_shares = self.organization_shares().await?;
        let shares = self.own_shares(cx).await?;
        let mut list = Vec::new();
        for arn in &input.resource_arns {
            arn.parse::<Arn>().map_err(|_| malformed_arn(arn))?;
            let there = self.resource_created(arn).await?;
            let mut shared = false;
            for share in &shares {
                let Some(association) = share.record.resources.get(arn) else { continue };
                if there != Some(association.born) {
                    continue;
                }
                shared = true;
                if input.principal.as_ref().is_some_and(|id| !share.record.principals.contains_key(id)) {
                    continue;
                }
                for (of, policy) in self.policies_of(&share.record, organization_shares).await? {
                    if of == *arn {
                        list.push((format!("{arn} {}", share.record.arn), policy.to_string()));
                    }
                }
            }
            if !shared {
                let message = format!("The resource {arn} is not shared by your account.");
                return Err(refused("ResourceArnNotFoundException", message));
            }
        }
        let (policies, next_token) = self.page(&asked, list)?;
        Ok(GetResourcePoliciesResponse { policies: Some(policies), next_token })
    }
}
