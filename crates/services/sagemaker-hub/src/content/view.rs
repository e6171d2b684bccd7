//! A version of a content as callers see it, whether imported, public, or public through a reference.
//!
//! A reference stores no version: what it shows is read from the public hub each time, so it follows its source. What
//! the hub's settings withhold is not there for anybody, be it to list, to describe, to download or to deploy.

use std::ops::Bound;
use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_models_sagemaker::types::{HubContentInfo, HubContentStatus, HubContentSupportStatus, HubContentType};
use stoa_sagemaker_common::{Version, store_error};
use stoa_store::{Document, Order, Position, Query, SortValue};
use stoa_types::Timestamp;

use super::{ContentBody, KIND, parent};
use crate::catalog::{CatalogIndex, PublicModel, Versions};
use crate::document;
use crate::names::{HubName, PUBLIC_HUB};
use crate::reference::{self, ReferenceBody};
use crate::service::{Hub, HubSource, Hubs};
use crate::settings::Settings;

/// One version.
#[derive(Debug, Clone)]
pub(crate) struct ContentView {
    pub hub: HubName,
    pub kind: HubContentType,
    pub name: String,
    pub version: Version,
    pub schema_version: Version,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub keywords: Vec<String>,
    pub support: HubContentSupportStatus,
    pub status: HubContentStatus,
    pub failure_reason: Option<String>,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// References: when the source's version came.
    pub original_created: Option<Timestamp>,
    /// References: the source, without version.
    pub public_arn: Option<String>,
    /// References: the lowest version shown.
    pub min_version: Option<Version>,
    pub source: ViewSource,
}

/// Where its document and files come from.
#[derive(Debug, Clone)]
pub(crate) enum ViewSource {
    Public(Arc<PublicModel>),
    Imported,
}

impl ContentView {
    pub fn arn(&self) -> String {
        format!("{}/{}", self.hub.content_arn(self.kind.as_str(), &self.name), self.version)
    }

    /// What lists show.
    pub fn info(self) -> HubContentInfo {
        HubContentInfo {
            hub_content_arn: self.arn(),
            hub_content_name: self.name,
            sage_maker_public_hub_content_arn: self.public_arn,
            hub_content_version: self.version.to_string(),
            hub_content_type: self.kind,
            document_schema_version: self.schema_version.to_string(),
            hub_content_display_name: self.display_name,
            hub_content_description: self.description,
            support_status: Some(self.support),
            hub_content_search_keywords: Some(self.keywords),
            hub_content_status: self.status,
            creation_time: self.created,
            original_creation_time: self.original_created,
        }
    }

    fn public(hub: &HubName, model: &Arc<PublicModel>) -> ContentView {
        ContentView {
            hub: hub.clone(),
            kind: HubContentType::Model,
            name: model.id.to_string(),
            version: model.version,
            // A constant of ours that parses, which a test holds.
            schema_version: document::SCHEMA_VERSION.parse().unwrap_or(Version::FIRST),
            display_name: Some(model.display_name.to_string()),
            description: Some(model.description.to_string()),
            keywords: document::keywords(model),
            support: support(model),
            status: HubContentStatus::Available,
            failure_reason: None,
            created: model.imported,
            modified: model.modified,
            original_created: None,
            public_arn: None,
            min_version: None,
            source: ViewSource::Public(Arc::clone(model)),
        }
    }

    fn imported(hub: &HubName, kind: HubContentType, document: &Document) -> Result<ContentView, ApiError> {
        let body: ContentBody = document.decode().map_err(store_error)?;
        Ok(ContentView {
            hub: hub.clone(),
            kind,
            name: document.name.clone(),
            version: body.version,
            schema_version: body.schema_version,
            display_name: body.display_name,
            description: body.description,
            keywords: body.keywords,
            support: body.support,
            status: document.status.parse().map_err(ApiError::internal)?,
            failure_reason: body.failure_reason,
            created: document.created,
            modified: document.modified,
            original_created: None,
            public_arn: None,
            min_version: None,
            source: ViewSource::Imported,
        })
    }
}

