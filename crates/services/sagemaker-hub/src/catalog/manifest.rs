//! `manifest.json` of a model folder: its form, and everything that is wrong with one, told at once.
//!
//! What the SageMaker SDK cannot take (see the reference on hub documents) is refused here, where its author can still
//! change it, and not found out by whoever deploys the model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stoa_sagemaker_common::{Version, instance_type};

use super::{LONGEST_DOCUMENT, is_plain};
use crate::document;

/// Content types that the SDK's predictors know.
pub(crate) const SDK_CONTENT_TYPES: &[&str] = &[
    "application/json",
    "application/list-text",
    "application/x-text",
    "text/csv",
    "application/x-image",
    "audio/wav",
];
/// The one accept type that the SDK's predictors know.
pub(crate) const SDK_ACCEPT_TYPE: &str = "application/json";
/// HubContentSearchKeywords: fifty, less the three that are made from task, framework and provider.
pub(super) const MOST_KEYWORDS: usize = 47;
/// HubSearchKeyword's limit.
pub(super) const LONGEST_KEYWORD: usize = 255;

/// A model version as its author describes it. `catalog/README.md` documents each key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Letters, digits and single hyphens; three parts: framework or provider, task, name.
    pub id: String,
    /// `n.n.n`.
    pub version: Version,
    /// For people.
    pub display_name: String,
    /// One or two sentences.
    pub description: String,
    /// `Text Generation`.
    pub task: String,
    /// The first part of the id.
    pub framework: String,
    /// Who made it.
    pub provider: String,
    /// SPDX, or the name of the EULA.
    pub licence: String,
    /// Whether use needs consent to `eula`.
    #[serde(default)]
    pub gated: bool,
    /// The file with the licence's text, beside the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eula: Option<String>,
    /// Hub search keywords.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// What it is deployed on when nothing is said.
    pub default_instance_type: String,
    /// What it can be deployed on.
    pub supported_instance_types: Vec<String>,
    /// The container image.
    pub image: String,
    /// Passed to the container.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The first is the default.
    pub content_types: Vec<String>,
    /// The first is the default.
    pub accept_types: Vec<String>,
    /// Shown and sent by `retrieve_all_examples`.
    #[serde(default)]
    pub example_payloads: BTreeMap<String, Payload>,
    /// Memory that the container needs.
    pub min_memory_mb: u64,
    /// Where it was imported from a Hugging Face repository: what that says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub huggingface: Option<HuggingFace>,
    /// Why this version is not to be used any more, and what instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// Known vulnerabilities of this version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vulnerabilities: Vec<String>,
}

/// What a Hugging Face repository says of its model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HuggingFace {
    /// `org/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The commit it was taken at, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `text-generation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_tag: Option<String>,
    /// `transformers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub library_name: Option<String>,
    /// `LlamaForCausalLM`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub architectures: Vec<String>,
    /// `llama`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_type: Option<String>,
    /// The card's tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The card's languages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// What it was made from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub base_models: Vec<String>,
    /// Parameters by their type (`BF16`), counted in the headers of the safetensors files.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, u64>,
}

impl HuggingFace {
    /// Everything that is wrong.
    fn problems(&self, problems: &mut Vec<String>) {
        if let Some(repository) = &self.repository
            && !is_repository(repository)
        {
            problems.push(format!("huggingface.repository `{repository}`: org/name is expected"));
        }
        let texts = self.architectures.iter().chain(&self.tags).chain(&self.languages).chain(&self.base_models);
        let single = [&self.revision, &self.pipeline_tag, &self.library_name, &self.model_type];
        for text in texts.chain(single.into_iter().flatten()) {
            if text.is_empty() || text.chars().count() > 255 || text.chars().any(char::is_control) {
                problems.push(format!("huggingface: `{}`: 1 to 255 characters are expected", text.escape_default()));
            }
        }
    }
}

