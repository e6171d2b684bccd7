//! ListHubs: the caller's hubs and the public hub, which is everybody's. A hub whose `filter-lists` setting is on is
//! shown to those who may describe it.

use stoa_kernel::{ApiError, Authorized, Cx, Handles, Target};
use stoa_models_sagemaker::operations::ListHubs;
use stoa_models_sagemaker::types::{HubInfo, HubSortBy, HubStatus, ListHubsRequest, ListHubsResponse, SortOrder};
use stoa_sagemaker_common::{Paging, SortKey, store_error};
use stoa_store::{Document, Query};
use stoa_types::Timestamp;

use super::{HubBody, KIND, public_body};
use crate::names::HubName;
use crate::service::Hubs;
use crate::settings::Settings;

impl Handles<ListHubs> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<ListHubsRequest>) -> Result<ListHubsResponse, ApiError> {
        let mut input = input.into_inner();
        let (max_results, next_token) = (input.max_results.take(), input.next_token.take());
        let paging = Paging {
            tokens: &self.parts.tokens,
            scope: format!("{}/{}/ListHubs/{input:?}", cx.principal.account, cx.region),
            ascending: input.sort_order != Some(SortOrder::Descending),
            max_results,
            next_token,
            now: cx.now,
        };
        let mut hubs = vec![self.public_info(cx).await?];
        for document in self.all(Query::of(KIND).owned_by(&cx.principal.account, Some(&cx.region))).await? {
            let (info, settings) = info(cx, &document)?;
            let action = "sagemaker:DescribeHub";
            if !settings.filter_lists || cx.may(&Target::new(action, info.hub_arn.as_str())).await? {
                hubs.push(info);
            }
        }
        hubs.retain(|hub| wanted(&input, hub));
        let sort_by = input.sort_by.unwrap_or(HubSortBy::HubName);
        let (hub_summaries, next_token) = paging.page(hubs, |hub| (sort_key(sort_by, hub), hub.hub_arn.clone()))?;
        Ok(ListHubsResponse { hub_summaries, next_token })
    }
}

impl Hubs {
    async fn public_info(&self, cx: &Cx) -> Result<HubInfo, ApiError> {
        let index = self.parts.catalog.index().await?;
        Ok(hub_info(HubName::public(cx), public_body(), HubStatus::InService, index.created, index.modified))
    }
}

fn info(cx: &Cx, document: &Document) -> Result<(HubInfo, Settings), ApiError> {
    let mut body: HubBody = document.decode().map_err(store_error)?;
    let status = document.status.parse().map_err(ApiError::internal)?;
    let settings = std::mem::take(&mut body.settings);
    Ok((hub_info(HubName::own(cx, &document.name), body, status, document.created, document.modified), settings))
}

fn hub_info(hub: HubName, body: HubBody, status: HubStatus, created: Timestamp, modified: Timestamp) -> HubInfo {
    HubInfo {
        hub_arn: hub.arn(),
        hub_name: hub.name,
        hub_display_name: body.display_name,
        hub_description: Some(body.description),
        hub_search_keywords: Some(body.keywords),
        hub_status: status,
        creation_time: created,
        last_modified_time: modified,
    }
}

fn wanted(input: &ListHubsRequest, hub: &HubInfo) -> bool {
    let contains = |part: &String| hub.hub_name.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
    input.name_contains.as_ref().is_none_or(contains)
        && input.creation_time_after.is_none_or(|after| hub.creation_time > after)
        && input.creation_time_before.is_none_or(|before| hub.creation_time < before)
        && input.last_modified_time_after.is_none_or(|after| hub.last_modified_time > after)
        && input.last_modified_time_before.is_none_or(|before| hub.last_modified_time < before)
}

fn sort_key(sort_by: HubSortBy, hub: &HubInfo) -> SortKey {
    match sort_by {
        HubSortBy::HubName => SortKey::Text(hub.hub_name.clone()),
        HubSortBy::CreationTime => SortKey::Number(hub.creation_time.millis()),
        HubSortBy::HubStatus => SortKey::Text(hub.hub_status.as_str().to_owned()),
        // The account of `arn:partition:sagemaker:region:account:…`.
        HubSortBy::AccountIdOwner => SortKey::Text(hub.hub_arn.split(':').nth(4).unwrap_or_default().to_owned()),
    }
}
