//! Tags of roots, units, accounts, policies and the resource policy.
//!
//! They are kept with the resource's ARN, where conditions look for them; a change also writes the resource's document,
//! so that of two changes at once one begins again.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_organizations::operations as op;
use stoa_models_organizations::types::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest, UntagResourceRequest,
};
use stoa_schema::Empty;
use stoa_store::{Document, Transaction};

use super::error::{busy, invalid, no_such_target};
use super::wire::{Asked, tags_added};
use super::{ATTEMPTS, aws_policies};
use crate::Iam;
use crate::error::store_failed;
use crate::state::{
    DelegationPolicyRecord, OrganizationPolicyRecord, delegation_policy_key, load, node_key, organization_policy_key,
};

type Tags = Vec<(String, String)>;

impl Iam {
    /// The ARN of what can be tagged, and its document.
    async fn tagged(&self, id: &str) -> Result<(String, Document), ApiError> {
        let organization = self.organization().await?;
        if id.starts_with("p-") {
            if aws_policies::find(id).is_some() {
                return Err(invalid(
                    "TARGET_NOT_SUPPORTED",
                    "You can't perform the specified operation on that target entity.",
                ));
            }
            let found = load::<OrganizationPolicyRecord>(&*self.store, &organization_policy_key(id)).await?;
            let found = found.ok_or_else(no_such_target)?;
            return Ok((organization.policy_arn(found.record.policy_type, id), Document::clone(&found.document)));
        }
        if id.starts_with("rp-") {
            let found = load::<DelegationPolicyRecord>(&*self.store, &delegation_policy_key()).await?;
            let found = found.filter(|found| found.record.id == id).ok_or_else(no_such_target)?;
            return Ok((organization.resource_policy_arn(id), Document::clone(&found.document)));
        }
        let found = self.store.get(&node_key(id)).await.map_err(store_failed)?.ok_or_else(no_such_target)?;
        Ok((organization.node_arn(id), Document::clone(&found)))
    }

    async fn change_tags(
        &self,
        cx: &Cx,
        id: &str,
        change: impl Fn(Tags) -> Result<Tags, ApiError> + Send + Sync,
    ) -> Result<(), ApiError> {
        for _ in 0..ATTEMPTS {
            let (arn, mut document) = self.tagged(id).await?;
            let tags = self.store.tags(&arn).await.map_err(store_failed)?.to_vec();
            document.modified = cx.now;
            let transaction = Transaction::new().update(document).set_tags(&arn, change(tags)?);
            if self.applied(transaction).await? {
                return Ok(());
            }
        }
        Err(busy())
    }
}

impl Handles<op::TagResource> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<TagResourceRequest>) -> Result<Empty, ApiError> {
        let add = |tags| tags_added(tags, Some(input.tags.clone()));
        self.change_tags(cx, &input.resource_id, add).await?;
        Ok(Empty {})
    }
}

impl Handles<op::UntagResource> for Iam {
    async fn handle(&self, cx: &Cx, input: Authorized<UntagResourceRequest>) -> Result<Empty, ApiError> {
        let remove = |mut tags: Tags| {
            tags.retain(|(key, _)| !input.tag_keys.contains(key));
            Ok(tags)
        };
        self.change_tags(cx, &input.resource_id, remove).await?;
        Ok(Empty {})
    }
}

impl Handles<op::ListTagsForResource> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListTagsForResourceRequest>,
    ) -> Result<ListTagsForResourceResponse, ApiError> {
        let (arn, _) = self.tagged(&input.resource_id).await?;
        let tags = self.store.tags(&arn).await.map_err(store_failed)?;
        let list = tags.iter().map(|(key, value)| (key.clone(), Tag { key: key.clone(), value: value.clone() }));
        let asked = Asked {
            scope: format!("ListTagsForResource/{}", input.resource_id),
            next_token: input.next_token.as_deref(),
            max_results: None,
        };
        let page = self.organization_page(cx, &asked, list.collect())?;
        Ok(ListTagsForResourceResponse { tags: Some(page.items), next_token: page.marker })
    }
}
