//! AddTags and DeleteTags. The store keeps tags by ARN without a generation, so changes take turns here.

use std::collections::BTreeMap;

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::{AddTags, DeleteTags};
use stoa_models_sagemaker::types::{AddTagsInput, AddTagsOutput, DeleteTagsInput, DeleteTagsOutput};
use stoa_sagemaker_common::{MOST_TAGS, new_tags, store_error};
use stoa_store::{Expect, Key, Transaction};

use super::{no_such_resource, to_tag};
use crate::service::Hosting;

impl Handles<AddTags> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<AddTagsInput>) -> Result<AddTagsOutput, ApiError> {
        let arn = &input.resource_arn;
        let added = new_tags(Some(&input.tags))?;
        let _turn = self.tagging.lock().await;
        let key = self.tagged(cx, arn).await?;
        let mut tags: BTreeMap<String, String> = self.current_tags(arn).await?.into_iter().collect();
        tags.extend(added);
        if tags.len() > MOST_TAGS {
            return Err(ApiError::validation(format!("A resource can have at most {MOST_TAGS} tags.")));
        }
        self.replace_tags(key, arn, tags.clone().into_iter().collect()).await?;
        Ok(AddTagsOutput { tags: Some(tags.into_iter().map(to_tag).collect()) })
    }
}

impl Handles<DeleteTags> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<DeleteTagsInput>) -> Result<DeleteTagsOutput, ApiError> {
        let arn = &input.resource_arn;
        let _turn = self.tagging.lock().await;
        let key = self.tagged(cx, arn).await?;
        let mut tags = self.current_tags(arn).await?;
        tags.retain(|(name, _)| !input.tag_keys.contains(name));
        self.replace_tags(key, arn, tags).await?;
        Ok(DeleteTagsOutput {})
    }
}

impl Hosting {
    async fn replace_tags(&self, key: Key, arn: &str, tags: Vec<(String, String)>) -> Result<(), ApiError> {
        let transaction = Transaction::new().require(key, Expect::Present).set_tags(arn, tags);
        match self.parts.store.commit(transaction).await {
            Err(error) if error.is_conflict() => Err(no_such_resource(arn)),
            Err(error) => Err(store_error(error)),
            Ok(()) => Ok(()),
        }
    }
}
