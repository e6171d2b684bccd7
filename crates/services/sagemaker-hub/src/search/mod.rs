//! Search for hub contents: every version of every content in the caller's hubs of this region, by their properties; or
//! in the hubs that other accounts share with it (`CrossAccount`), without their tags.
//!
//! The public hub is nobody's own and is not searched. A hub whose `filter-lists` setting is on shows what the caller
//! may describe, and counts no more than that. Long texts and tags are read for what is shown, and for all only where
//! the search asks for them. All contents are gone through, for they are counted; no more than a page of them is held.

mod expression;
mod property;
mod timestamps;

use stoa_kernel::{ApiError, Authorized, Cx, Handles, Target};
use stoa_models_sagemaker::operations::Search;
use stoa_models_sagemaker::types::{
    CrossAccountFilterOption, HubContent, HubContentType, Relation, ResourceType, SearchRecord, SearchRequest,
    SearchResponse, SearchSortOrder, Tag, TotalHits, VisibilityConditions,
};
use stoa_sagemaker_common::{Best, Paging, SortKey, store_error};
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
    /// What others share with the caller, and not its own.
    of_others: bool,
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
        let mut finds = Finds { sort_by: &wanted.sort_by, best: paging.best()?, total: 0 };
        self.matching(cx, &wanted, &mut finds).await?;
        let total = finds.total;
        let (page, next_token) = paging.cut(finds.best.in_order())?;
        let mut results = Vec::new();
        for Found { view, mut record } in page {
            if self.complete(&view, &mut record, Needs { texts: true, tags: !wanted.of_others }).await? {
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
        let sort_by = input.sort_by.as_deref().unwrap_or("LastModifiedTime");
        let wanted = Wanted {
            of_others: input.cross_account_filter_option == Some(CrossAccountFilterOption::CrossAccount),
            expression: input.search_expression.map(Expression::of).transpose()?,
            sort_by: Property::to_sort_by(sort_by)?,
            visible: visible(input.visibility_conditions.unwrap_or_default())?,
        };
        if wanted.of_others && wanted.needs().tags {
            return Err(ApiError::validation(
                "tags of other accounts' resources are not shown: a search with CrossAccountFilterOption CrossAccount \
                 cannot name Tags",
            ));
        }
        Ok(wanted)
    }

    /// Whether a record with this text in this property may be found.
    fn may_take(&self, property: &str, text: &str) -> bool {
        self.expression.as_ref().is_none_or(|expression| expression.may_hold(property, text))
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

/// What was found so far: the page, and how many there are besides.
struct Finds<'p> {
    sort_by: &'p Property,
    best: Best<Found>,
    total: i64,
}

impl Finds<'_> {
    fn take(&mut self, view: ContentView, mut record: HubContent) {
        self.total += 1;
        // What was read to judge it is read again for the page: a search by text keeps no text in memory.
        (record.hub_content_document, record.hub_content_markdown) = (None, None);
        let found = Found { view, record };
        self.best.offer((sort_key(self.sort_by, &found), found.record.hub_content_arn.clone()), found);
    }
}

impl Hubs {
    /// The hubs that are searched: the caller's, or those of others that are shared with it and whose contents it may
    /// list.
    async fn searched(&self, cx: &Cx, wanted: &Wanted) -> Result<Vec<Hub>, ApiError> {
        let mut hubs = Vec::new();
        if !wanted.of_others {
            let owned = Query::of(hub::KIND).owned_by(&cx.principal.account, Some(&cx.region));
            for document in self.all(owned).await? {
                hubs.push(Hub { name: HubName::own(cx, &document.name), source: HubSource::Private(document) });
            }
            return Ok(hubs);
        }
        for arn in self.shared_with(cx).await? {
            let Some(name) = HubName::parse_arn(&arn).filter(|name| name.region == cx.region) else { continue };
            let Some(document) = self.parts.store.get(&hub::key(&name)).await.map_err(store_error)? else { continue };
            if cx.may(&Target::new("sagemaker:ListHubContents", arn)).await? {
                hubs.push(Hub { name, source: HubSource::Private(document) });
            }
        }
        Ok(hubs)
    }

    /// Goes through all contents, a page of the store after the other, and takes those that the search finds and the
    /// caller may see.
    async fn matching(&self, cx: &Cx, wanted: &Wanted, finds: &mut Finds<'_>) -> Result<(), ApiError> {
        for hub in self.searched(cx, wanted).await? {
            for kind in TYPES {
                if wanted.may_take("HubName", &hub.name.name) && wanted.may_take("HubContentType", kind.as_str()) {
                    self.matching_in(cx, &hub, kind, wanted, finds).await?;
                }
            }
        }
        Ok(())
    }

    async fn matching_in(
        &self,
        cx: &Cx,
        hub: &Hub,
        kind: HubContentType,
        wanted: &Wanted,
        finds: &mut Finds<'_>,
    ) -> Result<(), ApiError> {
        let (needs, filtered) = (wanted.needs(), hub.settings()?.filter_lists);
        // Each content is asked about once, whatever versions it has, which come one after the other.
        let mut last: Option<(String, bool)> = None;
        let mut after = None;
        loop {
            let (views, next) = self.contents_after(hub, kind, after).await?;
            for view in views {
                let mut record = record(&view);
                if !self.complete(&view, &mut record, needs).await? || !wanted.takes(&record) {
                    continue;
                }
                let known = last.as_ref().filter(|(name, _)| filtered && *name == view.name);
                let may = match known {
                    Some((_, may)) => *may,
                    None => !filtered || may_describe(cx, &view).await?,
                };
                last = Some((view.name.clone(), may));
                if may {
                    finds.take(view, record);
                }
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
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