/// `org/name` as Hugging Face has it.
pub(crate) fn is_repository(text: &str) -> bool {
    let word = |word: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !word.is_empty()
            && word.len() <= 96
            && word.bytes().all(plain)
            && !word.starts_with('.')
            && !word.contains("..")
    };
    text.split_once('/').is_some_and(|(org, name)| word(org) && word(name))
}

/// An example request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payload {
    /// Of the body.
    pub content_type: String,
    /// An object or a text.
    pub body: Value,
    /// The key of the body that is the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_key: Option<String>,
}

impl Manifest {
    /// The default content type for the SDK: the first that it knows.
    pub(crate) fn sdk_content_types(&self) -> Vec<&str> {
        let known = self.content_types.iter().map(String::as_str);
        known.filter(|name| SDK_CONTENT_TYPES.contains(&name.split(';').next().unwrap_or(name).trim())).collect()
    }

    /// Takes over the marks of another reading of this version: they alone may change once it was imported.
    pub(crate) fn marked_as(&self, other: &Manifest) -> Manifest {
        let (deprecated, vulnerabilities) = (other.deprecated.clone(), other.vulnerabilities.clone());
        Manifest { deprecated, vulnerabilities, ..self.clone() }
    }

    /// This with the marks of another reading beside its own: none is taken back, and a reason stays as it is worded.
    pub(crate) fn with_marks_of(&self, other: &Manifest) -> Manifest {
        let mut marked = self.clone();
        marked.deprecated = marked.deprecated.or_else(|| other.deprecated.clone());
        let new = other.vulnerabilities.iter().filter(|name| !self.vulnerabilities.contains(name));
        marked.vulnerabilities.extend(new.cloned());
        marked
    }

