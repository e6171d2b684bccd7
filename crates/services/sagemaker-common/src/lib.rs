//! What SageMaker service crates share: names, tags, paging, instance types.
