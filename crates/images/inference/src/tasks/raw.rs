//! A model that says nothing about itself: tensors in, tensors out.
//!
//! JSON as TensorFlow Serving has it: `{"instances": [...]}` is a batch (each instance a tensor, or an object of named ones) and is
//! answered by `predictions`; `{"inputs": tensor | {name: tensor}}` is whole tensors, answered by `outputs`; a bare nested list
//! is whole tensors too. npy: the only input. CSV: a matrix for the only input.

use serde_json::{Map, Value, json};

use super::Task;
use crate::{
    error::PredictError,
    media::{Accept, Answer, ContentType, csv_line, parse_csv, parse_json},
    npy,
    onnx::{Call, Port, Session},
    tensor::{Element, Tensor, parse_number},
};

/// A graph without a description.
pub(crate) struct RawTensors {
    session: Session,
}

/// A tensor for each input of the graph.
type Inputs<'a> = Vec<(&'a Port, Tensor)>;

/// Which of the two JSON forms the answer takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Predictions,
    Outputs,
}

impl RawTensors {
    pub(crate) fn new(session: Session) -> Self {
        Self { session }
    }

    fn only_input(&self) -> Result<&Port, PredictError> {
        match self.session.inputs.as_slice() {
            [only] => Ok(only),
            several => {
                let names: Vec<&str> = several.iter().map(|port| port.name.as_str()).collect();
                Err(PredictError::bad(format!("the model has the inputs {names:?}; give them by name in json")))
            }
        }
    }

    fn tensors(&self, content_type: ContentType, body: &[u8]) -> Result<(Inputs<'_>, Form), PredictError> {
        match content_type {
            ContentType::Npy => Ok((vec![(self.only_input()?, npy::read(body)?)], Form::Outputs)),
            ContentType::Csv => Ok((vec![self.matrix(body)?], Form::Outputs)),
            ContentType::Text => Err(PredictError::UnsupportedContentType(content_type.name().to_owned())),
            ContentType::Json => match parse_json(body)? {
                Value::Object(mut object) => match (object.remove("instances"), object.remove("inputs")) {
                    (Some(Value::Array(instances)), None) => Ok((self.batch(instances)?, Form::Predictions)),
                    (None, Some(Value::Object(named))) => Ok((self.named(&named)?, Form::Outputs)),
                    (None, Some(inputs)) => Ok((vec![self.whole(&inputs)?], Form::Outputs)),
                    (Some(_), _) => Err(PredictError::bad("`instances` must be a list and come without `inputs`")),
                    (None, None) => Err(PredictError::bad("the body has neither `instances` nor `inputs`")),
                },
                bare => Ok((vec![self.whole(&bare)?], Form::Outputs)),
            },
        }
    }

    fn whole(&self, value: &Value) -> Result<(&Port, Tensor), PredictError> {
        let port = self.only_input()?;
        Ok((port, Tensor::from_json(value, port.element)?))
    }

    fn named(&self, named: &Map<String, Value>) -> Result<Inputs<'_>, PredictError> {
        if let Some(unknown) = named.keys().find(|key| !self.session.inputs.iter().any(|port| &port.name == *key)) {
            return Err(PredictError::bad(format!("`{unknown}` is no input of this model")));
        }
        let mut tensors = Vec::with_capacity(self.session.inputs.len());
        for port in &self.session.inputs {
            let name = &port.name;
            let value = named.get(name).ok_or_else(|| PredictError::bad(format!("input `{name}` is missing")))?;
            tensors.push((port, Tensor::from_json(value, port.element)?));
        }
        Ok(tensors)
    }

    fn batch(&self, instances: Vec<Value>) -> Result<Inputs<'_>, PredictError> {
        if !matches!(instances.first(), Some(Value::Object(_))) {
            return Ok(vec![self.whole(&Value::Array(instances))?]);
        }
        let mut columns: Map<String, Value> = Map::new();
        for instance in &instances {
            let Value::Object(named) = instance else {
                return Err(PredictError::bad("instances must be all objects or none"));
            };
            for (name, value) in named {
                match columns.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    Value::Array(column) => column.push(value.clone()),
                    _ => return Err(PredictError::bad("instances must be all objects or none")),
                }
            }
        }
        let even = columns.values().all(|column| column.as_array().map(Vec::len) == Some(instances.len()));
        if !even {
            return Err(PredictError::bad("each instance must name the same inputs"));
        }
        self.named(&columns)
    }

    fn matrix(&self, body: &[u8]) -> Result<(&Port, Tensor), PredictError> {
        let port = self.only_input()?;
        let rows = parse_csv(body)?;
        let width = rows.first().map_or(0, Vec::len);
        if let Some(row) = rows.iter().position(|row| row.len() != width) {
            return Err(PredictError::bad(format!("row {row} has another length than the first")));
        }
        let numbers = rows.iter().flatten().map(|word| parse_number(word)).collect::<Result<Vec<_>, _>>()?;
        Ok((port, Tensor::from_numbers(vec![rows.len(), width], &numbers, port.element)?))
    }

    fn answer(&self, kind: ContentType, form: Form, outputs: &[Tensor]) -> Result<Answer, PredictError> {
        let first = outputs.first().ok_or_else(|| PredictError::Model("the graph has no output".to_owned()))?;
        match kind {
            ContentType::Npy | ContentType::Csv if outputs.len() > 1 => {
                Err(PredictError::NotAcceptable(format!("{} holds one tensor, the model has several", kind.name())))
            }
            ContentType::Npy => Ok(Answer::npy(first)),
            ContentType::Csv => csv_of(first),
            ContentType::Json | ContentType::Text => {
                let value = match outputs {
                    [only] => only.to_json(),
                    several => {
                        let named = self.session.outputs.iter().zip(several);
                        Value::Object(named.map(|(port, tensor)| (port.name.clone(), tensor.to_json())).collect())
                    }
                };
                Ok(Answer::json(&match form {
                    Form::Predictions => json!({"predictions": value}),
                    Form::Outputs => json!({"outputs": value}),
                }))
            }
        }
    }
}

impl Task for RawTensors {
    fn name(&self) -> &'static str {
        "raw-tensors"
    }

    fn weights(&self) -> usize {
        self.session.weights()
    }

    fn predict(
        &self,
        content_type: ContentType,
        accept: &Accept,
        body: &[u8],
        call: &Call<'_>,
    ) -> Result<Answer, PredictError> {
        let kind = accept.choose(&[ContentType::Json, ContentType::Npy, ContentType::Csv])?;
        let (inputs, form) = self.tensors(content_type, body)?;
        let ids: Vec<_> = self.session.outputs.iter().map(|port| port.id).collect();
        let outputs = self.session.run(inputs, &ids, call)?;
        self.answer(kind, form, &outputs)
    }
}

/// A vector or matrix as CSV.
fn csv_of(tensor: &Tensor) -> Result<Answer, PredictError> {
    let width = match tensor.shape() {
        [] => 1,
        [width] | [_, width] => *width,
        shape => return Err(PredictError::NotAcceptable(format!("text/csv cannot hold shape {shape:?}"))),
    };
    let floats = tensor.clone().converted(Element::F32)?;
    let rows = floats.floats().unwrap_or_default().chunks(width.max(1));
    let line = |row: &[f32]| csv_line(row.iter().map(f32::to_string).collect::<Vec<_>>().iter().map(String::as_str));
    Ok(Answer::csv(rows.map(line).collect()))
}
