//! Where derived objects lie: bucket names, keys, and the way back from an S3 URI to the model it belongs to.

use stoa_kernel::ApiError;
use stoa_kernel::ports::{ObjectEntry, ObjectSource};
use stoa_sagemaker_common::Version;
use stoa_types::Region;

use crate::catalog::{Manifest, PublicModel};

/// What the SDK lists the public models by.
pub(crate) const MANIFEST_KEY: &str = "models_manifest.json";
/// The same for models that are sold; there are none, which the SDK does not bear.
pub(crate) const PROPRIETARY_MANIFEST_KEY: &str = "proprietary-sdk-manifest.json";
/// Before the id in the key of a spec.
pub(crate) const SPECS: &str = "community_models/";
/// Between id and version in the key of an artifact file.
const ARTIFACTS: &str = "/artifacts/inference-prepack/v";
const OPEN_BUCKET: &str = "jumpstart-cache-prod-";
const GATED_BUCKET: &str = "jumpstart-private-cache-prod-";

/// A JumpStart bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheBucket {
    pub region: Region,
    pub gated: bool,
}

impl CacheBucket {
    /// The bucket of this name, in whatever region it says.
    pub fn parse(name: &str) -> Option<CacheBucket> {
        let (region, gated) = match name.strip_prefix(OPEN_BUCKET) {
            Some(region) => (region, false),
            None => (name.strip_prefix(GATED_BUCKET)?, true),
        };
        Some(CacheBucket { region: region.parse().ok()?, gated })
    }
}

pub(crate) fn bucket_name(region: &Region, gated: bool) -> String {
    format!("{}{region}", if gated { GATED_BUCKET } else { OPEN_BUCKET })
}

/// A version of a public model, as far as the places of its objects go.
pub(crate) trait Placed {
    fn id(&self) -> &str;
    fn version(&self) -> Version;
    fn gated(&self) -> bool;
}

impl Placed for Manifest {
    fn id(&self) -> &str {
        &self.id
    }
    fn version(&self) -> Version {
        self.version
    }
    fn gated(&self) -> bool {
        self.gated
    }
}

impl Placed for PublicModel {
    fn id(&self) -> &str {
        &self.id
    }
    fn version(&self) -> Version {
        self.version
    }
    fn gated(&self) -> bool {
        self.gated
    }
}

pub(crate) fn spec_key(model: &dyn Placed) -> String {
    format!("{SPECS}{}/specs_v{}.json", model.id(), model.version())
}

pub(crate) fn artifact_prefix(model: &dyn Placed) -> String {
    format!("{}{ARTIFACTS}{}/", model.id(), model.version())
}

pub(crate) fn card_key(model: &dyn Placed) -> String {
    format!("{}/v{}/README.md", model.id(), model.version())
}

/// The licence of this version: what a consent to it was given to.
pub(crate) fn eula_key(model: &dyn Placed) -> String {
    format!("{}/v{}/eula.txt", model.id(), model.version())
}

pub(crate) fn latest_eula_key(id: &str) -> String {
    format!("{id}/eula.txt")
}

pub(crate) fn artifact_uri(model: &dyn Placed, region: &Region) -> String {
    format!("s3://{}/{}", bucket_name(region, model.gated()), artifact_prefix(model))
}

pub(crate) fn eula_uri(model: &dyn Placed, region: &Region) -> String {
    format!("s3://{}/{}", bucket_name(region, false), eula_key(model))
}

pub(crate) fn card_uri(model: &dyn Placed, region: &Region) -> String {
    format!("s3://{}/{}", bucket_name(region, false), card_key(model))
}

/// A place in any bucket: an object, or all objects below a prefix that ends in `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Place {
    pub bucket: String,
    pub key: String,
}

