//! What hubs have to say about model data (the kernel's `HubAccess`).
//!
//! Data in a JumpStart bucket is reached through a reference in a private hub, or through the public hub itself. Either
//! way `sagemaker:DeployHubModel` (`TrainHubModel` for training) on that hub and its content is decided for the caller, so
//! that a policy which denies the public hub also keeps its data from being deployed directly; once that is allowed, the hub vouches for the data
//! and no right on the bucket is needed. Gated data needs consent however it is named.

use async_trait::async_trait;
use stoa_kernel::ports::{HubAccess, ModelAccessRequest};
use stoa_kernel::{ApiError, Cx, Target};
use stoa_models_sagemaker::types::{HubContentStatus, HubContentType};

use crate::catalog::{CatalogIndex, PublicModel, is_name};
use crate::content::{ViewSource, unavailable};
use crate::eula::{self, Consent};
use crate::location::{self, CacheUri};
use crate::names::{ContentArn, HubName};
use crate::service::Hubs;
use crate::targets::hub_and_content;

#[async_trait]
impl HubAccess for Hubs {
    async fn access_targets(
        &self,
        cx: &Cx,
        action: &'static str,
        request: &ModelAccessRequest,
    ) -> Result<Vec<Target>, ApiError> {
        let arn = content_arn(request)?;
        let mut targets = Vec::new();
        if let Some(arn) = &arn {
            targets.extend(hub_and_content(action, &arn.hub, arn.kind.as_str(), &arn.name));
        }
        if let Some(place) = CacheUri::parse(&request.s3_uri)
            && !through_reference(arn.as_ref())
        {
            let model = place.model_id().filter(|id| is_name(id)).unwrap_or("*");
            targets.extend(hub_and_content(action, &HubName::public(cx), HubContentType::Model.as_str(), model));
        }
        Ok(targets)
    }

    async fn is_direct_gated(&self, request: &ModelAccessRequest) -> Result<bool, ApiError> {
        let gated = CacheUri::parse(&request.s3_uri).is_some_and(|place| place.bucket.gated);
        Ok(gated && !through_reference(request.hub_content_arn.as_deref().and_then(ContentArn::parse).as_ref()))
    }

    async fn check(&self, cx: &Cx, request: &ModelAccessRequest) -> Result<bool, ApiError> {
        let arn = content_arn(request)?;
        let place = CacheUri::parse(&request.s3_uri);
        let index = self.parts.catalog.index().await?;
        // Consent first: it is what a caller without it is to be told, whatever else is wrong.
        if let Some(place) = &place {
            self.check_deploy_consent(cx, &index, place, request).await?;
        }
        if let Some(arn) = &arn {
            self.check_content(cx, arn, request).await?;
        }
        let Some(place) = place else { return Ok(false) };
        match model_at(&index, &place) {
            Some(model) if place.bucket.region == cx.region => {
                self.public_files_intact(model).await?;
                Ok(true)
            }
            Some(_) => Err(ApiError::validation(format!(
                "Could not access model data at {}: it is in region {}, use the bucket of {}",
                request.s3_uri, place.bucket.region, cx.region
            ))),
            None => Err(ApiError::validation(format!(
                "Could not access model data at {}: no model of SageMakerPublicHub is there; HostingArtifactUri in \
                 its hub content document says where one is",
                request.s3_uri
            ))),
        }
    }

    async fn check_files(&self, request: &ModelAccessRequest) -> Result<bool, ApiError> {
        let place = CacheUri::parse(&request.s3_uri);
        let vouched = place.is_some();
        if let Some(place) = place {
            let index = self.parts.catalog.index().await?;
            if let Some(model) = model_at(&index, &place) {
                self.public_files_intact(model).await?;
            }
        }
        let Some(arn) = content_arn(request)? else { return Ok(vouched) };
        let hub = match self.any_hub(&arn.hub.arn()).await {
            Ok(hub) => hub,
            // What was deployed stays deployed when its hub goes away, as it does when its content does.
            Err(error) if error.status() < 500 => return Ok(vouched),
            Err(error) => return Err(error),
        };
        let mut versions = self.versions(&hub, arn.kind, &arn.name).await?;
        versions.retain(|view| arn.version.is_none_or(|wanted| view.version == wanted));
        let (mut kept_out, mut let_out) = (None, false);
        for view in &versions {
            let place = match &view.source {
                ViewSource::Public(model) => Some(location::artifact_uri(&**model, &hub.name.region)),
                ViewSource::Imported => self.artifact_uri(view).await?,
            };
            if !place.as_deref().is_some_and(|place| leads_to(place, &request.s3_uri)) {
                continue;
            }
            // What was let in may have been judged anew since, by a newer scanner or for another card.
            if matches!(view.status, HubContentStatus::ImportFailed | HubContentStatus::PendingImport) {
                kept_out = Some(view);
                continue;
            }
            let_out = true;
            self.must_be_servable(&hub, view).await?;
        }
        match kept_out {
            Some(view) if !let_out => Err(unavailable(view)),
            _ => Ok(vouched),
        }
    }
}

