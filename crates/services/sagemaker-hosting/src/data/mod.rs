//! Model data: from an S3 URI to the files that a container is given.
//!
//! A prefix is a list of objects; `model.tar.gz` is unpacked once a deployment, into blobs. Either way a container gets
//! hard links of blobs and nothing is copied, but for sealed data, which is opened into files for it ([`shelf`]). A crash
//! in the middle leaves blobs that no name points at, nothing else.
//!
//! INVARIANT: whoever has a file's digest from here has its pin too, until the endpoint's document names the blob.

mod archive;
mod files;
mod rights;
mod shelf;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use stoa_blob::read_all;
use stoa_kernel::ports::{ModelAccessRequest, ObjectEntry, ObjectSource};
use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::types::{ContainerDefinition, ModelCompressionType, S3ModelDataType};

use archive::UnpackError;
use files::{Files, ModelBytes};

pub(crate) use files::ModelFile;
pub(crate) use rights::Reader;
pub use shelf::OpenedFolder;
pub(crate) use shelf::{OpenedFile, Shelf};

/// Objects that are read at once of a prefix.
const PAGE: usize = 1000;
/// AWS's name of a model's only container.
const CONTAINER: &str = "container_1";

/// Where a container's data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub access: ModelAccessRequest,
    pub bucket: String,
    /// The prefix (ends in `/` for a folder) or the key.
    pub key: String,
    pub archive: bool,
    pub prefix: bool,
}

/// The data source of a container, none when it brings its data in the image.
pub(crate) fn source_of(container: &ContainerDefinition) -> Result<Option<Source>, ApiError> {
    if let Some(uri) = &container.model_data_url {
        let access = ModelAccessRequest { s3_uri: uri.clone(), hub_content_arn: None, accept_eula: None };
        let (bucket, key) = split_uri(uri)?;
        // An image that wants no archive can still be given a plain object or a prefix here.
        let archive = key.ends_with(".tar.gz") || key.ends_with(".tgz");
        let prefix = key.ends_with('/');
        return Ok(Some(Source { access, bucket, key, archive, prefix }));
    }
    let Some(source) = container.model_data_source.as_ref().and_then(|source| source.s3_data_source.as_ref()) else {
        return Ok(None);
    };
    if source.manifest_s3_uri.is_some() || source.manifest_etag.is_some() || source.e_tag.is_some() {
        return Err(ApiError::validation(
            "ManifestS3Uri, ManifestEtag and ETag of S3DataSource are not implemented by Stoa; see docs/compatibility.md",
        ));
    }
    let access = ModelAccessRequest {
        s3_uri: source.s3_uri.clone(),
        hub_content_arn: source.hub_access_config.as_ref().map(|config| config.hub_content_arn.clone()),
        accept_eula: source.model_access_config.as_ref().map(|config| config.accept_eula),
    };
    let (bucket, key) = split_uri(&source.s3_uri)?;
    let archive = source.compression_type == ModelCompressionType::Gzip;
    let prefix = source.s3_data_type == S3ModelDataType::S3Prefix;
    if prefix && archive {
        return Err(ApiError::validation("CompressionType Gzip needs S3DataType S3Object."));
    }
    if prefix && !key.ends_with('/') {
        return Err(ApiError::validation(format!(
            "S3Uri {} must end with '/' for S3DataType S3Prefix.",
            source.s3_uri
        )));
    }
    Ok(Some(Source { access, bucket, key, archive, prefix }))
}

fn split_uri(uri: &str) -> Result<(String, String), ApiError> {
    let rest = uri.strip_prefix("s3://").unwrap_or_default();
    match rest.split_once('/') {
        Some((bucket, key)) if !bucket.is_empty() => Ok((bucket.to_owned(), key.to_owned())),
        _ => Err(ApiError::validation(format!("`{uri}` is not a valid S3 URI: s3://bucket/key is expected"))),
    }
}

/// AWS's answer to a model whose data the role cannot reach, with why at its end.
pub(crate) fn cannot_access(cx: &Cx, source: &Source, role: Option<&str>, why: &str) -> ApiError {
    let uri = &source.access.s3_uri;
    let role = role.map(|role| format!("the role \"{role}\"")).unwrap_or_else(|| "an execution role".to_owned());
    ApiError::validation(format!(
        "Could not access model data at {uri}. Please ensure that {role} exists and that its trust relationship policy \
         allows the action \"sts:AssumeRole\" for the service principal \"sagemaker.amazonaws.com\". Also ensure that \
         the role has \"s3:GetObject\" permissions and that the object is located in {}. ({why})",
        cx.region
    ))
}

/// AWS's failure reason for data that is not there when an endpoint is made, with why at its end.
pub(crate) fn no_download(uri: &str, why: &str) -> ApiError {
    ApiError::validation(format!(
        "Failed to download model data for container \"{CONTAINER}\" from URL: \"{uri}\". Please ensure that there is an \
         object located at the URL and that the role passed to CreateModel has permissions to download the object. \
         ({why})"
    ))
}

