//! Identifiers, ARNs, time and the small traits (Clock, IdSource) that hold time and randomness still in tests.
//!
//! Pure: no I/O, no clock, no randomness of its own. Everything here is parsed at the edge and trusted inside.

mod account;
mod arn;
mod clock;
mod ids;
mod secret;
mod timestamp;

pub use account::{AccountId, Partition, Region};
pub use arn::{Arn, ParseArnError};
pub use clock::{Clock, FixedClock, IdSource, SequentialIds};
pub use ids::{access_key_id, principal_id, request_id, secret_access_key, uuid_v4};
pub use secret::Secret;
pub use timestamp::{ParseTimestampError, Timestamp};