/// What the marks of a public version come to. Vulnerable weighs more than deprecated.
fn support(model: &PublicModel) -> HubContentSupportStatus {
    match (model.vulnerabilities.is_empty(), &model.deprecated) {
        (false, _) => HubContentSupportStatus::Restricted,
        (true, Some(_)) => HubContentSupportStatus::Deprecated,
        (true, None) => HubContentSupportStatus::Supported,
    }
}

/// The versions that a reference shows, lowest first; the latest alone where that is all that is asked for.
fn referenced(
    hub: &HubName,
    settings: &Settings,
    document: &Document,
    index: &CatalogIndex,
    only_latest: bool,
) -> Result<Vec<ContentView>, ApiError> {
    let body: ReferenceBody = document.decode().map_err(store_error)?;
    let public = HubName { account: stoa_types::AccountId::aws(), name: PUBLIC_HUB.to_owned(), ..hub.clone() };
    let Some(versions) = index.versions(&body.source) else { return Ok(Vec::new()) };
    let mut shown = versions.iter().filter(|(version, model)| {
        body.min_version.is_none_or(|least| **version >= least)
            && body.admitted.as_ref().is_none_or(|admitted| admitted.contains(*version))
            && !settings.withholds(model)
    });
    let view = |(_, model): (&Version, &Arc<PublicModel>)| ContentView {
        kind: HubContentType::ModelReference,
        name: document.name.clone(),
        created: document.created.max(model.imported),
        modified: document.modified.max(model.modified),
        original_created: Some(model.imported),
        public_arn: Some(public.content_arn(HubContentType::Model.as_str(), &body.source)),
        min_version: body.min_version,
        ..ContentView::public(hub, model)
    };
    Ok(if only_latest { shown.next_back().map(view).into_iter().collect() } else { shown.map(view).collect() })
}

impl Hubs {
    /// Every version of every content of this type, in order of name and version.
    pub(crate) async fn contents(&self, hub: &Hub, kind: HubContentType) -> Result<Vec<ContentView>, ApiError> {
        let document = match &hub.source {
            HubSource::Public(index) if kind == HubContentType::Model => {
                let models = index.models.values().flat_map(Versions::values);
                return Ok(models.map(|model| ContentView::public(&hub.name, model)).collect());
            }
            HubSource::Public(_) => return Ok(Vec::new()),
            HubSource::Private(document) => document,
        };
        let owned = |kind| Query::of(kind).owned_by(&hub.name.account, Some(&hub.name.region));
        if kind == HubContentType::ModelReference {
            let index = self.parts.catalog.index().await?;
            let settings = hub.settings()?;
            let mut views = Vec::new();
            for found in self.all(owned(reference::KIND).children_of(&document.name)).await? {
                views.extend(referenced(&hub.name, &settings, &found, &index, false)?);
            }
            return Ok(views);
        }
        let found = self.all(owned(KIND).children_of(&parent(&hub.name, kind))).await?;
        found.iter().map(|document| ContentView::imported(&hub.name, kind, document)).collect()
    }

    /// A page of the versions of all contents of this type in a private hub, in order of name, and where to go on.
    pub(crate) async fn contents_after(
        &self,
        hub: &Hub,
        kind: HubContentType,
        after: Option<String>,
    ) -> Result<(Vec<ContentView>, Option<String>), ApiError> {
        const STEP: usize = 200;
        let HubSource::Private(document) = &hub.source else { return Ok((Vec::new(), None)) };
        let (kept, parent) = match kind {
            HubContentType::ModelReference => (reference::KIND, document.name.clone()),
            kind => (KIND, parent(&hub.name, kind)),
        };
        let query = Query::of(kept).owned_by(&hub.name.account, Some(&hub.name.region)).children_of(&parent);
        let mut query = query.limit(STEP);
        query.after = after;
        let page = self.parts.store.query(&query).await.map_err(store_error)?;
        let mut views = Vec::new();
        if kind == HubContentType::ModelReference {
            let (index, settings) = (self.parts.catalog.index().await?, hub.settings()?);
            for found in &page.documents {
                views.extend(referenced(&hub.name, &settings, found, &index, false)?);
            }
        } else {
            for found in &page.documents {
                views.push(ContentView::imported(&hub.name, kind, found)?);
            }
        }
        Ok((views, page.next))
    }