    /// Everything that is wrong, each with the key's name; the same for a folder, a bundle and a repository.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        self.identity_problems(&mut problems);
        self.text_problems(&mut problems);
        self.instance_problems(&mut problems);
        self.type_problems(&mut problems);
        if let Some(origin) = &self.huggingface {
            origin.problems(&mut problems);
        }
        for (alias, payload) in &self.example_payloads {
            payload.problems(alias, &mut problems);
        }
        if problems.is_empty() {
            problems.extend(self.length_problem());
        }
        problems
    }

    /// Whether the hub document made of it is longer than one may be.
    pub(crate) fn length_problem(&self) -> Option<String> {
        let longest = document::longest(self);
        (longest > LONGEST_DOCUMENT)
            .then(|| format!("the hub document made of it has {longest} characters, {LONGEST_DOCUMENT} are allowed"))
    }

    fn identity_problems(&self, problems: &mut Vec<String>) {
        if !is_name(&self.id) {
            problems
                .push(format!("id `{}`: letters, digits and inner hyphens are allowed, at most 63 of them", self.id));
        } else if self.id.split('-').count() < 3 || self.id.contains("--") {
            problems.push(format!("id `{}`: three parts are expected, such as framework-task-name", self.id));
        } else if self.id.split('-').next() != Some(&self.framework) {
            problems.push(format!("framework `{}`: it must be the first part of the id `{}`", self.framework, self.id));
        }
        match (&self.eula, self.gated) {
            (None, true) => problems.push("eula: a gated model needs the name of its licence file".to_owned()),
            (Some(_), false) => problems.push("eula: only a gated model has one; set gated to true".to_owned()),
            (Some(name), true) if !is_plain(name) || name.starts_with('.') => {
                problems.push(format!("eula `{}`: a file name beside the manifest is expected", name.escape_default()));
            }
            _ => {}
        }
    }

    fn text_problems(&self, problems: &mut Vec<String>) {
        for (key, text, most) in [
            ("display_name", &self.display_name, 255),
            ("description", &self.description, 1023),
            ("task", &self.task, 200),
            ("framework", &self.framework, 63),
            ("provider", &self.provider, 200),
            ("licence", &self.licence, 255),
            ("image", &self.image, 255),
        ] {
            if text.trim().is_empty() || text.chars().count() > most {
                problems.push(format!("{key}: a text of 1 to {most} characters is expected"));
            }
        }
        if self.image.chars().any(char::is_whitespace) {
            problems.push(format!("image `{}`: an image URI has no spaces", self.image));
        }
        if self.keywords.len() > MOST_KEYWORDS {
            problems.push(format!("keywords: at most {MOST_KEYWORDS} are allowed"));
        }
        for keyword in &self.keywords {
            if keyword.is_empty() || keyword.chars().count() > LONGEST_KEYWORD {
                problems.push(format!("keywords `{keyword}`: 1 to {LONGEST_KEYWORD} characters are expected"));
            }
        }
        for name in self.environment.keys() {
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(word) {
                problems.push(format!("environment `{name}`: letters, digits and underscores are allowed"));
            }
        }
        if self.deprecated.as_ref().is_some_and(|why| why.trim().is_empty() || why.chars().count() > 1023) {
            problems.push("deprecated: a text of 1 to 1023 characters is expected, which says what to use".to_owned());
        }
        if self.vulnerabilities.iter().any(|name| name.trim().is_empty() || name.chars().count() > 255) {
            problems.push("vulnerabilities: texts of 1 to 255 characters are expected".to_owned());
        }
        if self.min_memory_mb == 0 {
            problems.push("min_memory_mb: it must be at least 1".to_owned());
        }
    }

    fn instance_problems(&self, problems: &mut Vec<String>) {
        for name in &self.supported_instance_types {
            if instance_type(name).is_none() {
                problems.push(format!("supported_instance_types `{name}`: this instance type is not known"));
            }
        }
        if !self.supported_instance_types.contains(&self.default_instance_type) {
            let name = &self.default_instance_type;
            problems.push(format!("default_instance_type `{name}`: it must be one of supported_instance_types"));
        }
    }

    fn type_problems(&self, problems: &mut Vec<String>) {
        if self.sdk_content_types().is_empty() {
            let known = SDK_CONTENT_TYPES.join(", ");
            problems.push(format!("content_types: at least one that the SageMaker SDK knows is needed: {known}"));
        }
        if !self.accept_types.iter().any(|name| name == SDK_ACCEPT_TYPE) {
            problems
                .push(format!("accept_types: {SDK_ACCEPT_TYPE} is needed, the only one that the SageMaker SDK knows"));
        }
    }
}

impl Payload {
    fn problems(&self, alias: &str, problems: &mut Vec<String>) {
        if !is_snake(alias) {
            problems
                .push(format!("example_payloads `{alias}`: the SageMaker SDK rewrites names that are not snake_case"));
        }
        if !self.body.is_object() && !self.body.is_string() {
            problems.push(format!("example_payloads `{alias}`: body must be an object or a text"));
        }
        let mut found = Vec::new();
        mangled(&self.body, "body", &mut found);
        problems.extend(found.into_iter().map(|what| format!("example_payloads `{alias}`: {what}")));
    }
}

/// What the SDK changes in a body on its way: keys that are not snake_case, and numbers that stand in a list.
fn mangled(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if !is_snake(key) {
                    found.push(format!("the SageMaker SDK rewrites the key `{path}.{key}`: use snake_case"));
                }
                mangled(value, &format!("{path}.{key}"), found);
            }
        }
        Value::Array(items) => {
            if items.iter().any(|item| item.is_number() || item.is_boolean() || item.is_null()) {
                found.push(format!(
                    "the SageMaker SDK drops the numbers, booleans and nulls in the list `{path}`: use named fields or text"
                ));
            }
            for item in items {
                mangled(item, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

fn is_snake(name: &str) -> bool {
    let shape = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(shape)
}

/// The form of hub and content names.
pub(crate) fn is_name(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && ends(text.bytes().next())
        && ends(text.bytes().last())
}
