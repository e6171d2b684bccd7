//! Runs a reconciler: at once, then every period and on every nudge, one pass at a time, until cancelled.
//!
//! A pass that fails or panics is reported and tried again with growing pauses; it never ends the worker. Cancelling
//! lets the running pass end; the task group cuts it off at its deadline, and the next start repairs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::RwLock;
use stoa_types::{Clock, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{PassError, PassReport, Reconciler, TaskGroup};

/// The pause after a first failure; it doubles up to the period.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Says that there is work. Cheap, never waits; many nudges before a pass make one pass.
#[derive(Debug, Clone, Default)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// A nudge that no worker listens to yet; it is kept until one does.
    pub fn new() -> Nudge {
        Nudge::default()
    }
    /// There is work: a pass begins that sees everything written before this call.
    pub fn nudge(&self) {
        self.0.notify_one();
    }
    async fn nudged(&self) {
        self.0.notified().await;
    }
}

/// What the console and the CLI show of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerStatus {
    /// The reconciler's name.
    pub name: &'static str,
    /// Whether a pass is running.
    pub running: bool,
    /// Passes that ended, well or not.
    pub passes: u64,
    /// Passes that failed.
    pub failures: u64,
    /// Failures since the last pass that went well.
    pub failures_in_a_row: u32,
    /// When the last pass began.
    pub last_start: Option<Timestamp>,
    /// When the last pass ended.
    pub last_end: Option<Timestamp>,
    /// What came of it: the report, or the error with its causes.
    pub last_result: Option<Result<PassReport, String>>,
}

/// A reconciler with its schedule and status. Clones share both.
#[derive(Clone)]
pub struct Worker {
    reconciler: Arc<dyn Reconciler>,
    clock: Arc<dyn Clock>,
    every: Duration,
    nudge: Nudge,
    status: Arc<RwLock<WorkerStatus>>,
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
}

impl Worker {
    /// A worker that does nothing until it is started. Keep or hand out its [`Worker::nudge`].
    pub fn new(reconciler: Arc<dyn Reconciler>, clock: Arc<dyn Clock>, every: Duration, nudge: Nudge) -> Worker {
        let status = WorkerStatus {
            name: reconciler.name(),
            running: false,
            passes: 0,
            failures: 0,
            failures_in_a_row: 0,
            last_start: None,
            last_end: None,
            last_result: None,
        };
        let status = Arc::new(RwLock::new(status));
        Worker { reconciler, clock, every, nudge, status, one_at_a_time: Arc::default() }
    }

    /// Runs in the group until it is shut down.
    pub fn start(&self, tasks: &TaskGroup) {
        let (worker, token) = (self.clone(), tasks.token());
        tasks.spawn(self.reconciler.name(), async move { worker.run(token).await });
    }

    /// The handle that asks for a pass.
    pub fn nudge(&self) -> Nudge {
        self.nudge.clone()
    }

    /// How it stands.
    pub fn status(&self) -> WorkerStatus {
        self.status.read().clone()
    }

    /// One pass now, after the one that is running, if one is. For tests and for commands that wait.
    pub async fn pass(&self) -> Result<PassReport, PassError> {
        let _turn = self.one_at_a_time.lock().await;
        let mut running = Running::begin(self);
        let result = AssertUnwindSafe(self.reconciler.pass()).catch_unwind().await;
        let result = result.unwrap_or_else(|panic| Err(format!("the pass panicked: {}", panic_text(&*panic)).into()));
        running.result = Some(match &result {
            Ok(report) => Ok(*report),
            Err(error) => Err(chain(&**error)),
        });
        result
    }

    async fn run(self, token: CancellationToken) {
        while !token.is_cancelled() {
            let pause = match self.pass().await {
                Ok(report) => report.again_after.map_or(self.every, |after| after.min(self.every)),
                Err(error) => {
                    tracing::warn!(worker = self.reconciler.name(), error = chain(&*error), "a pass failed");
                    pause_after(self.status.read().failures_in_a_row, self.every)
                }
            };
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                () = self.nudge.nudged() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// How long to wait after so many failures in a row.
pub(crate) fn pause_after(failures: u32, every: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(every)
}

/// Writes the end of a pass into the status, also when the pass is dropped in the middle.
struct Running<'worker> {
    worker: &'worker Worker,
    result: Option<Result<PassReport, String>>,
}

impl<'worker> Running<'worker> {
    fn begin(worker: &'worker Worker) -> Running<'worker> {
        let mut status = worker.status.write();
        status.running = true;
        status.last_start = Some(worker.clock.now());
        drop(status);
        Running { worker, result: None }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| Err("the pass was cut off".to_owned()));
        let mut status = self.worker.status.write();
        status.running = false;
        status.passes += 1;
        status.failures += u64::from(result.is_err());
        status.failures_in_a_row = if result.is_err() { status.failures_in_a_row.saturating_add(1) } else { 0 };
        status.last_end = Some(self.worker.clock.now());
        status.last_result = Some(result);
    }
}

/// The error and all its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "no message",
    }
}
