//! awsQuery: a form in, XML out. IAM, STS and CloudFormation speak nothing else.

use bytes::Bytes;
use stoa_schema::{Kind, OperationSpec, ServiceSpec, Shape, TimestampFormat, Value};

use crate::form::Tree;
use crate::protocol::common_headers;
use crate::{DecodeError, Encoded, Protocol, RequestParts, WireError, text, xml};

const CONTENT_TYPE: &str = "text/xml";

/// The codec.
#[derive(Debug)]
pub(crate) struct AwsQuery;

impl Protocol for AwsQuery {
    fn decode(&self, spec: &OperationSpec, request: &RequestParts<'_>, body: &Bytes) -> Result<Value, DecodeError> {
        let Some(shape) = spec.input else { return Ok(Value::empty()) };
        let form = std::str::from_utf8(body).map_err(|_| DecodeError::body("the form is not valid UTF-8"))?;
        // Old clients send everything in the query string.
        let tree = Tree::parse(if form.is_empty() { request.query } else { form.trim_end() })?;
        structure(shape, &tree, "")
    }

    fn encode(&self, spec: &OperationSpec, output: &Value, request_id: &str) -> Encoded {
        let mut out = String::with_capacity(1024);
        start(&mut out, &format!("{}Response", spec.name), spec.xml_namespace);
        if let Some(wrapper) = spec.result_wrapper {
            xml::open(&mut out, wrapper);
        }
        if let Some(shape) = spec.output {
            xml::members(&mut out, shape, output);
        }
        if let Some(wrapper) = spec.result_wrapper {
            xml::close(&mut out, wrapper);
        }
        xml::open(&mut out, "ResponseMetadata");
        xml::element(&mut out, "RequestId", request_id);
        xml::close(&mut out, "ResponseMetadata");
        xml::close(&mut out, &format!("{}Response", spec.name));
        Encoded { status: spec.success_status, headers: common_headers(CONTENT_TYPE, request_id), body: out.into() }
    }

    fn encode_error(
        &self,
        _: Option<&OperationSpec>,
        service: &ServiceSpec,
        error: &WireError,
        request_id: &str,
    ) -> Encoded {
        let mut out = String::with_capacity(512);
        start(&mut out, "ErrorResponse", service.xml_namespace);
        xml::open(&mut out, "Error");
        xml::element(&mut out, "Type", if error.sender { "Sender" } else { "Receiver" });
        xml::element(&mut out, "Code", &error.code);
        xml::element(&mut out, "Message", &error.message);
        for (name, value) in &error.fields {
            if let Some(text) = text::write(value, TimestampFormat::Iso8601) {
                xml::element(&mut out, name, &text);
            }
        }
        xml::close(&mut out, "Error");
        xml::element(&mut out, "RequestId", request_id);
        xml::close(&mut out, "ErrorResponse");
        Encoded { status: error.status, headers: common_headers(CONTENT_TYPE, request_id), body: out.into() }
    }
}

fn start(out: &mut String, name: &str, namespace: &str) {
    out.push('<');
    out.push_str(name);
    if !namespace.is_empty() {
        out.push_str(" xmlns=\"");
        xml::escape(out, namespace);
        out.push('"');
    }
    out.push('>');
}

fn structure(shape: &'static Shape, tree: &Tree, path: &str) -> Result<Value, DecodeError> {
    let mut found = Vec::new();
    for member in shape.members() {
        if let Some(child) = tree.children.get(member.wire()) {
            let path = if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
            let format = member.timestamp_format.unwrap_or(TimestampFormat::Iso8601);
            found.push((member.name, value(member.shape, child, format, &path)?));
        }
    }
    Ok(Value::Struct(found))
}

fn value(shape: &'static Shape, tree: &Tree, format: TimestampFormat, path: &str) -> Result<Value, DecodeError> {
    match &shape.kind {
        Kind::Structure(_) | Kind::Union(_) => structure(shape, tree, path),
        Kind::List { member, member_name, flattened, .. } => {
            let elements = if *flattened { Some(tree) } else { tree.children.get(member_name.unwrap_or("member")) };
            let mut items = Vec::new();
            for (index, (_, child)) in elements.map(Tree::numbered).unwrap_or_default().into_iter().enumerate() {
                items.push(value(member, child, TimestampFormat::Iso8601, &format!("{path}[{index}]"))?);
            }
            Ok(Value::List(items))
        }
        Kind::Map { value: inner, .. } => {
            let mut entries = Vec::new();
            for (_, entry) in tree.children.get("entry").map(Tree::numbered).unwrap_or_default() {
                let key = entry.children.get("key").and_then(|key| key.text.clone());
                let (Some(key), Some(child)) = (key, entry.children.get("value")) else {
                    return Err(DecodeError::member(path, "expected a key and a value"));
                };
                entries.push((key, value(inner, child, TimestampFormat::Iso8601, path)?));
            }
            Ok(Value::Map(entries))
        }
        Kind::Document => Err(DecodeError::member(path, "documents do not exist in this protocol")),
        _ => {
            let given = tree.text.as_deref().ok_or_else(|| DecodeError::member(path, text::expected(shape)))?;
            text::parse(shape, given, format).map_err(|expected| DecodeError::member(path, expected))
        }
    }
}
