//! ListTags. A resource has at most fifty tags, so there is one page.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::ListTags;
use stoa_models_sagemaker::types::{ListTagsInput, ListTagsOutput};

use super::to_tag;
use crate::service::Hosting;

impl Handles<ListTags> for Hosting {
    async fn handle(&self, cx: &Cx, input: Authorized<ListTagsInput>) -> Result<ListTagsOutput, ApiError> {
        if input.next_token.is_some() {
            return Err(ApiError::validation("NextToken is invalid: the tags of a resource are one page."));
        }
        self.tagged(cx, &input.resource_arn).await?;
        let tags = self.current_tags(&input.resource_arn).await?;
        Ok(ListTagsOutput { tags: Some(tags.into_iter().map(to_tag).collect()), next_token: None })
    }
}
