//! Applies lifecycle rules: at start, and once a day after midnight UTC.
//!
//! A pass looks at everything in buckets with rules, and removes each thing by the same transaction as a caller's
//! deletion, held to the very document that was looked at. A crash leaves the rest for the next pass.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{LifecycleRule, WriteCondition};
use stoa_store::{Document, Query};
use stoa_types::{Clock, IdSource, Timestamp};
use stoa_work::{PassError, PassReport, Reconciler};

use super::{DAY_MILLIS, about, about_key, after, end_of, noncurrent_expired};
use crate::documents::{BUCKET, Bucket, MARKER, OBJECT, ObjectBody, UPLOAD, VERSION, upload_record};
use crate::events::Act;
use crate::service::{S3Objects, store_failed};
use crate::version_listing::Cursor;
use crate::versions::Found;

/// Applies the lifecycle rules of all buckets.
pub struct LifecycleReconciler {
    service: Arc<S3Objects>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

impl std::fmt::Debug for LifecycleReconciler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("LifecycleReconciler")
    }
}

/// One pass over one bucket.
struct Sweep<'a> {
    service: &'a S3Objects,
    bucket: &'a Bucket,
    act: Act<'a>,
    report: &'a mut PassReport,
}

impl LifecycleReconciler {
    /// The longest time between two passes.
    pub const PERIOD: Duration = Duration::from_secs(86_400);

