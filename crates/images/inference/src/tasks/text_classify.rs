//! Text classification: `[{"label": ..., "score": ...}]`, one entry a text; with `parameters.top_k` a list of the best labels a text.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    Task, ranked, softmax,
    text_input::{TextEncoder, Texts},
};
use crate::{
    error::{ImageError, PredictError},
    media::{Accept, Answer, ContentType, csv_line},
    model_config::{Activation, TextConfig},
    onnx::Call,
    tensor::float_json,
};

/// A classifier of texts.
pub(crate) struct TextClassifier {
    encoder: TextEncoder,
}

impl TextClassifier {
    pub(crate) fn load(model_dir: &Path, config: TextConfig) -> Result<Self, ImageError> {
        if config.labels.is_empty() {
            return Err(ImageError::Model("config.json needs `labels`".to_owned()));
        }
        Ok(Self { encoder: TextEncoder::load(model_dir, config)? })
    }

    /// The `count` best labels of each text with their scores.
    fn scores(&self, texts: Vec<String>, count: usize, call: &Call<'_>) -> Result<Vec<Vec<(&str, f32)>>, PredictError> {
        let config = self.encoder.config();
        let encoded = self.encoder.encode(texts, call)?;
        if encoded.output.shape() != [encoded.mask.len(), config.labels.len()] {
            return Err(PredictError::Model(format!(
                "the output has shape {:?}, not one number per label",
                encoded.output.shape()
            )));
        }
        let mut values = encoded.output.floats().unwrap_or_default().to_vec();
        let rows = values.chunks_mut(config.labels.len()).map(|row| {
            if config.output.activation == Activation::Softmax {
                softmax(row);
            }
            let best = ranked(row).into_iter().take(count);
            best.filter_map(|index| Some((config.labels.get(index)?.as_str(), *row.get(index)?))).collect()
        });
        Ok(rows.collect())
    }
}

impl Task for TextClassifier {
    fn name(&self) -> &'static str {
        "text-classification"
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
        let kind = accept.choose(&[ContentType::Json, ContentType::Csv])?;
        let request = Texts::read(content_type, body)?;
        let top_k = top_k(&request)?;
        let rows = self.scores(request.texts, top_k.unwrap_or(1), call)?;
        if kind == ContentType::Csv {
            let lines = rows.iter().flatten().map(|(label, score)| csv_line([*label, &score.to_string()]));
            return Ok(Answer::csv(lines.collect()));
        }
        let entry = |&(label, score): &(&str, f32)| json!({"label": label, "score": float_json(score)});
        let lists = rows.iter().map(|row| row.iter().map(entry).collect::<Vec<Value>>());
        Ok(Answer::json(&match (top_k, request.many) {
            (Some(_), true) => json!(lists.collect::<Vec<_>>()),
            _ => json!(lists.flatten().collect::<Vec<_>>()),
        }))
    }
}

fn top_k(request: &Texts) -> Result<Option<usize>, PredictError> {
    let mut found = None;
    for (key, value) in &request.parameters {
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok()).filter(|&number| number > 0);
        match (key.as_str(), number) {
            ("top_k", Some(number)) => found = Some(number),
            ("top_k", None) => return Err(PredictError::bad("`top_k` must be a positive integer")),
            (other, _) => return Err(PredictError::bad(format!("parameter `{other}` is not known to this model"))),
        }
    }
    Ok(found)
}
