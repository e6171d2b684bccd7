//! Generated: shapes, types and operations of Stoa's own service. Never edited by hand; `facts/stoa` says what they are.

#[rustfmt::skip]
mod generated;

pub use generated::operations::SERVICE;
pub use generated::{operations, shapes, types};
