//! ImportHubContent: a content of one's own, available at once, or after it was judged where the hub has an admission
//! policy.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::operations::ImportHubContent;
use stoa_models_sagemaker::types::{
    HubContentSupportStatus, HubContentType, ImportHubContentRequest, ImportHubContentResponse,
};
use stoa_sagemaker_common::{Version, new_tags, store_error};
use stoa_store::{Document, Query, Transaction};

use super::{AVAILABLE, ContentBody, ContentText, IMPORTING, KIND, MOST_CONTENTS, keys, parent};
use crate::admission::policy_of;
use crate::catalog::LONGEST_DOCUMENT;
use crate::names::{self, HubName};
use crate::provenance;
use crate::service::{ATTEMPTS, Hubs};

impl Handles<ImportHubContent> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ImportHubContentRequest>,
    ) -> Result<ImportHubContentResponse, ApiError> {
        let input = input.into_inner();
        let kind = input.hub_content_type;
        if kind == HubContentType::ModelReference {
            return Err(ApiError::validation("a ModelReference is not imported: use CreateHubContentReference"));
        }
        let schema_version = names::version("DocumentSchemaVersion", &input.document_schema_version)?;
        check_document(kind, &input.hub_content_document)?;
        let tags = new_tags(input.tags.as_deref())?;
        for _ in 0..ATTEMPTS {
            let (hub, document) = self.open_hub(cx, &input.hub_name).await?;
            let governed = !policy_of(&document)?.is_default();
            let (version, transaction) = self.import_into(cx, &hub, &document, &input, (schema_version, &tags)).await?;
            // INVARIANT: what is judged is judged by the policy that the statement was made under, or a later one.
            if self.commit_held(&document, transaction).await? {
                if governed {
                    self.nudge.nudge();
                }
                let tag_arn = hub.content_arn(kind.as_str(), &input.hub_content_name);
                return Ok(ImportHubContentResponse {
                    hub_arn: hub.arn(),
                    hub_content_arn: format!("{tag_arn}/{version}"),
                });
            }
        }
        Err(ApiError::resource_in_use(format!(
            "{kind} {} is changed by many at once, try again",
            input.hub_content_name
        )))
    }
}

impl Hubs {
    /// The version that a content is imported as, and what writes it into the hub as it was read.
    async fn import_into(
        &self,
        cx: &Cx,
        hub: &HubName,
        document: &Document,
        input: &ImportHubContentRequest,
        (schema_version, tags): (Version, &[(String, String)]),
    ) -> Result<(Version, Transaction), ApiError> {
        let (kind, content) = (input.hub_content_type, &input.hub_content_name);
        let policy = policy_of(document)?;
        let existing = self.imported_versions(hub, kind, content).await?;
        let version = import_version(hub, input, &existing)?;
        self.check_room(hub, kind).await?;
        let governed = !policy.is_default();
        let tag_arn = hub.content_arn(kind.as_str(), content);
        let signing_key = policy.signing_key.as_deref().map(|key| hub.key_arn(key));
        let arn = format!("{tag_arn}/{version}");
        let stated = self.state(cx, &arn, &input.hub_content_document, governed, signing_key.as_deref()).await?;
        let [key, text_key] = keys(hub, kind, content, version);
        let body = content_body(version, schema_version, input);
        let listed = Document::new(key, content, cx.now, &body).map_err(store_error)?;
        let status = if governed { IMPORTING } else { AVAILABLE };
        let listed = listed.with_parent(&parent(hub, kind)).with_status(status);
        let text =
            ContentText { document: input.hub_content_document.clone(), markdown: input.hub_content_markdown.clone() };
        let long = Document::new(text_key, content, cx.now, &text).map_err(store_error)?;
        let from = provenance::key(hub, kind, content, version);
        let from = Document::new(from, content, cx.now, &stated).map_err(store_error)?;
        let mut transaction = Transaction::new().create(listed).create(long).create(from);
        // Tags belong to the content, not to a version: a further version without tags leaves them. It writes another
        // version as it is, so that who deletes that one meanwhile does not take it for the last and the tags along.
        if let Some(other) = existing.last() {
            transaction = transaction.update((**other).clone());
        }
        if !tags.is_empty() {
            transaction = transaction.set_tags(&tag_arn, tags.to_vec());
        }
        Ok((version, transaction))
    }

    async fn check_room(&self, hub: &HubName, kind: HubContentType) -> Result<(), ApiError> {
        let query = Query::of(KIND).owned_by(&hub.account, Some(&hub.region)).children_of(&parent(hub, kind));
        if self.parts.store.count(&query).await.map_err(store_error)? < MOST_CONTENTS {
            return Ok(());
        }
        Err(ApiError::resource_limit_exceeded(format!(
            "hub {} holds {MOST_CONTENTS} versions of type {kind}, which is the limit: delete some first",
            hub.name
        )))
    }
}