    /// The versions of one content, lowest first; empty when the hub has no such content.
    pub(crate) async fn versions(
        &self,
        hub: &Hub,
        kind: HubContentType,
        name: &str,
    ) -> Result<Vec<ContentView>, ApiError> {
        if let HubSource::Public(index) = &hub.source {
            let models = index.versions(name).into_iter().flat_map(Versions::values);
            let models = models.filter(|_| kind == HubContentType::Model);
            return Ok(models.map(|model| ContentView::public(&hub.name, model)).collect());
        }
        if kind == HubContentType::ModelReference {
            let key = reference::key(&hub.name, name);
            let Some(found) = self.parts.store.get(&key).await.map_err(store_error)? else { return Ok(Vec::new()) };
            return referenced(&hub.name, &hub.settings()?, &found, &*self.parts.catalog.index().await?, false);
        }
        let found = self.imported_versions(&hub.name, kind, name).await?;
        let views: Result<Vec<_>, _> =
            found.iter().map(|document| ContentView::imported(&hub.name, kind, document)).collect();
        let mut views = views?;
        views.sort_by_key(|view| view.version);
        Ok(views)
    }

    /// The documents of the versions of an imported content.
    pub(crate) async fn imported_versions(
        &self,
        hub: &HubName,
        kind: HubContentType,
        name: &str,
    ) -> Result<Vec<Arc<Document>>, ApiError> {
        let mut query = Query::of(KIND).owned_by(&hub.account, Some(&hub.region));
        query.parent = Some(parent(hub, kind));
        query.name = Some(name.to_owned());
        self.all(query).await
    }

    /// One version, the latest when none is named.
    pub(crate) async fn content(
        &self,
        hub: &Hub,
        kind: HubContentType,
        name: &str,
        version: Option<Version>,
    ) -> Result<ContentView, ApiError> {
        let mut versions = self.versions(hub, kind, name).await?;
        let found = match version {
            Some(wanted) => versions.into_iter().find(|view| view.version == wanted),
            None => versions.pop(),
        };
        found.ok_or_else(|| super::no_such_content(&hub.name, kind, name, version))
    }
}

/// How contents are gone through in order of name.
pub(crate) struct Walk<'a> {
    pub hub: &'a Hub,
    pub kind: HubContentType,
    pub ascending: bool,
    pub name_contains: Option<&'a str>,
    pub max_schema: Option<Version>,
    /// Contents to read at once.
    pub step: usize,
}

impl Walk<'_> {
    fn takes(&self, view: &ContentView) -> bool {
        self.max_schema.is_none_or(|most| view.schema_version <= most)
    }

    /// The children of a parent that come after a name. `last` is above every id that the name has.
    fn query(&self, kind: &'static str, parent: &str, after: Option<&str>, last: &str) -> Result<Query, ApiError> {
        let hub = &self.hub.name;
        let query = Query::of(kind).owned_by(&hub.account, Some(&hub.region)).children_of(parent);
        let mut query = query.limit(self.step);
        query.name_contains = self.name_contains.map(str::to_owned);
        query.order = if self.ascending { Order::Ascending } else { Order::Descending };
        if let Some(after) = after {
            let id = if self.ascending { last.to_owned() } else { String::new() };
            let (account, region) = (hub.account.as_str().to_owned(), hub.region.as_str().to_owned());
            let position = Position(SortValue::Text(after.to_owned()), account, region, id);
            query.after = Some(position.encode().map_err(store_error)?);
        }
        Ok(query)
    }
}

impl Hubs {
    /// The latest version of the contents that come after a name, about a step of them, and the name to go on after.
    /// Reads no more than it gives back.
    pub(crate) async fn latest_after(
        &self,
        walk: &Walk<'_>,
        after: Option<&str>,
    ) -> Result<(Vec<ContentView>, Option<String>), ApiError> {
        match &walk.hub.source {
            HubSource::Public(_) if walk.kind != HubContentType::Model => Ok((Vec::new(), None)),
            HubSource::Public(index) => Ok(public_after(walk, index, after)),
            HubSource::Private(_) if walk.kind == HubContentType::ModelReference => {
                self.references_after(walk, after).await
            }
            HubSource::Private(_) => self.imported_after(walk, after).await,
        }
    }

