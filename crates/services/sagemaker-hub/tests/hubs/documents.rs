//! The documents made from manifests, held to the documents that the SageMaker SDK accepted.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_kernel::ports::ObjectSource;
use stoa_models_sagemaker::types::HubContentType;

use crate::references::describe;
use crate::support::*;

/// Keys of the example hub documents, less those that only say who made the example (`DataType`) and the two timeouts
/// that the SDK ignores.
const HUB_KEYS: &[&str] = &[
    "Url",
    "MinSdkVersion",
    "ModelTypes",
    "Capabilities",
    "TrainingSupported",
    "IncrementalTrainingSupported",
    "GatedBucket",
    "Task",
    "Framework",
    "License",
    "Provider",
    "HostingEcrUri",
    "HostingArtifactUri",
    "HostingArtifactS3DataType",
    "HostingArtifactCompressionType",
    "HostingUseScriptUri",
    "InferenceDependencies",
    "InferenceEnvironmentVariables",
    "DefaultInferenceInstanceType",
    "SupportedInferenceInstanceTypes",
    "HostingInstanceTypeVariants",
    "SageMakerSdkPredictorSpecifications",
    "InferenceVolumeSize",
    "InferenceEnableNetworkIsolation",
    "ResourceNameBase",
    "DefaultPayloads",
];
/// Keys of the example specs, less `deploy_kwargs`, which is optional.
const SPEC_KEYS: &[&str] = &[
    "model_id",
    "url",
    "version",
    "min_sdk_version",
    "training_supported",
    "incremental_training_supported",
    "hosting_artifact_key",
    "hosting_prepacked_artifact_key",
    "hosting_use_script_uri",
    "gated_bucket",
    "deprecated",
    "inference_vulnerable",
    "training_vulnerable",
    "inference_dependencies",
    "inference_vulnerabilities",
    "training_dependencies",
    "training_vulnerabilities",
    "inference_environment_variables",
    "default_inference_instance_type",
    "supported_inference_instance_types",
    "hosting_instance_type_variants",
    "default_payloads",
    "predictor_specs",
    "inference_volume_size",
    "inference_enable_network_isolation",
    "resource_name_base",
];

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

async fn document(world: &World, model: &str) -> Value {
    let described = describe(world, PUBLIC_HUB, HubContentType::Model, model, None).await.unwrap();
    assert_eq!(described.document_schema_version, "2.3.0");
    assert!(described.hub_content_document.len() < 327_680);
    serde_json::from_str(&described.hub_content_document).unwrap()
}

async fn json_object(world: &World, bucket: &str, key: &str) -> Value {
    let entry = world.hubs.object(bucket, key).await.unwrap().unwrap_or_else(|| panic!("no {key}"));
    serde_json::from_slice(&entry.inline.unwrap()).unwrap()
}

#[tokio::test]
async fn every_sample_has_the_keys_that_clients_read() {
    let world = world().await;
    for entry in world.catalog.list().await.unwrap() {
        let document = document(&world, &entry.id).await;
        for key in HUB_KEYS {
            assert!(document.get(key).is_some(), "{} has no {key}", entry.id);
        }
        let mut allowed: BTreeSet<&str> = HUB_KEYS.iter().copied().collect();
        allowed.extend(["HostingResourceRequirements", "HostingEulaUri"]);
        assert!(keys(&document).is_subset(&allowed), "{:?}", keys(&document).difference(&allowed));
        assert_eq!(document.get("HostingEulaUri").is_some(), entry.gated);
        assert_eq!(document["GatedBucket"], entry.gated);
        assert_eq!(document["ModelTypes"], json!(["OPEN_WEIGHTS"]));
        assert_eq!(
            keys(&document["SageMakerSdkPredictorSpecifications"]),
            BTreeSet::from([
                "DefaultContentType",
                "SupportedContentTypes",
                "DefaultAcceptType",
                "SupportedAcceptTypes"
            ])
        );
        for payload in document["DefaultPayloads"].as_object().unwrap().values() {
            // The SDK's version 3 refuses anything else, `Accept` above all.
            assert!(keys(payload).is_subset(&BTreeSet::from(["ContentType", "Body", "PromptKey"])), "{payload}");
        }
        let bucket = if entry.gated { "jumpstart-private-cache-prod" } else { "jumpstart-cache-prod" };
        let latest = if entry.id == IRIS { "1.1.0" } else { "1.0.0" };
        assert_eq!(
            document["HostingArtifactUri"],
            format!("s3://{bucket}-{REGION}/{}/artifacts/inference-prepack/v{latest}/", entry.id)
        );
    }
}

