//! A loaded model and the one way to ask it: bytes in, bytes out. Knows nothing of HTTP.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::{
    error::{ImageError, PredictError},
    media::{Accept, Answer, ContentType},
    model_config::{ModelConfig, find_model_file},
    onnx::Session,
    tasks::{
        Task, classify::RowClassifier, embed::Embedder, generate::Generator, raw::RawTensors,
        text_classify::TextClassifier,
    },
};

/// A model, loaded and ready.
pub struct Predictor {
    task: Box<dyn Task>,
}

impl Predictor {
    /// Loads the model of a folder: by its `config.json`, or as raw tensors where there is none.
    ///
    /// # Errors
    /// `ImageError` when a file is missing or cannot be used.
    pub fn load(model_dir: &Path) -> Result<Self, ImageError> {
        let task: Box<dyn Task> = match ModelConfig::read(model_dir)? {
            Some(ModelConfig::TabularClassification(config) | ModelConfig::ImageClassification(config)) => {
                Box::new(RowClassifier::load(model_dir, config)?)
            }
            Some(ModelConfig::TextClassification(config)) => Box::new(TextClassifier::load(model_dir, config)?),
            Some(ModelConfig::SentenceEmbedding(config)) => Box::new(Embedder::load(model_dir, config)?),
            Some(ModelConfig::TextGeneration(config)) => Box::new(Generator::load(model_dir, config)?),
            None => Box::new(RawTensors::new(Session::load(&find_model_file(model_dir)?)?)),
        };
        Ok(Self { task })
    }

    /// What the model does, for the log.
    pub fn task(&self) -> &'static str {
        self.task.name()
    }

    /// Answers one request. Blocks for as long as the model computes; `cancel` ends a long answer early.
    ///
    /// # Errors
    /// `PredictError` says whose fault it was.
    pub fn predict(
        &self,
        content_type: ContentType,
        accept: &Accept,
        body: &[u8],
        cancel: &CancellationToken,
    ) -> Result<Answer, PredictError> {
        self.task.predict(content_type, accept, body, cancel)
    }
}
