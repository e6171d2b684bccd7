//! Driving a language model's graph: tokens in, logits of the next token out, in the two styles of `DecoderConfig`.

use std::path::Path;

use rten::{NodeId, Value, ValueOrView, ValueView};
use rten_tensor::prelude::*;

use crate::{
    error::{ImageError, PredictError},
    model_config::DecoderConfig,
    onnx::{Call, Port, Session},
    tensor::{Data, Tensor},
};

/// A loaded graph with its ports found.
pub(crate) struct DecoderGraph {
    session: Session,
    ports: Ports,
}

enum Ports {
    Cached { inputs: [NodeId; 4], outputs: [NodeId; 3], layers: usize, context: usize, width: usize },
    Full { logits: NodeId, context: usize },
}

impl DecoderGraph {
    pub(crate) fn load(path: &Path, config: DecoderConfig) -> Result<Self, ImageError> {
        let session = Session::load(path)?;
        let input = |name: &str| session.input(name).map(|port| port.id);
        let output = |name: &str| session.output(name).map(|port| port.id);
        let ports = match config {
            DecoderConfig::CachedStep { layers, context, width } => {
                let cache = Some(vec![Some(layers), Some(context), Some(width)]);
                if session.input("keys")?.dims != cache || session.input("values")?.dims != cache {
                    return Err(ImageError::Model("the graph's caches do not have config.json's sizes".to_owned()));
                }
                let inputs = [input("token")?, input("position")?, input("keys")?, input("values")?];
                let outputs = [output("logits")?, output("new_keys")?, output("new_values")?];
                Ports::Cached { inputs, outputs, layers, context, width }
            }
            DecoderConfig::Full { context } => {
                input("input_ids")?;
                let known = ["input_ids", "attention_mask", "position_ids"];
                if let Some(other) = session.inputs.iter().find(|port| !known.contains(&port.name.as_str())) {
                    return Err(ImageError::Model(format!(
                        "the graph's input `{}` is not known for generation",
                        other.name
                    )));
                }
                Ports::Full { logits: output("logits")?, context }
            }
        };
        Ok(Self { session, ports })
    }

    pub(crate) fn weights(&self) -> usize {
        self.session.weights()
    }

    /// How many tokens the model can see.
    pub(crate) fn context(&self) -> usize {
        match &self.ports {
            Ports::Cached { context, .. } | Ports::Full { context, .. } => *context,
        }
    }
}

/// One text being written.
pub(crate) struct Decoder<'a> {
    graph: &'a DecoderGraph,
    call: &'a Call<'a>,
    tokens: Vec<i32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(graph: &'a DecoderGraph, call: &'a Call<'a>) -> Self {
        let cache = match &graph.ports {
            Ports::Cached { layers, context, width, .. } => layers * context * width,
            Ports::Full { .. } => 0,
        };
        Self { graph, call, tokens: Vec::new(), keys: vec![0.0; cache], values: vec![0.0; cache] }
    }

    /// Takes the next tokens (one at least) and gives the logits of the token after them.
    pub(crate) fn feed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, PredictError> {
        match self.graph.ports {
            Ports::Cached { .. } => {
                let mut logits = Vec::new();
                for &token in tokens {
                    logits = self.step(token.cast_signed())?;
                }
                Ok(logits)
            }
            Ports::Full { logits, .. } => {
                self.tokens.extend(tokens.iter().map(|token| token.cast_signed()));
                self.whole(logits)
            }
        }
    }

    fn step(&mut self, token: i32) -> Result<Vec<f32>, PredictError> {
        let Ports::Cached { inputs, outputs, layers, context, width } = &self.graph.ports else {
            return Err(PredictError::Model("the graph has no cache".to_owned()));
        };
        let position = self.tokens.len();
        let (token_row, position_row) = ([token], [i32::try_from(position).unwrap_or(i32::MAX)]);
        let shape = [*layers, *context, *width];
        let [token_id, position_id, keys_id, values_id] = *inputs;
        let values = vec![
            (token_id, view(ValueView::from_shape([1], &token_row))?),
            (position_id, view(ValueView::from_shape([1], &position_row))?),
            (keys_id, view(ValueView::from_shape(shape, &self.keys))?),
            (values_id, view(ValueView::from_shape(shape, &self.values))?),
        ];
        let mut results = self.graph.session.run_values(values, outputs, self.call)?.into_iter();
        let mut next =
            || results.next().and_then(floats).ok_or_else(|| PredictError::Model("an output has no floats".to_owned()));
        let (logits, new_keys, new_values) = (next()?, next()?, next()?);
        write_row(&mut self.keys, &new_keys, position, *context, *width);
        write_row(&mut self.values, &new_values, position, *context, *width);
        self.tokens.push(token);
        Ok(logits)
    }

    fn whole(&self, output: NodeId) -> Result<Vec<f32>, PredictError> {
        let length = self.tokens.len();
        let fill = |port: &Port| match port.name.as_str() {
            "attention_mask" => vec![1; length],
            "position_ids" => (0..).take(length).collect(),
            _ => self.tokens.clone(),
        };
        let session = &self.graph.session;
        let inputs = session.inputs.iter().map(|port| Ok((port, Tensor::new(vec![1, length], Data::I32(fill(port)))?)));
        let result = session.run(inputs.collect::<Result<_, PredictError>>()?, &[output], self.call)?.pop();
        let wrong = || PredictError::Model("the logits do not have shape [1, tokens, vocabulary]".to_owned());
        let result = result.ok_or_else(wrong)?;
        let &[1, rows, vocabulary] = result.shape() else { return Err(wrong()) };
        let floats = result.floats().filter(|_| rows == length && vocabulary > 0).ok_or_else(wrong)?;
        Ok(floats.chunks(vocabulary).next_back().unwrap_or_default().to_vec())
    }
}

fn view<'a, E: std::error::Error>(value: Result<ValueView<'a>, E>) -> Result<ValueOrView<'a>, PredictError> {
    value.map(ValueOrView::View).map_err(|error| PredictError::Model(error.to_string()))
}

fn floats(value: Value) -> Option<Vec<f32>> {
    match value {
        Value::FloatTensor(tensor) => Some(tensor.to_vec()),
        _ => None,
    }
}

/// Writes the new row of each layer at `position` of a `[layers, context, width]` cache.
fn write_row(cache: &mut [f32], rows: &[f32], position: usize, context: usize, width: usize) {
    for (layer, row) in cache.chunks_mut(context * width).zip(rows.chunks(width)) {
        if let Some(place) = layer.get_mut(position * width..(position + 1) * width) {
            place.copy_from_slice(row);
        }
    }
}
