//! Versioning of a bucket, and the listing of versions.

use s3s::S3Response;
use s3s::dto::*;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{ListVersions, SettingChange, VersionEntry, Versioning};
use stoa_types::AccountId;

use super::convert::{etag, long, owner, time};
use super::listing::{Encode, limit, prefixes};
use super::settings::change;
use super::{Answer, Api, Request};
use crate::call::call_of;

pub(super) async fn versioning(
    api: &Api,
    request: Request<GetBucketVersioningInput>,
) -> Answer<GetBucketVersioningOutput> {
    let call = call_of(&request.extensions)?;
    let settings = api.0.backend.bucket_settings(&request.input.bucket).await.map_err(|error| call.fail(error))?;
    let status = settings.versioning.map(|versioning| match versioning {
        Versioning::Enabled => BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => BucketVersioningStatus::from_static(BucketVersioningStatus::SUSPENDED),
    });
    Ok(S3Response::new(GetBucketVersioningOutput { mfa_delete: None, status }))
}

pub(super) async fn put_versioning(
    api: &Api,
    request: Request<PutBucketVersioningInput>,
) -> Answer<PutBucketVersioningOutput> {
    let call = call_of(&request.extensions)?;
    let VersioningConfiguration { mfa_delete, status, .. } = request.input.versioning_configuration;
    if mfa_delete.is_some_and(|wanted| wanted.as_str() == MFADelete::ENABLED) {
        let text = "MfaDelete is not implemented by Stoa";
        return Err(call.fail(ApiError::new("NotImplemented", 501, text)));
    }
    let wanted = match status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        Some(_) => {
            let text = "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(call.fail(ApiError::new("MalformedXML", 400, text)));
        }
        None => {
            let text = "The Versioning element must be specified";
            return Err(call.fail(ApiError::new("IllegalVersioningConfigurationException", 400, text)));
        }
    };
    change(api, &call, &request.input.bucket, SettingChange::Versioning(wanted)).await?;
    Ok(S3Response::new(PutBucketVersioningOutput {}))
}

/// The entries of a page as S3 tells them: versions and markers each by themselves.
fn told(
    entries: Vec<VersionEntry>,
    encode: &Encode,
    account: Option<&AccountId>,
) -> (Vec<ObjectVersion>, Vec<DeleteMarkerEntry>) {
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for entry in entries {
        let (key, version) = (Some(encode.text(&entry.key)), Some(entry.version));
        let (modified, latest) = (Some(time(entry.modified)), Some(entry.latest));
        let owner = account.map(owner);
        match entry.object {
            None => markers.push(DeleteMarkerEntry {
                is_latest: latest,
                key,
                last_modified: modified,
                owner,
                version_id: version,
            }),
            Some((object, class)) => versions.push(ObjectVersion {
                e_tag: Some(etag(&object.etag)),
                is_latest: latest,
                key,
                last_modified: modified,
                owner,
                size: Some(long(object.size)),
                storage_class: Some(ObjectVersionStorageClass::from(class.unwrap_or_else(|| "STANDARD".to_owned()))),
                version_id: version,
                ..Default::default()
            }),
        }
    }
    (versions, markers)
}

pub(super) async fn list(api: &Api, request: Request<ListObjectVersionsInput>) -> Answer<ListObjectVersionsOutput> {
    let call = call_of(&request.extensions)?;
    let fail = |error| call.fail(error);
    let input = request.input;
    let encode = Encode::of(input.encoding_type.as_ref()).map_err(fail)?;
    let key_marker = input.key_marker.clone().filter(|marker| !marker.is_empty());
    let version_marker = input.version_id_marker.clone().filter(|marker| !marker.is_empty());
    if version_marker.is_some() && key_marker.is_none() {
        let text = "A version-id marker cannot be specified without a key marker.";
        return Err(fail(ApiError::new("InvalidArgument", 400, text)));
    }
    let wanted = ListVersions {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone().unwrap_or_default(),
        after: key_marker.map(|key| (key, version_marker)),
        limit: limit(input.max_keys).map_err(fail)?,
    };
    let listing = api.0.backend.list_versions(&wanted).await.map_err(fail)?;
    let common_prefixes = prefixes(&listing.prefixes, &encode);
    let (versions, markers) = told(listing.entries, &encode, call.owner.get());
    let (next_key, next_version) = listing.next.map_or((None, None), |(key, version)| (Some(key), version));
    Ok(S3Response::new(ListObjectVersionsOutput {
        common_prefixes,
        delete_markers: Some(markers),
        delimiter: input.delimiter.map(|delimiter| encode.text(&delimiter)),
        encoding_type: input.encoding_type,
        is_truncated: Some(next_key.is_some()),
        key_marker: Some(encode.text(&input.key_marker.unwrap_or_default())),
        max_keys: i32::try_from(wanted.limit).ok(),
        name: Some(input.bucket),
        next_key_marker: next_key.map(|key| encode.text(&key)),
        next_version_id_marker: next_version,
        prefix: Some(encode.text(&wanted.prefix)),
        request_charged: None,
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        versions: Some(versions),
    }))
}
