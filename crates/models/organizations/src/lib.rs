//! Generated: shapes, types and operations of Organizations. Never edited by hand; `facts/organizations` says what they are.

#[rustfmt::skip]
mod generated;

pub use generated::operations::SERVICE;
pub use generated::{operations, shapes, types};
