//! Workers, task groups and failpoints. Passes wait at a gate, so that nothing depends on how fast the machine is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use stoa_types::{Clock, FixedClock, Timestamp};
use tokio::sync::Semaphore;

use crate::worker::pause_after;
use crate::{Failpoints, Nudge, PassError, PassReport, Reconciler, TaskGroup, Worker, failpoint};

/// Longer than any test: what runs again before this was asked to.
const NEVER: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(1);

type Step = Box<dyn Fn(u64) -> Result<PassReport, PassError> + Send + Sync>;

/// Counts its passes; each waits at a gate for a permit.
struct Counted {
    passes: AtomicU64,
    now: AtomicU64,
    most: AtomicU64,
    gate: Semaphore,
    step: Step,
}

fn counted(
    permits: usize,
    step: impl Fn(u64) -> Result<PassReport, PassError> + Send + Sync + 'static,
) -> Arc<Counted> {
    let zero = AtomicU64::default;
    let gate = Semaphore::new(permits);
    Arc::new(Counted { passes: zero(), now: zero(), most: zero(), gate, step: Box::new(step) })
}

#[async_trait]
impl Reconciler for Counted {
    fn name(&self) -> &'static str {
        "test.counted"
    }
    async fn pass(&self) -> Result<PassReport, PassError> {
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        self.gate.acquire().await?.forget();
        self.now.fetch_sub(1, SeqCst);
        (self.step)(self.passes.fetch_add(1, SeqCst) + 1)
    }
}

fn worker(reconciler: &Arc<Counted>, every: Duration) -> Worker {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(Timestamp::from_millis(1000)));
    Worker::new(Arc::clone(reconciler) as Arc<dyn Reconciler>, clock, every, Nudge::new())
}

/// Waits for something that must come.
async fn until(what: &str, done: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} did not come");
        tokio::time::sleep(SOON).await;
    }
}

/// Gives what must not come the time to come.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_pass_runs_at_once_and_many_nudges_make_one_more() {
    let reconciler = counted(0, |_| Ok(PassReport { examined: 3, ..PassReport::default() }));
    let (tasks, worker) = (TaskGroup::new(), worker(&reconciler, NEVER));
    assert_eq!((worker.status().passes, worker.status().last_start), (0, None));
    worker.start(&tasks);
    until("the first pass", || worker.status().running).await;
    (0..100).for_each(|_| worker.nudge().nudge());
    reconciler.gate.add_permits(10);
    until("the nudged pass", || worker.status().passes == 2).await;
    a_while().await;
    let status = worker.status();
    assert_eq!((status.passes, status.failures, status.running), (2, 0, false));
    assert_eq!(status.last_result, Some(Ok(PassReport { examined: 3, ..PassReport::default() })));
    assert_eq!(status.last_start, Some(Timestamp::from_millis(1000)));
    worker.nudge().nudge();
    until("a nudge while idle", || worker.status().passes == 3).await;
    assert!(tasks.shutdown(NEVER).await.is_empty());
    worker.nudge().nudge();
    a_while().await;
    assert_eq!(worker.status().passes, 3, "nothing runs after the shutdown");
}

#[tokio::test]
async fn passes_run_every_period() {
    let reconciler = counted(1000, |_| Ok(PassReport::default()));
    let (tasks, worker) = (TaskGroup::new(), worker(&reconciler, SOON));
    worker.start(&tasks);
    until("five passes", || worker.status().passes >= 5).await;
    assert!(tasks.shutdown(NEVER).await.is_empty());
}

#[tokio::test]
async fn passes_never_overlap() {
    let reconciler = counted(0, |_| Ok(PassReport::default()));
    let (tasks, worker) = (TaskGroup::new(), worker(&reconciler, NEVER));
    worker.start(&tasks);
    until("the first pass", || worker.status().running).await;
    let by_hand: Vec<_> = (0..4)
        .map(|_| {
            let worker = worker.clone();
            tokio::spawn(async move { worker.pass().await.map_err(|error| error.to_string()) })
        })
        .collect();
    a_while().await;
    reconciler.gate.add_permits(100);
    for pass in by_hand {
        pass.await.unwrap().unwrap();
    }
    assert_eq!(reconciler.passes.load(SeqCst), 5, "the first and those by hand");
    assert_eq!(reconciler.most.load(SeqCst), 1, "one at a time");
}

