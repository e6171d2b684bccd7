//! UpdateHubContentReference: another lowest version. Without one in the request nothing changes.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::UpdateHubContentReference;
use stoa_models_sagemaker::types::{
    HubContentType, UpdateHubContentReferenceRequest, UpdateHubContentReferenceResponse,
};
use stoa_sagemaker_common::store_error;
use stoa_store::{StoreError, Transaction};

use super::{ReferenceBody, check_kind, key, latest_shown};
use crate::content::no_such_content;
use crate::names::optional_version;
use crate::service::Hubs;
use crate::settings::settings_of;

impl Handles<UpdateHubContentReference> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateHubContentReferenceRequest>,
    ) -> Result<UpdateHubContentReferenceResponse, ApiError> {
        check_kind(input.hub_content_type, "UpdateHubContent")?;
        let min_version = optional_version("MinVersion", input.min_version.as_ref())?;
        let (hub, document) = self.own_hub(cx, &input.hub_name).await?;
        let settings = settings_of(&document)?;
        let name = &input.hub_content_name;
        let gone = || no_such_content(&hub, HubContentType::ModelReference, name, None);
        let document = self.parts.store.get(&key(&hub, name)).await.map_err(store_error)?.ok_or_else(gone)?;
        let mut body: ReferenceBody = document.decode().map_err(store_error)?;
        body.check_by_hand(&hub, name)?;
        let index = self.parts.catalog.index().await?;
        let latest = latest_shown(&index, &settings, &body.source, min_version.or(body.min_version))?;
        if min_version.is_some() && min_version != body.min_version {
            body.min_version = min_version;
            let changed = document.with_body(cx.now, &body).map_err(store_error)?;
            match self.parts.store.commit(Transaction::new().update(changed)).await {
                Ok(()) => {}
                Err(StoreError::Conflict { found: None, .. }) => return Err(gone()),
                Err(StoreError::Conflict { .. }) => {
                    return Err(ApiError::resource_in_use(format!(
                        "ModelReference {name} was changed at the same time, try again"
                    )));
                }
                Err(error) => return Err(store_error(error)),
            }
        }
        let hub_content_arn = format!("{}/{latest}", hub.content_arn(HubContentType::ModelReference.as_str(), name));
        Ok(UpdateHubContentReferenceResponse { hub_arn: hub.arn(), hub_content_arn })
    }
}
