//! awsJson1_0 and awsJson1_1: a POST to `/`, everything in one JSON body.

use bytes::Bytes;
use stoa_schema::{OperationSpec, ServiceSpec, Value};

use crate::protocol::{common_headers, query_error_header};
use crate::{DecodeError, Encoded, Protocol, RequestParts, WireError, json_read, json_write};

/// The codec, for one of the two versions.
#[derive(Debug)]
pub(crate) struct AwsJson {
    content_type: &'static str,
}

impl AwsJson {
    pub(crate) const V1_0: AwsJson = AwsJson { content_type: "application/x-amz-json-1.0" };
    pub(crate) const V1_1: AwsJson = AwsJson { content_type: "application/x-amz-json-1.1" };
}

impl Protocol for AwsJson {
    fn decode(&self, spec: &OperationSpec, _: &RequestParts<'_>, body: &Bytes) -> Result<Value, DecodeError> {
        match spec.input {
            Some(shape) => json_read::read(shape, body, false),
            None => Ok(Value::empty()),
        }
    }

    fn encode(&self, spec: &OperationSpec, output: &Value, request_id: &str) -> Encoded {
        let mut body = Vec::with_capacity(512);
        match spec.output {
            Some(shape) => json_write::write(&mut body, shape, output, false),
            None => body.extend_from_slice(b"{}"),
        }
        let headers = common_headers(self.content_type, request_id);
        Encoded { status: spec.success_status, headers, body: body.into() }
    }

    fn encode_error(
        &self,
        _: Option<&OperationSpec>,
        service: &ServiceSpec,
        error: &WireError,
        request_id: &str,
    ) -> Encoded {
        let mut body = b"{\"__type\":".to_vec();
        json_write::string(&mut body, &error.code);
        error_members(&mut body, "message", error);
        let mut headers = common_headers(self.content_type, request_id);
        query_error_header(&mut headers, service, error);
        Encoded { status: error.status, headers, body: body.into() }
    }
}

/// The message under this name and the further members, after a first member; closes the object.
pub(crate) fn error_members(body: &mut Vec<u8>, message: &str, error: &WireError) {
    body.push(b',');
    json_write::string(body, message);
    body.push(b':');
    json_write::string(body, &error.message);
    for (name, value) in &error.fields {
        body.push(b',');
        json_write::string(body, name);
        body.push(b':');
        json_write::write_plain(body, value);
    }
    body.push(b'}');
}
