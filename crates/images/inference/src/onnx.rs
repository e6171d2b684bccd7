//! The ONNX runtime (`rten`) behind an interface of our own tensors. No other file knows the runtime's types, but for
//! the generation loop, which passes its cache by reference.
//!
//! A session is read-only after loading and may be run by many threads at once.

use std::{path::Path, sync::Arc};

use rten::{DataType, Dimension, Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView, ValueType};
use rten_tensor::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::{
    error::{ImageError, PredictError},
    tensor::{Data, Element, Tensor},
};

/// What a request brings to the runs of a graph.
pub(crate) struct Call<'a> {
    /// Says that nobody waits for the answer any more.
    pub cancel: &'a CancellationToken,
    /// The threads to compute on; the runtime's own when absent.
    pub pool: Option<&'a Arc<ThreadPool>>,
}

/// One input or output of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub name: String,
    pub id: NodeId,
    pub element: Element,
    /// The declared shape, `None` per free dimension; absent when the graph does not say.
    pub dims: Option<Vec<Option<usize>>>,
}

impl Port {
    /// Whether the first dimension is fixed to one, so that a batch must be run row by row.
    fn one_row_only(&self) -> bool {
        self.dims.as_ref().and_then(|dims| dims.first()) == Some(&Some(1))
    }

    fn check(&self, shape: &[usize]) -> Result<(), PredictError> {
        let Some(dims) = &self.dims else { return Ok(()) };
        let fits =
            dims.len() == shape.len() && dims.iter().zip(shape).all(|(want, got)| want.is_none_or(|want| want == *got));
        if fits {
            return Ok(());
        }
        let wanted: Vec<String> =
            dims.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string())).collect();
        Err(PredictError::bad(format!("input `{}` takes shape [{}], not {shape:?}", self.name, wanted.join(", "))))
    }
}

/// A loaded graph.
pub(crate) struct Session {
    model: Model,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

impl Session {
    /// Loads an ONNX file.
    pub(crate) fn load(path: &Path) -> Result<Self, ImageError> {
        if !path.is_file() {
            return Err(ImageError::Model(format!("the model folder has no file `{}`", file_name(path))));
        }
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load_file(path)
            .map_err(|error| ImageError::Model(format!("`{}` cannot be loaded: {error}", file_name(path))))?;
        let inputs = ports(&model, model.input_ids())?;
        let outputs = ports(&model, model.output_ids())?;
        Ok(Self { model, inputs, outputs })
    }

    /// How many weights the graph has.
    pub(crate) fn weights(&self) -> usize {
        self.model.total_params()
    }

    /// The input of this name.
    pub(crate) fn input(&self, name: &str) -> Result<&Port, ImageError> {
        find(&self.inputs, name, "input")
    }

    /// The output of this name.
    pub(crate) fn output(&self, name: &str) -> Result<&Port, ImageError> {
        find(&self.outputs, name, "output")
    }

    /// Runs the graph on tensors of our own; shapes are checked first, so that a wrong one is the caller's error.
    pub(crate) fn run(
        &self,
        inputs: Vec<(&Port, Tensor)>,
        outputs: &[NodeId],
        call: &Call<'_>,
    ) -> Result<Vec<Tensor>, PredictError> {
        let mut values = Vec::with_capacity(inputs.len());
        for (port, tensor) in inputs {
            port.check(tensor.shape())?;
            values.push((port.id, ValueOrView::Value(to_value(tensor.converted(port.element)?)?)));
        }
        self.run_values(values, outputs, call)?.into_iter().map(from_value).collect()
    }

    /// Runs a batch `[n, ...]`, row by row where the graph takes one row only.
    pub(crate) fn run_batch(
        &self,
        inputs: Vec<(&Port, Tensor)>,
        output: NodeId,
        call: &Call<'_>,
    ) -> Result<Tensor, PredictError> {
        let rows = inputs.first().and_then(|(_, tensor)| tensor.shape().first().copied()).unwrap_or(1);
        let split = rows != 1 && inputs.iter().any(|(port, _)| port.one_row_only());
        if !split {
            let output = self.run(inputs, &[output], call)?.pop();
            return output.ok_or_else(|| PredictError::Model("no output".to_owned()));
        }
        let mut parts = Vec::with_capacity(rows);
        for row in 0..rows {
            let one = inputs.iter().map(|(port, tensor)| Ok((*port, row_of(tensor, row)?)));
            parts.extend(self.run(one.collect::<Result<_, PredictError>>()?, &[output], call)?);
        }
        joined(&parts)
    }

