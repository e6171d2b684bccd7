//! Model data: from an S3 URI to the files that a container is given.
//!
//! A prefix is a list of objects; `model.tar.gz` is unpacked once into blobs. Either way a container gets hard links
//! of blobs and nothing is copied twice.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Component, Path};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::GzDecoder;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use stoa_blob::{BlobStore, Digest};
use stoa_kernel::ApiError;
use stoa_kernel::ports::{ModelAccessRequest, ObjectEntry, ObjectSource};
use stoa_models_sagemaker::types::{ContainerDefinition, ModelCompressionType, S3ModelDataType};
use tokio::sync::mpsc;

/// No archive may unpack to more than this, whatever it claims to hold.
const LARGEST_UNPACKED: u64 = 512 * 1024 * 1024 * 1024;
const MOST_FILES: usize = 100_000;
const CHUNK: usize = 256 * 1024;

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

/// A file of a model: its path below `/opt/ml/model` and its blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ModelFile {
    pub path: String,
    pub digest: Digest,
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
        return Err(ApiError::validation(format!("S3Uri {} must end with '/' for S3DataType S3Prefix.", source.s3_uri)));
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

/// AWS's sentence for data that cannot be read, with why.
pub(crate) fn cannot_access(uri: &str, role: Option<&str>, why: &str) -> ApiError {
    let role = role.map(|role| format!(" with role {role}")).unwrap_or_default();
    ApiError::validation(format!("Could not access model data at {uri}{role}: {why}."))
}

/// The key of some object of the source, none when nothing is there.
pub(crate) async fn first_object(objects: &dyn ObjectSource, source: &Source) -> Result<Option<String>, ApiError> {
    if objects.bucket_owner(&source.bucket).await?.is_none() {
        return Ok(None);
    }
    if source.prefix {
        let found = objects.objects(&source.bucket, &source.key, None, 1).await?;
        return Ok(found.into_iter().next().map(|entry| entry.key));
    }
    Ok(objects.object(&source.bucket, &source.key).await?.map(|entry| entry.key))
}

/// The files of the source. An error is the endpoint's failure reason.
pub(crate) async fn files(
    objects: &dyn ObjectSource,
    blobs: &Arc<dyn BlobStore>,
    source: &Source,
) -> Result<Vec<ModelFile>, ApiError> {
    if source.prefix {
        return prefix_files(objects, blobs, source).await;
    }
    let uri = &source.access.s3_uri;
    let entry = objects.object(&source.bucket, &source.key).await?;
    let entry = entry.ok_or_else(|| cannot_access(uri, None, "no object is there"))?;
    if source.archive {
        return unpack(blobs, &entry, uri).await;
    }
    let name = entry.key.rsplit('/').next().unwrap_or(&entry.key).to_owned();
    Ok(vec![ModelFile { path: name, digest: digest_of(blobs, &entry).await? }])
}

async fn prefix_files(
    objects: &dyn ObjectSource,
    blobs: &Arc<dyn BlobStore>,
    source: &Source,
) -> Result<Vec<ModelFile>, ApiError> {
    const PAGE: usize = 1000;
    let mut files = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = objects.objects(&source.bucket, &source.key, after.as_deref(), PAGE).await?;
        for entry in &page {
            let path = entry.key.get(source.key.len()..).unwrap_or_default().to_owned();
            if path.is_empty() || path.ends_with('/') {
                continue;
            }
            if !stays_inside(Path::new(&path)) {
                return Err(cannot_access(&source.access.s3_uri, None, &format!("`{path}` does not stay in its folder")));
            }
            files.push(ModelFile { digest: digest_of(blobs, entry).await?, path });
        }
        if files.len() > MOST_FILES {
            return Err(cannot_access(&source.access.s3_uri, None, "there are more than 100,000 files"));
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.key.clone()),
            _ => return Ok(files),
        }
    }
}

/// The blob of an object; derived objects that live in memory are written to one.
async fn digest_of(blobs: &Arc<dyn BlobStore>, entry: &ObjectEntry) -> Result<Digest, ApiError> {
    if let Some(bytes) = entry.inline.clone() {
        let written = blobs.put(stream::once(async move { Ok(bytes) }).boxed()).await;
        return written.map(|written| written.digest).map_err(ApiError::internal);
    }
    Digest::parse(&entry.digest).ok_or_else(|| ApiError::internal(format!("object {} has no digest", entry.key)))
}

fn stays_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

async fn unpack(blobs: &Arc<dyn BlobStore>, entry: &ObjectEntry, uri: &str) -> Result<Vec<ModelFile>, ApiError> {
    let digest = digest_of(blobs, entry).await?;
    let reader: Box<dyn Read + Send> = match blobs.local_path(&digest).await.map_err(ApiError::internal)? {
        Some(path) => Box::new(File::open(path).map_err(ApiError::internal)?),
        None => Box::new(Cursor::new(read_all(blobs, &digest).await?)),
    };
    let (blobs, handle) = (Arc::clone(blobs), tokio::runtime::Handle::current());
    let unpacked = tokio::task::spawn_blocking(move || unpack_from(reader, &blobs, &handle));
    let unpacked = unpacked.await.map_err(ApiError::internal)?;
    unpacked.map_err(|error| cannot_access(uri, None, &format!("the archive cannot be unpacked: {error}")))
}

async fn read_all(blobs: &Arc<dyn BlobStore>, digest: &Digest) -> Result<Vec<u8>, ApiError> {
    let mut stream = blobs.get(digest, 0, None).await.map_err(ApiError::internal)?;
    let mut all = Vec::new();
    while let Some(chunk) = stream.next().await {
        all.extend_from_slice(&chunk.map_err(ApiError::internal)?);
    }
    Ok(all)
}

fn unpack_from(
    reader: Box<dyn Read + Send>,
    blobs: &Arc<dyn BlobStore>,
    handle: &tokio::runtime::Handle,
) -> std::io::Result<Vec<ModelFile>> {
    let invalid = |why: String| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    let mut archive = tar::Archive::new(GzDecoder::new(reader));
    let (mut files, mut total) = (Vec::new(), 0_u64);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        let path = entry.path()?.into_owned();
        if !entry.header().entry_type().is_file() || !stays_inside(&path) {
            return Err(invalid(format!("`{}` is a link, a device or leads out of its folder", path.display())));
        }
        total = total.saturating_add(entry.size());
        if total > LARGEST_UNPACKED || files.len() >= MOST_FILES {
            return Err(invalid("it holds more than a model may".to_owned()));
        }
        let digest = store_entry(&mut entry, blobs, handle)?;
        let path = path.components().filter(|part| matches!(part, Component::Normal(_))).collect::<std::path::PathBuf>();
        files.push(ModelFile { path: path.to_string_lossy().into_owned(), digest });
    }
    Ok(files)
}

/// Streams one file of an archive into a blob.
fn store_entry(
    entry: &mut impl Read,
    blobs: &Arc<dyn BlobStore>,
    handle: &tokio::runtime::Handle,
) -> std::io::Result<Digest> {
    let (sender, receiver) = mpsc::channel::<Bytes>(4);
    let chunks = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk| (Ok(chunk), receiver))
    });
    let store = Arc::clone(blobs);
    let writing = handle.spawn(async move { store.put(chunks.boxed()).await });
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = entry.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..count).filter(|chunk| !chunk.is_empty()) else { break };
        if sender.blocking_send(Bytes::copy_from_slice(chunk)).is_err() {
            break;
        }
    }
    drop(sender);
    let written = handle.block_on(writing).map_err(std::io::Error::other)?;
    written.map(|written| written.digest).map_err(std::io::Error::other)
}
