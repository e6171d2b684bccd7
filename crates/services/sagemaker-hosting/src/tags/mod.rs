//! Tags of SageMaker resources, whichever service crate owns them: kept by ARN in the store.

mod change;
mod list;

use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::types::Tag;
use stoa_sagemaker_common::store_error;
use stoa_store::Key;
use stoa_types::Arn;

use crate::service::Hosting;

/// Kinds by the resource type in an ARN.
const KINDS: &[(&str, &str)] = &[
    ("model", crate::model::KIND),
    ("endpoint-config", crate::endpoint_config::KIND),
    ("endpoint", crate::endpoint::KIND),
    ("hub", "sagemaker:hub"),
];

impl Hosting {
    /// The key of the tagged resource; an error when the caller's account has no such resource.
    pub(crate) async fn tagged(&self, cx: &Cx, arn: &str) -> Result<Key, ApiError> {
        let parsed: Arn = arn.parse().map_err(|_| ApiError::validation(format!("`{arn}` is not a valid ARN")))?;
        let kind = KINDS.iter().find(|(resource_type, _)| *resource_type == parsed.resource_type());
        let Some((_, kind)) = kind else {
            let known: Vec<&str> = KINDS.iter().map(|(resource_type, _)| *resource_type).collect();
            return Err(ApiError::validation(format!(
                "Tags of the resource type {} are not implemented by Stoa; implemented: {}",
                parsed.resource_type(),
                known.join(", ")
            )));
        };
        let ours = parsed.account() == cx.principal.account.as_str() && parsed.region() == cx.region.as_str();
        let key = crate::service::own_key(cx, kind, parsed.resource_id());
        if ours && self.parts.store.get(&key).await.map_err(store_error)?.is_some() {
            return Ok(key);
        }
        Err(no_such_resource(arn))
    }

    async fn current_tags(&self, arn: &str) -> Result<Vec<(String, String)>, ApiError> {
        Ok((*self.parts.store.tags(arn).await.map_err(store_error)?).clone())
    }
}

fn no_such_resource(arn: &str) -> ApiError {
    ApiError::validation(format!("Could not find resource \"{arn}\"."))
}

fn to_tag((key, value): (String, String)) -> Tag {
    Tag { key, value }
}
