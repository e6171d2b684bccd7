//! Sentence embedding: `{"embedding": [...]}` for one text, a list of lists for a list of texts.
//!
//! A graph that gives one vector per token is averaged over the real tokens and brought to length one.

use std::path::Path;

use serde_json::json;

use super::{
    Task,
    text_input::{Encoded, TextEncoder, Texts},
};
use crate::{
    error::{ImageError, PredictError},
    media::{Accept, Answer, ContentType, csv_line},
    model_config::TextConfig,
    onnx::Call,
    tensor::{Data, Tensor},
};

/// A text encoder whose output is the answer.
pub(crate) struct Embedder {
    encoder: TextEncoder,
}

impl Embedder {
    pub(crate) fn load(model_dir: &Path, config: TextConfig) -> Result<Self, ImageError> {
        Ok(Self { encoder: TextEncoder::load(model_dir, config)? })
    }
}

impl Task for Embedder {
    fn name(&self) -> &'static str {
        "sentence-embedding"
    }

    fn weights(&self) -> usize {
        self.encoder.session.weights()
    }

    fn predict(
        &self,
        content_type: ContentType,
        accept: &Accept,
        body: &[u8],
        call: &Call<'_>,
    ) -> Result<Answer, PredictError> {
        let kind = accept.choose(&[ContentType::Json, ContentType::Csv, ContentType::Npy])?;
        let request = Texts::read(content_type, body)?;
        let vectors = pooled(self.encoder.encode(request.texts, call)?)?;
        let &[_, width] = vectors.shape() else {
            return Err(PredictError::Model("the output is no list of vectors".to_owned()));
        };
        Ok(match kind {
            ContentType::Npy => Answer::npy(&vectors),
            ContentType::Csv => {
                let rows = vectors.floats().unwrap_or_default().chunks(width.max(1));
                let line = |row: &[f32]| {
                    csv_line(row.iter().map(f32::to_string).collect::<Vec<_>>().iter().map(String::as_str))
                };
                Answer::csv(rows.map(line).collect())
            }
            ContentType::Json | ContentType::Text if request.many => {
                Answer::json(&json!({"embedding": vectors.to_json()}))
            }
            ContentType::Json | ContentType::Text => {
                Answer::json(&json!({"embedding": vectors.reshaped(vec![width])?.to_json()}))
            }
        })
    }
}

/// `[n, d]` as it is; `[n, tokens, d]` averaged over the real tokens and brought to length one.
fn pooled(encoded: Encoded) -> Result<Tensor, PredictError> {
    let &[texts, places, width] = encoded.output.shape() else { return Ok(encoded.output) };
    let values = encoded.output.floats().ok_or_else(|| PredictError::Model("the output has no floats".to_owned()))?;
    let mut out = Vec::with_capacity(texts * width);
    for (text, mask) in values.chunks((places * width).max(1)).zip(&encoded.mask) {
        let mut sum = vec![0.0_f32; width];
        for (vector, _) in text.chunks(width.max(1)).zip(mask).filter(|(_, real)| **real) {
            sum.iter_mut().zip(vector).for_each(|(total, value)| *total += value);
        }
        let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        out.extend(sum.iter().map(|value| value / length));
    }
    Tensor::new(vec![texts, width], Data::F32(out)).map_err(|error| PredictError::Model(error.to_string()))
}
