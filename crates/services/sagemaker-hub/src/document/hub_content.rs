//! HubContentDocument: PascalCase, for the hub path.

use serde_json::{Map, Value, json};
use stoa_types::Region;

use super::{MIN_SDK_VERSION, families, volume_gb};
use crate::catalog::{HuggingFace, Manifest, SDK_ACCEPT_TYPE};
use crate::location;

/// The document of a model of `bytes` artifact bytes, as a caller in this region sees it.
pub(crate) fn hub_content_document(manifest: &Manifest, bytes: u64, region: &Region) -> Value {
    let content_types = manifest.sdk_content_types();
    let mut document = json!({
        "Url": location::card_uri(manifest, region),
        "MinSdkVersion": MIN_SDK_VERSION,
        "ModelTypes": ["OPEN_WEIGHTS"],
        "Capabilities": [],
        "TrainingSupported": false,
        "IncrementalTrainingSupported": false,
        "GatedBucket": manifest.gated,
        "Task": manifest.task,
        "Framework": manifest.framework,
        "Provider": manifest.provider,
        "License": manifest.licence,
        "HostingEcrUri": manifest.image,
        "HostingArtifactUri": location::artifact_uri(manifest, region),
        "HostingArtifactS3DataType": "S3Prefix",
        "HostingArtifactCompressionType": "None",
        "HostingUseScriptUri": false,
        "HostingInstanceTypeVariants": { "Variants": variants(manifest) },
        "HostingResourceRequirements": { "MinMemoryMb": manifest.min_memory_mb },
        "InferenceDependencies": [],
        "InferenceEnvironmentVariables": environment(manifest),
        "InferenceVolumeSize": volume_gb(bytes),
        "InferenceEnableNetworkIsolation": true,
        "DefaultInferenceInstanceType": manifest.default_instance_type,
        "SupportedInferenceInstanceTypes": manifest.supported_instance_types,
        "SageMakerSdkPredictorSpecifications": {
            "DefaultContentType": content_types.first(),
            "SupportedContentTypes": content_types,
            "DefaultAcceptType": SDK_ACCEPT_TYPE,
            "SupportedAcceptTypes": [SDK_ACCEPT_TYPE],
        },
        "ResourceNameBase": manifest.id,
        "DefaultPayloads": payloads(manifest),
    });
    if let Value::Object(members) = &mut document {
        if manifest.gated {
            members.insert("HostingEulaUri".to_owned(), Value::String(location::eula_uri(manifest, region)));
        }
        if let Some(origin) = &manifest.huggingface {
            members.insert("HuggingFace".to_owned(), source(origin));
        }
        if let Some(why) = &manifest.deprecated {
            members.insert("DeprecatedMessage".to_owned(), Value::String(why.clone()));
        }
        if !manifest.vulnerabilities.is_empty() {
            members.insert("InferenceVulnerabilities".to_owned(), json!(manifest.vulnerabilities));
        }
    }
    document
}

/// Where it was imported from Hugging Face: what its repository says. No key of AWS's, and none that a client minds.
fn source(origin: &HuggingFace) -> Value {
    json!({
        "Repository": origin.repository,
        "Revision": origin.revision,
        "PipelineTag": origin.pipeline_tag,
        "LibraryName": origin.library_name,
        "Architectures": origin.architectures,
        "ModelType": origin.model_type,
        "Languages": origin.languages,
        "BaseModels": origin.base_models,
        "ParameterCount": origin.parameters.values().sum::<u64>(),
        "Tags": origin.tags,
    })
}

/// Only families whose names survive the SDK's way from PascalCase to snake_case and back; the others fall back to
/// HostingEcrUri.
fn variants(manifest: &Manifest) -> Map<String, Value> {
    let survives = |family: &&str| {
        let digits = family.trim_start_matches(|letter: char| letter.is_ascii_lowercase());
        digits.len() < family.len() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let variant = |family: &str| (family.to_owned(), json!({ "Properties": { "ImageUri": manifest.image } }));
    families(manifest).into_iter().filter(survives).map(variant).collect()
}

fn environment(manifest: &Manifest) -> Vec<Value> {
    let variable = |(name, value): (&String, &String)| json!({ "Name": name, "Type": "text", "Default": value, "Scope": "container", "RequiredForModelClass": true });
    manifest.environment.iter().map(variable).collect()
}

fn payloads(manifest: &Manifest) -> Map<String, Value> {
    let mut payloads = Map::new();
    for (alias, payload) in &manifest.example_payloads {
        let mut members = Map::new();
        members.insert("ContentType".to_owned(), json!(payload.content_type));
        members.insert("Body".to_owned(), payload.body.clone());
        if let Some(key) = &payload.prompt_key {
            members.insert("PromptKey".to_owned(), json!(key));
        }
        payloads.insert(alias.clone(), Value::Object(members));
    }
    payloads
}
