//! The judging of what is being imported, and of what an older scanner judged.
//!
//! At each start, what is `Available` and was judged by an older scanner is judged again, by the policy that stands now: a
//! scanner that finds more is of no use for what is in already otherwise. A crash leaves it for the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_models_sagemaker::types::HubContentSupportStatus;
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Expect, Query, Transaction};
use stoa_types::{Clock, Partition, Timestamp};
use stoa_work::{Nudge, PassError, PassReport, Reconciler};

use super::judge::{Examined, Verdict, described};
use super::scans::{SCANNER, Stated};
use super::{AdmissionPolicy, policy_of};
use crate::content::{self, ContentBody, ContentText};
use crate::hub;
use crate::names::HubName;
use crate::provenance::{self, FileVerdict, Provenance, Statement};
use crate::service::Hubs;

/// How long what is in already is judged anew before those who came meanwhile have their turn.
const CATCHING_UP_MILLIS: i64 = 10_000;

/// Makes what is `Importing` available, or says why not; and looks again at what is in quarantine.
pub struct AdmissionReconciler {
    hubs: Arc<Hubs>,
    clock: Arc<dyn Clock>,
    /// Whether nothing is left that an older scanner judged: what is judged from then on is judged by this one.
    caught_up: AtomicBool,
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
        AdmissionReconciler { hubs, clock, caught_up: AtomicBool::new(false) }
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
        let catching_up = !self.caught_up.load(Ordering::Relaxed);
        if catching_up {
            query.statuses.push("Available".to_owned());
        }
        let mut documents = self.hubs.all(query).await?;
        // Who is waiting comes first.
        documents.sort_by_key(|document| document.status == "Available");
        let (mut left, mut since) = (false, None);
        for document in documents {
            report.examined += 1;
            match self.hubs.judge_import(&document, self.clock.now()).await {
                Ok(Judged::Already) => {}
                Ok(Judged::Now) => {
                    report.changed += 1;
                    let now = self.clock.now().millis();
                    let first = *since.get_or_insert(now);
                    if document.status == "Available" && now - first > CATCHING_UP_MILLIS {
                        left = true;
                        report.look_again(Duration::ZERO);
                        break;
                    }
                }
                Ok(Judged::Meanwhile) => left = true,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::warn!(content = document.key.id, %error, cause, "an import could not be judged");
                    report.failed += 1;
                    // A disk that is full stays so for a while, and each try may fill it anew.
                    report.look_again(Duration::from_secs(30));
                    left = true;
                }
            }
        }
        if catching_up && !left {
            self.caught_up.store(true, Ordering::Relaxed);
        }
        Ok(report)
    }
}

/// What became of one.
enum Judged {
    /// There is nothing to do.
    Already,
    Now,
    /// The policy or the content changed: the next look is by what is there then.
    Meanwhile,
}

/// Names the scanner and the policy that something is judged by.
fn judged_by(policy: &AdmissionPolicy) -> Result<String, ApiError> {
    Ok(format!("{SCANNER}:{}", policy.digest()?))
}

/// Whether something of this status is to be judged. The first scanner's name was not written.
fn is_due(status: &str, before: Option<&str>, now: &str) -> bool {
    let scanner = |name: &str| name.split_once(':').map_or_else(|| "1".to_owned(), |(scanner, _)| scanner.to_owned());
    match (status, before) {
        ("Available", Some(before)) => scanner(before) != scanner(now),
        // It was let in without a policy, and stays.
        ("Available", None) => false,
        ("PendingImport", Some(before)) => before != now,
        _ => true,
    }
}

