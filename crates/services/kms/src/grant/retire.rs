//! RetireGrant and RevokeGrant: who may do either was decided by policy; both end the grant.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{RetireGrantRequest, RevokeGrantRequest};
use stoa_schema::Empty;
use stoa_store::Expect;

use crate::Kms;
use crate::error::{dry_run, not_found, refused};
use crate::find::Found;
use crate::state::{GrantRecord, grant_key, load};

impl Handles<op::RevokeGrant> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<RevokeGrantRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        let missing = || refused("InvalidGrantIdException", "The grant ID is not valid.");
        self.end_grant(cx, &found, &input.grant_id, input.dry_run, missing).await
    }
}

impl Handles<op::RetireGrant> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<RetireGrantRequest>) -> Result<Empty, ApiError> {
        let (key, grant) = match (&input.grant_token, &input.key_id, &input.grant_id) {
            (Some(token), None, None) => {
                let grant = self.grant_of_token(token).await?;
                (grant.key_arn, grant.id)
            }
            (None, Some(key), Some(grant)) => (key.clone(), grant.clone()),
            _ => return Err(ApiError::validation("Please specify either a grant token, or a key ID and a grant ID.")),
        };
        let found = self.key_by_id(cx, &key).await?;
        let missing = || not_found(format!("Grant ID {grant} not found"));
        self.end_grant(cx, &found, &grant, input.dry_run, missing).await
    }
}

impl Kms {
    async fn end_grant(
        &self,
        cx: &Cx,
        found: &Found,
        id: &str,
        dry: Option<bool>,
        missing: impl Fn() -> ApiError + Send + Sync,
    ) -> Result<Empty, ApiError> {
        let owner = &found.key.document.key;
        let region = owner.region.clone().unwrap_or_else(|| cx.region.clone());
        let key = grant_key(&owner.account, &region, &found.record().id, id);
        if load::<GrantRecord>(&*self.store, &key).await?.is_none() {
            return Err(missing());
        }
        if dry == Some(true) {
            return Err(dry_run());
        }
        self.modify_key(owner, cx.now, |record, transaction| {
            record.grants_revision += 1;
            Ok((transaction.delete(key.clone(), Expect::Any), Empty {}))
        })
        .await
    }
}
