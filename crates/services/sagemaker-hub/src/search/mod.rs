//! Search for hub contents: every version of every content in the caller's hubs of this region, by their properties.
//!
//! The public hub is nobody's own and is not searched. A hub whose `filter-lists` setting is on shows what the caller
//! may describe, and counts no more than that. Long texts and tags are read for what is shown, and for all only where
//! the search asks for them.

mod expression;
mod property;
mod timestamps;

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::Search;
use stoa_models_sagemaker::types::{
    CrossAccountFilterOption, HubContent, HubContentType, Relation, ResourceType, SearchRecord, SearchRequest,
    SearchResponse, SearchSortOrder, Tag, TotalHits, VisibilityConditions,
};
use stoa_sagemaker_common::{Paging, SortKey, store_error};
use stoa_store::Query;

use crate::content::{ContentView, dependencies, may_describe};
use crate::hub;
use crate::names::HubName;
use crate::service::{Hub, HubSource, Hubs};
use expression::Expression;
use property::{Needs, Property};

const TYPES: [HubContentType; 5] = [
    HubContentType::Model,
    HubContentType::Notebook,
    HubContentType::ModelReference,
    HubContentType::DataSet,
    HubContentType::JsonDoc,
];

/// A version of a content with as much of its record as the search needs.
struct Found {
    view: ContentView,
    record: HubContent,
}

/// A search that was understood.
struct Wanted {
    expression: Option<Expression>,
    sort_by: Property,
    visible: Vec<(String, String)>,
}

impl Handles<Search> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<SearchRequest>) -> Result<SearchResponse, ApiError> {
        let mut input = input.into_inner();
        let (max_results, next_token) = (input.max_results.take(), input.next_token.take());
        let paging = Paging {
            tokens: &self.parts.tokens,
            scope: format!("{}/{}/Search/{input:?}", cx.principal.account, cx.region),
            ascending: input.sort_order == Some(SearchSortOrder::Ascending),
            max_results,
            next_token,
            now: cx.now,
        };
        let wanted = Wanted::of(input)?;
        let found = self.matching(cx, &wanted).await?;
        let total = i64::try_from(found.len()).map_err(ApiError::internal)?;
        let key = |found: &Found| (sort_key(&wanted.sort_by, found), found.record.hub_content_arn.clone());
        let (page, next_token) = paging.page(found, key)?;
        let mut results = Vec::new();
        for Found { view, mut record } in page {
            if self.complete(&view, &mut record, Needs { texts: true, tags: true }).await? {
                results.push(SearchRecord { hub_content: Some(record) });
            }
        }
        let total_hits = TotalHits { value: Some(total), relation: Some(Relation::EqualTo) };
        Ok(SearchResponse { results: Some(results), next_token, total_hits: Some(total_hits) })
    }
}

impl Wanted {
    fn of(input: SearchRequest) -> Result<Wanted, ApiError> {
        if input.resource != ResourceType::HubContent {
            return Err(ApiError::not_implemented(&format!("Search of {}", input.resource.as_str())));
        }
        if input.cross_account_filter_option == Some(CrossAccountFilterOption::CrossAccount) {
            return Err(ApiError::validation(
                "CrossAccountFilterOption CrossAccount is not implemented by Stoa: list what a shared hub has with \
                 ListHubContents and the hub's ARN",
            ));
        }
        let sort_by = input.sort_by.as_deref().unwrap_or("LastModifiedTime");
        Ok(Wanted {
            expression: input.search_expression.map(Expression::of).transpose()?,
            sort_by: Property::to_sort_by(sort_by)?,
            visible: visible(input.visibility_conditions.unwrap_or_default())?,
        })
    }

    /// What of a record must be read before it can be judged.
    fn needs(&self) -> Needs {
        let mut needs = self.sort_by.needs();
        needs.tags |= !self.visible.is_empty();
        match &self.expression {
            Some(expression) => needs.and(expression.needs()),
            None => needs,
        }
    }

    fn takes(&self, record: &HubContent) -> bool {
        self.is_visible(record) && self.expression.as_ref().is_none_or(|expression| expression.holds(record))
    }

    /// A tag that a condition names must have its value where the content has the tag.
    fn is_visible(&self, record: &HubContent) -> bool {
        let tags = record.tags.as_deref().unwrap_or_default();
        let differs = |(key, value): &(String, String)| tags.iter().any(|tag| tag.key == *key && tag.value != *value);
        !self.visible.iter().any(differs)
    }
}

fn visible(conditions: Vec<VisibilityConditions>) -> Result<Vec<(String, String)>, ApiError> {
    let mut visible = Vec::new();
    for condition in conditions {
        let key = condition.key.unwrap_or_default();
        let tag = key.strip_prefix("Tags.").filter(|tag| !tag.is_empty());
        let (Some(tag), Some(value)) = (tag, condition.value) else {
            return Err(ApiError::validation(format!(
                "VisibilityConditions: Key `{key}` must have the form Tags.<key>, and a Value"
            )));
        };
        visible.push((tag.to_owned(), value));
    }
    Ok(visible)
}

