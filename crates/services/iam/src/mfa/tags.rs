//! Tags of MFA devices.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    ListMFADeviceTagsRequest, ListMFADeviceTagsResponse, TagMFADeviceRequest, UntagMFADeviceRequest,
};
use stoa_schema::Empty;

use crate::Iam;
use crate::state::MfaRecord;

impl Handles<op::TagMFADevice> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<TagMFADeviceRequest>) -> Result<Empty, ApiError> {
        self.tag_entity::<MfaRecord>(cx, &input.serial_number, &input.tags).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UntagMFADevice> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagMFADeviceRequest>) -> Result<Empty, ApiError> {
        self.untag_entity::<MfaRecord>(cx, &input.serial_number, &input.tag_keys).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListMFADeviceTags> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListMFADeviceTagsRequest>,
    ) -> Result<ListMFADeviceTagsResponse, ApiError> {
        let (serial, marker) = (&input.serial_number, input.marker.as_deref());
        let page = self.entity_tags::<MfaRecord>(cx, serial, marker, input.max_items).await?;
        Ok(ListMFADeviceTagsResponse { is_truncated: page.truncated(), tags: page.items, marker: page.marker })
    }
}
