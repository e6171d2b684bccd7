//! Generated: shapes, types and operations of IAM. Never edited by hand; `facts/iam` says what they are.

#[rustfmt::skip]
mod generated;

pub use generated::operations::SERVICE;
pub use generated::{operations, shapes, types};
