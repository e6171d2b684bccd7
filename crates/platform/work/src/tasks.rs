//! Named tasks that are cancelled together and joined with a deadline.
//!
//! A task finishes or is safe to repeat: what has not ended by the deadline is cut off and named.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

type Named = (String, JoinHandle<()>);

/// The tasks of a server. Clones are the same group.
#[derive(Clone, Default)]
pub struct TaskGroup {
    token: CancellationToken,
    tasks: Arc<Mutex<Vec<Named>>>,
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TaskGroup").field("running", &self.running()).finish()
    }
}

impl TaskGroup {
    /// No tasks yet.
    pub fn new() -> TaskGroup {
        TaskGroup::default()
    }
    /// Cancelled when the group is shut down. Each task watches it (or a child of it) and ends.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }
    /// Runs a task under a name until it ends; a panic in it is logged under the name.
    pub fn spawn(&self, name: impl Into<String>, task: impl Future<Output = ()> + Send + 'static) {
        let handle = tokio::spawn(task);
        let mut tasks = self.tasks.lock();
        // Those that ended well need no join any more.
        tasks.retain(|(_, handle)| !handle.is_finished());
        tasks.push((name.into(), handle));
    }
    /// The names of the tasks that run.
    pub fn running(&self) -> Vec<String> {
        let tasks = self.tasks.lock();
        tasks.iter().filter(|(_, handle)| !handle.is_finished()).map(|(name, _)| name.clone()).collect()
    }
    /// Cancels the token, waits for all tasks, and cuts off those that have not ended in time. Their names come back.
    /// Also waits for tasks that are spawned while it waits.
    pub async fn shutdown(&self, within: Duration) -> Vec<String> {
        self.token.cancel();
        let deadline = Instant::now() + within;
        let mut late = Vec::new();
        loop {
            let tasks = std::mem::take(&mut *self.tasks.lock());
            if tasks.is_empty() {
                return late;
            }
            for (name, mut handle) in tasks {
                if let Ok(ended) = tokio::time::timeout_at(deadline, &mut handle).await {
                    report(&name, ended);
                    continue;
                }
                handle.abort();
                // An aborted task ends at its next await point, unless it blocks its thread.
                if let Ok(ended) = tokio::time::timeout(Duration::from_millis(100), handle).await {
                    report(&name, ended);
                }
                tracing::warn!(task = name, "a task did not end in time and was cut off");
                late.push(name);
            }
        }
    }
}

fn report(name: &str, ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(task = name, %error, "a task panicked");
    }
}