impl S3Place {
    /// None for what is no `s3://bucket/key`.
    pub fn parse(uri: &str) -> Option<S3Place> {
        let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty()).then(|| S3Place { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Up to `limit` files at the place after this one. Markers of folders are no files.
    pub async fn entries(
        &self,
        objects: &dyn ObjectSource,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ObjectEntry>, ApiError> {
        if !self.is_prefix() {
            let found = objects.object(&self.bucket, &self.key).await?;
            return Ok(found
                .into_iter()
                .filter(|found| after.is_none_or(|after| found.key.as_str() > after))
                .collect());
        }
        let (mut found, mut after) = (Vec::new(), after.map(str::to_owned));
        while found.len() < limit {
            let page = objects.objects(&self.bucket, &self.key, after.as_deref(), limit - found.len()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            found.extend(page.into_iter().filter(|entry| !entry.key.ends_with('/')));
        }
        Ok(found)
    }

    /// The key below the place, or the object's own name.
    pub fn relative<'k>(&self, key: &'k str) -> &'k str {
        if self.is_prefix() {
            return key.strip_prefix(self.key.as_str()).unwrap_or(key);
        }
        key.rsplit('/').next().unwrap_or(key)
    }

    /// The key of a file below the place.
    pub fn key_of(&self, path: &str) -> String {
        if self.is_prefix() { format!("{}{path}", self.key) } else { self.key.clone() }
    }

    fn is_prefix(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }
}

/// An S3 URI in a JumpStart bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheUri {
    pub bucket: CacheBucket,
    pub key: String,
}

impl CacheUri {
    /// None for any other place. `https` forms name the same bucket and count too.
    pub fn parse(uri: &str) -> Option<CacheUri> {
        let (bucket, key) = match uri.strip_prefix("s3://") {
            Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
            None => https_parts(uri.strip_prefix("https://")?)?,
        };
        Some(CacheUri { bucket: CacheBucket::parse(bucket)?, key: key.to_owned() })
    }

    /// The id and version text of the model whose artifact the key is in, or the whole of it.
    pub fn artifact(&self) -> Option<(&str, &str)> {
        artifact_of(&self.key)
    }

    /// The first part of the key: a model's id in every key but the manifests' and specs'.
    pub fn model_id(&self) -> Option<&str> {
        let id = self.key.split('/').next().unwrap_or_default();
        (!id.is_empty() && self.key.contains('/')).then_some(id)
    }
}

/// The id and version text of the model whose artifact this key is in, or the whole of it.
pub(crate) fn artifact_of(key: &str) -> Option<(&str, &str)> {
    let (id, rest) = key.split_once(ARTIFACTS)?;
    let (version, _) = rest.split_once('/')?;
    (!id.contains('/')).then_some((id, version))
}

/// `bucket.s3.region.amazonaws.com/key` and `s3.region.amazonaws.com/bucket/key`.
fn https_parts(rest: &str) -> Option<(&str, &str)> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match host.split_once(".s3") {
        Some((bucket, _)) => Some((bucket, path)),
        None => Some(path.split_once('/').unwrap_or((path, ""))),
    }
}

#[cfg(test)]
mod tests {
    //! Names of buckets and places in them.

    use super::*;

    #[test]
    fn buckets_of_every_region_and_no_others() {
        for (name, gated) in
            [("jumpstart-cache-prod-us-west-2", false), ("jumpstart-private-cache-prod-eu-central-1", true)]
        {
            let bucket = CacheBucket::parse(name).unwrap();
            assert_eq!(bucket.gated, gated);
            assert_eq!(bucket_name(&bucket.region, gated), name);
        }
        for name in [
            "jumpstart-cache-prod-",
            "jumpstart-cache-prod-here",
            "jumpstart-cache",
            "jumpstart-cache-prod-US-WEST-2",
            "",
        ] {
            assert_eq!(CacheBucket::parse(name), None, "{name}");
        }
    }

    #[test]
    fn places_lead_back_to_models() {
        let place = |key: &str| CacheUri::parse(&format!("s3://jumpstart-cache-prod-us-west-2/{key}")).unwrap();
        assert_eq!(place("a-b-c/artifacts/inference-prepack/v1.0.0/").artifact(), Some(("a-b-c", "1.0.0")));
        assert_eq!(place("a-b-c/artifacts/inference-prepack/v1.0.0/sub/x").artifact(), Some(("a-b-c", "1.0.0")));
        for other in
            ["", "a-b-c", "a-b-c/artifacts/inference-prepack/v1.0.0", "x/a-b-c/artifacts/inference-prepack/v1/y"]
        {
            assert_eq!(place(other).artifact(), None, "{other}");
        }
        assert_eq!(place("a-b-c/").model_id(), Some("a-b-c"));
        assert_eq!(place("models_manifest.json").model_id(), None);
        let https =
            CacheUri::parse("https://jumpstart-private-cache-prod-us-west-2.s3.us-west-2.amazonaws.com/a/b").unwrap();
        assert!(https.bucket.gated);
        assert_eq!(https.key, "a/b");
        assert_eq!(CacheUri::parse("s3://own-bucket/a/"), None);
    }
}
