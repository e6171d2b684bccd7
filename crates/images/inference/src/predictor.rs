//! A loaded model and the one way to ask it: bytes in, bytes out. Knows nothing of HTTP.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rten::ThreadPool;
use tokio_util::sync::CancellationToken;

use crate::{
    error::{ImageError, PredictError},
    media::{Accept, Answer, ContentType},
    model_config::{ModelConfig, find_model_file},
    onnx::{Call, Session},
    tasks::{
        Task, classify::RowClassifier, embed::Embedder, generate::Generator, raw::RawTensors,
        text_classify::TextClassifier,
    },
};

/// Below this many weights a second thread for one request costs more than it gives.
const ONE_THREAD_BELOW: usize = 4_000_000;

/// A model, loaded and ready.
///
/// A small model answers a request on one thread: the request takes an idle one-thread pool and the whole of its work
/// runs there, so that the runtime need not hand over at each run of the graph. A large model computes on the
/// runtime's own pool, which all requests share.
pub struct Predictor {
    task: Box<dyn Task>,
    /// Idle pools; as many exist as requests ever ran at once.
    idle: Mutex<Vec<Arc<ThreadPool>>>,
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
        Ok(Self { task, idle: Mutex::default() })
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
        if self.task.weights() >= ONE_THREAD_BELOW {
            return self.task.predict(content_type, accept, body, &Call { cancel, pool: None });
        }
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let pool = taken.unwrap_or_else(|| Arc::new(ThreadPool::with_num_threads(1)));
        let answer = pool.run(|| self.task.predict(content_type, accept, body, &Call { cancel, pool: Some(&pool) }));
        idle().push(pool);
        answer
    }
}
