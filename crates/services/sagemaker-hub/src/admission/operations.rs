//! DescribeHubAdmissionPolicy and PutHubAdmissionPolicy.

use std::collections::BTreeSet;

use stoa_artifacts::Format;
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_stoa::operations as op;
use stoa_models_stoa::types::{
    AdmissionAction, ArtifactFormat, DescribeHubAdmissionPolicyRequest, DescribeHubAdmissionPolicyResponse,
    HubAdmissionPolicy, PutHubAdmissionPolicyRequest, PutHubAdmissionPolicyResponse,
};
use stoa_sagemaker_common::store_error;
use stoa_store::{StoreError, Transaction};
use stoa_types::{AccountId, Arn, Region, Timestamp};

use super::{Action, AdmissionPolicy, policy_of};
use crate::hub::{self, HubBody};
use crate::names::HubName;
use crate::rules::Cause;
use crate::service::{ATTEMPTS, Hubs, changed_by_many, no_such_hub};
use crate::settings::{own, private, stoa_words};

const FORMATS: [(ArtifactFormat, Format); 13] = [
    (ArtifactFormat::Safetensors, Format::Safetensors),
    (ArtifactFormat::Onnx, Format::Onnx),
    (ArtifactFormat::Gguf, Format::Gguf),
    (ArtifactFormat::Pickle, Format::Pickle),
    (ArtifactFormat::PyTorch, Format::PyTorch),
    (ArtifactFormat::NumPy, Format::NumPy),
    (ArtifactFormat::Tar, Format::Tar),
    (ArtifactFormat::Zip, Format::Zip),
    (ArtifactFormat::Gzip, Format::Gzip),
    (ArtifactFormat::Hdf5, Format::Hdf5),
    (ArtifactFormat::Json, Format::Json),
    (ArtifactFormat::Text, Format::Text),
    (ArtifactFormat::Unknown, Format::Unknown),
];

impl AdmissionPolicy {
    fn wanted(policy: &HubAdmissionPolicy) -> AdmissionPolicy {
        let set = |texts: &Option<Vec<String>>| texts.iter().flatten().cloned().collect::<BTreeSet<_>>();
        let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        let formats = policy.allowed_formats.iter().flatten();
        let format = |wanted: &ArtifactFormat| FORMATS.iter().find(|(shown, _)| shown == wanted).map(|pair| pair.1);
        AdmissionPolicy {
            formats: formats.filter_map(format).collect(),
            unsafe_pickle: policy.unsafe_pickle.map(|action| match action {
                AdmissionAction::Refuse => Action::Refuse,
                AdmissionAction::Quarantine => Action::Quarantine,
                AdmissionAction::Mark => Action::Mark,
            }),
            imports: set(&policy.allowed_imports),
            max_file_bytes: bytes(policy.max_file_bytes),
            max_total_bytes: bytes(policy.max_total_bytes),
            licences: set(&policy.allowed_licences),
            document_fields: set(&policy.required_document_fields),
            card_fields: set(&policy.required_card_fields),
            signing_key: policy.signing_key_id.clone(),
        }
    }

    fn shown(&self) -> Option<HubAdmissionPolicy> {
        let list = |set: &BTreeSet<String>| (!set.is_empty()).then(|| set.iter().cloned().collect::<Vec<_>>());
        let bytes = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
        let format = |format: &Format| FORMATS.iter().find(|(_, ours)| ours == format).map(|pair| pair.0);
        (!self.is_default()).then(|| HubAdmissionPolicy {
            allowed_formats: (!self.formats.is_empty()).then(|| self.formats.iter().filter_map(format).collect()),
            unsafe_pickle: self.unsafe_pickle.map(|action| match action {
                Action::Refuse => AdmissionAction::Refuse,
                Action::Quarantine => AdmissionAction::Quarantine,
                Action::Mark => AdmissionAction::Mark,
            }),
            allowed_imports: list(&self.imports),
            max_file_bytes: bytes(self.max_file_bytes),
            max_total_bytes: bytes(self.max_total_bytes),
            allowed_licences: list(&self.licences),
            required_document_fields: list(&self.document_fields),
            required_card_fields: list(&self.card_fields),
            signing_key_id: self.signing_key.clone(),
        })
    }
}

