//! What clients read about a model, made from its manifest: the hub content document, the spec file of the public
//! path, and the manifests. All of them say the same; none of them is stored.
//!
//! Their form is what the SageMaker Python SDK 2 and 3 take (measured, see the reference on hubs): only families of
//! lower-case letters and digits as variants of the hub document, no `Accept` in payloads, exact `ModelTypes`.

mod hub_content;
mod spec;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use stoa_sagemaker_common::Version;
use stoa_types::Region;

use crate::catalog::{Manifest, PublicModel};
use crate::location;

pub(crate) use hub_content::hub_content_document;
pub(crate) use spec::spec;

/// DocumentSchemaVersion of every model of the public hub.
pub(crate) const SCHEMA_VERSION: &str = "2.3.0";
/// The lowest SDK that these documents were tried with.
const MIN_SDK_VERSION: &str = "2.189.0";
/// GB of disk for a container: the SDK sends it for families without a local disk.
const LEAST_VOLUME: u64 = 30;

/// An entry of `models_manifest.json`.
#[derive(Serialize)]
struct ManifestEntry<'m> {
    min_version: &'static str,
    model_id: &'m str,
    search_keywords: Vec<String>,
    spec_key: String,
    version: Version,
}

/// `models_manifest.json`: one entry for each version. Written entry by entry: it may have tens of thousands.
pub(crate) fn models_manifest<'m>(models: impl Iterator<Item = &'m Arc<PublicModel>>) -> Bytes {
    let mut models = models.peekable();
    if models.peek().is_none() {
        // The SDK fails over an empty list; this entry is above every SDK's version and so invisible.
        let spec_key = "community_models/placeholder-none-none/specs_v1.0.0.json";
        return pretty(&Value::Array(vec![placeholder("placeholder-none-none", spec_key)]));
    }
    let entry = |model: &'m Arc<PublicModel>| ManifestEntry {
        min_version: MIN_SDK_VERSION,
        model_id: &model.id,
        search_keywords: keywords(model),
        spec_key: location::spec_key(&**model),
        version: model.version,
    };
    let mut bytes = Vec::new();
    // What cannot fail into memory leaves an unfinished text if it does, which no client takes for a manifest.
    let _ = serde_json::Serializer::pretty(&mut bytes).collect_seq(models.map(entry));
    bytes.shrink_to_fit();
    Bytes::from(bytes)
}

/// `proprietary-sdk-manifest.json`: nothing is sold here, but the list must not be empty.
pub(crate) fn proprietary_manifest() -> Bytes {
    let key = "proprietary-models/placeholder-none-none/proprietary_specs_1.0.0.json";
    pretty(&Value::Array(vec![placeholder("placeholder-none-none", key)]))
}

fn placeholder(id: &str, spec_key: &str) -> Value {
    json!({ "model_id": id, "version": "1.0.0", "min_version": "9999.0.0", "spec_key": spec_key })
}

/// Search keywords: `@task:…`, `@framework:…`, `@provider:…` with hyphens for spaces, then the author's own.
pub(crate) fn keywords(model: &PublicModel) -> Vec<String> {
    let word = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
    let mut all = vec![
        format!("@task:{}", word(&model.task)),
        format!("@framework:{}", word(&model.framework)),
        format!("@provider:{}", word(&model.provider)),
    ];
    all.extend(model.keywords.iter().map(ToString::to_string));
    all
}

/// Characters of the hub content document in the region with the longest name.
pub(crate) fn longest(manifest: &Manifest) -> usize {
    let region: Result<Region, _> = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxx-1".parse();
    region.map_or(usize::MAX, |region| hub_content_document(manifest, 0, &region).to_string().chars().count())
}

/// The families of the supported instance types.
fn families(manifest: &Manifest) -> BTreeSet<&str> {
    let family = |name: &'_ str| -> Option<usize> { name.strip_prefix("ml.")?.find('.') };
    let types = manifest.supported_instance_types.iter();
    types.filter_map(|name| family(name).and_then(|end| name.get(3..3 + end))).collect()
}

fn volume_gb(bytes: u64) -> u64 {
    (2 * bytes.div_ceil(1 << 30) + 10).max(LEAST_VOLUME)
}

/// JSON bytes as a person can read them.
pub(crate) fn pretty(value: &Value) -> Bytes {
    Bytes::from(format!("{value:#}"))
}
