//! Shapes, operations and values as data, and the walks over them: validate, redact, pick.
//!
//! Generated code holds `static` [`Shape`]s and [`OperationSpec`]s; codecs, validation, redaction and binding are
//! written once and walk them. Wire input becomes a [`Value`] tree; handlers see generated types made from it by
//! [`FromValue`], so that nothing between the socket and the handler is generic over the operation (ADR 0001).

mod convert;
mod fullest;
mod json;
mod operation;
mod operation_trait;
mod pick;
mod redact;
mod shape;
mod validate;
mod value;

pub use convert::{ConvertError, FieldReader, FieldWriter, FromValue, ToValue};
pub use fullest::fullest;
pub use json::to_json;
pub use operation::{
    Access, AuditKind, Authz, ErrorSpec, HttpBinding, KeyBinding, OperationSpec, ProtocolName, ServiceSpec, TargetSpec,
};
pub use operation_trait::{Empty, Operation};
pub use pick::{pick, pick_strings};
pub use redact::{REDACTED, redact};
pub use shape::{Kind, Location, Member, Shape, TimestampFormat};
pub use validate::{Violation, validate, validation_message};
pub use value::Value;
