//! Generated: shapes, types and operations of RAM. Never edited by hand; `facts/ram` says what they are.

#[rustfmt::skip]
mod generated;

pub use generated::operations::SERVICE;
pub use generated::{operations, shapes, types};
