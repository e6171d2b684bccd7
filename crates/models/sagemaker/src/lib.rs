//! Generated: shapes, types and operations of Amazon SageMaker. Never edited by hand; `facts/sagemaker` says what they are.

#[rustfmt::skip]
mod generated;

pub use generated::operations::SERVICE;
pub use generated::{operations, shapes, types};
