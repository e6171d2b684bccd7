//! Media types of requests and answers. Reads the two headers; the bodies are the tasks' matter.

use serde_json::Value;

use crate::{error::PredictError, npy, tensor::Tensor};

/// What a request body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`.
    Json,
    /// `text/csv`.
    Csv,
    /// `application/x-npy`.
    Npy,
    /// `application/x-text` or `text/plain`.
    Text,
}

impl ContentType {
    /// Reads a `Content-Type` header; without one the body is taken for JSON.
    ///
    /// # Errors
    /// `UnsupportedContentType` for a type that no model here reads.
    pub fn parse(header: Option<&str>) -> Result<Self, PredictError> {
        let Some(header) = header.filter(|text| !text.trim().is_empty()) else { return Ok(Self::Json) };
        let essence = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Ok(Self::Json),
            "text/csv" => Ok(Self::Csv),
            "application/x-npy" => Ok(Self::Npy),
            "application/x-text" | "text/plain" => Ok(Self::Text),
            _ => Err(PredictError::UnsupportedContentType(essence)),
        }
    }

    /// The name to put in messages and headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Npy => "application/x-npy",
            Self::Text => "application/x-text",
        }
    }
}

/// The client's `Accept` header: accepted types, the most wanted first.
#[derive(Clone, Debug)]
pub struct Accept {
    ranges: Vec<String>,
}

impl Accept {
    /// Reads an `Accept` header; without one everything is accepted.
    pub fn parse(header: Option<&str>) -> Self {
        let mut ranges: Vec<(String, f32)> = header
            .unwrap_or("*/*")
            .split(',')
            .map(|part| {
                let mut fields = part.split(';').map(str::trim);
                let range = fields.next().unwrap_or_default().to_ascii_lowercase();
                let weight = fields.find_map(|field| field.strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
                (range, weight)
            })
            .filter(|(range, weight)| !range.is_empty() && *weight > 0.0)
            .collect();
        if ranges.is_empty() {
            ranges.push(("*/*".to_owned(), 1.0));
        }
        ranges.sort_by(|left, right| right.1.total_cmp(&left.1));
        Self { ranges: ranges.into_iter().map(|(range, _)| range).collect() }
    }

    /// Picks the answer's type among those that the model can write; the first of `offered` is the model's own choice.
    ///
    /// # Errors
    /// `NotAcceptable` when none fits.
    pub fn choose(&self, offered: &[ContentType]) -> Result<ContentType, PredictError> {
        for range in &self.ranges {
            for &offer in offered {
                let (family, _) = offer.name().split_once('/').unwrap_or_default();
                if range == "*/*" || range == offer.name() || range.strip_suffix("/*") == Some(family) {
                    return Ok(offer);
                }
            }
        }
        Err(PredictError::NotAcceptable(self.ranges.join(", ")))
    }
}

/// A prediction, written in one media type.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The media type of `body`.
    pub content_type: &'static str,
    /// The bytes to send.
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(value: &Value) -> Self {
        Self { content_type: ContentType::Json.name(), body: value.to_string().into_bytes() }
    }

    pub(crate) fn csv(text: String) -> Self {
        Self { content_type: ContentType::Csv.name(), body: text.into_bytes() }
    }

    pub(crate) fn npy(tensor: &Tensor) -> Self {
        Self { content_type: ContentType::Npy.name(), body: npy::write(tensor) }
    }
}

/// Parses a JSON body.
pub(crate) fn parse_json(body: &[u8]) -> Result<Value, PredictError> {
    serde_json::from_slice(body).map_err(|error| PredictError::bad(format!("the body is not valid json: {error}")))
}

/// Takes a body as text.
pub(crate) fn parse_text(body: &[u8]) -> Result<&str, PredictError> {
    std::str::from_utf8(body).map_err(|_| PredictError::bad("the body is not valid utf-8"))
}

/// Parses a CSV body into its records; lines may differ in length, blank lines are skipped.
pub(crate) fn parse_csv(body: &[u8]) -> Result<Vec<Vec<String>>, PredictError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(body);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| PredictError::bad(format!("the body is not valid csv: {error}")))?;
        rows.push(record.iter().map(str::to_owned).collect());
    }
    if rows.is_empty() {
        return Err(PredictError::bad("the csv body has no rows"));
    }
    Ok(rows)
}

/// Writes one CSV record with its line end.
pub(crate) fn csv_line<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Writing into memory cannot fail; an empty line would be the only sign if it did.
    let _ = writer.write_record(fields);
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}
