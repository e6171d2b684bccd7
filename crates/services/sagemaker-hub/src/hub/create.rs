//! CreateHub.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::CreateHub;
use stoa_models_sagemaker::types::{CreateHubRequest, CreateHubResponse};
use stoa_sagemaker_common::{new_tags, store_error};
use stoa_store::{Document, Query, Transaction};

use super::{HubBody, IN_SERVICE, KIND, MOST_HUBS, key};
use crate::names::{HubName, PUBLIC_HUB};
use crate::service::Hubs;
use crate::settings::Settings;

impl Handles<CreateHub> for Hubs {
    async fn handle(&self, cx: &Cx, input: Authorized<CreateHubRequest>) -> Result<CreateHubResponse, ApiError> {
        let input = input.into_inner();
        if input.hub_name == PUBLIC_HUB {
            return Err(ApiError::resource_in_use(format!(
                "{PUBLIC_HUB} already exists, the name is taken in every account"
            )));
        }
        let hub = HubName::own(cx, &input.hub_name);
        let tags = new_tags(input.tags.as_deref())?;
        let exists =
            || ApiError::resource_in_use(format!("hub {} already exists in this account and region", hub.name));
        if self.parts.store.get(&key(&hub)).await.map_err(store_error)?.is_some() {
            return Err(exists());
        }
        let query = Query::of(KIND).owned_by(&hub.account, Some(&hub.region));
        if self.parts.store.count(&query).await.map_err(store_error)? >= MOST_HUBS {
            return Err(ApiError::resource_limit_exceeded(format!(
                "the account has {MOST_HUBS} hubs in region {}, which is the limit: delete one first",
                hub.region
            )));
        }
        let body = HubBody {
            description: input.hub_description,
            display_name: input.hub_display_name,
            keywords: input.hub_search_keywords.unwrap_or_default(),
            s3_output_path: input.s3_storage_config.and_then(|config| config.s3_output_path),
            settings: Settings::default(),
            admission: Default::default(),
        };
        let document = Document::new(key(&hub), &hub.name, cx.now, &body).map_err(store_error)?.with_status(IN_SERVICE);
        let transaction = Transaction::new().create(document).set_tags(&hub.arn(), tags);
        match self.parts.store.commit(transaction).await {
            Ok(()) => Ok(CreateHubResponse { hub_arn: hub.arn() }),
            Err(error) if error.is_conflict() => Err(exists()),
            Err(error) => Err(store_error(error)),
        }
    }
}
