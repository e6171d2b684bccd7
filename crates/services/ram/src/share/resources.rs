//! What is shared, and with whom: ListResources, ListPrincipals, ListResourceTypes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use stoa_kernel::ports::SharedResources;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_ram::operations::{ListPrincipals, ListResourceTypes, ListResources};
use stoa_models_ram::types::{
    ListPrincipalsRequest, ListPrincipalsResponse, ListResourceTypesRequest, ListResourceTypesResponse,
    ListResourcesRequest, ListResourcesResponse, Principal, Resource, ResourceOwner, ResourceRegionScope,
    ResourceRegionScopeFilter, ResourceStatus, ServiceNameAndResourceType,
};

use super::list::{check_named, is_named};
use crate::Ram;
use crate::error::refused;
use crate::paging::Asked;
use crate::principal::Named;
use crate::shareable::{ShareableType, TYPES};
use crate::state::{ResourceAssociation, ShareRecord};

fn check_type(name: Option<&String>) -> Result<(), ApiError> {
    match name {
        Some(name) if ShareableType::named(name).is_none() => {
            Err(refused("InvalidResourceTypeException", format!("The resource type {name} is not valid.")))
        }
        _ => Ok(()),
    }
}

/// Every type is of a region.
fn is_regional(filter: Option<ResourceRegionScopeFilter>) -> bool {
    filter.is_none_or(|filter| filter != ResourceRegionScopeFilter::Global)
}

#[async_trait]
impl SharedResources for Ram {
    async fn shared_with(&self, cx: &Cx, kind: &str) -> Result<Vec<String>, ApiError> {
        let mut arns = BTreeSet::new();
        for share in self.shares_of_others(cx).await? {
            for (arn, association) in share.resources.iter().filter(|(_, found)| found.is_associated()) {
                // A later resource of the same name is not the one that was shared.
                if association.kind.eq_ignore_ascii_case(kind)
                    && self.resource_created(arn).await? == Some(association.born)
                {
                    arns.insert(arn.clone());
                }
            }
        }
        Ok(arns.into_iter().collect())
    }
}

impl Ram {
    /// A resource of a share as the API has it.
    pub(crate) async fn wire_shared(
        &self,
        share: &ShareRecord,
        arn: &str,
        association: &ResourceAssociation,
    ) -> Result<Resource, ApiError> {
        let there = self.resource_created(arn).await? == Some(association.born);
        Ok(Resource {
            arn: Some(arn.to_owned()),
            r#type: Some(association.kind.clone()),
            resource_share_arn: Some(share.arn.clone()),
            status: Some(if there { ResourceStatus::Available } else { ResourceStatus::Unavailable }),
            creation_time: Some(association.created),
            last_updated_time: Some(association.updated),
            resource_region_scope: Some(ResourceRegionScope::Regional),
            ..Default::default()
        })
    }
}

impl Handles<ListResources> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListResourcesRequest>,
    ) -> Result<ListResourcesResponse, ApiError> {
        check_type(input.resource_type.as_ref())?;
        let filters = (
            (input.resource_owner, &input.principal, &input.resource_type, &input.resource_arns),
            (&input.resource_share_arns, input.resource_region_scope),
        );
        let asked = Asked::of(cx, "ListResources", &filters, input.next_token.as_ref(), input.max_results);
        let shares = self.shares(cx, input.resource_owner).await?;
        let named = input.resource_share_arns.as_deref();
        check_named(named, &shares)?;
        let mut list = Vec::new();
        for share in shares.iter().filter(|share| share.is_active() && is_named(named, share)) {
            let with = |principal: &String| match input.resource_owner {
                ResourceOwner::OtherAccounts => share.owner.as_str() == principal,
                ResourceOwner::SelfValue => share.principals.get(principal).is_some_and(|found| found.counts(true)),
            };
            if input.principal.as_ref().is_some_and(|principal| !with(principal)) {
                continue;
            }
            for (arn, association) in share.resources.iter().filter(|(_, found)| found.is_associated()) {
                let wanted = is_regional(input.resource_region_scope)
                    && input.resource_type.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(&association.kind))
                    && input.resource_arns.as_ref().is_none_or(|arns| arns.is_empty() || arns.contains(arn));
                if wanted {
                    let resource = self.wire_shared(share, arn, association).await?;
                    list.push((format!("{arn} {}", share.arn), resource));
                }
            }
        }
        let (resources, next_token) = self.page(&asked, list)?;
        Ok(ListResourcesResponse { resources: Some(resources), next_token })
    }
}