#[tokio::test]
async fn failures_and_panics_are_reported_and_tried_again() {
    let reconciler = counted(1, |pass| match pass {
        1 => Err("the disk is gone".into()),
        2 => panic!("a bug"),
        _ => Ok(PassReport { again_after: Some(NEVER), ..PassReport::default() }),
    });
    let (tasks, worker) = (TaskGroup::new(), worker(&reconciler, SOON));
    worker.start(&tasks);
    let result = || worker.status().last_result;
    until("the failure", || result() == Some(Err("the disk is gone".to_owned()))).await;
    reconciler.gate.add_permits(1);
    until("the panic", || result() == Some(Err("the pass panicked: a bug".to_owned()))).await;
    assert_eq!((worker.status().failures, worker.status().failures_in_a_row), (2, 2));
    reconciler.gate.add_permits(1);
    until("the pass that is well", || result().is_some_and(|result| result.is_ok())).await;
    assert_eq!((worker.status().failures, worker.status().failures_in_a_row), (2, 0));
}

#[test]
fn pauses_double_up_to_the_period() {
    let every = Duration::from_secs(3);
    let pauses: Vec<u128> = [1, 2, 3, 4, 40, u32::MAX].map(|failures| pause_after(failures, every).as_millis()).into();
    assert_eq!(pauses, [500, 1000, 2000, 3000, 3000, 3000]);
}

#[tokio::test]
async fn a_pass_can_ask_for_the_next_one() {
    let reconciler = counted(100, |pass| {
        let mut report = PassReport::default();
        if pass < 3 {
            report.look_again(NEVER);
            report.look_again(SOON);
            report.look_again(NEVER);
        }
        Ok(report)
    });
    let (tasks, worker) = (TaskGroup::new(), worker(&reconciler, NEVER));
    worker.start(&tasks);
    until("three passes", || worker.status().passes == 3).await;
    a_while().await;
    assert_eq!(worker.status().passes, 3);
}

#[tokio::test]
async fn shutdown_lets_a_pass_end() {
    let reconciler = counted(0, |_| Ok(PassReport::default()));
    let (tasks, worker) = (TaskGroup::new(), worker(&reconciler, SOON));
    worker.start(&tasks);
    let token = tasks.token();
    tasks.spawn("obedient", async move { token.cancelled().await });
    tasks.spawn("panicking", async { panic!("on purpose") });
    until("the first pass", || worker.status().running).await;
    until("the panic", || tasks.running() == ["test.counted", "obedient"]).await;
    let ending = tokio::spawn({
        let tasks = tasks.clone();
        async move { tasks.shutdown(NEVER).await }
    });
    a_while().await;
    assert!(!ending.is_finished(), "the pass is waited for");
    reconciler.gate.add_permits(100);
    assert!(ending.await.unwrap().is_empty());
    assert_eq!((worker.status().passes, worker.status().last_result), (1, Some(Ok(PassReport::default()))));
}

#[tokio::test]
async fn shutdown_cuts_off_what_is_late() {
    let reconciler = counted(0, |_| Ok(PassReport::default()));
    let (tasks, worker) = (TaskGroup::new(), worker(&reconciler, NEVER));
    worker.start(&tasks);
    until("the first pass", || worker.status().running).await;
    assert_eq!(tasks.shutdown(SOON).await, ["test.counted"]);
    assert_eq!(worker.status().last_result, Some(Err("the pass was cut off".to_owned())));
    assert!(!worker.status().running && tasks.running().is_empty());
}

#[test]
fn failpoints_do_what_they_are_told() {
    let points = Failpoints::parse(" a.b = error ; c=sleep(30), d=abort;").unwrap();
    assert_eq!(points.names().collect::<Vec<_>>(), ["a.b", "c", "d"]);
    assert_eq!(points.hit("a.b").unwrap_err().to_string(), "the failpoint `a.b` was told to fail");
    let before = std::time::Instant::now();
    points.hit("c").unwrap();
    assert!(before.elapsed() >= Duration::from_millis(30));
    points.hit("unknown").unwrap();
    for wrong in ["a", "a=explode", "a=sleep", "a=sleep(x)", "a=sleep(1", "a=abort;b"] {
        assert!(Failpoints::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(Failpoints::parse("").unwrap(), Failpoints::default());
}

/// Runs this test binary again with failpoints in its environment.
fn child(points: &str) -> std::process::ExitStatus {
    let program = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(program);
    command.args(["--exact", "tests::the_child_hits_a_failpoint", "--ignored"]);
    command.env("STOA_FAILPOINTS", points).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().unwrap()
}

#[test]
#[ignore = "run by the test below in a process of its own"]
fn the_child_hits_a_failpoint() {
    failpoint("test.child").unwrap();
}

#[test]
fn the_environment_sets_failpoints() {
    use std::os::unix::process::ExitStatusExt;
    assert!(child("test.other=abort").success());
    assert_eq!(child("test.child=error").code(), Some(101), "the test fails by the error");
    assert_eq!(child("test.child=abort").signal(), Some(6), "the process aborts");
    assert_eq!(child("test.child=abrt").code(), Some(101), "a typo does not pass");
    assert!(failpoint("test.child").is_ok(), "nothing is set here");
}
