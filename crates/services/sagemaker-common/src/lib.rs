//! What SageMaker service crates share: errors, tags, paging over lists in memory, versions, instance types.

mod errors;
mod instance_types;
mod paging;
mod tags;
#[cfg(test)]
mod tests;
mod version;

pub use errors::{already_existing, could_not_find, store_error};
pub use instance_types::{InstanceType, instance_type};
pub use paging::{Best, Keyed, Paging, SortKey};
pub use tags::{MOST_TAGS, new_tags, tagging_targets};
pub use version::Version;
