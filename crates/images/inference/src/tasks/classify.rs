//! Tabular and image classification: rows of numbers in, one label with probabilities per row out.
//!
//! JSON: `{"instances": [row, ...]}` or one bare row, where a row is an object of named columns, an object with `features`,
//! `pixels` or `rows`, a list of numbers (nested for a picture), or numbers in text. CSV: a row a line. npy: `[n, ...]` or one row.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Task, ranked, softmax};
use crate::{
    error::{ImageError, PredictError},
    media::{Accept, Answer, ContentType, csv_line, parse_csv, parse_json},
    model_config::{Activation, ClassifierConfig},
    npy,
    onnx::{Call, Session},
    tensor::{Data, Element, Tensor, float_json, numbers_in, parse_number},
};

/// A classifier of rows.
pub(crate) struct RowClassifier {
    session: Session,
    config: ClassifierConfig,
    /// The shape of one row: `[columns]` or a picture's.
    row_shape: Vec<usize>,
}

impl RowClassifier {
    pub(crate) fn load(model_dir: &Path, config: ClassifierConfig) -> Result<Self, ImageError> {
        let session = Session::load(&model_dir.join(&config.model_file))?;
        session.input(&config.input.name)?;
        session.output(&config.output.name)?;
        let row_shape =
            if config.input.shape.is_empty() { vec![config.input.columns.len()] } else { config.input.shape.clone() };
        if row_shape.iter().product::<usize>() == 0 || config.labels.is_empty() {
            return Err(ImageError::Model(
                "config.json needs `labels`, and `columns` or `shape` of the input".to_owned(),
            ));
        }
        Ok(Self { session, config, row_shape })
    }

    fn row_len(&self) -> usize {
        self.row_shape.iter().product()
    }

    fn rows(&self, content_type: ContentType, body: &[u8]) -> Result<Tensor, PredictError> {
        let numbers = match content_type {
            ContentType::Json => self.rows_of_json(&parse_json(body)?)?,
            ContentType::Csv => self.rows_of_csv(body)?,
            ContentType::Npy => return self.rows_of_npy(npy::read(body)?),
            ContentType::Text => return Err(PredictError::UnsupportedContentType(content_type.name().to_owned())),
        };
        self.batch(numbers)
    }

    fn batch(&self, rows: Vec<Vec<f64>>) -> Result<Tensor, PredictError> {
        let wanted = self.row_len();
        if rows.is_empty() {
            return Err(PredictError::bad("the body has no rows"));
        }
        for (index, row) in rows.iter().enumerate() {
            if row.len() != wanted {
                return Err(PredictError::bad(format!(
                    "row {index} has {} numbers, the model takes {wanted}",
                    row.len()
                )));
            }
        }
        let mut shape = vec![rows.len()];
        shape.extend_from_slice(&self.row_shape);
        Tensor::from_numbers(shape, &rows.concat(), Element::F32)
    }

    fn rows_of_json(&self, body: &Value) -> Result<Vec<Vec<f64>>, PredictError> {
        let body = match body {
            Value::Object(object) => object.get("instances").or_else(|| object.get("inputs")).unwrap_or(body),
            other => other,
        };
        match body {
            Value::Array(items) if !self.is_one_row(items) => items.iter().map(|item| self.row_of_json(item)).collect(),
            one => Ok(vec![self.row_of_json(one)?]),
        }
    }

    /// A bare list is one row when it is as deep as a row; `[[...], ...]` of a flat row is a batch.
    fn is_one_row(&self, items: &[Value]) -> bool {
        let mut depth = 1;
        let mut probe = items.first();
        while let Some(Value::Array(inner)) = probe {
            depth += 1;
            probe = inner.first();
        }
        matches!(probe, Some(Value::Number(_))) && (depth == 1 || depth == self.row_shape.len())
    }

    fn row_of_json(&self, row: &Value) -> Result<Vec<f64>, PredictError> {
        match row {
            Value::Object(object) => match ["features", "pixels", "rows"].iter().find_map(|key| object.get(*key)) {
                Some(inner) => flat_numbers(inner),
                None => self.named_columns(object),
            },
            other => flat_numbers(other),
        }
    }

