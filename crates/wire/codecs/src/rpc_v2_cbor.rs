//! rpcv2Cbor (Smithy RPC v2): CBOR in and out, the operation in the path, `smithy-protocol` on every answer.

use bytes::Bytes;
use stoa_schema::{OperationSpec, ServiceSpec, Value};

use crate::cbor::{Reader, Writer};
use crate::protocol::{common_headers, query_error_header, set_header};
use crate::{DecodeError, Encoded, Protocol, RequestParts, WireError};

/// The codec.
#[derive(Debug)]
pub(crate) struct RpcV2Cbor;

impl Protocol for RpcV2Cbor {
    fn decode(&self, spec: &OperationSpec, _: &RequestParts<'_>, body: &Bytes) -> Result<Value, DecodeError> {
        match spec.input {
            Some(shape) if !body.is_empty() => Reader::read(shape, body),
            _ => Ok(Value::empty()),
        }
    }

    fn encode(&self, spec: &OperationSpec, output: &Value, request_id: &str) -> Encoded {
        let mut writer = Writer::default();
        match spec.output {
            Some(shape) => writer.value(Some(shape), output),
            None => writer.value(None, &Value::empty()),
        }
        answer(spec.success_status, writer, request_id)
    }

    fn encode_error(
        &self,
        _: Option<&OperationSpec>,
        service: &ServiceSpec,
        error: &WireError,
        request_id: &str,
    ) -> Encoded {
        let mut writer = Writer::default();
        writer.map_head(error.fields.len() + 2);
        writer.text("__type");
        writer.text(&error.code);
        writer.text("message");
        writer.text(&error.message);
        for (name, value) in &error.fields {
            writer.text(name);
            writer.value(None, value);
        }
        let mut encoded = answer(error.status, writer, request_id);
        query_error_header(&mut encoded.headers, service, error);
        encoded
    }
}

fn answer(status: u16, writer: Writer, request_id: &str) -> Encoded {
    let mut headers = common_headers("application/cbor", request_id);
    set_header(&mut headers, "smithy-protocol", "rpc-v2-cbor");
    Encoded { status, headers, body: writer.finish().into() }
}
