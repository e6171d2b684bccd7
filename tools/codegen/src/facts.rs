//! The extracted facts as they lie in `facts/<service>/`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// `model.json`.
#[derive(Debug, Deserialize)]
pub struct Model {
    pub metadata: Metadata,
    pub operations: BTreeMap<String, Operation>,
    pub shapes: BTreeMap<String, Shape>,
}

/// How the service is reached.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub api_version: String,
    pub endpoint_prefix: String,
    pub json_version: Option<String>,
    pub protocols: Vec<String>,
    pub service_full_name: String,
    pub signing_name: Option<String>,
    pub target_prefix: Option<String>,
    pub xml_namespace: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Operation {
    pub http: Http,
    pub input: Option<String>,
    pub output: Option<Output>,
    #[serde(default)]
    pub errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    pub method: String,
    pub request_uri: String,
    pub response_code: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    pub shape: String,
    pub result_wrapper: Option<String>,
}

/// A shape, in botocore's terms.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub required: Vec<String>,
    #[serde(default)]
    pub members: Vec<(String, Member)>,
    pub member: Option<Member>,
    pub key: Option<Member>,
    pub value: Option<Member>,
    pub min: Option<serde_json::Number>,
    pub max: Option<serde_json::Number>,
    pub pattern: Option<String>,
    #[serde(default, rename = "enum")]
    pub values: Vec<String>,
    #[serde(default)]
    pub sensitive: bool,
    #[serde(default)]
    pub flattened: bool,
    pub payload: Option<String>,
    #[serde(default)]
    pub union: bool,
    #[serde(default)]
    pub document: bool,
    pub error: Option<ErrorTrait>,
    #[serde(default)]
    pub fault: bool,
    pub timestamp_format: Option<String>,
    #[serde(default)]
    pub eventstream: bool,
}

impl Shape {
    /// The same without what validation looks at.
    pub fn without_limits(&self) -> Shape {
        let mut shape = self.clone();
        shape.required.clear();
        shape.values.clear();
        (shape.min, shape.max, shape.pattern) = (None, None, None);
        shape
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorTrait {
    pub code: Option<String>,
    pub http_status_code: Option<u16>,
    #[serde(default)]
    pub sender_fault: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub shape: String,
    pub location: Option<String>,
    pub location_name: Option<String>,
    #[serde(default)]
    pub idempotency_token: bool,
    #[serde(default)]
    pub jsonvalue: bool,
    pub timestamp_format: Option<String>,
}

/// `actions.json`, and the files in `facts/prefixes`.
#[derive(Debug, Deserialize)]
pub struct Actions {
    /// The service as AWS's authorization reference names it.
    #[serde(default)]
    pub name: String,
    pub actions: BTreeMap<String, Action>,
    pub resources: BTreeMap<String, Resource>,
    pub keys: BTreeMap<String, String>,
}

/// An IAM action.
#[derive(Debug, Deserialize)]
pub struct Action {
    pub access: String,
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub legacy_keys: Vec<String>,
    /// Actions that the caller needs too.
    #[serde(default)]
    pub dependent: Vec<String>,
    #[serde(default)]
    pub resources: BTreeMap<String, ActionResource>,
}

/// A resource type that an action applies to.
#[derive(Debug, Deserialize)]
pub struct ActionResource {
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub keys: Vec<String>,
    #[serde(default)]
    pub dependent: Vec<String>,
}

/// A resource type.
#[derive(Debug, Deserialize)]
pub struct Resource {
    pub arn: String,
    #[serde(default)]
    pub keys: Vec<String>,
}

/// `global_keys.json`.
#[derive(Debug, Deserialize)]
pub struct GlobalKeys {
    pub keys: BTreeMap<String, String>,
}

/// Reads a JSON file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = read(path)?;
    serde_json::from_str(&text).map_err(|error| Error::Form { path: path.to_owned(), message: error.to_string() })
}

/// Reads a TOML file.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = read(path)?;
    toml::from_str(&text).map_err(|error| Error::Form { path: path.to_owned(), message: error.to_string() })
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
}
