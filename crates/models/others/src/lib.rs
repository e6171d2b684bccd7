//! Generated: operation tables of services that answer only "not implemented" so far. Never edited by hand.

#[rustfmt::skip]
mod generated;

pub use generated::*;