impl Hubs {
    /// Everything that the search finds and the caller may see, in no order.
    async fn matching(&self, cx: &Cx, wanted: &Wanted) -> Result<Vec<Found>, ApiError> {
        let mut found = Vec::new();
        let owned = Query::of(hub::KIND).owned_by(&cx.principal.account, Some(&cx.region));
        for document in self.all(owned).await? {
            let hub = Hub { name: HubName::own(cx, &document.name), source: HubSource::Private(document) };
            let filtered = hub.settings()?.filter_lists;
            for kind in TYPES {
                let matching = self.matching_in(&hub, kind, wanted).await?;
                found.extend(if filtered { describable(cx, matching).await? } else { matching });
            }
        }
        Ok(found)
    }

    async fn matching_in(&self, hub: &Hub, kind: HubContentType, wanted: &Wanted) -> Result<Vec<Found>, ApiError> {
        let needs = wanted.needs();
        let mut found = Vec::new();
        for view in self.contents(hub, kind).await? {
            let mut record = record(&view);
            if self.complete(&view, &mut record, needs).await? && wanted.takes(&record) {
                // What was read to judge it is read again for the page: a search by text keeps no text in memory.
                (record.hub_content_document, record.hub_content_markdown) = (None, None);
                found.push(Found { view, record });
            }
        }
        Ok(found)
    }

    /// Reads the rest of a record. False: the version was deleted since it was listed.
    async fn complete(&self, view: &ContentView, record: &mut HubContent, needs: Needs) -> Result<bool, ApiError> {
        if needs.texts {
            let text = match self.text(view).await {
                Err(error) if error.code() == "ResourceNotFound" => return Ok(false),
                read => read?,
            };
            let notebook = view.kind == HubContentType::Notebook;
            record.hub_content_dependencies = notebook.then(|| dependencies(&text.document));
            (record.hub_content_document, record.hub_content_markdown) = (Some(text.document), text.markdown);
        }
        if needs.tags {
            let arn = view.hub.content_arn(view.kind.as_str(), &view.name);
            let tags = self.parts.store.tags(&arn).await.map_err(store_error)?;
            let tag = |(key, value): &(String, String)| Tag { key: key.clone(), value: value.clone() };
            record.tags = Some(tags.iter().map(tag).collect());
        }
        Ok(true)
    }
}

/// Those that the caller may describe; each content is asked about once, whatever versions it has.
async fn describable(cx: &Cx, found: Vec<Found>) -> Result<Vec<Found>, ApiError> {
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    let mut shown = Vec::new();
    for found in found {
        let may = match known.get(&found.view.name) {
            Some(may) => *may,
            None => may_describe(cx, &found.view).await?,
        };
        known.insert(found.view.name.clone(), may);
        if may {
            shown.push(found);
        }
    }
    Ok(shown)
}

/// The record without its long texts and tags.
fn record(view: &ContentView) -> HubContent {
    HubContent {
        hub_content_arn: view.arn(),
        hub_content_name: view.name.clone(),
        hub_content_version: view.version.to_string(),
        hub_content_type: view.kind,
        document_schema_version: view.schema_version.to_string(),
        hub_name: view.hub.name.clone(),
        hub_arn: view.hub.arn(),
        hub_content_display_name: view.display_name.clone(),
        hub_content_description: view.description.clone(),
        hub_content_markdown: None,
        hub_content_document: None,
        sage_maker_public_hub_content_arn: view.public_arn.clone(),
        reference_min_version: view.min_version.map(|version| version.to_string()),
        support_status: Some(view.support),
        hub_content_search_keywords: Some(view.keywords.clone()),
        hub_content_dependencies: None,
        hub_content_status: view.status,
        failure_reason: view.failure_reason.clone(),
        creation_time: view.created,
        last_modified_time: Some(view.modified),
        created_by: None,
        last_modified_by: None,
        tags: None,
    }
}

/// Versions in order of their numbers, times in order of time, the rest as text; what is not there comes first.
fn sort_key(sort_by: &Property, found: &Found) -> SortKey {
    match sort_by {
        Property::Time(time) => SortKey::Number((time.of)(&found.record).map_or(i64::MIN, |time| time.millis())),
        Property::Text(text) if text.name == "HubContentVersion" => SortKey::Number(found.view.version.rank()),
        Property::Text(_) | Property::Tag(_) => {
            SortKey::Text(sort_by.texts(&found.record).first().copied().unwrap_or_default().to_owned())
        }
    }
}
