//! The suite on the in-memory twin.

use std::sync::Arc;

use stoa_store::{MemoryStore, suite};
use stoa_types::FixedClock;

#[tokio::test]
async fn the_twin_passes_the_suite() {
    suite::run_all(|clock: Arc<FixedClock>| MemoryStore::new(clock)).await.unwrap();
}