    async fn references_after(
        &self,
        walk: &Walk<'_>,
        after: Option<&str>,
    ) -> Result<(Vec<ContentView>, Option<String>), ApiError> {
        let hub = &walk.hub.name;
        let last = after.map(|after| format!("{}/{after}\u{10FFFF}", hub.name)).unwrap_or_default();
        let query = walk.query(reference::KIND, &hub.name, after, &last)?;
        let page = self.parts.store.query(&query).await.map_err(store_error)?;
        let (index, settings) = (self.parts.catalog.index().await?, walk.hub.settings()?);
        let mut views = Vec::with_capacity(page.documents.len());
        for document in &page.documents {
            views.extend(referenced(hub, &settings, document, &index, true)?);
        }
        views.retain(|view| walk.takes(view));
        let next = page.documents.last().filter(|_| page.next.is_some()).map(|last| last.name.clone());
        Ok((views, next))
    }

    /// Versions of one content stand together in the index. Where a page ends between them, the next one begins with
    /// their content again.
    async fn imported_after(
        &self,
        walk: &Walk<'_>,
        after: Option<&str>,
    ) -> Result<(Vec<ContentView>, Option<String>), ApiError> {
        let (hub, parent) = (&walk.hub.name, parent(&walk.hub.name, walk.kind));
        let last = after.map(|after| format!("{parent}/{after}/\u{10FFFF}")).unwrap_or_default();
        let page = self.parts.store.query(&walk.query(KIND, &parent, after, &last)?).await.map_err(store_error)?;
        let mut documents: Vec<Arc<Document>> = page.documents;
        let mut next = None;
        if let Some(cut) = documents.last().filter(|_| page.next.is_some()).map(|document| document.name.clone()) {
            let whole = documents.iter().take_while(|document| document.name != cut).count();
            if whole == 0 {
                let mut versions = self.versions(walk.hub, walk.kind, &cut).await?;
                versions.retain(|view| walk.takes(view));
                return Ok((versions.pop().into_iter().collect(), Some(cut)));
            }
            documents.truncate(whole);
            next = documents.last().map(|document| document.name.clone());
        }
        let mut latest: Vec<ContentView> = Vec::new();
        for document in &documents {
            let view = ContentView::imported(hub, walk.kind, document)?;
            match latest.last_mut() {
                _ if !walk.takes(&view) => {}
                Some(known) if known.name == view.name => {
                    if known.version < view.version {
                        *known = view;
                    }
                }
                _ => latest.push(view),
            }
        }
        Ok((latest, next))
    }
}

fn public_after(walk: &Walk<'_>, index: &CatalogIndex, after: Option<&str>) -> (Vec<ContentView>, Option<String>) {
    let part = walk.name_contains.map(str::to_ascii_lowercase);
    let named = |id: &str| part.as_ref().is_none_or(|part| id.to_ascii_lowercase().contains(part.as_str()));
    let bound = after.map_or(Bound::Unbounded, Bound::Excluded);
    let range = if walk.ascending { (bound, Bound::Unbounded) } else { (Bound::Unbounded, bound) };
    let models = index.models.range::<str, _>(range).filter(|(id, _)| named(id));
    let latest = |(id, versions): (&Arc<str>, &Versions)| {
        let view = versions.values().next_back().map(|model| ContentView::public(&walk.hub.name, model));
        (Arc::clone(id), view.filter(|view| walk.takes(view)))
    };
    let found: Vec<_> = if walk.ascending {
        models.take(walk.step).map(latest).collect()
    } else {
        models.rev().take(walk.step).map(latest).collect()
    };
    let next = found.last().filter(|_| found.len() == walk.step).map(|(id, _)| id.to_string());
    (found.into_iter().filter_map(|(_, view)| view).collect(), next)
}
