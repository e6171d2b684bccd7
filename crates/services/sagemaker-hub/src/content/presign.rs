//! CreateHubContentPresignedUrls: a URL for each file of a public model, also through a reference.
//!
//! The caller's right was decided and, for a gated model, the consent is checked here; the URL is then signed in the
//! name of the service, which may read what the caller was granted.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::CreateHubContentPresignedUrls;
use stoa_models_sagemaker::types::{
    AuthorizedUrl, CreateHubContentPresignedUrlsRequest, CreateHubContentPresignedUrlsResponse,
    PresignedUrlAccessConfig,
};
use stoa_sagemaker_common::{Paging, SortKey};

use super::{ContentView, ViewSource};
use crate::catalog::{ModelFile, PublicModel};
use crate::location;
use crate::names::optional_version;
use crate::service::Hubs;

/// AWS's life of these URLs.
const EXPIRES_SECONDS: u32 = 900;
const DEFAULT_PAGE: i64 = 100;

impl Handles<CreateHubContentPresignedUrls> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CreateHubContentPresignedUrlsRequest>,
    ) -> Result<CreateHubContentPresignedUrlsResponse, ApiError> {
        let mut input = input.into_inner();
        let version = optional_version("HubContentVersion", input.hub_content_version.as_ref())?;
        let (max_results, next_token) = (input.max_results.take(), input.next_token.take());
        let hub = self.hub(cx, &input.hub_name).await?;
        let view = self.content(&hub, input.hub_content_type, &input.hub_content_name, version).await?;
        let ViewSource::Public(model) = &view.source else { return Err(self.own_files(&view).await?) };
        check_access(cx, model, &input.access_config.clone().unwrap_or_default())?;
        let paging = Paging {
            tokens: &self.parts.tokens,
            // The version is in it: a page goes on with the files of the version it began with, or not at all.
            scope: format!("{}/{}/PresignedUrls/{}/{input:?}", cx.principal.account, cx.region, view.version),
            ascending: true,
            max_results: max_results.or(Some(DEFAULT_PAGE)),
            next_token,
            now: cx.now,
        };
        let files: Vec<&ModelFile> = model.body.files.iter().collect();
        let (page, next_token) = paging.page(files, |file| (SortKey::Text(file.path.clone()), String::new()))?;
        let manifest = &model.body.manifest;
        let bucket = location::bucket_name(&cx.region, manifest.gated);
        let mut urls = Vec::with_capacity(page.len());
        for file in page {
            let key = format!("{}{}", location::artifact_prefix(manifest), file.path);
            let url = self.parts.presign.presign_get(cx, &bucket, &key, EXPIRES_SECONDS).await?;
            urls.push(AuthorizedUrl { url: Some(url), local_path: Some(format!("/{}", file.path)) });
        }
        Ok(CreateHubContentPresignedUrlsResponse { authorized_url_configs: urls, next_token })
    }
}

impl Hubs {
    /// Imported content has its files in buckets of the account, which are not ours to open.
    async fn own_files(&self, view: &ContentView) -> Result<ApiError, ApiError> {
        let text = self.text(view).await?;
        let document: serde_json::Value = serde_json::from_str(&text.document).map_err(ApiError::internal)?;
        let place =
            document.get("HostingArtifactUri").and_then(serde_json::Value::as_str).unwrap_or("your own buckets");
        Ok(ApiError::validation(format!(
            "{} {} was imported, its files are in {place}: presign them there with S3",
            view.kind, view.name
        )))
    }
}

fn check_access(cx: &Cx, model: &PublicModel, config: &PresignedUrlAccessConfig) -> Result<(), ApiError> {
    let manifest = &model.body.manifest;
    if manifest.gated && config.accept_eula != Some(true) {
        return Err(ApiError::access_denied(format!(
            "the EULA of {} {} was not accepted: read {} and send AccessConfig.AcceptEula as true",
            manifest.id,
            manifest.version,
            location::eula_uri(manifest, &cx.region)
        )));
    }
    let place = location::artifact_uri(manifest, &cx.region);
    match &config.expected_s3_url {
        Some(expected) if !place.starts_with(expected.as_str()) => Err(ApiError::validation(format!(
            "AccessConfig.ExpectedS3Url {expected} does not match: the files of {} {} are under {place}",
            manifest.id, manifest.version
        ))),
        _ => Ok(()),
    }
}
