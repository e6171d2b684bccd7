//! `specs_v<version>.json`: snake_case, for the public path, where the SDK reads S3 and not the hub.

use serde_json::{Map, Value, json};
use stoa_types::Region;

use super::{MIN_SDK_VERSION, families, volume_gb};
use crate::catalog::{Manifest, SDK_ACCEPT_TYPE};
use crate::location;

/// The name that variants call the image by.
const IMAGE: &str = "image_uri_1";

/// The spec of a model of `bytes` artifact bytes, as it stands in this region's bucket.
pub(crate) fn spec(manifest: &Manifest, bytes: u64, region: &Region) -> Value {
    let content_types = manifest.sdk_content_types();
    let artifact = location::artifact_prefix(manifest);
    let mut spec = json!({
        "model_id": manifest.id,
        "url": location::card_uri(manifest, region),
        "version": manifest.version,
        "min_sdk_version": MIN_SDK_VERSION,
        "training_supported": false,
        "incremental_training_supported": false,
        "hosting_artifact_key": artifact,
        "hosting_prepacked_artifact_key": artifact,
        "hosting_use_script_uri": false,
        "gated_bucket": manifest.gated,
        "deprecated": manifest.deprecated.is_some(),
        "inference_vulnerable": !manifest.vulnerabilities.is_empty(),
        "training_vulnerable": false,
        "inference_dependencies": [],
        "inference_vulnerabilities": manifest.vulnerabilities,
        "training_dependencies": [],
        "training_vulnerabilities": [],
        "inference_environment_variables": environment(manifest),
        "default_inference_instance_type": manifest.default_instance_type,
        "supported_inference_instance_types": manifest.supported_instance_types,
        "hosting_instance_type_variants": {
            "regional_aliases": regional_aliases(manifest, region),
            "variants": variants(manifest),
        },
        "default_payloads": payloads(manifest),
        "predictor_specs": {
            "default_content_type": content_types.first(),
            "supported_content_types": content_types,
            "default_accept_type": SDK_ACCEPT_TYPE,
            "supported_accept_types": [SDK_ACCEPT_TYPE],
        },
        "inference_volume_size": volume_gb(bytes),
        "inference_enable_network_isolation": true,
        "resource_name_base": manifest.id,
    });
    if let Value::Object(members) = &mut spec {
        if manifest.gated {
            members.insert("hosting_eula_key".to_owned(), Value::String(location::eula_key(manifest)));
        }
        if let Some(why) = &manifest.deprecated {
            members.insert("deprecated_message".to_owned(), Value::String(why.clone()));
        }
    }
    spec
}

fn regional_aliases(manifest: &Manifest, region: &Region) -> Map<String, Value> {
    Map::from_iter([(region.to_string(), json!({ IMAGE: manifest.image }))])
}

fn variants(manifest: &Manifest) -> Map<String, Value> {
    let variant = |family: &str| {
        let image = format!("${IMAGE}");
        (family.to_owned(), json!({ "regional_properties": { "image_uri": image } }))
    };
    families(manifest).into_iter().map(variant).collect()
}

fn environment(manifest: &Manifest) -> Vec<Value> {
    let variable = |(name, value): (&String, &String)| {
        json!({
            "name": name, "type": "text", "default": value, "scope": "container", "required_for_model_class": true,
        })
    };
    manifest.environment.iter().map(variable).collect()
}

fn payloads(manifest: &Manifest) -> Map<String, Value> {
    let mut payloads = Map::new();
    for (alias, payload) in &manifest.example_payloads {
        let mut members = Map::new();
        members.insert("content_type".to_owned(), json!(payload.content_type));
        members.insert("accept".to_owned(), json!(SDK_ACCEPT_TYPE));
        members.insert("body".to_owned(), payload.body.clone());
        if let Some(key) = &payload.prompt_key {
            members.insert("prompt_key".to_owned(), json!(key));
        }
        payloads.insert(alias.clone(), Value::Object(members));
    }
    payloads
}
