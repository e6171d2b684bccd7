//! Tags given at creation: checked here once for every resource, and what must be allowed for them.

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Target};
use stoa_models_sagemaker::types::Tag;
use stoa_schema::Value;

/// AWS's limit for a resource.
pub const MOST_TAGS: usize = 50;

/// The tags of a new resource in order of key: each key once, none of AWS's own, at most fifty.
pub fn new_tags(tags: Option<&[Tag]>) -> Result<Vec<(String, String)>, ApiError> {
    let mut checked = BTreeMap::new();
    for tag in tags.unwrap_or_default() {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::validation(format!("The tag key {} starts with aws:, which is reserved.", tag.key)));
        }
        if checked.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return Err(ApiError::validation(format!("Duplicate tag key found: {}.", tag.key)));
        }
    }
    if checked.len() > MOST_TAGS {
        return Err(ApiError::validation(format!("A resource can have at most {MOST_TAGS} tags.")));
    }
    Ok(checked.into_iter().collect())
}

/// The dependent `sagemaker:AddTags` of an operation that creates `arn` with the tags in its input, if there are any.
pub fn tagging_targets(operation: &str, arn: &str, input: &Value) -> Option<Target> {
    match input.member("Tags") {
        Some(Value::List(tags)) if !tags.is_empty() => Some(
            Target::new("sagemaker:AddTags", arn)
                .with_request_tags(input, "Tags")
                .with_key("sagemaker:TaggingAction", operation),
        ),
        _ => None,
    }
}