/// The version to import under: the one named, which must be free, or the one after the latest.
fn import_version(
    hub: &HubName,
    input: &ImportHubContentRequest,
    existing: &[Arc<Document>],
) -> Result<Version, ApiError> {
    let named = names::optional_version("HubContentVersion", input.hub_content_version.as_ref())?;
    let versions: Result<BTreeSet<Version>, _> =
        existing.iter().map(|document| document.decode::<ContentBody>().map(|body| body.version)).collect();
    let versions = versions.map_err(store_error)?;
    match (named, versions.last()) {
        (Some(version), _) if versions.contains(&version) => {
            Err(exists(hub, input.hub_content_type, &input.hub_content_name, version))
        }
        (Some(version), _) => Ok(version),
        (None, None) => Ok(Version::FIRST),
        (None, Some(latest)) => latest.next().ok_or_else(|| {
            ApiError::validation(format!("there is no version after {latest}: name one as HubContentVersion"))
        }),
    }
}

fn content_body(version: Version, schema_version: Version, input: &ImportHubContentRequest) -> ContentBody {
    ContentBody {
        version,
        schema_version,
        display_name: input.hub_content_display_name.clone(),
        description: input.hub_content_description.clone(),
        keywords: input.hub_content_search_keywords.clone().unwrap_or_default(),
        support: input.support_status.unwrap_or(HubContentSupportStatus::Supported),
        failure_reason: None,
        judged_by: None,
    }
}

fn exists(hub: &HubName, kind: HubContentType, name: &str, version: Version) -> ApiError {
    ApiError::resource_in_use(format!(
        "{kind} {name} version {version} already exists in hub {}: import it under another version",
        hub.name
    ))
}

/// Refuses a document that no client could use.
fn check_document(kind: HubContentType, text: &str) -> Result<(), ApiError> {
    let refused = |why: String| Err(ApiError::validation(format!("HubContentDocument: {why}")));
    let length = text.chars().count();
    if length > LONGEST_DOCUMENT {
        return refused(format!("{length} characters, at most {LONGEST_DOCUMENT} are allowed"));
    }
    let members: Map<String, Value> = match serde_json::from_str(text) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return refused("a JSON object is expected".to_owned()),
        Err(error) => return refused(format!("not valid JSON: {error}")),
    };
    let problem = match kind {
        HubContentType::Model => model_problem(&members),
        HubContentType::Notebook => notebook_problem(&members),
        HubContentType::ModelReference | HubContentType::DataSet | HubContentType::JsonDoc => None,
    };
    problem.map_or(Ok(()), refused)
}

/// What the SageMaker SDK cannot do without in a model's document: it would otherwise fail at whoever deploys it.
fn model_problem(members: &Map<String, Value>) -> Option<String> {
    let text = |key: &str| members.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let missing = |what: &str| Some(format!("{what} is missing, the SageMaker SDK cannot use a model without it"));
    let proprietary = match members.get("ModelTypes") {
        None | Some(Value::Null) => false,
        Some(Value::Array(types)) if types.iter().all(|name| name == "OPEN_WEIGHTS" || name == "PROPRIETARY") => {
            types.iter().any(|name| name == "PROPRIETARY")
        }
        Some(_) => return Some("ModelTypes: a list of OPEN_WEIGHTS or PROPRIETARY is expected".to_owned()),
    };
    if !text("DefaultInferenceInstanceType") {
        return missing("DefaultInferenceInstanceType");
    }
    let predictor = members.get("SageMakerSdkPredictorSpecifications").and_then(Value::as_object);
    for key in ["DefaultContentType", "SupportedContentTypes", "DefaultAcceptType", "SupportedAcceptTypes"] {
        if predictor.is_none_or(|specification| specification.get(key).is_none_or(Value::is_null)) {
            return missing(&format!("SageMakerSdkPredictorSpecifications.{key}"));
        }
    }
    let variants = members.get("HostingInstanceTypeVariants").and_then(|variants| variants.get("Variants"));
    let any_variant = variants.and_then(Value::as_object).is_some_and(|variants| !variants.is_empty());
    match proprietary {
        true if !text("HostingModelPackageArn") && !any_variant => missing("HostingModelPackageArn"),
        false if !text("HostingEcrUri") && !any_variant => missing("HostingEcrUri (the container image)"),
        _ => training_problem(members),
    }
}

/// A model that can be trained says with what.
fn training_problem(members: &Map<String, Value>) -> Option<String> {
    if members.get("TrainingSupported") != Some(&Value::Bool(true)) {
        return None;
    }
    let keys = ["TrainingArtifactUri", "TrainingScriptUri", "DefaultTrainingInstanceType"];
    let missing = |key: &&str| members.get(*key).and_then(Value::as_str).is_none_or(str::is_empty);
    let key = keys.iter().find(|key| missing(key))?;
    Some(format!("{key} is missing, the SageMaker SDK needs it where TrainingSupported is true"))
}

fn notebook_problem(members: &Map<String, Value>) -> Option<String> {
    if !members.get("NotebookLocation").is_some_and(Value::is_string) {
        return Some("NotebookLocation: the S3 URI of the notebook is expected".to_owned());
    }
    match members.get("Dependencies") {
        None | Some(Value::Array(_)) => None,
        Some(_) => Some("Dependencies: a list is expected".to_owned()),
    }
}