impl Hubs {
    /// The policy of a hub, whoever's it is; a plain name is one of this account's.
    pub async fn describe_hub_admission_policy(
        &self,
        account: &AccountId,
        region: &Region,
        input: &DescribeHubAdmissionPolicyRequest,
    ) -> Result<DescribeHubAdmissionPolicyResponse, ApiError> {
        let hub = private(account, region, &input.hub_name)?;
        let document = self.parts.store.get(&hub::key(&hub)).await.map_err(store_error)?;
        let document = document.ok_or_else(|| no_such_hub(&hub))?;
        Ok(DescribeHubAdmissionPolicyResponse { hub_arn: hub.arn(), policy: policy_of(&document)?.shown() })
    }

    /// Puts a policy in the place of the one before; an empty one lets everything in. What is in the hub already stays,
    /// but for what its rules brought in: those are applied anew.
    pub async fn put_hub_admission_policy(
        &self,
        account: &AccountId,
        region: &Region,
        now: Timestamp,
        input: &PutHubAdmissionPolicyRequest,
    ) -> Result<PutHubAdmissionPolicyResponse, ApiError> {
        let hub = private(account, region, &input.hub_name)?;
        let wanted = AdmissionPolicy::wanted(&input.policy);
        if let Some(key) = &wanted.signing_key {
            check_key(&hub, key)?;
        }
        for _ in 0..ATTEMPTS {
            let document = self.parts.store.get(&hub::key(&hub)).await.map_err(store_error)?;
            let document = document.ok_or_else(|| no_such_hub(&hub))?;
            let mut body: HubBody = document.decode().map_err(store_error)?;
            let same = body.admission == wanted;
            body.admission = wanted.clone();
            let changed = document.with_body(now, &body).map_err(store_error)?;
            let mut transaction = Transaction::new().update(changed);
            if !same {
                transaction = self.again(&hub, transaction, Cause::Admission).await?;
            }
            match self.parts.store.commit(transaction).await {
                Ok(()) => {
                    self.nudge.nudge();
                    self.parts.catalog.changed().nudge();
                    return Ok(PutHubAdmissionPolicyResponse { hub_arn: hub.arn(), policy: wanted.shown() });
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(store_error(error)),
            }
        }
        Err(changed_by_many(&hub))
    }
}

/// Refuses a key that no statement of this hub would be believed under: one of another account, or out of reach.
fn check_key(hub: &HubName, key: &str) -> Result<(), ApiError> {
    let arn: Option<Arn> = hub.key_arn(key).parse().ok();
    let own = arn.is_some_and(|arn| {
        let named = arn.resource().starts_with("key/") || arn.resource().starts_with("alias/");
        named && arn.service() == "kms" && arn.account() == hub.account.as_str() && arn.region() == hub.region.as_str()
    });
    if own {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "SigningKeyId `{key}`: a KMS key of the hub's own account {} in region {} is expected, by id, key ARN, alias or \
         alias ARN",
        hub.account, hub.region
    )))
}

impl Handles<op::DescribeHubAdmissionPolicy> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DescribeHubAdmissionPolicyRequest>,
    ) -> Result<DescribeHubAdmissionPolicyResponse, ApiError> {
        own(cx, &input.hub_name)?;
        let found = self.describe_hub_admission_policy(&cx.principal.account, &cx.region, &input).await;
        found.map_err(stoa_words)
    }
}

impl Handles<op::PutHubAdmissionPolicy> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<PutHubAdmissionPolicyRequest>,
    ) -> Result<PutHubAdmissionPolicyResponse, ApiError> {
        own(cx, &input.hub_name)?;
        self.put_hub_admission_policy(&cx.principal.account, &cx.region, cx.now, &input).await.map_err(stoa_words)
    }
}
