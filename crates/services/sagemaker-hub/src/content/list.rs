//! ListHubContents (one entry for each content, of its latest version) and ListHubContentVersions.

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::{ListHubContentVersions, ListHubContents};
use stoa_models_sagemaker::types::{
    HubContentSortBy, ListHubContentVersionsRequest, ListHubContentVersionsResponse, ListHubContentsRequest,
    ListHubContentsResponse, SortOrder,
};
use stoa_sagemaker_common::{Keyed, Paging, SortKey, Version};

use super::{ContentView, Walk, no_such_content};
use crate::names::optional_version;
use crate::service::{Hub, Hubs};
use crate::targets::hub_and_content;

impl Handles<ListHubContents> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListHubContentsRequest>,
    ) -> Result<ListHubContentsResponse, ApiError> {
        let mut input = input.into_inner();
        let max_schema = optional_version("MaxSchemaVersion", input.max_schema_version.as_ref())?;
        let (max_results, next_token) = (input.max_results.take(), input.next_token.take());
        let paging = Paging {
            tokens: &self.parts.tokens,
            scope: format!("{}/{}/ListHubContents/{input:?}", cx.principal.account, cx.region),
            ascending: input.sort_order != Some(SortOrder::Descending),
            max_results,
            next_token,
            now: cx.now,
        };
        let hub = self.hub(cx, &input.hub_name).await?;
        if matches!(input.sort_by, None | Some(HubContentSortBy::HubContentName)) {
            let (page, next_token) = self.page_by_name(cx, &hub, &input, max_schema, &paging).await?;
            let hub_content_summaries = page.into_iter().map(ContentView::info).collect();
            return Ok(ListHubContentsResponse { hub_content_summaries, next_token });
        }
        let mut latest: BTreeMap<String, ContentView> = BTreeMap::new();
        for view in self.contents(&hub, input.hub_content_type).await? {
            let newer = latest.get(&view.name).is_none_or(|known| known.version < view.version);
            if newer && max_schema.is_none_or(|most| view.schema_version <= most) {
                latest.insert(view.name.clone(), view);
            }
        }
        let part = input.name_contains.as_ref().map(|part| part.to_ascii_lowercase());
        let wanted = |view: &ContentView| {
            part.as_ref().is_none_or(|part| view.name.to_ascii_lowercase().contains(part.as_str()))
                && created_within(&input, view)
        };
        let views = latest.into_values().filter(wanted).collect();
        let sort_by = input.sort_by.unwrap_or(HubContentSortBy::HubContentName);
        let ordered = paging.rest(views, |view: &ContentView| (sort_key(sort_by, view), view.name.clone()))?;
        let shown =
            if hub.settings()?.filter_lists { describable(cx, ordered, paging.limit()).await? } else { ordered };
        let (page, next_token) = paging.cut(shown)?;
        let hub_content_summaries = page.into_iter().map(ContentView::info).collect();
        Ok(ListHubContentsResponse { hub_content_summaries, next_token })
    }
}

impl Hubs {
    /// A page in order of name, read from where it starts to where it ends. Other orders read everything.
    async fn page_by_name(
        &self,
        cx: &Cx,
        hub: &Hub,
        input: &ListHubContentsRequest,
        max_schema: Option<Version>,
        paging: &Paging<'_>,
    ) -> Result<(Vec<ContentView>, Option<String>), ApiError> {
        let walk = Walk {
            hub,
            kind: input.hub_content_type,
            ascending: paging.ascending,
            name_contains: input.name_contains.as_deref(),
            max_schema,
            step: paging.limit() + 1,
        };
        let filtered = hub.settings()?.filter_lists;
        let (mut shown, mut after) = (Vec::new(), paging.last_text()?);
        loop {
            let (views, next) = self.latest_after(&walk, after.as_deref()).await?;
            for view in views.into_iter().filter(|view| created_within(input, view)) {
                if !filtered || may_describe(cx, &view).await? {
                    shown.push(((SortKey::Text(view.name.clone()), String::new()), view));
                }
                if shown.len() > paging.limit() {
                    return paging.cut(shown);
                }
            }
            if next.is_none() {
                return paging.cut(shown);
            }
            after = next;
        }
    }
}

