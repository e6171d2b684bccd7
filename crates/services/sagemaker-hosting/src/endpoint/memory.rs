//! What the reconciler remembers between passes: when containers were started, which of them must wait before they are
//! started again, and the files of deployments on their way.
//!
//! Nothing here matters: a server that starts knows none of it, starts every container at once and reads every model
//! again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use stoa_types::Timestamp;

use crate::data::ModelFile;

const FIRST_PAUSE_MILLIS: i64 = 1000;
const LONGEST_PAUSE_MILLIS: i64 = 60_000;
/// A container that ran so long after its last pause begins anew with the first.
const STEADY_MILLIS: i64 = 600_000;

#[derive(Debug, Clone, Copy)]
struct Pause {
    failures: u32,
    until: Timestamp,
}

#[derive(Debug, Default)]
struct Inner {
    started: HashMap<String, Timestamp>,
    pauses: HashMap<String, Pause>,
    files: HashMap<String, Arc<Vec<ModelFile>>>,
}

/// The memory, by name of container; files by the name of a variant's first one.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Inner>);

impl Memory {
    /// Notes that the container runs; the first note counts.
    pub fn runs(&self, container: &str, now: Timestamp) {
        self.0.lock().started.entry(container.to_owned()).or_insert(now);
    }
    /// When the container was started, as far as is known.
    pub fn started(&self, container: &str) -> Option<Timestamp> {
        self.0.lock().started.get(container).copied()
    }
    /// The container does not run any more.
    pub fn stopped(&self, container: &str) {
        self.0.lock().started.remove(container);
    }
    /// The container ended by itself or could not be started: it waits, longer each time. How often that was.
    pub fn failed(&self, container: &str, now: Timestamp) -> u32 {
        let mut inner = self.0.lock();
        let before = inner.pauses.get(container).filter(|pause| now.millis() - pause.until.millis() < STEADY_MILLIS);
        let failures = before.map_or(0, |pause| pause.failures).saturating_add(1);
        let pause = (FIRST_PAUSE_MILLIS << (failures - 1).min(6)).min(LONGEST_PAUSE_MILLIS);
        let until = Timestamp::from_millis(now.millis().saturating_add(pause));
        inner.pauses.insert(container.to_owned(), Pause { failures, until });
        failures
    }
    /// Until when the container waits, where that is in the future.
    pub fn paused_until(&self, container: &str, now: Timestamp) -> Option<Timestamp> {
        self.0.lock().pauses.get(container).map(|pause| pause.until).filter(|until| *until > now)
    }
    /// The files of a variant.
    pub fn files(&self, variant: &str) -> Option<Arc<Vec<ModelFile>>> {
        self.0.lock().files.get(variant).cloned()
    }
    /// Remembers the files of a variant.
    pub fn found(&self, variant: &str, files: Arc<Vec<ModelFile>>) {
        self.0.lock().files.insert(variant.to_owned(), files);
    }
    /// Forgets all containers but these, and all files but those of these variants: files pin their blobs.
    pub fn retain(&self, containers: &BTreeSet<String>, variants: &BTreeSet<String>) {
        let mut inner = self.0.lock();
        inner.started.retain(|name, _| containers.contains(name));
        inner.pauses.retain(|name, _| containers.contains(name));
        inner.files.retain(|name, _| variants.contains(name));
    }
}
