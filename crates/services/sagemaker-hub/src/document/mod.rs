//! What clients read about a model, made from its manifest: the hub content document, the spec file of the public
//! path, and the manifests. All of them say the same; none of them is stored.
//!
//! Their form is what the SageMaker Python SDK 2 and 3 take (measured, see the reference on hubs): only families of
//! lower-case letters and digits as variants of the hub document, no `Accept` in payloads, exact `ModelTypes`.

mod hub_content;
mod spec;

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Value, json};
use stoa_types::Region;

use crate::catalog::Manifest;
use crate::location;

pub(crate) use hub_content::hub_content_document;
pub(crate) use spec::spec;

/// DocumentSchemaVersion of every model of the public hub.
pub(crate) const SCHEMA_VERSION: &str = "2.3.0";
/// The lowest SDK that these documents were tried with.
const MIN_SDK_VERSION: &str = "2.189.0";
/// GB of disk for a container: the SDK sends it for families without a local disk.
const LEAST_VOLUME: u64 = 30;

/// `models_manifest.json`: one entry for each version.
pub(crate) fn models_manifest<'m>(manifests: impl Iterator<Item = &'m Manifest>) -> Bytes {
    let entry = |manifest: &Manifest| {
        json!({
            "model_id": manifest.id,
            "version": manifest.version,
            "min_version": MIN_SDK_VERSION,
            "spec_key": location::spec_key(manifest),
            "search_keywords": keywords(manifest),
        })
    };
    let mut entries: Vec<Value> = manifests.map(entry).collect();
    if entries.is_empty() {
        // The SDK fails over an empty list; this entry is above every SDK's version and so invisible.
        entries.push(placeholder("placeholder-none-none", "community_models/placeholder-none-none/specs_v1.0.0.json"));
    }
    pretty(&Value::Array(entries))
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
pub(crate) fn keywords(manifest: &Manifest) -> Vec<String> {
    let word = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-");
    let mut all = vec![
        format!("@task:{}", word(&manifest.task)),
        format!("@framework:{}", word(&manifest.framework)),
        format!("@provider:{}", word(&manifest.provider)),
    ];
    all.extend(manifest.keywords.iter().cloned());
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
