//! Secrets at rest: sealed under a master key that lives outside the store.
//!
//! [`SealingKey`] holds the master key, and while it is being replaced the older one too. A sealed text names its master
//! key, purpose and owner, so that whatever holds one can be sealed anew ([`SealingKey::reseal_in`]) without knowing
//! what it is. Pure: no clock, no I/O.

mod key;
mod reseal;
mod text;

#[cfg(test)]
mod tests;

pub use key::{MasterKeyId, SealError, SealingKey};
pub use reseal::Resealed;
