//! DescribeModelProvenance, and what DescribeHubContent's document says of it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sagemaker::types::HubContentType;
use stoa_models_stoa::operations as op;
use stoa_models_stoa::types::{DescribeModelProvenanceRequest, DescribeModelProvenanceResponse, ProvenanceFile};
use stoa_types::{AccountId, Region, Timestamp};

use super::{FileVerdict, Provenance, Statement};
use crate::catalog::{ModelBody, PublicModel};
use crate::content::{ContentView, ViewSource};
use crate::names::{HubName, optional_version};
use crate::service::Hubs;
use crate::settings::stoa_words;

/// The member of a document.
const MEMBER: &str = "StoaProvenance";

impl Hubs {
    /// Where a version came from, whoever's hub it is in; a plain name is one of this account's.
    pub async fn describe_model_provenance(
        &self,
        account: &AccountId,
        region: &Region,
        input: &DescribeModelProvenanceRequest,
    ) -> Result<DescribeModelProvenanceResponse, ApiError> {
        let refused = || ApiError::validation(format!("`{}` is neither the name nor the ARN of a hub", input.hub_name));
        let name = HubName::of(account, region, &input.hub_name).ok_or_else(refused)?;
        let version = optional_version("HubContentVersion", input.hub_content_version.as_ref())?;
        let hub = self.any_hub(&name.arn()).await?;
        let kind: HubContentType = input.hub_content_type.as_str().parse().map_err(ApiError::internal)?;
        let view = self.content(&hub, kind, &input.hub_content_name, version).await?;
        match &view.source {
            ViewSource::Public(model) => Ok(of_public(&view, model, &*self.parts.catalog.body(model).await?)),
            ViewSource::Imported => match self.provenance(&view).await? {
                Some(provenance) => self.of_imported(&view, &provenance).await,
                None => Ok(unknown(&view, view.created)),
            },
        }
    }

    async fn of_imported(
        &self,
        view: &ContentView,
        provenance: &Provenance,
    ) -> Result<DescribeModelProvenanceResponse, ApiError> {
        let statement: Statement = serde_json::from_str(&provenance.statement).map_err(ApiError::internal)?;
        let verdicts = provenance.files.iter().map(Some).chain(std::iter::repeat(None));
        let file = |(file, verdict): (super::StatedFile, Option<&FileVerdict>)| ProvenanceFile {
            path: file.path,
            sha256: file.sha256,
            size_bytes: i64::try_from(file.size).unwrap_or(i64::MAX),
            format: verdict.map(|verdict| verdict.format.clone()),
            findings: verdict.map(|verdict| verdict.findings.clone()).filter(|findings| !findings.is_empty()),
        };
        let signature = provenance.signature.clone();
        let valid = match &signature {
            Some(_) => Some(self.is_signed(view, provenance).await?),
            None => None,
        };
        Ok(DescribeModelProvenanceResponse {
            source: statement.source,
            imported_by: Some(statement.imported_by),
            manifest_digest: Some(hex::encode(Sha256::digest(&provenance.statement))),
            signing_key_arn: signature.as_ref().map(|signature| signature.key_arn.clone()),
            signing_algorithm: signature.map(|signature| signature.algorithm),
            signature_valid: valid,
            findings: provenance.findings.clone(),
            files: statement.files.into_iter().zip(verdicts).map(file).collect(),
            ..unknown(view, view.created)
        })
    }
}

fn unknown(view: &ContentView, imported: Timestamp) -> DescribeModelProvenanceResponse {
    DescribeModelProvenanceResponse {
        hub_content_arn: view.arn(),
        hub_content_version: view.version.to_string(),
        source: None,
        imported_by: None,
        imported_at: imported,
        manifest_digest: None,
        signing_key_arn: None,
        signing_algorithm: None,
        signature_valid: None,
        findings: Vec::new(),
        files: Vec::new(),
    }
}

/// A catalog's model: who imported it is in the audit journal only, where it came from in its manifest if it says so.
fn of_public(view: &ContentView, model: &PublicModel, body: &ModelBody) -> DescribeModelProvenanceResponse {
    let repository = model.huggingface.as_ref().and_then(|origin| origin.repository.as_ref());
    let files = body.files.iter().map(|file| ProvenanceFile {
        path: file.path.clone(),
        sha256: file.digest.as_str().to_owned(),
        size_bytes: i64::try_from(file.size).unwrap_or(i64::MAX),
        format: None,
        findings: None,
    });
    DescribeModelProvenanceResponse {
        source: repository.map(|repository| format!("huggingface:{repository}")),
        files: files.collect(),
        ..unknown(view, model.imported)
    }
}

/// A document with its provenance in it, for people; the SageMaker SDK takes the members it knows and leaves this one.
pub(crate) fn in_document(document: &str, provenance: &Provenance) -> Option<String> {
    let mut members: Value = serde_json::from_str(document).ok()?;
    let statement: Statement = serde_json::from_str(&provenance.statement).ok()?;
    let files: serde_json::Map<String, Value> =
        statement.files.into_iter().map(|file| (file.path, Value::String(file.sha256))).collect();
    let shown = json!({
        "ImportedBy": statement.imported_by, "ImportedAt": statement.imported_at, "Source": statement.source,
        "ManifestDigest": hex::encode(Sha256::digest(&provenance.statement)),
        "SigningKeyArn": provenance.signature.as_ref().map(|signature| &signature.key_arn),
        "Findings": provenance.findings, "Files": files,
    });
    members.as_object_mut()?.insert(MEMBER.to_owned(), shown);
    Some(members.to_string())
}

impl Handles<op::DescribeModelProvenance> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DescribeModelProvenanceRequest>,
    ) -> Result<DescribeModelProvenanceResponse, ApiError> {
        let found = self.describe_model_provenance(&cx.principal.account, &cx.region, &input).await;
        found.map_err(stoa_words)
    }
}
