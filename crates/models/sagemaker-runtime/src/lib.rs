//! Generated: shapes, types and operations of Amazon SageMaker Runtime. Never edited by hand; `facts/sagemaker-runtime` says what they are.

#[rustfmt::skip]
mod generated;

pub use generated::operations::SERVICE;
pub use generated::{operations, shapes, types};
