//! Generated: shapes, types and operations of STS. Never edited by hand; `facts/sts` says what they are.

#[rustfmt::skip]
mod generated;

pub use generated::operations::SERVICE;
pub use generated::{operations, shapes, types};