fn created_within(input: &ListHubContentsRequest, view: &ContentView) -> bool {
    input.creation_time_after.is_none_or(|after| view.created > after)
        && input.creation_time_before.is_none_or(|before| view.created < before)
}

impl Handles<ListHubContentVersions> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListHubContentVersionsRequest>,
    ) -> Result<ListHubContentVersionsResponse, ApiError> {
        let mut input = input.into_inner();
        let max_schema = optional_version("MaxSchemaVersion", input.max_schema_version.as_ref())?;
        let min_version = optional_version("MinVersion", input.min_version.as_ref())?;
        let (max_results, next_token) = (input.max_results.take(), input.next_token.take());
        let paging = Paging {
            tokens: &self.parts.tokens,
            scope: format!("{}/{}/ListHubContentVersions/{input:?}", cx.principal.account, cx.region),
            ascending: input.sort_order != Some(SortOrder::Descending),
            max_results,
            next_token,
            now: cx.now,
        };
        let hub = self.hub(cx, &input.hub_name).await?;
        let mut views = self.versions(&hub, input.hub_content_type, &input.hub_content_name).await?;
        // Where lists are filtered, a content that may not be described is not there to be found.
        let hidden = match views.first() {
            Some(view) if hub.settings()?.filter_lists => !may_describe(cx, view).await?,
            _ => false,
        };
        if views.is_empty() || hidden {
            return Err(no_such_content(&hub.name, input.hub_content_type, &input.hub_content_name, None));
        }
        views.retain(|view| {
            min_version.is_none_or(|least| view.version >= least)
                && max_schema.is_none_or(|most| view.schema_version <= most)
                && input.creation_time_after.is_none_or(|after| view.created > after)
                && input.creation_time_before.is_none_or(|before| view.created < before)
        });
        let sort_by = input.sort_by.unwrap_or(HubContentSortBy::HubContentName);
        let rank = |view: &ContentView| format!("{:012}", view.version.rank());
        let (page, next_token) = paging.page(views, |view: &ContentView| match sort_by {
            // All have one name: the versions are what can be put in order.
            HubContentSortBy::HubContentName => (SortKey::Number(view.version.rank()), String::new()),
            other => (sort_key(other, view), rank(view)),
        })?;
        let hub_content_summaries = page.into_iter().map(ContentView::info).collect();
        Ok(ListHubContentVersionsResponse { hub_content_summaries, next_token })
    }
}

/// The first of these that the caller may describe, as many as a page takes and one more.
async fn describable(
    cx: &Cx,
    ordered: Vec<Keyed<ContentView>>,
    limit: usize,
) -> Result<Vec<Keyed<ContentView>>, ApiError> {
    let mut shown = Vec::new();
    for (key, view) in ordered {
        if shown.len() > limit {
            break;
        }
        if may_describe(cx, &view).await? {
            shown.push((key, view));
        }
    }
    Ok(shown)
}

/// Whether the caller may describe the content, whatever its version.
pub(crate) async fn may_describe(cx: &Cx, view: &ContentView) -> Result<bool, ApiError> {
    for target in hub_and_content("sagemaker:DescribeHubContent", &view.hub, view.kind.as_str(), &view.name) {
        if !cx.may(&target).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn sort_key(sort_by: HubContentSortBy, view: &ContentView) -> SortKey {
    match sort_by {
        HubContentSortBy::HubContentName => SortKey::Text(view.name.clone()),
        HubContentSortBy::CreationTime => SortKey::Number(view.created.millis()),
        HubContentSortBy::HubContentStatus => SortKey::Text(view.status.as_str().to_owned()),
    }
}