#[tokio::test]
async fn names_that_the_sdk_would_mangle_are_left_out() {
    let world = world().await;
    world.import("acme-tabular-flowers", "1.0.0").await;
    let document = document(&world, "acme-tabular-flowers").await;
    // g4dn becomes g4_dn on its way; HostingEcrUri serves it instead.
    assert_eq!(keys(&document["HostingInstanceTypeVariants"]["Variants"]), BTreeSet::from(["c5", "m5"]));
    assert_eq!(document["HostingEcrUri"], "stoa/inference:1");
    assert_eq!(document["SageMakerSdkPredictorSpecifications"]["SupportedContentTypes"], json!(["application/json"]));
    assert_eq!(document["SageMakerSdkPredictorSpecifications"]["SupportedAcceptTypes"], json!(["application/json"]));
    assert_eq!(
        document["InferenceEnvironmentVariables"],
        json!([{ "Name": "SM_NUM", "Type": "text", "Default": "1", "Scope": "container", "RequiredForModelClass": true }])
    );
}

#[tokio::test]
async fn spec_and_document_say_the_same() {
    let world = world().await;
    let bucket = format!("jumpstart-cache-prod-{REGION}");
    let manifest = json_object(&world, &bucket, "models_manifest.json").await;
    let entries = manifest.as_array().unwrap();
    assert_eq!(entries.len(), world.catalog.list().await.unwrap().len(), "one for each version");
    for entry in entries {
        assert_eq!(keys(entry), BTreeSet::from(["model_id", "version", "min_version", "spec_key", "search_keywords"]));
        let spec = json_object(&world, &bucket, entry["spec_key"].as_str().unwrap()).await;
        for key in SPEC_KEYS {
            assert!(spec.get(key).is_some(), "{entry} has no {key}");
        }
        let mut allowed: BTreeSet<&str> = SPEC_KEYS.iter().copied().collect();
        allowed.insert("hosting_eula_key");
        assert!(keys(&spec).is_subset(&allowed), "{:?}", keys(&spec).difference(&allowed));
        let (id, version) = (entry["model_id"].as_str().unwrap(), entry["version"].as_str().unwrap());
        let described = describe(&world, PUBLIC_HUB, HubContentType::Model, id, Some(version)).await.unwrap();
        let document: Value = serde_json::from_str(&described.hub_content_document).unwrap();
        let uri = document["HostingArtifactUri"].as_str().unwrap();
        assert!(uri.ends_with(&format!("/{}", spec["hosting_prepacked_artifact_key"].as_str().unwrap())));
        assert_eq!(spec["default_inference_instance_type"], document["DefaultInferenceInstanceType"]);
        assert_eq!(
            spec["predictor_specs"]["default_content_type"],
            document["SageMakerSdkPredictorSpecifications"]["DefaultContentType"]
        );
        let alias = spec["hosting_instance_type_variants"]["variants"]["m5"]["regional_properties"]["image_uri"]
            .as_str()
            .unwrap();
        let aliases = &spec["hosting_instance_type_variants"]["regional_aliases"][REGION];
        assert_eq!(aliases[alias.trim_start_matches('$')], document["HostingEcrUri"]);
        if let Some(key) = spec["hosting_eula_key"].as_str() {
            assert_eq!(document["HostingEulaUri"], format!("s3://{bucket}/{key}"));
            assert!(world.hubs.object(&bucket, key).await.unwrap().is_some());
        }
    }
    // Lists must not be empty; what stands in for nothing is above every SDK's version.
    let sold = json_object(&world, &bucket, "proprietary-sdk-manifest.json").await;
    assert_eq!(sold[0]["min_version"], "9999.0.0");
    let nothing = empty_world();
    let manifest = json_object(&nothing, &bucket, "models_manifest.json").await;
    assert_eq!((manifest.as_array().unwrap().len(), &manifest[0]["min_version"]), (1, &json!("9999.0.0")));
}
