//! DescribeKey and UpdateKeyDescription.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{DescribeKeyRequest, DescribeKeyResponse, UpdateKeyDescriptionRequest};
use stoa_schema::Empty;

use crate::Kms;
use crate::managed;
use crate::name::{Name, What};

impl Handles<op::DescribeKey> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<DescribeKeyRequest>) -> Result<DescribeKeyResponse, ApiError> {
        let input = input.into_inner();
        self.check_tokens(input.grant_tokens.as_deref()).await?;
        let name = Name::parse(cx, &input.key_id, true)?;
        // As AWS does, the key behind one of its own aliases is made when it is first asked for.
        if let What::Alias(alias) = &name.what
            && name.is_own(cx)
            && managed::service_of(alias).is_some()
        {
            self.managed_key(cx, alias).await?;
        }
        let found = self.key_for::<op::DescribeKey>(cx, &input.key_id, &input).await?;
        Ok(DescribeKeyResponse { key_metadata: Some(found.record().metadata(&found.name.account)) })
    }
}

impl Handles<op::UpdateKeyDescription> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<UpdateKeyDescriptionRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        self.change_key(&found.key, cx.now, |key| {
            key.must_not_be_pending()?;
            key.description.clone_from(&input.description);
            Ok(())
        })
        .await?;
        Ok(Empty {})
    }
}
