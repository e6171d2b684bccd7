//! What models are for: one file per task, each turning a body into tensors and tensors into an answer.

pub(crate) mod classify;
mod decoder;
pub(crate) mod embed;
pub(crate) mod generate;
pub(crate) mod raw;
mod sampling;
pub(crate) mod text_classify;
mod text_input;

use crate::{
    error::PredictError,
    media::{Accept, Answer, ContentType},
    onnx::Call,
};

/// A loaded model of one kind.
pub(crate) trait Task: Send + Sync {
    /// The task's name, as in `config.json`.
    fn name(&self) -> &'static str;

    /// How many weights the model has.
    fn weights(&self) -> usize;

    /// Answers one request; see `Predictor::predict`.
    fn predict(
        &self,
        content_type: ContentType,
        accept: &Accept,
        body: &[u8],
        call: &Call<'_>,
    ) -> Result<Answer, PredictError>;
}

/// Makes probabilities of logits, row by row, in place.
pub(crate) fn softmax(row: &mut [f32]) {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
        sum += *value;
    }
    for value in row {
        *value /= sum;
    }
}

/// The indices of a row, the largest value first; equal values keep their order.
pub(crate) fn ranked(row: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    let at = |index: &usize| row.get(*index).copied().unwrap_or(f32::NEG_INFINITY);
    order.sort_by(|left, right| at(right).total_cmp(&at(left)));
    order
}

#[cfg(test)]
mod tests;