    fn named_columns(&self, object: &Map<String, Value>) -> Result<Vec<f64>, PredictError> {
        if self.config.input.columns.is_empty() {
            return Err(PredictError::bad("a row must have `pixels` or `rows`"));
        }
        if let Some(unknown) = object.keys().find(|key| !self.config.input.columns.contains(key)) {
            return Err(PredictError::bad(format!("`{unknown}` is no column of this model")));
        }
        let number = |column: &String| {
            let value = object.get(column).ok_or_else(|| PredictError::bad(format!("column `{column}` is missing")))?;
            value.as_f64().ok_or_else(|| PredictError::bad(format!("column `{column}` must be a number")))
        };
        self.config.input.columns.iter().map(number).collect()
    }

    fn rows_of_csv(&self, body: &[u8]) -> Result<Vec<Vec<f64>>, PredictError> {
        let mut records = parse_csv(body)?;
        if records.first() == Some(&self.config.input.columns) {
            records.remove(0);
        }
        records.iter().map(|record| record.iter().map(|word| parse_number(word)).collect()).collect()
    }

    fn rows_of_npy(&self, array: Tensor) -> Result<Tensor, PredictError> {
        let size: usize = array.shape().iter().product();
        let rows = match array.shape() {
            shape if shape == self.row_shape => 1,
            [rows, rest @ ..] if rest == self.row_shape || rest == [self.row_len()] => *rows,
            shape => {
                return Err(PredictError::bad(format!(
                    "the model takes rows of shape {:?}, not {shape:?}",
                    self.row_shape
                )));
            }
        };
        if size == 0 {
            return Err(PredictError::bad("the body has no rows"));
        }
        let mut shape = vec![rows];
        shape.extend_from_slice(&self.row_shape);
        array.reshaped(shape)?.converted(Element::F32)
    }

    fn probabilities(&self, rows: Tensor, call: &Call<'_>) -> Result<Tensor, PredictError> {
        let unusable = |error: ImageError| PredictError::Model(error.to_string());
        let input = self.session.input(&self.config.input.name).map_err(unusable)?;
        let output = self.session.output(&self.config.output.name).map_err(unusable)?.id;
        let scores = self.session.run_batch(vec![(input, rows)], output, call)?;
        let mut values = scores.floats().unwrap_or_default().to_vec();
        if scores.shape().last() != Some(&self.config.labels.len()) || values.is_empty() {
            return Err(PredictError::Model(format!(
                "the output has shape {:?}, not one number per label",
                scores.shape()
            )));
        }
        if self.config.output.activation == Activation::Softmax {
            values.chunks_mut(self.config.labels.len()).for_each(softmax);
        }
        Tensor::new(scores.shape().to_vec(), Data::F32(values))
    }

    fn best<'a>(&'a self, row: &[f32]) -> (&'a str, f32) {
        let index = ranked(row).first().copied().unwrap_or_default();
        let label = self.config.labels.get(index).map_or("", String::as_str);
        (label, row.get(index).copied().unwrap_or_default())
    }

    fn prediction(&self, row: &[f32]) -> Value {
        let (label, score) = self.best(row);
        let all: Map<String, Value> =
            self.config.labels.iter().zip(row).map(|(label, &score)| (label.clone(), float_json(score))).collect();
        json!({"label": label, "score": float_json(score), "probabilities": all})
    }
}

impl Task for RowClassifier {
    fn name(&self) -> &'static str {
        if self.config.input.shape.is_empty() { "tabular-classification" } else { "image-classification" }
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
        let kind = accept.choose(&[ContentType::Json, ContentType::Csv, ContentType::Npy])?;
        let result = self.probabilities(self.rows(content_type, body)?, call)?;
        let rows = result.floats().unwrap_or_default().chunks(self.config.labels.len());
        Ok(match kind {
            ContentType::Npy => Answer::npy(&result),
            ContentType::Csv => Answer::csv(
                rows.map(|row| {
                    let (label, score) = self.best(row);
                    csv_line([label, &score.to_string()])
                })
                .collect(),
            ),
            ContentType::Json | ContentType::Text => {
                Answer::json(&json!({"predictions": rows.map(|row| self.prediction(row)).collect::<Vec<_>>()}))
            }
        })
    }
}

/// All numbers of a value: nested lists, and text with numbers in it.
fn flat_numbers(value: &Value) -> Result<Vec<f64>, PredictError> {
    match value {
        Value::Number(number) => Ok(number.as_f64().into_iter().collect()),
        Value::String(text) => numbers_in(text),
        Value::Array(items) => {
            let mut numbers = Vec::with_capacity(items.len());
            for item in items {
                numbers.extend(flat_numbers(item)?);
            }
            Ok(numbers)
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => Err(PredictError::bad("a row must be made of numbers")),
    }
}
