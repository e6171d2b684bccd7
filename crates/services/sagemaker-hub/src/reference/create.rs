//! CreateHubContentReference.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::CreateHubContentReference;
use stoa_models_sagemaker::types::{
    CreateHubContentReferenceRequest, CreateHubContentReferenceResponse, HubContentType,
};
use stoa_sagemaker_common::{new_tags, store_error};
use stoa_store::{Document, Query, Transaction};

use super::{KIND, MOST_REFERENCES, ReferenceBody, key, latest_shown};
use crate::names::{ContentArn, HubName, optional_version};
use crate::service::{ATTEMPTS, Hubs};
use crate::settings::settings_of;

impl Handles<CreateHubContentReference> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateHubContentReferenceRequest>,
    ) -> Result<CreateHubContentReferenceResponse, ApiError> {
        let input = input.into_inner();
        let source = public_source(cx, &input.sage_maker_public_hub_content_arn)?;
        let min_version = optional_version("MinVersion", input.min_version.as_ref())?;
        let tags = new_tags(input.tags.as_deref())?;
        let name = input.hub_content_name.unwrap_or_else(|| source.clone());
        for _ in 0..ATTEMPTS {
            let (hub, document) = self.open_hub(cx, &input.hub_name).await?;
            let latest =
                latest_shown(&*self.parts.catalog.index().await?, &settings_of(&document)?, &source, min_version)?;
            self.must_be_admitted(&document, &source, min_version, None).await?;
            let key = key(&hub, &name);
            if self.parts.store.get(&key).await.map_err(store_error)?.is_some() {
                return Err(ApiError::resource_in_use(format!(
                    "ModelReference {name} already exists in hub {}",
                    hub.name
                )));
            }
            self.must_have_place(&hub).await?;
            let body = ReferenceBody { source: source.clone(), min_version, admitted: None };
            let made = Document::new(key, &name, cx.now, &body).map_err(store_error)?;
            let made = made.with_parent(&hub.name).with_status("Available");
            let arn = hub.content_arn(HubContentType::ModelReference.as_str(), &name);
            let transaction = Transaction::new().create(made).set_tags(&arn, tags.clone());
            if self.commit_held(&document, transaction).await? {
                let hub_content_arn = format!("{arn}/{latest}");
                return Ok(CreateHubContentReferenceResponse { hub_arn: hub.arn(), hub_content_arn });
            }
        }
        Err(ApiError::resource_in_use(format!("ModelReference {name} is changed by many at once, try again")))
    }
}

impl Hubs {
    async fn must_have_place(&self, hub: &HubName) -> Result<(), ApiError> {
        let query = Query::of(KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&hub.name);
        if self.parts.store.count(&query).await.map_err(store_error)? < MOST_REFERENCES {
            return Ok(());
        }
        Err(ApiError::resource_limit_exceeded(format!(
            "hub {} has {MOST_REFERENCES} references, which is the limit: delete some first",
            hub.name
        )))
    }
}

/// The model in the public hub that the ARN names. A version in it is refused: a reference shows all versions.
fn public_source(cx: &Cx, text: &str) -> Result<String, ApiError> {
    let refused = |why: &str| {
        let form = HubName::public(cx).content_arn("Model", "NAME");
        Err(ApiError::validation(format!("SageMakerPublicHubContentArn `{text}`: {why}; {form} is expected")))
    };
    match ContentArn::parse(text) {
        None => refused("this is not the ARN of a hub content"),
        Some(arn) if !arn.hub.is_public() || arn.kind != HubContentType::Model => {
            refused("this is not a model of the public hub")
        }
        Some(arn) if arn.hub.region != cx.region => refused("this is another region than the hub's"),
        Some(arn) if arn.version.is_some() => {
            refused("a reference shows all versions, so none is named (see MinVersion)")
        }
        Some(arn) => Ok(arn.name),
    }
}
