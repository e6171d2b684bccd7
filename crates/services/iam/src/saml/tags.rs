//! Tags of SAML providers.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    ListSAMLProviderTagsRequest, ListSAMLProviderTagsResponse, TagSAMLProviderRequest, UntagSAMLProviderRequest,
};
use stoa_schema::Empty;

use crate::Iam;
use crate::state::SamlRecord;

impl Handles<op::TagSAMLProvider> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<TagSAMLProviderRequest>) -> Result<Empty, ApiError> {
        self.tag_entity::<SamlRecord>(cx, &input.saml_provider_arn, &input.tags).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UntagSAMLProvider> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagSAMLProviderRequest>) -> Result<Empty, ApiError> {
        self.untag_entity::<SamlRecord>(cx, &input.saml_provider_arn, &input.tag_keys).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListSAMLProviderTags> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListSAMLProviderTagsRequest>,
    ) -> Result<ListSAMLProviderTagsResponse, ApiError> {
        let (arn, marker) = (&input.saml_provider_arn, input.marker.as_deref());
        let page = self.entity_tags::<SamlRecord>(cx, arn, marker, input.max_items).await?;
        Ok(ListSAMLProviderTagsResponse { is_truncated: page.truncated(), tags: page.items, marker: page.marker })
    }
}