/// AWS's failure reason for an archive that is none, with why at its end.
fn no_extract(uri: &str, why: &str) -> ApiError {
    ApiError::validation(format!(
        "Failed to extract model data archive for container \"{CONTAINER}\" from URL \"{uri}\". Please ensure that the \
         object located at the URL is a valid tar.gz archive. ({why})"
    ))
}

/// Whether there is any object of the source.
pub(crate) async fn is_there(objects: &dyn ObjectSource, source: &Source) -> Result<bool, ApiError> {
    if objects.bucket_owner(&source.bucket).await?.is_none() {
        return Ok(false);
    }
    if source.prefix {
        return Ok(!objects.objects(&source.bucket, &source.key, None, 1).await?.is_empty());
    }
    Ok(objects.object(&source.bucket, &source.key).await?.is_some())
}

/// The files of the source, in order of path. An error that is the caller's is the endpoint's failure reason. Each object
/// is decided for the reader before it is taken; without one, somebody vouches for the data.
pub(crate) async fn files(
    objects: &dyn ObjectSource,
    reader: Option<&Reader<'_>>,
    shelf: &Shelf,
    source: &Source,
) -> Result<Vec<ModelFile>, ApiError> {
    let uri = &source.access.s3_uri;
    if source.prefix {
        return prefix_files(objects, reader, shelf, source).await;
    }
    let entry = objects.object(&source.bucket, &source.key).await?;
    let entry = entry.ok_or_else(|| no_download(uri, "no object is there"))?;
    may_take(reader, source, &entry).await?;
    if source.archive {
        return unpack(shelf, &entry, uri).await;
    }
    let name = entry.key.rsplit('/').next().unwrap_or(&entry.key).to_owned();
    let ModelBytes { digest, sealed, pin } = shelf.bytes_of(&entry).await?;
    Ok(vec![ModelFile { path: name, digest, sealed, pin }])
}

async fn may_take(reader: Option<&Reader<'_>>, source: &Source, entry: &ObjectEntry) -> Result<(), ApiError> {
    let Some(reader) = reader else { return Ok(()) };
    let decided = reader.check(source, entry).await;
    decided.map_err(|error| not_opened(&source.access.s3_uri, error))
}

/// The markers that consoles make for folders.
fn is_marker(source: &Source, entry: &ObjectEntry) -> bool {
    entry.key.len() <= source.key.len() || entry.key.ends_with('/')
}

async fn prefix_files(
    objects: &dyn ObjectSource,
    reader: Option<&Reader<'_>>,
    shelf: &Shelf,
    source: &Source,
) -> Result<Vec<ModelFile>, ApiError> {
    let uri = &source.access.s3_uri;
    let mut files = Files::default();
    let mut after: Option<String> = None;
    loop {
        let page = objects.objects(&source.bucket, &source.key, after.as_deref(), PAGE).await?;
        for entry in page.iter().filter(|entry| !is_marker(source, entry)) {
            may_take(reader, source, entry).await?;
            let path = entry.key.get(source.key.len()..).unwrap_or_default();
            let bytes = shelf.bytes_of(entry).await?;
            files.add(Path::new(path), bytes).map_err(|why| no_download(uri, &why))?;
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.key.clone()),
            _ => break,
        }
    }
    let files = files.done().map_err(|why| no_download(uri, &why))?;
    if files.is_empty() {
        return Err(no_download(uri, "no object is there"));
    }
    Ok(files)
}

/// An error of reading or opening data, as the failure reason where it is the caller's.
pub(crate) fn not_opened(uri: &str, error: ApiError) -> ApiError {
    if error.sender() { no_download(uri, error.message()) } else { error }
}

async fn unpack(shelf: &Shelf, entry: &ObjectEntry, uri: &str) -> Result<Vec<ModelFile>, ApiError> {
    let ModelBytes { digest, sealed, pin: _pin } = shelf.bytes_of(entry).await?;
    let opened = match &sealed {
        Some(sealed) => Some(shelf.open(&digest, sealed).await.map_err(|error| not_opened(uri, error))?),
        None => None,
    };
    let local = match &opened {
        Some(opened) => Some(opened.path().to_owned()),
        None => shelf.blobs.local_path(&digest).await.map_err(ApiError::internal)?,
    };
    let reader: Box<dyn Read + Send> = match local {
        Some(path) => Box::new(File::open(path).map_err(ApiError::internal)?),
        None => Box::new(Cursor::new(read_all(&*shelf.blobs, &digest).await.map_err(ApiError::internal)?)),
    };
    match archive::unpack(reader, shelf.clone(), sealed).await {
        Ok(files) => Ok(files),
        Err(UnpackError::Archive(why)) => Err(no_extract(uri, &why)),
        Err(UnpackError::Store(cause)) => Err(ApiError::internal(cause)),
    }
}
