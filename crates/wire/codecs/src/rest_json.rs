//! restJson1: path, query, headers and a JSON or raw body, as the members' locations say.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use stoa_schema::{Kind, Location, Member, OperationSpec, ServiceSpec, TimestampFormat, Value};

use crate::aws_json::error_members;
use crate::protocol::{common_headers, set_header};
use crate::uri::match_uri;
use crate::{DecodeError, Encoded, Protocol, RequestParts, WireError, form, json_read, json_write, text};

const CONTENT_TYPE: &str = "application/json";

/// The codec.
#[derive(Debug)]
pub(crate) struct RestJson;

impl Protocol for RestJson {
    fn decode(&self, spec: &OperationSpec, request: &RequestParts<'_>, body: &Bytes) -> Result<Value, DecodeError> {
        let Some(shape) = spec.input else { return Ok(Value::empty()) };
        let members = shape.members();
        let mut input = match members.iter().find(|member| member.location == Location::Payload) {
            Some(member) => payload(member, body)?,
            None if members.iter().any(|member| member.location == Location::Body) => {
                json_read::read(shape, body, true)?
            }
            None => Value::empty(),
        };
        let labels = match_uri(spec.http.uri, request.path)
            .ok_or_else(|| DecodeError::body("the path does not fit the operation"))?;
        let query = form::pairs(request.query).collect::<Result<Vec<_>, _>>()?;
        for member in members {
            if let Some(value) = located(member, &labels, &query, request.headers)? {
                input.set_member(member.name, value);
            }
        }
        Ok(input)
    }

    fn encode(&self, spec: &OperationSpec, output: &Value, request_id: &str) -> Encoded {
        let mut encoded = Encoded {
            status: spec.success_status,
            headers: common_headers(CONTENT_TYPE, request_id),
            body: Bytes::new(),
        };
        let Some(shape) = spec.output else {
            encoded.body = Bytes::from_static(b"{}");
            return encoded;
        };
        let members = shape.members();
        match members.iter().find(|member| member.location == Location::Payload) {
            Some(member) => encode_payload(&mut encoded, member, output.member(member.name)),
            None => {
                let mut body = Vec::with_capacity(512);
                json_write::write(&mut body, shape, output, true);
                encoded.body = body.into();
            }
        }
        for member in members {
            let Some(value) = output.member(member.name) else { continue };
            match (member.location, value) {
                (Location::StatusCode, Value::Int(status)) => {
                    encoded.status = u16::try_from(*status).unwrap_or(encoded.status);
                }
                (Location::Header(name), value) => write_header(&mut encoded.headers, name, member, value),
                (Location::HeaderPrefix(prefix), Value::Map(entries)) => {
                    for (key, value) in entries {
                        write_header(&mut encoded.headers, &format!("{prefix}{key}"), member, value);
                    }
                }
                _ => {}
            }
        }
        encoded
    }

    fn encode_error(&self, _: Option<&OperationSpec>, _: &ServiceSpec, error: &WireError, request_id: &str) -> Encoded {
        let mut headers = common_headers(CONTENT_TYPE, request_id);
        set_header(&mut headers, "x-amzn-errortype", &error.code);
        let mut body = b"{\"__type\":".to_vec();
        json_write::string(&mut body, &error.code);
        // The REST services we serve model their errors' text as `Message`.
        error_members(&mut body, "Message", error);
        Encoded { status: error.status, headers, body: body.into() }
    }
}

fn payload(member: &'static Member, body: &Bytes) -> Result<Value, DecodeError> {
    let value = match member.shape.kind {
        _ if body.is_empty() && !member.required => return Ok(Value::empty()),
        Kind::Blob { .. } => Value::Blob(body.clone()),
        Kind::String { .. } => match std::str::from_utf8(body) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => return Err(DecodeError::member(member.name, "the body is not valid UTF-8")),
        },
        _ => json_read::read(member.shape, body, false)?,
    };
    Ok(Value::Struct(vec![(member.name, value)]))
}

fn located(
    member: &'static Member,
    labels: &[(&str, String)],
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<Option<Value>, DecodeError> {
    match member.location {
        Location::Uri(label) => match labels.iter().find(|(name, _)| *name == label) {
            Some((_, given)) => scalar(member, given, TimestampFormat::Iso8601).map(Some),
            None => Ok(None),
        },
        Location::Query(name) => {
            let given: Vec<&str> =
                query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
            texts(member, &given, TimestampFormat::Iso8601)
        }
        Location::QueryMap => {
            let entries = query.iter().map(|(key, value)| (key.clone(), Value::String(value.clone()))).collect();
            Ok(Some(Value::Map(entries)))
        }
        Location::Header(name) => {
            let mut given = Vec::new();
            for value in headers.get_all(name) {
                let text = std::str::from_utf8(value.as_bytes());
                given.push(text.map_err(|_| DecodeError::member(member.name, "the header is not valid UTF-8"))?.trim());
            }
            if let Kind::List { .. } = member.shape.kind {
                given = given.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
            }
            texts(member, &given, TimestampFormat::Rfc822)
        }
        Location::HeaderPrefix(prefix) => {
            let mut entries = Vec::new();
            for (name, value) in headers {
                if let (Some(key), Ok(value)) = (name.as_str().strip_prefix(prefix), value.to_str()) {
                    entries.push((key.to_owned(), Value::String(value.to_owned())));
                }
            }
            Ok((!entries.is_empty()).then_some(Value::Map(entries)))
        }
        Location::Body | Location::Payload | Location::StatusCode => Ok(None),
    }
}

fn texts(member: &'static Member, given: &[&str], format: TimestampFormat) -> Result<Option<Value>, DecodeError> {
    match (&member.shape.kind, given) {
        (_, []) => Ok(None),
        (Kind::List { member: element, .. }, _) => {
            let parse = |text: &&str| text::parse(element, text, format);
            let items = given.iter().map(parse).collect::<Result<Vec<_>, _>>();
            items.map(|items| Some(Value::List(items))).map_err(|expected| DecodeError::member(member.name, expected))
        }
        (_, [first, ..]) => scalar(member, first, format).map(Some),
    }
}

fn scalar(member: &'static Member, given: &str, format: TimestampFormat) -> Result<Value, DecodeError> {
    let format = member.timestamp_format.unwrap_or(format);
    text::parse(member.shape, given, format).map_err(|expected| DecodeError::member(member.name, expected))
}

fn encode_payload(encoded: &mut Encoded, member: &Member, value: Option<&Value>) {
    match value {
        Some(Value::Blob(bytes)) => {
            encoded.body = bytes.clone();
            set_header(&mut encoded.headers, "content-type", "application/octet-stream");
        }
        Some(Value::String(text)) => {
            encoded.body = text.clone().into();
            set_header(&mut encoded.headers, "content-type", "text/plain");
        }
        Some(value) => {
            let mut body = Vec::with_capacity(512);
            json_write::write(&mut body, member.shape, value, false);
            encoded.body = body.into();
        }
        None => {}
    }
}

fn write_header(headers: &mut HeaderMap, name: &str, member: &Member, value: &Value) {
    let format = member.timestamp_format.unwrap_or(TimestampFormat::Rfc822);
    let text = match value {
        Value::List(items) => items.iter().filter_map(|item| text::write(item, format)).collect::<Vec<_>>().join(","),
        other => text::write(other, format).unwrap_or_default(),
    };
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&text)) {
        headers.insert(name, value);
    }
}
