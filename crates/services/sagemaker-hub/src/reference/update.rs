//! UpdateHubContentReference: another lowest version. Without one in the request nothing changes.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::UpdateHubContentReference;
use stoa_models_sagemaker::types::{
    HubContentType, UpdateHubContentReferenceRequest, UpdateHubContentReferenceResponse,
};
use stoa_sagemaker_common::store_error;
use stoa_store::Transaction;

use super::{ReferenceBody, check_kind, key, latest_shown};
use crate::content::no_such_content;
use crate::names::optional_version;
use crate::service::{ATTEMPTS, Hubs};
use crate::settings::settings_of;

impl Handles<UpdateHubContentReference> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateHubContentReferenceRequest>,
    ) -> Result<UpdateHubContentReferenceResponse, ApiError> {
        check_kind(input.hub_content_type, "UpdateHubContent")?;
        let min_version = optional_version("MinVersion", input.min_version.as_ref())?;
        let name = &input.hub_content_name;
        for _ in 0..ATTEMPTS {
            let (hub, document) = self.own_hub(cx, &input.hub_name).await?;
            let gone = || no_such_content(&hub, HubContentType::ModelReference, name, None);
            let found = self.parts.store.get(&key(&hub, name)).await.map_err(store_error)?.ok_or_else(gone)?;
            let mut body: ReferenceBody = found.decode().map_err(store_error)?;
            body.check_by_hand(&hub, name)?;
            let (index, settings) = (self.parts.catalog.index().await?, settings_of(&document)?);
            let latest = latest_shown(&index, &settings, &body.source, min_version.or(body.min_version))?;
            let arn = hub.content_arn(HubContentType::ModelReference.as_str(), name);
            let answer =
                UpdateHubContentReferenceResponse { hub_arn: hub.arn(), hub_content_arn: format!("{arn}/{latest}") };
            if min_version.is_none() || min_version == body.min_version {
                return Ok(answer);
            }
            // Without a lowest version everything is shown already, so this one shows nothing new.
            if body.min_version.is_some() {
                self.must_be_admitted(&document, &body.source, min_version, body.min_version).await?;
            }
            body.min_version = min_version;
            let changed = found.with_body(cx.now, &body).map_err(store_error)?;
            if self.commit_held(&document, Transaction::new().update(changed)).await? {
                return Ok(answer);
            }
        }
        Err(ApiError::resource_in_use(format!("ModelReference {name} is changed by many at once, try again")))
    }
}