impl Handles<ListPrincipals> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPrincipalsRequest>,
    ) -> Result<ListPrincipalsResponse, ApiError> {
        check_type(input.resource_type.as_ref())?;
        let filters = (
            (input.resource_owner, &input.resource_arn, &input.principals),
            (&input.resource_type, &input.resource_share_arns),
        );
        let asked = Asked::of(cx, "ListPrincipals", &filters, input.next_token.as_ref(), input.max_results);
        let shares = self.shares(cx, input.resource_owner).await?;
        let named = input.resource_share_arns.as_deref();
        check_named(named, &shares)?;
        let ours = self.parts.organization.organization_of(&cx.principal.account).await?;
        let mut list = Vec::new();
        for share in shares.iter().filter(|share| share.is_active() && is_named(named, share)) {
            let mut resources = share.resources.iter().filter(|(_, found)| found.is_associated());
            let has = |(arn, found): (&String, &ResourceAssociation)| {
                input.resource_arn.as_ref().is_none_or(|wanted| wanted == arn)
                    && input.resource_type.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(&found.kind))
            };
            let narrowed = input.resource_arn.is_some() || input.resource_type.is_some();
            if narrowed && !resources.any(has) {
                continue;
            }
            let external = ours.is_none() || ours != self.parts.organization.organization_of(&share.owner).await?;
            for principal in principals_of(share, input.resource_owner, external) {
                let id = principal.id.clone().unwrap_or_default();
                if input.principals.as_ref().is_none_or(|wanted| wanted.is_empty() || wanted.contains(&id)) {
                    list.push((format!("{id} {}", share.arn), principal));
                }
            }
        }
        let (principals, next_token) = self.page(&asked, list)?;
        Ok(ListPrincipalsResponse { principals: Some(principals), next_token })
    }
}

/// Whom the owner shares with; or, for a consumer, who shares with it, and whether from outside its organization.
fn principals_of(share: &ShareRecord, owner: ResourceOwner, owner_is_external: bool) -> Vec<Principal> {
    let principal = |id: &str, external| Principal {
        id: Some(id.to_owned()),
        resource_share_arn: Some(share.arn.clone()),
        creation_time: Some(share.created),
        last_updated_time: Some(share.updated),
        external: Some(external),
    };
    if owner == ResourceOwner::OtherAccounts {
        return vec![principal(share.owner.as_str(), owner_is_external)];
    }
    let active = share.principals.iter().filter(|(id, found)| found.counts(true) && Named::parse(id).is_some());
    active
        .map(|(id, found)| Principal {
            creation_time: Some(found.created),
            last_updated_time: Some(found.updated),
            ..principal(id, found.external)
        })
        .collect()
}

impl Handles<ListResourceTypes> for Ram {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListResourceTypesRequest>,
    ) -> Result<ListResourceTypesResponse, ApiError> {
        let filters = input.resource_region_scope;
        let asked = Asked::of(cx, "ListResourceTypes", &filters, input.next_token.as_ref(), input.max_results);
        let types = TYPES.iter().filter(|_| is_regional(input.resource_region_scope));
        let list = types
            .map(|known| {
                let entry = ServiceNameAndResourceType {
                    resource_type: Some(known.name.to_owned()),
                    service_name: Some(known.service.to_owned()),
                    resource_region_scope: Some(ResourceRegionScope::Regional),
                };
                (known.name.to_owned(), entry)
            })
            .collect();
        let (resource_types, next_token) = self.page(&asked, list)?;
        Ok(ListResourceTypesResponse { resource_types: Some(resource_types), next_token })
    }
}
