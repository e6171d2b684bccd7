//! What a reconciler is: a pass over the store that makes intents true.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;

/// Why a pass failed as a whole. A single thing that could not be made true is counted in the report instead.
pub type PassError = Box<dyn Error + Send + Sync>;

/// Makes intents in the store true.
///
/// A pass takes no input, so a crash at any line is repaired by the next one: it must be idempotent, and safe to be
/// dropped at any await point when the server must end at once.
#[async_trait]
pub trait Reconciler: Send + Sync {
    /// A constant name for status, logs and leases, such as `sagemaker.endpoint`.
    fn name(&self) -> &'static str;
    /// Looks at everything that is not as it is wanted, and acts.
    async fn pass(&self) -> Result<PassReport, PassError>;
}

/// What a pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PassReport {
    /// Things looked at.
    pub examined: u64,
    /// Things brought nearer to what is wanted.
    pub changed: u64,
    /// Things that could not be; they are tried again.
    pub failed: u64,
    /// Look again after this long, where that is sooner than the period (a container that is starting).
    pub again_after: Option<Duration>,
}

impl PassReport {
    /// Asks for another pass after this long; the soonest wish counts.
    pub fn look_again(&mut self, after: Duration) {
        self.again_after = Some(self.again_after.map_or(after, |before| before.min(after)));
    }
}
