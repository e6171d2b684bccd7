//! UpdateHubContent: the texts of an imported version. Its document never changes. Where the hub has an admission policy
//! and the change is one that the policy has a say about, the version is judged again and not available until it was.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::UpdateHubContent;
use stoa_models_sagemaker::types::{
    HubContentSupportStatus, HubContentType, UpdateHubContentRequest, UpdateHubContentResponse,
};
use stoa_sagemaker_common::{Version, store_error};
use stoa_store::{Document, Transaction};

use super::{AVAILABLE, ContentBody, ContentText, IMPORTING, keys, no_such_content};
use crate::admission::{AdmissionPolicy, policy_of};
use crate::names::{self, HubName};
use crate::provenance::{self, Provenance};
use crate::service::{ATTEMPTS, Hubs};

impl Handles<UpdateHubContent> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<UpdateHubContentRequest>,
    ) -> Result<UpdateHubContentResponse, ApiError> {
        let input = input.into_inner();
        let (kind, name) = (input.hub_content_type, &input.hub_content_name);
        if kind == HubContentType::ModelReference {
            return Err(ApiError::validation("a ModelReference shows its source: use UpdateHubContentReference"));
        }
        let version = names::version("HubContentVersion", &input.hub_content_version)?;
        for _ in 0..ATTEMPTS {
            let (hub, document) = self.own_hub(cx, &input.hub_name).await?;
            let (transaction, judging) = self.update_in(cx, &hub, &document, &input, version).await?;
            if self.commit_held(&document, transaction).await? {
                if judging {
                    self.nudge.nudge();
                }
                let hub_content_arn = format!("{}/{version}", hub.content_arn(kind.as_str(), name));
                return Ok(UpdateHubContentResponse { hub_arn: hub.arn(), hub_content_arn });
            }
        }
        Err(ApiError::resource_in_use(format!("{kind} {name} is changed by many at once, try again")))
    }
}

impl Hubs {
    /// What writes the change into the hub as it was read, and whether the content is to be judged again.
    async fn update_in(
        &self,
        cx: &Cx,
        hub: &HubName,
        document: &Document,
        input: &UpdateHubContentRequest,
        version: Version,
    ) -> Result<(Transaction, bool), ApiError> {
        let (kind, name) = (input.hub_content_type, &input.hub_content_name);
        let gone = || no_such_content(hub, kind, name, Some(version));
        let policy = policy_of(document)?;
        let [key, text_key] = keys(hub, kind, name, version);
        let listed = self.parts.store.get(&key).await.map_err(store_error)?.ok_or_else(gone)?;
        let long = self.parts.store.get(&text_key).await.map_err(store_error)?.ok_or_else(gone)?;
        let mut body: ContentBody = listed.decode().map_err(store_error)?;
        let text: ContentText = long.decode().map_err(store_error)?;
        if input.hub_content_display_name.is_some() {
            body.display_name.clone_from(&input.hub_content_display_name);
        }
        if input.hub_content_description.is_some() {
            body.description.clone_from(&input.hub_content_description);
        }
        if let Some(keywords) = &input.hub_content_search_keywords {
            body.keywords.clone_from(keywords);
        }
        if let Some(support) = input.support_status {
            let found = provenance::key(hub, kind, name, version);
            let found = self.parts.store.get(&found).await.map_err(store_error)?;
            let found = found.map(|document| document.decode::<Provenance>()).transpose().map_err(store_error)?;
            check_support(&policy, support, found.as_ref())?;
            body.support = support;
        }
        let mut transaction = Transaction::new();
        let mut judging = false;
        if let Some(markdown) = &input.hub_content_markdown {
            let changed = ContentText { markdown: Some(markdown.clone()), ..text.clone() };
            // What was in the hub before its policy was never judged, and stays as it is.
            let governed = listed.status != AVAILABLE || body.judged_by.is_some();
            judging = governed && policy.judges_anew(&text, &changed);
            transaction = transaction.update(long.with_body(cx.now, &changed).map_err(store_error)?);
        }
        if judging {
            (body.judged_by, body.failure_reason) = (None, None);
        }
        let changed = listed.with_body(cx.now, &body).map_err(store_error)?;
        let changed = if judging { changed.with_status(IMPORTING) } else { changed };
        Ok((transaction.update(changed), judging))
    }
}

/// A content that the policy let in with a mark keeps the mark.
fn check_support(
    policy: &AdmissionPolicy,
    wanted: HubContentSupportStatus,
    provenance: Option<&Provenance>,
) -> Result<(), ApiError> {
    let findings = provenance.map_or(&[][..], |provenance| &provenance.findings);
    match findings.first() {
        Some(finding) if !policy.is_default() && wanted != HubContentSupportStatus::Restricted => {
            Err(ApiError::validation(format!(
                "SupportStatus {wanted}: the hub's admission policy found something in this version ({finding}), so it \
                 stays Restricted; import a version without it, or have the policy allow it (AllowedImports) and import \
                 again"
            )))
        }
        _ => Ok(()),
    }
}
