//! ListPoliciesGrantingServiceAccess: through which policies an entity reaches a service.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    ListPoliciesGrantingServiceAccessEntry, ListPoliciesGrantingServiceAccessRequest,
    ListPoliciesGrantingServiceAccessResponse, PolicyGrantingServiceAccess, PolicyType,
};

use crate::Iam;
use crate::entities::Held;
use crate::inspect::allows_service;
use crate::paging::Paging;

/// A managed policy has its ARN; of an inline one it is said whose it is.
fn wire_held(held: &Held) -> PolicyGrantingServiceAccess {
    let inline = held.arn.is_none();
    PolicyGrantingServiceAccess {
        policy_name: held.name.clone(),
        policy_type: if inline { PolicyType::Inline } else { PolicyType::Managed },
        policy_arn: held.arn.clone(),
        entity_type: inline.then(|| held.owner.0.wire()),
        entity_name: inline.then(|| held.owner.1.clone()),
    }
}

impl Handles<op::ListPoliciesGrantingServiceAccess> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPoliciesGrantingServiceAccessRequest>,
    ) -> Result<ListPoliciesGrantingServiceAccessResponse, ApiError> {
        let account = self.account(cx);
        let entity = self.entity_by_arn(account, &input.arn).await?;
        let held = self.held_policies(account, &entity).await?;
        let mut list = Vec::with_capacity(input.service_namespaces.len());
        for (index, service) in input.service_namespaces.iter().enumerate() {
            let granting = held.iter().filter(|held| allows_service(&held.document, service));
            let entry = ListPoliciesGrantingServiceAccessEntry {
                service_namespace: Some(service.clone()),
                policies: Some(granting.map(wire_held).collect()),
            };
            list.push((format!("{index:06}"), entry));
        }
        let paging = Paging {
            scope: format!("ListPoliciesGrantingServiceAccess/{}/{}", entity.id, input.service_namespaces.join(",")),
            marker: input.marker.as_deref(),
            max_items: None,
        };
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(ListPoliciesGrantingServiceAccessResponse {
            is_truncated: page.truncated(),
            policies_granting_service_access: page.items,
            marker: page.marker,
        })
    }
}