impl Hubs {
    /// Anything in a gated bucket wants consent, also what is no model's place.
    async fn check_deploy_consent(
        &self,
        cx: &Cx,
        index: &CatalogIndex,
        place: &CacheUri,
        request: &ModelAccessRequest,
    ) -> Result<(), ApiError> {
        if !place.bucket.gated {
            return Ok(());
        }
        let accepted = request.accept_eula == Some(true);
        let (what, note, eula) = match model_at(index, place) {
            None if accepted => return Ok(()),
            None => (request.s3_uri.as_str(), "", "the licence named in the model's hub content document".to_owned()),
            Some(model) => match self.consent(cx, model, accepted, eula::DEPLOY).await? {
                Consent::Given => return Ok(()),
                Consent::Forbidden => {
                    let why = eula::forbidden(&model.id, cx.principal.account.as_str());
                    return Err(ApiError::validation(why));
                }
                missing => (&*model.id, missing.note(), location::eula_uri(model, &cx.region)),
            },
        };
        Err(ApiError::validation(format!(
            "the EULA of the gated model {what} was not accepted{note}: read {eula}, then set ModelAccessConfig.AcceptEula \
             to true (accept_eula=True in the SageMaker SDK)"
        )))
    }

    /// The content is there and leads to this data.
    async fn check_content(&self, cx: &Cx, arn: &ContentArn, request: &ModelAccessRequest) -> Result<(), ApiError> {
        let hub = self.find_hub(cx, arn.hub.clone()).await?;
        let mut versions = self.versions(&hub, arn.kind, &arn.name).await?;
        versions.retain(|view| arn.version.is_none_or(|wanted| view.version == wanted));
        if versions.is_empty() {
            return Err(crate::content::no_such_content(&hub.name, arn.kind, &arn.name, arn.version));
        }
        versions.retain(|view| view.status == HubContentStatus::Available);
        if versions.is_empty() {
            return Err(ApiError::validation(format!(
                "{} {} of hub {} is not available: DescribeHubContent says why",
                arn.kind, arn.name, hub.name.name
            )));
        }
        let mut places = Vec::new();
        let mut led = None;
        for view in &versions {
            let place = match &view.source {
                ViewSource::Public(model) => Some(location::artifact_uri(&**model, &cx.region)),
                ViewSource::Imported => {
                    let text = self.text(view).await?;
                    let document: serde_json::Value =
                        serde_json::from_str(&text.document).map_err(ApiError::internal)?;
                    document.get("HostingArtifactUri").and_then(|uri| uri.as_str()).map(str::to_owned)
                }
            };
            if place.as_deref().is_some_and(|place| leads_to(place, &request.s3_uri)) {
                led = Some(view);
            }
            places.extend(place);
        }
        if let Some(view) = led {
            return self.must_be_servable(&hub, view).await;
        }
        Err(ApiError::validation(format!(
            "HubAccessConfig.HubContentArn {} does not lead to {}: its data is at {}",
            request.hub_content_arn.as_deref().unwrap_or_default(),
            request.s3_uri,
            places.join(", ")
        )))
    }
}

/// Whether the URI is the place or in it.
fn leads_to(place: &str, uri: &str) -> bool {
    uri == place || (place.ends_with('/') && uri.starts_with(place))
}

fn content_arn(request: &ModelAccessRequest) -> Result<Option<ContentArn>, ApiError> {
    let Some(text) = &request.hub_content_arn else { return Ok(None) };
    let arn = ContentArn::parse(text);
    let refused =
        || ApiError::validation(format!("HubAccessConfig.HubContentArn `{text}` is not the ARN of a hub content"));
    arn.map(Some).ok_or_else(refused)
}

/// Whether the data is reached through a reference in a private hub, which stands for the public content. An imported
/// Model may name any place in its document and stands for nothing but itself.
fn through_reference(arn: Option<&ContentArn>) -> bool {
    arn.is_some_and(|arn| arn.kind == HubContentType::ModelReference && !arn.hub.is_public())
}

/// The public model whose artifact the place is, or is in.
fn model_at<'i>(index: &'i CatalogIndex, place: &CacheUri) -> Option<&'i PublicModel> {
    let (id, version) = place.artifact()?;
    let model = index.versions(id)?.get(&version.parse().ok()?)?;
    (model.gated == place.bucket.gated).then_some(model)
}
