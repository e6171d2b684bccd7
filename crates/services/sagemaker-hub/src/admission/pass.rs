//! The judging of what is being imported.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_models_sagemaker::types::HubContentSupportStatus;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::{Clock, Partition, Timestamp};
use stoa_work::{Nudge, PassError, PassReport, Reconciler};

use super::judge::{Examined, described};
use super::{AdmissionPolicy, policy_of};
use crate::content::{self, ContentBody, ContentText};
use crate::hub;
use crate::names::HubName;
use crate::provenance::{self, FileVerdict, Provenance, Statement};
use crate::service::Hubs;

/// Makes what is `Importing` available, or says why not; and looks again at what is in quarantine.
pub struct AdmissionReconciler {
    hubs: Arc<Hubs>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for AdmissionReconciler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AdmissionReconciler")
    }
}

impl AdmissionReconciler {
    /// The longest time between two passes.
    pub const PERIOD: Duration = Duration::from_secs(60);

    /// Of this service, by this clock.
    pub fn new(hubs: Arc<Hubs>, clock: Arc<dyn Clock>) -> AdmissionReconciler {
        AdmissionReconciler { hubs, clock }
    }
}

impl Hubs {
    /// Wakes the judging.
    pub fn nudge(&self) -> Nudge {
        self.nudge.clone()
    }
}

#[async_trait]
impl Reconciler for AdmissionReconciler {
    fn name(&self) -> &'static str {
        "sagemaker.hub-admission"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        let mut report = PassReport::default();
        let mut query = Query::of(content::KIND);
        query.statuses = vec!["Importing".to_owned(), "PendingImport".to_owned()];
        for document in self.hubs.all(query).await? {
            report.examined += 1;
            match self.hubs.judge_import(&document, self.clock.now()).await {
                Ok(changed) => report.changed += u64::from(changed),
                Err(error) => {
                    tracing::warn!(content = document.key.id, %error, "an import could not be judged");
                    report.failed += 1;
                    report.look_again(Duration::from_secs(5));
                }
            }
        }
        Ok(report)
    }
}

impl Hubs {
    /// Judges one; false where there is nothing to do.
    async fn judge_import(&self, document: &Document, now: Timestamp) -> Result<bool, ApiError> {
        let Some((hub, text_key, provenance_key)) = places(document) else { return Ok(false) };
        let hub_document = self.parts.store.get(&hub::key(&hub)).await.map_err(store_error)?;
        let Some(hub_document) = hub_document else { return Ok(false) };
        let policy = policy_of(&hub_document)?;
        let mut body: ContentBody = document.decode().map_err(store_error)?;
        let judged_by = policy.digest()?;
        if document.status == "PendingImport" && body.judged_by.as_deref() == Some(&*judged_by) {
            return Ok(false);
        }
        let text = self.parts.store.get(&text_key).await.map_err(store_error)?;
        let stated = self.parts.store.get(&provenance_key).await.map_err(store_error)?;
        let (Some(text), Some(stated)) = (text, stated) else { return Ok(false) };
        let text: ContentText = text.decode().map_err(store_error)?;
        let mut provenance: Provenance = stated.decode().map_err(store_error)?;
        let (status, reason) = self.judge_by(&policy, &text, &mut provenance, now).await?;
        if status == "Available" && !provenance.findings.is_empty() {
            body.support = HubContentSupportStatus::Restricted;
        }
        (body.failure_reason, body.judged_by) = (reason, Some(judged_by));
        let changed = document.with_body(now, &body).map_err(store_error)?.with_status(status);
        let transaction = Transaction::new()
            .update(changed)
            .update(stated.with_body(now, &provenance).map_err(store_error)?)
            .require(hub::key(&hub), Expect::Generation(hub_document.generation));
        match self.parts.store.commit(transaction).await {
            Ok(()) => Ok(true),
            // The policy or the content changed: the next look is by what is there then.
            Err(error) if error.is_conflict() => {
                self.nudge.nudge();
                Ok(false)
            }
            Err(error) => Err(store_error(error)),
        }
    }

    /// The status that a content gets, and why; what was found is noted with its provenance.
    async fn judge_by(
        &self,
        policy: &AdmissionPolicy,
        text: &ContentText,
        provenance: &mut Provenance,
        now: Timestamp,
    ) -> Result<(&'static str, Option<String>), ApiError> {
        let statement: Statement = serde_json::from_str(&provenance.statement).map_err(ApiError::internal)?;
        let mut scans = Vec::with_capacity(statement.files.len());
        for file in &statement.files {
            match self.scan(&file.path, &file.sha256, now).await {
                Ok(scan) => scans.push(scan),
                Err(error) if error.status() < 500 => return Ok(("ImportFailed", Some(error.message().to_owned()))),
                Err(error) => return Err(error),
            }
        }
        let pairs = || statement.files.iter().zip(&scans);
        let files: Vec<Examined<'_>> =
            pairs().map(|(file, scan)| Examined { path: &file.path, size: file.size, scan }).collect();
        let verdict = policy.judge(&described(&text.document, text.markdown.as_deref()), &files);
        let of_file = |scan: &stoa_artifacts::Scan| match policy.unsafe_pickle {
            Some(_) => policy.unsafe_in(scan),
            None => Vec::new(),
        };
        provenance.files =
            pairs().map(|(_, scan)| FileVerdict { format: scan.format.to_string(), findings: of_file(scan) }).collect();
        let pickles = verdict.unsafe_pickles.iter().map(|(path, what)| format!("{path}: {what}"));
        provenance.findings = verdict.refusals.iter().cloned().chain(pickles).take(100).collect();
        Ok(match verdict.kept_out(policy.unsafe_pickle) {
            None => ("Available", None),
            Some((action, why)) => {
                let what = if action == super::Action::Quarantine { "in quarantine" } else { "refused" };
                (action.status(), Some(format!("{what} by the hub's admission policy: {why}")))
            }
        })
    }
}

/// The hub of a content's document, and the keys of its texts and its provenance.
fn places(document: &Document) -> Option<(HubName, stoa_store::Key, stoa_store::Key)> {
    let region = document.key.region.clone()?;
    let (name, _) = document.parent.as_deref()?.split_once('/')?;
    let partition = Partition::of(&region);
    let hub = HubName { partition, region, account: document.key.account.clone(), name: name.to_owned() };
    let keyed = |kind| stoa_store::Key { kind, ..document.key.clone() };
    Some((hub, keyed(content::TEXT_KIND), keyed(provenance::KIND)))
}
