//! Tags of SageMaker resources, whichever service crate owns them: kept by ARN in the store.

mod change;
mod list;

use stoa_kernel::{ApiError, Cx};
use stoa_models_sagemaker::types::Tag;
use stoa_sagemaker_common::store_error;
use stoa_store::{Key, Query};
use stoa_types::Arn;

use crate::service::Hosting;

/// Kinds by the resource type in an ARN.
const KINDS: &[(&str, &str)] = &[
    ("model", crate::model::KIND),
    ("endpoint-config", crate::endpoint_config::KIND),
    ("endpoint", crate::endpoint::KIND),
    ("hub", "sagemaker:hub"),
    (HUB_CONTENT, "sagemaker:hub-content"),
];
const HUB_CONTENT: &str = "hub-content";
const HUB_REFERENCE: &str = "sagemaker:hub-reference";

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
        let key = match parsed.resource_type() {
            HUB_CONTENT => self.hub_content(cx, kind, parsed.resource_id()).await?,
            _ => Some(crate::service::own_key(cx, kind, parsed.resource_id())),
        };
        let Some(key) = key else { return Err(no_such_resource(arn)) };
        if ours && self.parts.store.get(&key).await.map_err(store_error)?.is_some() {
            return Ok(key);
        }
        Err(no_such_resource(arn))
    }

    /// A content of a hub, `hub/Type/name`: its reference, or one of the versions that share its tags.
    async fn hub_content(&self, cx: &Cx, kind: &'static str, id: &str) -> Result<Option<Key>, ApiError> {
        let parts: Vec<&str> = id.split('/').collect();
        let [hub, content_type, name] = parts.as_slice() else {
            // What is decided is the ARN as it was given, and policies name contents without a version.
            return Err(ApiError::validation(format!(
                "`{id}`: tags belong to a hub content and not to a version of it, give its ARN without the version"
            )));
        };
        if *content_type == "ModelReference" {
            return Ok(Some(crate::service::own_key(cx, HUB_REFERENCE, &format!("{hub}/{name}"))));
        }
        let query = Query::of(kind).owned_by(&cx.principal.account, Some(&cx.region)).limit(1);
        let mut query = query.children_of(&format!("{hub}/{content_type}"));
        query.name = Some((*name).to_owned());
        let page = self.parts.store.query(&query).await.map_err(store_error)?;
        Ok(page.documents.first().map(|document| document.key.clone()))
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
