//! Tensors as this container passes them between media types and the runtime: a shape and row-major data.
//!
//! INVARIANT: the product of `shape` equals the length of `data`; every constructor checks it.

use serde_json::{Number, Value};

use crate::error::PredictError;

/// The element types that the runtime computes with; 64-bit and boolean inputs of a model are `I32` to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F32,
    I32,
    I8,
    U8,
}

/// Row-major elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    F32(Vec<f32>),
    I32(Vec<i32>),
    I8(Vec<i8>),
    U8(Vec<u8>),
}

impl Data {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(data) => data.len(),
            Self::I32(data) => data.len(),
            Self::I8(data) => data.len(),
            Self::U8(data) => data.len(),
        }
    }

    /// Element `index` as a number, for conversion and JSON.
    fn number(&self, index: usize) -> f64 {
        match self {
            Self::F32(data) => data.get(index).map_or(f64::NAN, |&value| f64::from(value)),
            Self::I32(data) => data.get(index).map_or(f64::NAN, |&value| f64::from(value)),
            Self::I8(data) => data.get(index).map_or(f64::NAN, |&value| f64::from(value)),
            Self::U8(data) => data.get(index).map_or(f64::NAN, |&value| f64::from(value)),
        }
    }
}

/// A tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

impl Tensor {
    /// A tensor of this shape, if the data fill it exactly.
    pub(crate) fn new(shape: Vec<usize>, data: Data) -> Result<Self, PredictError> {
        let wanted = shape.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
        if wanted != Some(data.len()) {
            let message = format!("{} values do not fill shape {shape:?}", data.len());
            return Err(PredictError::bad(message));
        }
        Ok(Self { shape, data })
    }

    /// A tensor of numbers, each of which must fit the element type.
    pub(crate) fn from_numbers(shape: Vec<usize>, numbers: &[f64], element: Element) -> Result<Self, PredictError> {
        let data = match element {
            Element::F32 => Data::F32(numbers.iter().map(|&number| to_f32(number)).collect::<Result<_, _>>()?),
            Element::I32 => Data::I32(integers(numbers)?),
            Element::I8 => Data::I8(integers(numbers)?),
            Element::U8 => Data::U8(integers(numbers)?),
        };
        Self::new(shape, data)
    }

    /// Nested JSON arrays of numbers or booleans; all lists of one level must be of one length.
    pub(crate) fn from_json(value: &Value, element: Element) -> Result<Self, PredictError> {
        let mut shape = Vec::new();
        let mut probe = value;
        while let Value::Array(items) = probe {
            shape.push(items.len());
            match items.first() {
                Some(first) => probe = first,
                None => break,
            }
        }
        let mut numbers = Vec::new();
        collect(value, &shape, &mut numbers)?;
        Self::from_numbers(shape, &numbers, element)
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn data(&self) -> &Data {
        &self.data
    }

    /// The same elements under another shape of the same size.
    pub(crate) fn reshaped(self, shape: Vec<usize>) -> Result<Self, PredictError> {
        Self::new(shape, self.data)
    }

    /// The same values in another element type.
    pub(crate) fn converted(self, element: Element) -> Result<Self, PredictError> {
        let same = matches!(
            (&self.data, element),
            (Data::F32(_), Element::F32)
                | (Data::I32(_), Element::I32)
                | (Data::I8(_), Element::I8)
                | (Data::U8(_), Element::U8)
        );
        if same {
            return Ok(self);
        }
        let numbers: Vec<f64> = (0..self.data.len()).map(|index| self.data.number(index)).collect();
        Self::from_numbers(self.shape, &numbers, element)
    }

    /// The elements as floats, when the tensor has them.
    pub(crate) fn floats(&self) -> Option<&[f32]> {
        match &self.data {
            Data::F32(data) => Some(data),
            Data::I32(_) | Data::I8(_) | Data::U8(_) => None,
        }
    }

    /// Nested JSON arrays; a number that JSON cannot write (NaN, infinity) becomes null.
    pub(crate) fn to_json(&self) -> Value {
        self.level(&self.shape, &mut 0)
    }

    fn level(&self, shape: &[usize], next: &mut usize) -> Value {
        match shape.split_first() {
            Some((&count, rest)) => Value::Array((0..count).map(|_| self.level(rest, next)).collect()),
            None => {
                let index = *next;
                *next += 1;
                match &self.data {
                    Data::F32(data) => data.get(index).map_or(Value::Null, |&value| float_json(value)),
                    Data::I32(_) | Data::I8(_) | Data::U8(_) => Value::from(self.data.number(index) as i64),
                }
            }
        }
    }
}

/// A float with the digits that it has as `f32`, not those of its widening to `f64`.
pub(crate) fn float_json(value: f32) -> Value {
    value.to_string().parse::<f64>().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

/// Numbers in text, separated by blanks, commas, semicolons or line ends.
pub(crate) fn numbers_in(text: &str) -> Result<Vec<f64>, PredictError> {
    text.split([' ', ',', ';', '\n', '\r', '\t']).filter(|word| !word.is_empty()).map(parse_number).collect()
}

/// One number in text.
pub(crate) fn parse_number(word: &str) -> Result<f64, PredictError> {
    word.trim().parse().map_err(|_| PredictError::bad(format!("`{word}` is not a number")))
}

fn collect(value: &Value, shape: &[usize], numbers: &mut Vec<f64>) -> Result<(), PredictError> {
    let Some((&count, rest)) = shape.split_first() else {
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
            Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
        };
        numbers.push(number.ok_or_else(|| PredictError::bad("tensors take nested lists of numbers, of equal depth"))?);
        return Ok(());
    };
    match value {
        Value::Array(items) if items.len() == count => items.iter().try_for_each(|item| collect(item, rest, numbers)),
        _ => Err(PredictError::bad("the lists of a tensor must be of equal length and depth")),
    }
}

fn to_f32(number: f64) -> Result<f32, PredictError> {
    let value = number as f32;
    if number.is_finite() && !value.is_finite() {
        return Err(PredictError::bad(format!("`{number}` is too large for a 32-bit float")));
    }
    Ok(value)
}

fn integers<T: TryFrom<i64>>(numbers: &[f64]) -> Result<Vec<T>, PredictError> {
    let integer = |&number: &f64| {
        let whole = number as i64;
        let fits = (whole as f64 == number).then_some(whole).and_then(|whole| T::try_from(whole).ok());
        fits.ok_or_else(|| PredictError::bad(format!("the model takes integers here, and `{number}` does not fit")))
    };
    numbers.iter().map(integer).collect()
}
