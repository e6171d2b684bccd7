//! CreateHubContentPresignedUrls: a URL for each file of a model, whether public, behind a reference, or imported.
//!
//! The caller's right was decided and, for a gated model, the consent is checked here; the URL is then signed in the
//! name of the service, which may read what the caller was granted. An imported model names a place of its importer's
//! choice, for which nobody vouches: there the caller must be allowed to list and read it, as S3 itself would decide
//! (`ObjectAccess`: tags, the public access block and KMS keys included), and its URLs always carry a grant, so that they
//! open these bytes and no later ones ([`super::grant`]).
//!
//! INVARIANT: a LocalPath is `/` and plain components, so joined to a folder it stays below it. A file whose name
//! would need anything else is refused by name.

use stoa_kernel::ports::ObjectRead;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::CreateHubContentPresignedUrls;
use stoa_models_sagemaker::types::{
    AuthorizedUrl, CreateHubContentPresignedUrlsRequest, CreateHubContentPresignedUrlsResponse, HubContentStatus,
    PresignedUrlAccessConfig,
};
use stoa_sagemaker_common::{Paging, SortKey};

use super::grant::Grant;
use super::{ContentView, ViewSource};
use crate::catalog::{ModelBody, ModelFile, PublicModel, is_plain};
use crate::eula::{self, Consent};
use crate::location::{self, S3Place};
use crate::names::optional_version;
use crate::service::Hubs;

/// AWS's life of these URLs.
const EXPIRES_SECONDS: u32 = 900;
const DEFAULT_PAGE: i64 = 100;
/// LocalPath's limit.
const LONGEST_PATH: usize = 1024;

/// A file that a URL is made for.
struct Presigned {
    bucket: String,
    key: String,
    path: String,
    /// Imported content: the blob that it is now.
    digest: Option<String>,
}

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
        if view.status != HubContentStatus::Available {
            return Err(unavailable(&view));
        }
        let paging = Paging {
            tokens: &self.parts.tokens,
            // The version is in it: a page goes on with the files of the version it began with, or not at all.
            scope: format!("{}/{}/PresignedUrls/{}/{input:?}", cx.principal.account, cx.region, view.version),
            ascending: true,
            max_results: max_results.or(Some(DEFAULT_PAGE)),
            next_token,
            now: cx.now,
        };
        let access = input.access_config.clone().unwrap_or_default();
        let (files, next_token) = match &view.source {
            ViewSource::Public(model) => {
                self.check_consent(cx, model, &access).await?;
                check_place(&view, &location::artifact_uri(&**model, &cx.region), &access)?;
                public_files(cx, &*self.parts.catalog.body(model).await?, &paging)?
            }
            ViewSource::Imported => self.imported_files(cx, &view, &access, &paging).await?,
        };
        self.must_be_servable(&hub, &view).await?;
        let rights = hub.settings()?.revoke_urls;
        let granted = files.iter().filter_map(|file| Some((file.key.clone(), file.digest.clone()?))).collect();
        let grant = Grant::of(cx, &view, EXPIRES_SECONDS, rights, granted);
        let grant = match grant.is_needed() && !files.is_empty() {
            true => Some(self.grant(cx, &grant).await?),
            false => None,
        };
        let mut authorized_url_configs = Vec::with_capacity(files.len());
        for file in files {
            let local_path = local_path(&file.path)?;
            let presign = &self.parts.presign;
            let url = match &grant {
                None => presign.presign_get(cx, &file.bucket, &file.key, EXPIRES_SECONDS).await?,
                Some(grant) => presign.presign_granted(cx, &file.bucket, &file.key, EXPIRES_SECONDS, grant).await?,
            };
            authorized_url_configs.push(AuthorizedUrl { url: Some(url), local_path: Some(local_path) });
        }
        Ok(CreateHubContentPresignedUrlsResponse { authorized_url_configs, next_token })
    }
}

type FilesAndToken = (Vec<Presigned>, Option<String>);

fn public_files(cx: &Cx, body: &ModelBody, paging: &Paging<'_>) -> Result<FilesAndToken, ApiError> {
    let manifest = &body.manifest;
    let files: Vec<&ModelFile> = body.files.iter().collect();
    let (page, next_token) = paging.page(files, |file| (SortKey::Text(file.path.clone()), String::new()))?;
    let file = |file: &ModelFile| Presigned {
        bucket: location::bucket_name(&cx.region, manifest.gated),
        key: format!("{}{}", location::artifact_prefix(manifest), file.path),
        path: file.path.clone(),
        digest: None,
    };
    Ok((page.into_iter().map(file).collect(), next_token))
}

