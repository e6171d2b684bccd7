//! UpdateHubContent: the texts of an imported version. Its document never changes.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::UpdateHubContent;
use stoa_models_sagemaker::types::{HubContentType, UpdateHubContentRequest, UpdateHubContentResponse};
use stoa_sagemaker_common::store_error;
use stoa_store::{StoreError, Transaction};

use super::{ContentBody, ContentText, keys, no_such_content};
use crate::names;
use crate::service::Hubs;

impl Handles<UpdateHubContent> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateHubContentRequest>,
    ) -> Result<UpdateHubContentResponse, ApiError> {
        let input = input.into_inner();
        let (kind, name) = (input.hub_content_type, &input.hub_content_name);
        if kind == HubContentType::ModelReference {
            return Err(ApiError::validation("a ModelReference shows its source: use UpdateHubContentReference"));
        }
        let version = names::version("HubContentVersion", &input.hub_content_version)?;
        let (hub, _) = self.own_hub(cx, &input.hub_name).await?;
        let gone = || no_such_content(&hub, kind, name, Some(version));
        let [key, text_key] = keys(&hub, kind, name, version);
        let listed = self.parts.store.get(&key).await.map_err(store_error)?.ok_or_else(gone)?;
        let mut body: ContentBody = listed.decode().map_err(store_error)?;
        if input.hub_content_display_name.is_some() {
            body.display_name = input.hub_content_display_name;
        }
        if input.hub_content_description.is_some() {
            body.description = input.hub_content_description;
        }
        if let Some(keywords) = input.hub_content_search_keywords {
            body.keywords = keywords;
        }
        if let Some(support) = input.support_status {
            body.support = support;
        }
        let mut transaction = Transaction::new().update(listed.with_body(cx.now, &body).map_err(store_error)?);
        if let Some(markdown) = input.hub_content_markdown {
            let long = self.parts.store.get(&text_key).await.map_err(store_error)?.ok_or_else(gone)?;
            let text: ContentText = long.decode().map_err(store_error)?;
            let text = ContentText { markdown: Some(markdown), ..text };
            transaction = transaction.update(long.with_body(cx.now, &text).map_err(store_error)?);
        }
        match self.parts.store.commit(transaction).await {
            Ok(()) => {}
            Err(StoreError::Conflict { found: None, .. }) => return Err(gone()),
            Err(StoreError::Conflict { .. }) => {
                return Err(ApiError::resource_in_use(format!(
                    "{kind} {name} was changed at the same time, try again"
                )));
            }
            Err(error) => return Err(store_error(error)),
        }
        let hub_content_arn = format!("{}/{version}", hub.content_arn(kind.as_str(), name));
        Ok(UpdateHubContentResponse { hub_arn: hub.arn(), hub_content_arn })
    }
}
