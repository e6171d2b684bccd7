//! The tags of keys.

use std::collections::{BTreeMap, BTreeSet};

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    ListResourceTagsRequest, ListResourceTagsResponse, Tag, TagResourceRequest, UntagResourceRequest,
};
use stoa_schema::Empty;

use crate::Kms;
use crate::error::refused;
use crate::paging::Paging;

const MAX_TAGS: usize = 50;

/// Adds tags from a request to those there are.
pub(crate) fn add_tags(tags: &mut BTreeMap<String, String>, given: &[Tag]) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for tag in given {
        if tag.tag_key.to_ascii_lowercase().starts_with("aws:") {
            return Err(refused("TagException", "Tags beginning with aws: are reserved"));
        }
        if !seen.insert(&tag.tag_key) {
            return Err(refused("TagException", "Duplicate tag keys"));
        }
        tags.insert(tag.tag_key.clone(), tag.tag_value.clone());
    }
    if tags.len() > MAX_TAGS {
        return Err(refused("TagException", "Too many tags"));
    }
    Ok(())
}

/// Tags in the form of the store.
pub(crate) fn tag_list(tags: &BTreeMap<String, String>) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Handles<op::TagResource> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<TagResourceRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        self.modify_key(&found.key.document.key, cx.now, |key, transaction| {
            key.must_not_be_pending()?;
            add_tags(&mut key.tags, &input.tags)?;
            Ok((transaction.set_tags(&key.arn, tag_list(&key.tags)), Empty {}))
        })
        .await
    }
}

impl Handles<op::UntagResource> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagResourceRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        self.modify_key(&found.key.document.key, cx.now, |key, transaction| {
            key.must_not_be_pending()?;
            for name in &input.tag_keys {
                key.tags.remove(name);
            }
            Ok((transaction.set_tags(&key.arn, tag_list(&key.tags)), Empty {}))
        })
        .await
    }
}

impl Handles<op::ListResourceTags> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListResourceTagsRequest>,
    ) -> Result<ListResourceTagsResponse, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        let paging = Paging {
            scope: format!("ListResourceTags/{}", found.record().id),
            marker: input.marker.as_deref(),
            limit: input.limit,
            default: 50,
        };
        let wire = |(key, value): (String, String)| (key.clone(), Tag { tag_key: key, tag_value: value });
        let list = tag_list(&found.record().tags).into_iter().map(wire).collect();
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(ListResourceTagsResponse { truncated: page.truncated(), tags: Some(page.items), next_marker: page.marker })
    }
}
