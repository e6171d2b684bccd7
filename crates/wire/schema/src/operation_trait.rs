//! An operation as a type: what ties a row of the table to its generated input and output.

use crate::{ConvertError, FromValue, OperationSpec, ToValue, Value};

/// An implemented operation. Generated for each; handlers and clients are generic over it.
pub trait Operation: Send + Sync + 'static {
    /// What a caller sends.
    type Input: FromValue + Send;
    /// What a caller gets.
    type Output: ToValue + Send;
    /// Its row.
    const SPEC: &'static OperationSpec;
}

/// The input or output of an operation that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Empty {}

impl FromValue for Empty {
    fn from_value(_: Value) -> Result<Empty, ConvertError> {
        Ok(Empty {})
    }
}

impl ToValue for Empty {
    fn to_value(self) -> Value {
        Value::empty()
    }
}
