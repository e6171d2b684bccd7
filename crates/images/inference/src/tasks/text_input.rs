//! Texts of a request, and their way through a tokenizer into the tensors of an encoder graph.

use std::path::Path;

use serde_json::{Map, Value};
use tokenizers::{Tokenizer, TruncationParams};

use crate::{
    error::{ImageError, PredictError},
    media::{ContentType, parse_csv, parse_json, parse_text},
    model_config::TextConfig,
    onnx::{Call, Port, Session},
    tensor::{Data, Tensor},
};

/// More texts than this in one request are refused.
const MAX_TEXTS: usize = 1024;

/// The texts of a request, whether they came as a list, and the request's `parameters`.
pub(crate) struct Texts {
    pub texts: Vec<String>,
    pub many: bool,
    pub parameters: Map<String, Value>,
}

impl Texts {
    /// Reads `{"inputs": text | [text, ...], "parameters": {...}}`, a bare JSON text or list, plain text, or CSV with a text a line.
    pub(crate) fn read(content_type: ContentType, body: &[u8]) -> Result<Self, PredictError> {
        let read = match content_type {
            ContentType::Json => read_json(parse_json(body)?)?,
            ContentType::Text => {
                Self { texts: vec![parse_text(body)?.to_owned()], many: false, parameters: Map::new() }
            }
            ContentType::Csv => Self { texts: first_fields(body)?, many: true, parameters: Map::new() },
            ContentType::Npy => return Err(PredictError::UnsupportedContentType(content_type.name().to_owned())),
        };
        let count = read.texts.len();
        if count == 0 || count > MAX_TEXTS {
            return Err(PredictError::bad(format!("a request takes 1 to {MAX_TEXTS} texts, not {count}")));
        }
        Ok(read)
    }
}

fn read_json(body: Value) -> Result<Texts, PredictError> {
    let (inputs, parameters) = match body {
        Value::Object(mut object) => {
            let inputs = ["inputs", "text_inputs", "text"].iter().find_map(|key| object.remove(*key));
            let inputs = inputs.ok_or_else(|| PredictError::bad("the body has no `inputs`"))?;
            let parameters = match object.remove("parameters") {
                None | Some(Value::Null) => Map::new(),
                Some(Value::Object(parameters)) => parameters,
                Some(_) => return Err(PredictError::bad("`parameters` must be an object")),
            };
            (inputs, parameters)
        }
        other => (other, Map::new()),
    };
    let text_only = || PredictError::bad("`inputs` must be a text or a list of texts");
    match inputs {
        Value::String(text) => Ok(Texts { texts: vec![text], many: false, parameters }),
        Value::Array(items) => {
            let text = |item| match item {
                Value::String(text) => Ok(text),
                _ => Err(text_only()),
            };
            Ok(Texts { texts: items.into_iter().map(text).collect::<Result<_, _>>()?, many: true, parameters })
        }
        _ => Err(text_only()),
    }
}

fn first_fields(body: &[u8]) -> Result<Vec<String>, PredictError> {
    let field = |row: Vec<String>| row.into_iter().next().unwrap_or_default();
    Ok(parse_csv(body)?.into_iter().map(field).collect())
}

/// Loads a tokenizer file; padding is ours to do, so the file's own is switched off.
pub(crate) fn load_tokenizer(path: &Path) -> Result<Tokenizer, ImageError> {
    let mut tokenizer = Tokenizer::from_file(path)
        .map_err(|error| ImageError::Model(format!("the tokenizer file cannot be loaded: {error}")))?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// An encoder graph with its tokenizer.
pub(crate) struct TextEncoder {
    pub session: Session,
    tokenizer: Tokenizer,
    config: TextConfig,
}

/// What an encoder gave: its output and which places of each text were real tokens.
pub(crate) struct Encoded {
    pub output: Tensor,
    pub mask: Vec<Vec<bool>>,
}

impl TextEncoder {
    pub(crate) fn load(model_dir: &Path, config: TextConfig) -> Result<Self, ImageError> {
        let session = Session::load(&model_dir.join(&config.model_file))?;
        session.input(&config.input.name)?;
        session.output(&config.output.name)?;
        if let Some(other) = session.inputs.iter().find(|port| kind_of(port, &config).is_none()) {
            return Err(ImageError::Model(format!("the graph's input `{}` is not known for texts", other.name)));
        }
        let mut tokenizer = load_tokenizer(&model_dir.join(&config.tokenizer_file))?;
        let truncation = TruncationParams { max_length: config.input.max_length, ..TruncationParams::default() };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| ImageError::Model(format!("`max_length` cannot be used: {error}")))?;
        Ok(Self { session, tokenizer, config })
    }

    pub(crate) fn config(&self) -> &TextConfig {
        &self.config
    }

    /// Runs the graph on a batch of texts.
    pub(crate) fn encode(&self, texts: Vec<String>, call: &Call<'_>) -> Result<Encoded, PredictError> {
        let encodings = self
            .tokenizer
            .encode_batch(texts, true)
            .map_err(|error| PredictError::bad(format!("a text cannot be tokenized: {error}")))?;
        let longest = encodings.iter().map(|encoding| encoding.len()).max().unwrap_or(0).max(1);
        let fixed = self.session.inputs.iter().find_map(|port| port.dims.as_ref()?.get(1).copied().flatten());
        let length = fixed.unwrap_or(longest);
        let mut mask = Vec::with_capacity(encodings.len());
        let mut ids = Vec::with_capacity(encodings.len() * length);
        for encoding in &encodings {
            let real = encoding.get_ids().iter().take(length);
            mask.push((0..length).map(|place| place < encoding.len()).collect::<Vec<bool>>());
            ids.extend(real.map(|&id| id.cast_signed()));
            ids.resize(mask.len() * length, self.config.input.pad_id.cast_signed());
        }
        let output = self.run(ids, &mask, call)?;
        Ok(Encoded { output, mask })
    }

    fn run(&self, ids: Vec<i32>, mask: &[Vec<bool>], call: &Call<'_>) -> Result<Tensor, PredictError> {
        let shape = vec![mask.len(), ids.len() / mask.len().max(1)];
        let mut inputs = Vec::with_capacity(self.session.inputs.len());
        for port in &self.session.inputs {
            let data = match kind_of(port, &self.config) {
                Some(Feed::Ids) => ids.clone(),
                Some(Feed::Mask) => mask.iter().flatten().map(|&real| i32::from(real)).collect(),
                Some(Feed::Zeros) | None => vec![0; ids.len()],
            };
            inputs.push((port, Tensor::new(shape.clone(), Data::I32(data))?));
        }
        let output =
            self.session.output(&self.config.output.name).map_err(|error| PredictError::Model(error.to_string()))?.id;
        self.session.run_batch(inputs, output, call)
    }
}

/// What a graph's input is fed with.
#[derive(Clone, Copy)]
enum Feed {
    Ids,
    Mask,
    Zeros,
}

fn kind_of(port: &Port, config: &TextConfig) -> Option<Feed> {
    match port.name.as_str() {
        name if name == config.input.name => Some(Feed::Ids),
        "attention_mask" => Some(Feed::Mask),
        "token_type_ids" => Some(Feed::Zeros),
        _ => None,
    }
}
