//! Settings of a hub that AWS has no API for: stored in the hub's document, read and written by the `stoa` service's
//! `DescribeHubSettings` and `PutHubSettings` (`stoa hub settings`).
//!
//! To add a setting: a member of `HubSettings` in `facts/stoa/model.json`, a field here with its default, a line each
//! in `merge` and `shown`. Every default is what AWS does. INVARIANT: settings are in the hub's own document, and what
//! puts content into a hub holds its transaction to the hub's generation, so a rule never changes between being read
//! and the content that it let in.

use serde::{Deserialize, Serialize};
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_stoa::operations as op;
use stoa_models_stoa::types::{
    DescribeHubSettingsRequest, DescribeHubSettingsResponse, HubSettings, PutHubSettingsRequest, PutHubSettingsResponse,
};
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, StoreError, Transaction};
use stoa_types::{AccountId, Region, Timestamp};

use crate::catalog::PublicModel;
use crate::hub::{self, HubBody};
use crate::names::{HubName, PUBLIC_HUB};
use crate::service::{ATTEMPTS, Hub, HubSource, Hubs, changed_by_many, no_such_hub};

/// What a hub's document holds of them. All off by default, as AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Lists show a caller only what it may describe.
    #[serde(default, skip_serializing_if = "is_off")]
    pub filter_lists: bool,
    /// References do not show deprecated versions.
    #[serde(default, skip_serializing_if = "is_off")]
    pub withhold_deprecated: bool,
    /// References do not show vulnerable versions.
    #[serde(default, skip_serializing_if = "is_off")]
    pub withhold_vulnerable: bool,
    /// A presigned URL ends with the content, or with the right of the caller who asked for it.
    #[serde(default, skip_serializing_if = "is_off")]
    pub revoke_urls: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_off(setting: &bool) -> bool {
    !*setting
}

impl Settings {
    /// Whether it is as AWS has it, and so not stored.
    pub fn is_default(&self) -> bool {
        *self == Settings::default()
    }

    /// Whether references do not show a public version.
    pub fn withholds(&self, model: &PublicModel) -> bool {
        (self.withhold_deprecated && model.deprecated.is_some())
            || (self.withhold_vulnerable && !model.vulnerabilities.is_empty())
    }

    /// Takes over what a request names; the rest stays.
    fn merge(&mut self, wanted: &HubSettings) {
        let set = |field: &mut bool, wanted: Option<bool>| *field = wanted.unwrap_or(*field);
        set(&mut self.filter_lists, wanted.filter_lists);
        set(&mut self.withhold_deprecated, wanted.withhold_deprecated);
        set(&mut self.withhold_vulnerable, wanted.withhold_vulnerable);
        set(&mut self.revoke_urls, wanted.revoke_urls);
    }

    /// All of them, as the API shows them.
    fn shown(&self) -> HubSettings {
        HubSettings {
            filter_lists: Some(self.filter_lists),
            withhold_deprecated: Some(self.withhold_deprecated),
            withhold_vulnerable: Some(self.withhold_vulnerable),
            revoke_urls: Some(self.revoke_urls),
        }
    }
}

impl Hub {
    /// The hub's settings; the public hub has none.
    pub fn settings(&self) -> Result<Settings, ApiError> {
        match &self.source {
            HubSource::Public(_) => Ok(Settings::default()),
            HubSource::Private(document) => settings_of(document),
        }
    }
}

/// The settings in a private hub's document.
pub(crate) fn settings_of(document: &Document) -> Result<Settings, ApiError> {
    Ok(document.decode::<HubBody>().map_err(store_error)?.settings)
}

impl Hubs {
    /// The settings of a hub, whoever's it is; a plain name is one of this account's.
    pub async fn describe_hub_settings(
        &self,
        account: &AccountId,
        region: &Region,
        input: &DescribeHubSettingsRequest,
    ) -> Result<DescribeHubSettingsResponse, ApiError> {
        let hub = private(account, region, &input.hub_name)?;
        let document = self.parts.store.get(&hub::key(&hub)).await.map_err(store_error)?;
        let document = document.ok_or_else(|| no_such_hub(&hub))?;
        let body: HubBody = document.decode().map_err(store_error)?;
        Ok(DescribeHubSettingsResponse { hub_arn: hub.arn(), settings: body.settings.shown() })
    }

    /// Changes the settings that are named and leaves the others.
    pub async fn put_hub_settings(
        &self,
        account: &AccountId,
        region: &Region,
        now: Timestamp,
        input: &PutHubSettingsRequest,
    ) -> Result<PutHubSettingsResponse, ApiError> {
        let hub = private(account, region, &input.hub_name)?;
        for _ in 0..ATTEMPTS {
            let document = self.parts.store.get(&hub::key(&hub)).await.map_err(store_error)?;
            let document = document.ok_or_else(|| no_such_hub(&hub))?;
            let mut body: HubBody = document.decode().map_err(store_error)?;
            let before = body.settings.clone();
            body.settings.merge(&input.settings);
            let answer = PutHubSettingsResponse { hub_arn: hub.arn(), settings: body.settings.shown() };
            if body.settings == before {
                return Ok(answer);
            }
            let changed = document.with_body(now, &body).map_err(store_error)?;
            match self.parts.store.commit(Transaction::new().update(changed)).await {
                Ok(()) => return Ok(answer),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(store_error(error)),
            }
        }
        Err(changed_by_many(&hub))
    }
}

impl Handles<op::DescribeHubSettings> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DescribeHubSettingsRequest>,
    ) -> Result<DescribeHubSettingsResponse, ApiError> {
        own(cx, &input.hub_name)?;
        self.describe_hub_settings(&cx.principal.account, &cx.region, &input).await.map_err(stoa_words)
    }
}

impl Handles<op::PutHubSettings> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<PutHubSettingsRequest>,
    ) -> Result<PutHubSettingsResponse, ApiError> {
        own(cx, &input.hub_name)?;
        self.put_hub_settings(&cx.principal.account, &cx.region, cx.now, &input).await.map_err(stoa_words)
    }
}

/// The private hub that a name or an ARN means.
pub(crate) fn private(account: &AccountId, region: &Region, text: &str) -> Result<HubName, ApiError> {
    let hub = HubName::of(account, region, text)
        .ok_or_else(|| ApiError::validation(format!("`{text}` is neither the name nor the ARN of a hub")))?;
    if hub.is_public() {
        return Err(ApiError::validation(format!("{PUBLIC_HUB} has no settings: they belong to private hubs")));
    }
    Ok(hub)
}

/// Settings are the owner's business, also where a hub is shared.
pub(crate) fn own(cx: &Cx, text: &str) -> Result<(), ApiError> {
    let hub = private(&cx.principal.account, &cx.region, text)?;
    if hub.account != cx.principal.account {
        return Err(stoa_words(no_such_hub(&hub)));
    }
    Ok(())
}

/// The code that the `stoa` service models.
pub(crate) fn stoa_words(error: ApiError) -> ApiError {
    match error.code() {
        "ResourceNotFound" => ApiError::new("ResourceNotFoundException", 400, error.message().to_owned()),
        _ => error,
    }
}