impl Hubs {
    /// A page of the objects at the place that an imported model's document names, as far as the caller may read them.
    async fn imported_files(
        &self,
        cx: &Cx,
        view: &ContentView,
        access: &PresignedUrlAccessConfig,
        paging: &Paging<'_>,
    ) -> Result<FilesAndToken, ApiError> {
        let uri = self.artifact_uri(view).await?.ok_or_else(|| no_artifact(view))?;
        check_place(view, &uri, access)?;
        let place = S3Place::parse(&uri).ok_or_else(|| no_artifact(view))?;
        let objects = self.objects()?;
        self.may_list(cx, &place).await?;
        let after = paging.last_text()?;
        let mut found = place.entries(objects, after.as_deref(), paging.limit() + 1).await?;
        let more = found.len() > paging.limit();
        found.truncate(paging.limit());
        let next_token = found.last().filter(|_| more).map(|entry| paging.token_of_text(&entry.key)).transpose()?;
        if found.is_empty() && after.is_none() {
            return Err(ApiError::validation(format!("no file of {} {} is at {uri}", view.kind, view.name)));
        }
        let mut files = Vec::with_capacity(found.len());
        for entry in found {
            self.may_read(cx, &place.bucket, &entry.key).await?;
            let (path, digest) = (place.relative(&entry.key).to_owned(), Some(entry.digest));
            files.push(Presigned { bucket: place.bucket.clone(), key: entry.key, path, digest });
        }
        Ok((files, next_token))
    }

    async fn check_consent(
        &self,
        cx: &Cx,
        model: &PublicModel,
        access: &PresignedUrlAccessConfig,
    ) -> Result<(), ApiError> {
        match self.consent(cx, model, access.accept_eula == Some(true), eula::PRESIGN).await? {
            Consent::Given => Ok(()),
            Consent::Forbidden => {
                Err(ApiError::access_denied(eula::forbidden(&model.id, cx.principal.account.as_str())))
            }
            missing => Err(ApiError::access_denied(format!(
                "the EULA of {} {} was not accepted{}: read {} and send AccessConfig.AcceptEula as true",
                model.id,
                model.version,
                missing.note(),
                location::eula_uri(model, &cx.region)
            ))),
        }
    }

    /// `HostingArtifactUri` of an imported content's document.
    pub(crate) async fn artifact_uri(&self, view: &ContentView) -> Result<Option<String>, ApiError> {
        let text = self.text(view).await?;
        let document: serde_json::Value = serde_json::from_str(&text.document).map_err(ApiError::internal)?;
        Ok(document.get("HostingArtifactUri").and_then(serde_json::Value::as_str).map(str::to_owned))
    }

    /// Whether the caller may list a place that a document names.
    pub(crate) async fn may_list(&self, cx: &Cx, place: &S3Place) -> Result<(), ApiError> {
        let listed = self.access()?.may_list(cx, &cx.principal, &place.bucket, &place.key).await;
        listed.map_err(|error| no_bucket(&place.bucket, error))
    }

    /// Whether the caller may read a file there.
    pub(crate) async fn may_read(&self, cx: &Cx, bucket: &str, key: &str) -> Result<(), ApiError> {
        let read = self.access()?.may_read(cx, &ObjectRead::newest(bucket, key)).await;
        read.map_err(|error| no_bucket(bucket, error))
    }
}

fn no_bucket(bucket: &str, error: ApiError) -> ApiError {
    match error.code() {
        "NoSuchBucket" => {
            ApiError::validation(format!("the bucket {bucket} that the model's files are in does not exist"))
        }
        _ => error,
    }
}

/// A content that is being imported, or was refused.
pub(crate) fn unavailable(view: &ContentView) -> ApiError {
    ApiError::validation(format!(
        "{} {} {} is not available, its status is {}: DescribeHubContent says why",
        view.kind, view.name, view.version, view.status
    ))
}

fn no_artifact(view: &ContentView) -> ApiError {
    ApiError::validation(format!(
        "{} {} {} has no files: its document names no HostingArtifactUri of the form s3://bucket/prefix/",
        view.kind, view.name, view.version
    ))
}

/// `/` and the path, which must be plain components.
fn local_path(path: &str) -> Result<String, ApiError> {
    if path.len() < LONGEST_PATH && path.split('/').all(is_plain) {
        return Ok(format!("/{path}"));
    }
    let shown: String = path.chars().take(200).flat_map(char::escape_default).collect();
    Err(ApiError::validation(format!(
        "the file `{shown}` has no safe LocalPath: no part of a name may be empty, `.`, `..` or hold a backslash or a \
         control character; rename the object"
    )))
}

fn check_place(view: &ContentView, place: &str, access: &PresignedUrlAccessConfig) -> Result<(), ApiError> {
    match &access.expected_s3_url {
        Some(expected) if !place.starts_with(expected.as_str()) => Err(ApiError::validation(format!(
            "AccessConfig.ExpectedS3Url {expected} is not a prefix of {place}, where the files of {} {} {} are: send \
             that or leave ExpectedS3Url out",
            view.kind, view.name, view.version
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    //! What a name becomes on the caller's disk.

    use super::local_path;

    #[test]
    fn a_local_path_never_climbs() {
        assert_eq!(local_path("a/b c/ü.json").unwrap(), "/a/b c/ü.json");
        let long = "x".repeat(1024);
        for bad in
            ["", "/etc/passwd", "../x", "a/../x", "a//b", "a/", "./a", "a/.", "a\\b", "c:\\x", "a\nb", "a\0b", &long]
        {
            assert!(local_path(bad).is_err(), "{bad:?}");
        }
    }
}
