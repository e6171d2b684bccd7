//! The AWS wire protocols as walks over a schema: bytes to [`Value`](stoa_schema::Value) and back.
//!
//! Pure: no sockets, no clock. One codec per protocol behind [`Protocol`]; [`protocol`] picks it. Input is untrusted:
//! nesting is bounded, nothing recurses over what it ignores, and every refusal is a [`DecodeError`] with the member.

mod aws_json;
mod aws_query;
mod cbor;
mod form;
mod json_read;
mod json_write;
mod number;
mod protocol;
mod rest_json;
mod rpc_v2_cbor;
mod text;
mod uri;
mod xml;

pub use protocol::{DecodeError, Encoded, MAX_DEPTH, Protocol, RequestParts, WireError, protocol};
pub use uri::{match_uri, percent_decode};
