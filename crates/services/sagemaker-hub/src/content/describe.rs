//! DescribeHubContent. The document of a public model is made for the caller's region.

use serde_json::Value;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::DescribeHubContent;
use stoa_models_sagemaker::types::{
    DescribeHubContentRequest, DescribeHubContentResponse, HubContentDependency, HubContentType,
};
use stoa_sagemaker_common::store_error;

use super::{ContentText, ContentView, ViewSource, keys, no_such_content};
use crate::document::hub_content_document;
use crate::names::optional_version;
use crate::provenance::in_document;
use crate::service::Hubs;

impl Handles<DescribeHubContent> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DescribeHubContentRequest>,
    ) -> Result<DescribeHubContentResponse, ApiError> {
        let version = optional_version("HubContentVersion", input.hub_content_version.as_ref())?;
        let hub = self.hub(cx, &input.hub_name).await?;
        let view = self.content(&hub, input.hub_content_type, &input.hub_content_name, version).await?;
        let mut text = self.text(&view).await?;
        // Only a hub with an admission policy adds to what its importers wrote.
        if !hub.admission()?.is_default()
            && let Some(provenance) = self.provenance(&view).await?
            && let Some(document) = in_document(&text.document, &provenance)
        {
            text.document = document;
        }
        Ok(response(view, text))
    }
}

/// What a notebook's document says that it needs besides itself.
pub(crate) fn dependencies(document: &str) -> Vec<HubContentDependency> {
    let parsed: Value = serde_json::from_str(document).unwrap_or_default();
    let named = parsed.get("Dependencies").and_then(Value::as_array).cloned().unwrap_or_default();
    let path = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let dependency = |entry: &Value| HubContentDependency {
        dependency_origin_path: path(entry, "DependencyOriginPath"),
        dependency_copy_path: path(entry, "DependencyCopyPath"),
    };
    named.iter().map(dependency).collect()
}

fn response(view: ContentView, text: ContentText) -> DescribeHubContentResponse {
    let notebook = view.kind == HubContentType::Notebook;
    let dependencies = if notebook { dependencies(&text.document) } else { Vec::new() };
    DescribeHubContentResponse {
        hub_content_arn: view.arn(),
        hub_content_name: view.name,
        hub_content_version: view.version.to_string(),
        hub_content_type: view.kind,
        document_schema_version: view.schema_version.to_string(),
        hub_arn: view.hub.arn(),
        hub_name: view.hub.name,
        hub_content_display_name: view.display_name,
        hub_content_description: view.description,
        hub_content_markdown: text.markdown,
        hub_content_document: text.document,
        sage_maker_public_hub_content_arn: view.public_arn,
        reference_min_version: view.min_version.map(|version| version.to_string()),
        support_status: Some(view.support),
        hub_content_search_keywords: Some(view.keywords),
        hub_content_dependencies: Some(dependencies),
        hub_content_status: view.status,
        failure_reason: view.failure_reason,
        creation_time: view.created,
        last_modified_time: Some(view.modified),
        created_by: None,
        last_modified_by: None,
    }
}

impl Hubs {
    /// The document and card of a version.
    pub(crate) async fn text(&self, view: &ContentView) -> Result<ContentText, ApiError> {
        match &view.source {
            ViewSource::Public(model) => {
                let body = self.parts.catalog.body(model).await?;
                let document = hub_content_document(&body.manifest, body.size(), &view.hub.region);
                Ok(ContentText { document: document.to_string(), markdown: Some(body.card.clone()) })
            }
            ViewSource::Imported => {
                let [_, key] = keys(&view.hub, view.kind, &view.name, view.version);
                let found = self.parts.store.get(&key).await.map_err(store_error)?;
                let gone = || no_such_content(&view.hub, view.kind, &view.name, Some(view.version));
                found.ok_or_else(gone)?.decode().map_err(store_error)
            }
        }
    }
}
