//! The licence that a name means (the kernel's `Licences`), for tokens which record that one was accepted.

use async_trait::async_trait;
use stoa_kernel::ports::{HubRepositories, LicenceText, Licences};
use stoa_kernel::{ApiError, Cx};

use super::digest;
use crate::catalog::{PublicModel, is_name};
use crate::content::{ContentView, ViewSource};
use crate::names::HubName;
use crate::service::Hubs;
use crate::targets::hub_and_content;

/// The licence of a version; none where it is not gated.
pub(crate) fn licence_of(view: &ContentView) -> Option<LicenceText> {
    let ViewSource::Public(model) = &view.source else { return None };
    text_of(model)
}

fn text_of(model: &PublicModel) -> Option<LicenceText> {
    let digest = digest(model).filter(|_| model.gated)?;
    Some(LicenceText { model: model.id.to_string(), digest: digest.to_owned() })
}

#[async_trait]
impl Licences for Hubs {
    async fn licence(&self, cx: &Cx, hub_arn: &str, name: &str) -> Result<LicenceText, ApiError> {
        let refused = || ApiError::validation(format!("HubName: `{hub_arn}` is not the ARN of a hub"));
        let hub = HubName::parse_arn(hub_arn).ok_or_else(refused)?;
        let found = match self.repository(hub_arn, name).await {
            Err(error) if error.code() == "ResourceNotFound" => None,
            found => found?,
        };
        // Decided also of what is not there: who may not describe it is not told which it is.
        let kind = found.as_ref().map_or("ModelReference", |found| &*found.kind);
        let content = found.as_ref().map_or(name, |found| &*found.name);
        let content = if is_name(content) { content } else { "*" };
        cx.decide(&hub_and_content("sagemaker:DescribeHubContent", &hub, kind, content)).await?;
        let Some(found) = found else {
            return Err(ApiError::validation(format!(
                "AcceptedEulas: hub {hub_arn} has no model called {name}; for a model of another hub, name that hub as \
                 HubName"
            )));
        };
        let hub = self.any_hub(hub_arn).await?;
        let kind = found.kind.parse().map_err(ApiError::internal)?;
        let latest = self.content(&hub, kind, &found.name, None).await?;
        licence_of(&latest).ok_or_else(|| {
            ApiError::validation(format!("AcceptedEulas: {name} is not gated, so there is no licence to accept"))
        })
    }
}
