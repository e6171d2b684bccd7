//! Generated: shapes, types and operations of KMS. Never edited by hand; `facts/kms` says what they are.

#[rustfmt::skip]
mod generated;

pub use generated::operations::SERVICE;
pub use generated::{operations, shapes, types};
