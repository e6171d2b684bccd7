//! One behavioural suite for every store, run on the in-memory twin and on each driver.
//!
//! Each case gets a store of its own and a clock that stands still. A case fails by panicking in an assertion or by
//! returning the store's error.

mod queries;
mod random;
mod services;
mod writes;

use std::error::Error;
use std::sync::Arc;

use stoa_types::{AccountId, FixedClock, Region, Timestamp};

pub use random::same_behaviour;

use crate::{Document, Key, Store, StoreError};

/// Why a case stopped.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The moment every case begins at.
pub const START: Timestamp = Timestamp::from_millis(1_795_222_923_000);

/// Runs every case, each on a store that `make` gives it. The store must tell time by the clock it is handed.
pub async fn run_all<S: Store + 'static>(make: impl Fn(Arc<FixedClock>) -> S) -> Result<(), Failure> {
    let fresh = || {
        let clock = Arc::new(FixedClock::at(START));
        (make(Arc::clone(&clock)), clock)
    };
    writes::create_update_delete(&fresh().0).await?;
    writes::expectations(&fresh().0).await?;
    writes::one_of_two_creates_wins(&fresh().0).await?;
    writes::one_of_many_updates_wins(&fresh().0).await?;
    writes::all_or_nothing(&fresh().0).await?;
    writes::changes_apply_in_order(&fresh().0).await?;
    writes::keys_are_apart(&fresh().0).await?;
    writes::versions_grow(&fresh().0).await?;
    writes::blobs_are_named(&fresh().0).await?;
    queries::filters(&fresh().0).await?;
    queries::names(&fresh().0).await?;
    queries::sorted_pages(&fresh().0).await?;
    queries::pages_under_change(&fresh().0).await?;
    queries::foreign_positions_fail(&fresh().0).await?;
    services::tags(&fresh().0).await?;
    services::outbox(&fresh().0).await?;
    services::leases(&fresh().0).await?;
    let (store, clock) = fresh();
    services::idempotency(&store, &clock).await?;
    Ok(())
}

/// An account of the cases.
fn account(number: u64) -> AccountId {
    AccountId::from_number(number)
}

fn region(name: &str) -> Result<Region, Failure> {
    Ok(name.parse()?)
}

/// The key of a thing in account 1 and `us-west-2`.
fn key(id: &str) -> Result<Key, Failure> {
    Ok(Key { kind: "test:thing", account: account(1), region: Some(region("us-west-2")?), id: id.to_owned() })
}

fn thing(id: &str) -> Result<Document, Failure> {
    Ok(Document::new(key(id)?, id, START, &format!("body of {id}"))?)
}

/// Expects a conflict that names the key and this generation.
fn conflicts<T>(result: Result<T, StoreError>, with: &Key, generation: Option<u64>) {
    match result {
        Err(StoreError::Conflict { key, found }) => assert_eq!((&*key, found), (with, generation)),
        Err(other) => assert!(other.is_conflict(), "not a conflict but {other:?}"),
        Ok(_) => assert!(result.is_err(), "no conflict over {with}"),
    }
}
