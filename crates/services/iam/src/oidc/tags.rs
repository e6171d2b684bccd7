//! Tags of OpenID Connect providers.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    ListOpenIDConnectProviderTagsRequest, ListOpenIDConnectProviderTagsResponse, TagOpenIDConnectProviderRequest,
    UntagOpenIDConnectProviderRequest,
};
use stoa_schema::Empty;

use crate::Iam;
use crate::state::OidcRecord;

impl Handles<op::TagOpenIDConnectProvider> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<TagOpenIDConnectProviderRequest>) -> Result<Empty, ApiError> {
        self.tag_entity::<OidcRecord>(cx, &input.open_id_connect_provider_arn, &input.tags).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UntagOpenIDConnectProvider> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagOpenIDConnectProviderRequest>) -> Result<Empty, ApiError> {
        self.untag_entity::<OidcRecord>(cx, &input.open_id_connect_provider_arn, &input.tag_keys).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListOpenIDConnectProviderTags> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListOpenIDConnectProviderTagsRequest>,
    ) -> Result<ListOpenIDConnectProviderTagsResponse, ApiError> {
        let (arn, marker) = (&input.open_id_connect_provider_arn, input.marker.as_deref());
        let page = self.entity_tags::<OidcRecord>(cx, arn, marker, input.max_items).await?;
        Ok(ListOpenIDConnectProviderTagsResponse {
            is_truncated: page.truncated(),
            tags: page.items,
            marker: page.marker,
        })
    }
}
