//! AddTags and DeleteTags.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::{AddTags, DeleteTags};
use stoa_models_sagemaker::types::{AddTagsInput, AddTagsOutput, DeleteTagsInput, DeleteTagsOutput, Tag};
use stoa_store::{Expect, Transaction};

use super::to_tag;
use crate::service::{Hosting, store_error};

/// AWS's limit for a resource.
const MOST_TAGS: usize = 50;

/// The tags of a resource after these are added: keys once, none of AWS's own, at most fifty.
pub(crate) fn checked_tags(new: &[Tag], existing: &[(String, String)]) -> Result<Vec<(String, String)>, ApiError> {
    let mut tags: std::collections::BTreeMap<String, String> = existing.iter().cloned().collect();
    let mut named = std::collections::BTreeSet::new();
    for tag in new {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::validation(format!("The tag key {} starts with aws:, which is reserved.", tag.key)));
        }
        if !named.insert(&tag.key) {
            return Err(ApiError::validation(format!("Duplicate tag key found: {}.", tag.key)));
        }
        tags.insert(tag.key.clone(), tag.value.clone());
    }
    if tags.len() > MOST_TAGS {
        return Err(ApiError::validation(format!("A resource can have at most {MOST_TAGS} tags.")));
    }
    Ok(tags.into_iter().collect())
}

impl Handles<AddTags> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<AddTagsInput>) -> Result<AddTagsOutput, ApiError> {
        let arn = &input.resource_arn;
        let key = self.tagged(cx, arn).await?;
        let tags = checked_tags(&input.tags, &self.current_tags(arn).await?)?;
        let transaction = Transaction::new().require(key, Expect::Present).set_tags(arn, tags.clone());
        self.parts.store.commit(transaction).await.map_err(store_error)?;
        Ok(AddTagsOutput { tags: Some(tags.into_iter().map(to_tag).collect()) })
    }
}

impl Handles<DeleteTags> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteTagsInput>) -> Result<DeleteTagsOutput, ApiError> {
        let arn = &input.resource_arn;
        let key = self.tagged(cx, arn).await?;
        let mut tags = self.current_tags(arn).await?;
        tags.retain(|(name, _)| !input.tag_keys.contains(name));
        let transaction = Transaction::new().require(key, Expect::Present).set_tags(arn, tags);
        self.parts.store.commit(transaction).await.map_err(store_error)?;
        Ok(DeleteTagsOutput {})
    }
}
