//! Crash points: places before and after an external effect where a test can stop, delay or fail the process.
//!
//! `STOA_FAILPOINTS="name=abort;other=sleep(250);third=error"`, read once. When it is not set a failpoint is one load
//! and one branch.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

/// The environment variable.
const VARIABLE: &str = "STOA_FAILPOINTS";

/// What happens at a failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process dies at once, without unwinding or flushing: as by `kill -9`.
    Abort,
    /// The thread stands still.
    Sleep(Duration),
    /// The failpoint is an error.
    Error,
}

/// A failpoint that was told to fail. Internal: it is handled as the external effect's own failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the failpoint `{name}` was told to fail")]
pub struct FailpointError {
    name: String,
}

/// A list of failpoints that cannot be read. Ends the start of the server: a crash test must not pass by a typo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` in STOA_FAILPOINTS is not of the form name=abort, name=sleep(ms) or name=error")]
pub struct FailpointSpecError {
    entry: String,
}

/// Names and what happens there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failpoints(BTreeMap<String, Action>);

impl Failpoints {
    /// Reads a list separated by `;` or `,`.
    pub fn parse(text: &str) -> Result<Failpoints, FailpointSpecError> {
        let mut points = BTreeMap::new();
        for entry in text.split([';', ',']).map(str::trim).filter(|entry| !entry.is_empty()) {
            let error = || FailpointSpecError { entry: entry.to_owned() };
            let (name, action) = entry.split_once('=').ok_or_else(error)?;
            let action = match action.trim() {
                "abort" => Action::Abort,
                "error" => Action::Error,
                other => {
                    let millis = other.strip_prefix("sleep(").and_then(|rest| rest.strip_suffix(')'));
                    let millis = millis.and_then(|millis| millis.trim().parse().ok()).ok_or_else(error)?;
                    Action::Sleep(Duration::from_millis(millis))
                }
            };
            points.insert(name.trim().to_owned(), action);
        }
        Ok(Failpoints(points))
    }
    /// The names that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
    /// Acts as the list says.
    pub fn hit(&self, name: &str) -> Result<(), FailpointError> {
        match self.0.get(name) {
            None => Ok(()),
            Some(Action::Abort) => {
                tracing::error!(failpoint = name, "aborting at a failpoint");
                std::process::abort()
            }
            Some(Action::Sleep(duration)) => {
                std::thread::sleep(*duration);
                Ok(())
            }
            Some(Action::Error) => Err(FailpointError { name: name.to_owned() }),
        }
    }
}

type Installed = Option<Result<Failpoints, FailpointSpecError>>;

/// None when the variable is not set: the case that must cost nothing.
fn installed() -> &'static Installed {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    INSTALLED.get_or_init(|| std::env::var(VARIABLE).ok().map(|text| Failpoints::parse(&text)))
}

/// To be called once at start: says which failpoints are set, or that the list cannot be read.
pub fn check_failpoints() -> Result<Failpoints, FailpointSpecError> {
    installed().clone().unwrap_or_else(|| Ok(Failpoints::default()))
}

/// A crash point: `failpoint("hosting.endpoint.started")?`. Fails only where the environment says so.
pub fn failpoint(name: &str) -> Result<(), FailpointError> {
    match installed() {
        None => Ok(()),
        Some(Ok(points)) => points.hit(name),
        // A list that cannot be read fails everywhere rather than nowhere.
        Some(Err(_)) => Err(FailpointError { name: name.to_owned() }),
    }
}
