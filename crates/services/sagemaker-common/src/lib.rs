//! What SageMaker service crates share: names, tags, paging, instance types.

mod instance_types;

pub use instance_types::{InstanceType, instance_type};