    /// Of this service, by this clock.
    pub fn new(service: Arc<S3Objects>, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> LifecycleReconciler {
        LifecycleReconciler { service, clock, ids }
    }

    async fn sweep(&self, bucket: &Bucket, now: Timestamp, report: &mut PassReport) -> Result<(), ApiError> {
        let act = Act::of_lifecycle(&*self.ids, now);
        let mut sweep = Sweep { service: &self.service, bucket, act, report };
        let rules = &bucket.body.lifecycle;
        let any = |wanted: fn(&LifecycleRule) -> bool| rules.iter().any(|rule| rule.enabled && wanted(rule));
        if any(|rule| rule.days.is_some() || rule.date.is_some()) {
            sweep.objects().await?;
        }
        if any(|rule| rule.noncurrent_days.is_some()) {
            sweep.older_versions().await?;
        }
        if any(|rule| rule.expired_marker || rule.days.is_some() || rule.date.is_some()) {
            sweep.markers().await?;
        }
        if any(|rule| rule.abort_days.is_some()) {
            sweep.uploads().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Reconciler for LifecycleReconciler {
    fn name(&self) -> &'static str {
        "s3.lifecycle"
    }

    async fn pass(&self) -> Result<PassReport, PassError> {
        let now = self.clock.now();
        let mut report = PassReport::default();
        let to_midnight = DAY_MILLIS - now.millis().rem_euclid(DAY_MILLIS);
        report.look_again(Duration::from_millis(u64::try_from(to_midnight).unwrap_or(1)));
        let mut query = Query::of(BUCKET);
        loop {
            let page = self.service.store.query(&query).await?;
            for document in page.documents {
                let bucket = Bucket::of(document)?;
                if bucket.body.lifecycle.is_empty() {
                    continue;
                }
                if let Err(error) = self.sweep(&bucket, now, &mut report).await {
                    // One bucket that fails (it may be going away) does not keep the others waiting.
                    tracing::warn!(bucket = bucket.name(), %error, "a bucket's lifecycle rules could not be applied");
                    report.failed += 1;
                }
            }
            query.after = match page.next {
                Some(next) => Some(next),
                None => return Ok(report),
            };
        }
    }
}

impl Sweep<'_> {
    fn rules(&self) -> &[LifecycleRule] {
        &self.bucket.body.lifecycle
    }

    /// Counts what came of a removal and says so in the log.
    fn removed(&mut self, what: &'static str, key: &str, version: &str, result: Result<bool, ApiError>) {
        let bucket = self.bucket.name();
        match result {
            Ok(true) => {
                tracing::info!(bucket, key, version, what, "removed by a lifecycle rule");
                self.report.changed += 1;
            }
            // Changed meanwhile: what is there now is looked at by the next pass.
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(bucket, key, version, what, %error, "a lifecycle rule could not be applied");
                self.report.failed += 1;
            }
        }
    }

    async fn remove_version(&mut self, what: &'static str, found: &Found) {
        let (key, version) = (&found.document.name, found.version.shown());
        let name = (self.bucket.name(), key.as_str());
        let condition = WriteCondition::default();
        let removed = self.service.remove_version(&self.act, name, version, &condition, Some(&found.document)).await;
        self.removed(what, key, version, removed.map(|removed| removed.is_some()));
    }

    async fn objects(&mut self) -> Result<(), ApiError> {
        let (service, bucket) = (self.service, self.bucket);
        let mut cursor = Cursor::new(service, bucket, OBJECT, "");
        while let Some(document) = cursor.next().await? {
            self.report.examined += 1;
            let body: ObjectBody = document.decode().map_err(store_failed)?;
            let due = |rule: &&LifecycleRule| {
                about(rule, &document.name, body.size, &body.attributes.tags)
                    && end_of(rule, document.modified).is_some_and(|end| end <= self.act.now)
            };
            if !self.rules().iter().any(|rule| due(&rule)) {
                continue;
            }
            let name = (bucket.name(), document.name.as_str());
            let condition = WriteCondition::default();
            let removed = service.remove(&self.act, name, &condition, Some(&document)).await;
            self.removed("an object", &document.name, body.version.shown(), removed.map(|removed| removed.is_some()));
        }
        Ok(())
    }

    async fn older_versions(&mut self) -> Result<(), ApiError> {
        let mut cursor = Cursor::new(self.service, self.bucket, VERSION, "");
        let (mut key, mut newer) = (String::new(), 0);
        while let Some(document) = cursor.next().await? {
            self.report.examined += 1;
            newer = if document.name == key { newer + 1 } else { 0 };
            key.clone_from(&document.name);
            let found = Found::of(document).map_err(store_failed)?;
            let since = found.version.noncurrent_since.unwrap_or(found.document.modified);
            let (size, tags) = match found.marker {
                true => Default::default(),
                false => {
                    let body: ObjectBody = found.document.decode().map_err(store_failed)?;
                    (body.size, body.attributes.tags)
                }
            };
            let due = self
                .rules()
                .iter()
                .any(|rule| about(rule, &key, size, &tags) && noncurrent_expired(rule, since, newer, self.act.now));
            if due {
                self.remove_version("an older version", &found).await;
            }
        }
        Ok(())
    }

    /// Delete markers with no version below them.
    async fn markers(&mut self) -> Result<(), ApiError> {
        let mut cursor = Cursor::new(self.service, self.bucket, MARKER, "");
        while let Some(document) = cursor.next().await? {
            self.report.examined += 1;
            let old_enough =
                |rule: &LifecycleRule| end_of(rule, document.modified).is_some_and(|end| end <= self.act.now);
            let due = self
                .rules()
                .iter()
                .any(|rule| about_key(rule, &document.name) && (rule.expired_marker || old_enough(rule)));
            if !due || self.service.has_old_versions(self.bucket, &document.name).await? {
                continue;
            }
            let found = Found::of(document).map_err(store_failed)?;
            self.remove_version("a delete marker", &found).await;
        }
        Ok(())
    }

    async fn uploads(&mut self) -> Result<(), ApiError> {
        let mut cursor = Cursor::new(self.service, self.bucket, UPLOAD, "");
        while let Some(document) = cursor.next().await? {
            self.report.examined += 1;
            let due = |rule: &LifecycleRule| {
                rule.abort_days.is_some_and(|days| after(document.created, days) <= self.act.now)
            };
            if self.rules().iter().any(|rule| about_key(rule, &document.name) && due(rule)) {
                let result = self.abort(&document).await;
                self.removed("an upload", &document.name, "", result.map(|()| true));
            }
        }
        Ok(())
    }

    async fn abort(&self, document: &Document) -> Result<(), ApiError> {
        let upload = upload_record(document).map_err(store_failed)?;
        self.service.remove_upload(&self.bucket.owner, document, &upload.id).await
    }
}