impl Hubs {
    /// Judges one, where it is due.
    async fn judge_import(&self, document: &Document, now: Timestamp) -> Result<Judged, ApiError> {
        let Some((hub, text_key, provenance_key)) = places(document) else { return Ok(Judged::Already) };
        let mut body: ContentBody = document.decode().map_err(store_error)?;
        if document.status == "Available" && body.judged_by.is_none() {
            return Ok(Judged::Already);
        }
        let hub_document = self.parts.store.get(&hub::key(&hub)).await.map_err(store_error)?;
        let Some(hub_document) = hub_document else { return Ok(Judged::Already) };
        let policy = policy_of(&hub_document)?;
        let judged_by = judged_by(&policy)?;
        let lifted = document.status == "Available" && policy.is_default();
        if lifted || !is_due(&document.status, body.judged_by.as_deref(), &judged_by) {
            return Ok(Judged::Already);
        }
        let text = self.parts.store.get(&text_key).await.map_err(store_error)?;
        let stated = self.parts.store.get(&provenance_key).await.map_err(store_error)?;
        let (Some(text), Some(stated)) = (text, stated) else { return Ok(Judged::Already) };
        let text: ContentText = text.decode().map_err(store_error)?;
        let mut provenance: Provenance = stated.decode().map_err(store_error)?;
        let (status, reason) = match self.judge_by(&policy, &text, &mut provenance, now).await {
            // Bytes that are gone are no verdict on what was let in: nothing of it is served until they are back, and the
            // next start looks again.
            Err(error) if error.status() < 500 && document.status == "Available" => {
                tracing::warn!(content = document.key.id, %error, "a content cannot be judged again");
                return Ok(Judged::Already);
            }
            Err(error) if error.status() < 500 => ("ImportFailed", Some(error.message().to_owned())),
            judged => judged?,
        };
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
            Ok(()) => Ok(Judged::Now),
            Err(error) if error.is_conflict() => {
                self.nudge.nudge();
                Ok(Judged::Meanwhile)
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
        let described = described(&text.document, text.markdown.as_deref());
        let sizes = statement.files.iter().map(|file| (file.path.as_str(), file.size));
        let facts = policy.judge_facts(&described, sizes);
        if !facts.refusals.is_empty() {
            provenance.files.clear();
            return Ok(concluded(policy, &facts, provenance));
        }
        let mut scans = Vec::with_capacity(statement.files.len());
        for file in &statement.files {
            let stated = Stated { path: &file.path, digest: &file.sha256, size: file.size };
            scans.push(self.scan(policy, stated, now).await?);
        }
        let pairs = || statement.files.iter().zip(&scans);
        let files: Vec<Examined<'_>> = pairs().map(|(file, scan)| Examined { path: &file.path, scan }).collect();
        let verdict = policy.judge_files(&files);
        let of_file = |scan: &stoa_artifacts::Scan| match policy.unsafe_pickle {
            Some(_) => policy.unsafe_in(scan),
            None => Vec::new(),
        };
        provenance.files =
            pairs().map(|(_, scan)| FileVerdict { format: scan.format.to_string(), findings: of_file(scan) }).collect();
        Ok(concluded(policy, &verdict, provenance))
    }
}

/// The status that follows from a verdict, and why; the verdict is noted.
fn concluded(
    policy: &AdmissionPolicy,
    verdict: &Verdict,
    provenance: &mut Provenance,
) -> (&'static str, Option<String>) {
    let pickles = verdict.unsafe_pickles.iter().map(|(path, what)| format!("{path}: {what}"));
    provenance.findings = verdict.refusals.iter().cloned().chain(pickles).take(100).collect();
    match verdict.kept_out(policy.unsafe_pickle) {
        None => ("Available", None),
        Some((action, why)) => {
            let what = if action == super::Action::Quarantine { "in quarantine" } else { "refused" };
            (action.status(), Some(format!("{what} by the hub's admission policy: {why}")))
        }
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

#[cfg(test)]
mod tests {
    //! What is judged, and when again.

    use super::*;

    #[test]
    fn a_newer_scanner_judges_what_an_older_one_did() {
        let policy = AdmissionPolicy::default();
        let now = judged_by(&policy).unwrap();
        let (old, other) = (policy.digest().unwrap(), format!("{SCANNER}:another"));
        for (status, before, due) in [
            ("Importing", None, true),
            ("Importing", Some(now.as_str()), true),
            ("PendingImport", Some(&now), false),
            ("PendingImport", Some(&old), true),
            ("PendingImport", Some(&other), true),
            ("Available", Some(&now), false),
            ("Available", Some(&old), true),
            ("Available", Some("1:x"), true),
            // What is in stays, whatever the policy becomes.
            ("Available", Some(&other), false),
            ("Available", None, false),
        ] {
            assert_eq!(is_due(status, before, &now), due, "{status} {before:?}");
        }
    }
}