    /// Runs the graph on values or views of the runtime.
    pub(crate) fn run_values(
        &self,
        inputs: Vec<(NodeId, ValueOrView)>,
        outputs: &[NodeId],
        call: &Call<'_>,
    ) -> Result<Vec<Value>, PredictError> {
        let mut options = RunOptions::default();
        options.thread_pool = call.pool.cloned();
        self.model.run(inputs, outputs, Some(options)).map_err(|error| PredictError::Model(error.to_string()))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn find<'a>(ports: &'a [Port], name: &str, kind: &str) -> Result<&'a Port, ImageError> {
    ports.iter().find(|port| port.name == name).ok_or_else(|| {
        let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        ImageError::Model(format!("the graph has no {kind} `{name}`, only {names:?}"))
    })
}

fn ports(model: &Model, ids: &[NodeId]) -> Result<Vec<Port>, ImageError> {
    let mut ports = Vec::with_capacity(ids.len());
    for &id in ids {
        let info =
            model.node_info(id).ok_or_else(|| ImageError::Model("the graph has a port without a node".to_owned()))?;
        let name = info.name().unwrap_or_default().to_owned();
        let element = match info.dtype() {
            None | Some(ValueType::Tensor(DataType::Float)) => Element::F32,
            Some(ValueType::Tensor(DataType::Int32)) => Element::I32,
            Some(ValueType::Tensor(DataType::Int8)) => Element::I8,
            Some(ValueType::Tensor(DataType::UInt8)) => Element::U8,
            Some(_) => {
                return Err(ImageError::Model(format!("`{name}` of the graph is no tensor, which is not supported")));
            }
        };
        let fixed = |dim: &Dimension| match dim {
            Dimension::Fixed(size) => Some(*size),
            Dimension::Symbolic(_) => None,
        };
        let dims = info.shape().map(|dims| dims.iter().map(fixed).collect());
        ports.push(Port { name, id, element, dims });
    }
    Ok(ports)
}

fn to_value(tensor: Tensor) -> Result<Value, PredictError> {
    let shape = tensor.shape().to_vec();
    let failed = |error: &dyn std::error::Error| PredictError::Model(error.to_string());
    match tensor.data() {
        Data::F32(data) => Value::from_shape(shape, data.clone()).map_err(|error| failed(&error)),
        Data::I32(data) => Value::from_shape(shape, data.clone()).map_err(|error| failed(&error)),
        Data::I8(data) => Value::from_shape(shape, data.clone()).map_err(|error| failed(&error)),
        Data::U8(data) => Value::from_shape(shape, data.clone()).map_err(|error| failed(&error)),
    }
}

fn from_value(value: Value) -> Result<Tensor, PredictError> {
    let (shape, data) = match value {
        Value::FloatTensor(tensor) => (tensor.shape().to_vec(), Data::F32(tensor.to_vec())),
        Value::Int32Tensor(tensor) => (tensor.shape().to_vec(), Data::I32(tensor.to_vec())),
        Value::Int8Tensor(tensor) => (tensor.shape().to_vec(), Data::I8(tensor.to_vec())),
        Value::UInt8Tensor(tensor) => (tensor.shape().to_vec(), Data::U8(tensor.to_vec())),
        _ => return Err(PredictError::Model("the output is no tensor".to_owned())),
    };
    Tensor::new(shape, data).map_err(|error| PredictError::Model(error.to_string()))
}

fn row_of(tensor: &Tensor, row: usize) -> Result<Tensor, PredictError> {
    let mut shape = tensor.shape().to_vec();
    if let Some(first) = shape.first_mut() {
        *first = 1;
    }
    let size: usize = shape.iter().product();
    let range = row * size..(row + 1) * size;
    let missing = || PredictError::Model("a row lies outside the batch".to_owned());
    let data = match tensor.data() {
        Data::F32(data) => Data::F32(data.get(range).ok_or_else(missing)?.to_vec()),
        Data::I32(data) => Data::I32(data.get(range).ok_or_else(missing)?.to_vec()),
        Data::I8(data) => Data::I8(data.get(range).ok_or_else(missing)?.to_vec()),
        Data::U8(data) => Data::U8(data.get(range).ok_or_else(missing)?.to_vec()),
    };
    Tensor::new(shape, data)
}

/// Row results put under each other; only floats come out of the tasks that batch.
fn joined(parts: &[Tensor]) -> Result<Tensor, PredictError> {
    let no_floats = || PredictError::Model("the output has no floats".to_owned());
    let mut shape = parts.first().ok_or_else(no_floats)?.shape().to_vec();
    if let Some(first) = shape.first_mut() {
        *first = parts.len();
    }
    let mut data = Vec::new();
    for part in parts {
        data.extend_from_slice(part.floats().ok_or_else(no_floats)?);
    }
    Tensor::new(shape, Data::F32(data)).map_err(|error| PredictError::Model(error.to_string()))
}
