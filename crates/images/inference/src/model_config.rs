//! `config.json` of a model folder: what the ONNX file is for and how texts and rows become its tensors.
//!
//! The format is described in `catalog/README.md`. A folder without it, or with a `config.json` of another origin (no
//! `task` key), is served as raw tensors.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::error::ImageError;

/// The parsed file.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub(crate) enum ModelConfig {
    TabularClassification(ClassifierConfig),
    ImageClassification(ClassifierConfig),
    TextClassification(TextConfig),
    SentenceEmbedding(TextConfig),
    TextGeneration(GenerationConfig),
}

/// A classifier of rows or pictures.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClassifierConfig {
    #[serde(default = "default_model_file")]
    pub model_file: String,
    pub input: ClassifierInput,
    pub output: ClassifierOutput,
    pub labels: Vec<String>,
}

/// `columns` names a row's numbers; `shape` is that of one picture.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClassifierInput {
    pub name: String,
    #[serde(default)]
    pub columns: Vec<String>,
    #[serde(default)]
    pub shape: Vec<usize>,
}

/// The output with one number per label.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ClassifierOutput {
    pub name: String,
    #[serde(default)]
    pub activation: Activation,
}

/// What is left to do to make probabilities of the output.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Activation {
    /// The graph ends in probabilities.
    #[default]
    None,
    /// The graph ends in logits.
    Softmax,
}

/// A text classifier (with `labels`) or an embedding (without).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TextConfig {
    #[serde(default = "default_model_file")]
    pub model_file: String,
    #[serde(default = "default_tokenizer_file")]
    pub tokenizer_file: String,
    pub input: TextInput,
    pub output: ClassifierOutput,
    #[serde(default)]
    pub labels: Vec<String>,
}

/// Texts are cut at `max_length` tokens and padded with `pad_id`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TextInput {
    pub name: String,
    pub max_length: usize,
    #[serde(default)]
    pub pad_id: u32,
}

/// A text generator.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GenerationConfig {
    #[serde(default = "default_model_file")]
    pub model_file: String,
    #[serde(default = "default_tokenizer_file")]
    pub tokenizer_file: String,
    pub decoder: DecoderConfig,
    pub bos_token: Option<String>,
    pub eos_token: Option<String>,
    #[serde(default)]
    pub defaults: GenerationDefaults,
}

/// How the graph is driven.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "style", rename_all = "snake_case")]
pub(crate) enum DecoderConfig {
    /// `(token, position, keys, values) -> (logits, new_keys, new_values)`, one token a step, caches `[layers, context, width]`.
    CachedStep { layers: usize, context: usize, width: usize },
    /// `input_ids [1, n] -> logits [1, n, vocabulary]`, run again over the whole text for each token.
    Full { context: usize },
}

/// What holds when a request does not say it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(crate) struct GenerationDefaults {
    pub max_new_tokens: usize,
    pub do_sample: bool,
    pub temperature: f32,
    pub top_k: usize,
    pub top_p: f32,
}

impl Default for GenerationDefaults {
    fn default() -> Self {
        Self { max_new_tokens: 64, do_sample: false, temperature: 1.0, top_k: 50, top_p: 1.0 }
    }
}

impl ModelConfig {
    /// Reads `config.json`; `None` where there is none of ours.
    ///
    /// # Errors
    /// A file that names a `task` but cannot be used.
    pub(crate) fn read(model_dir: &Path) -> Result<Option<Self>, ImageError> {
        let path = model_dir.join("config.json");
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ImageError::Read { path, source }),
        };
        let unusable = |error: serde_json::Error| ImageError::Model(format!("config.json cannot be used: {error}"));
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(unusable)?;
        if value.get("task").is_none() {
            return Ok(None);
        }
        serde_json::from_value(value).map(Some).map_err(unusable)
    }
}

/// The only `.onnx` file of a folder that says nothing about itself.
///
/// # Errors
/// When there is none, or more than one and none is called `model.onnx`.
pub(crate) fn find_model_file(model_dir: &Path) -> Result<PathBuf, ImageError> {
    let usual = model_dir.join(default_model_file());
    if usual.is_file() {
        return Ok(usual);
    }
    let read = |source| ImageError::Read { path: model_dir.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(model_dir).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            found.push(path);
        }
    }
    match found.pop() {
        Some(path) if found.is_empty() => Ok(path),
        Some(_) => Err(ImageError::Model("the model folder has several .onnx files and none is model.onnx".to_owned())),
        None if model_dir.join("model.tar.gz").is_file() => {
            Err(ImageError::Model("the model folder has a model.tar.gz that nobody unpacked".to_owned()))
        }
        None => Err(ImageError::Model("the model folder has no .onnx file".to_owned())),
    }
}

fn default_model_file() -> String {
    "model.onnx".to_owned()
}

fn default_tokenizer_file() -> String {
    "tokenizer.json".to_owned()
}
