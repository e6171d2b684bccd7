//! Derived signing keys, kept because four HMACs cost more than all the rest of a check.
//!
//! INVARIANT: an entry is used only when access key, date, region, service *and secret* are equal, and is made only
//! after a signature proved right, so strangers cannot fill the cache. Bounded; holds nothing that cannot be derived
//! again.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stoa_types::Secret;

pub(crate) type HmacSha256 = Hmac<Sha256>;

const SHARDS: usize = 16;
const DEFAULT_CAPACITY: usize = 4096;

/// Which key: who, when, where, for what.
#[derive(Clone, Copy)]
pub(crate) struct KeyScope<'a> {
    pub access_key_id: &'a str,
    pub date: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

struct Entry {
    access_key_id: Box<str>,
    date: Box<str>,
    region: Box<str>,
    service: Box<str>,
    secret: Secret,
    mac: HmacSha256,
}

impl Entry {
    fn fits(&self, scope: KeyScope<'_>, secret: &Secret) -> bool {
        *self.access_key_id == *scope.access_key_id
            && *self.date == *scope.date
            && *self.region == *scope.region
            && *self.service == *scope.service
            && self.secret == *secret
    }
}

/// A bounded cache of derived signing keys, shared by all threads.
pub struct KeyCache {
    shards: [RwLock<HashMap<u64, Entry>>; SHARDS],
    hasher: RandomState,
    capacity_per_shard: usize,
}

impl KeyCache {
    /// A cache of about so many keys.
    pub fn with_capacity(capacity: usize) -> KeyCache {
        KeyCache {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            capacity_per_shard: capacity.div_ceil(SHARDS).max(1),
        }
    }

    /// How many keys are held now.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether no key is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slot(&self, scope: KeyScope<'_>) -> (u64, &RwLock<HashMap<u64, Entry>>) {
        let hash = self.hasher.hash_one((scope.access_key_id, scope.date, scope.region, scope.service));
        // INVARIANT: the remainder is below SHARDS, so the index is in bounds.
        (hash, &self.shards[(hash >> 32) as usize % SHARDS])
    }

    pub(crate) fn get(&self, scope: KeyScope<'_>, secret: &Secret) -> Option<HmacSha256> {
        let (hash, shard) = self.slot(scope);
        let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(&hash).filter(|entry| entry.fits(scope, secret)).map(|entry| entry.mac.clone())
    }

    pub(crate) fn put(&self, scope: KeyScope<'_>, secret: &Secret, mac: HmacSha256) {
        let (hash, shard) = self.slot(scope);
        let entry = Entry {
            access_key_id: scope.access_key_id.into(),
            date: scope.date.into(),
            region: scope.region.into(),
            service: scope.service.into(),
            secret: secret.clone(),
            mac,
        };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= self.capacity_per_shard && !shard.contains_key(&hash) {
            shard.retain(|_, held| *held.date == *entry.date);
            if shard.len() >= self.capacity_per_shard {
                shard.clear();
            }
        }
        shard.insert(hash, entry);
    }
}

impl Default for KeyCache {
    fn default() -> KeyCache {
        KeyCache::with_capacity(DEFAULT_CAPACITY)
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyCache").field("keys", &self.len()).finish_non_exhaustive()
    }
}

pub(crate) fn mac_of(key: &[u8]) -> HmacSha256 {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length, so this never fails")]
    HmacSha256::new_from_slice(key).expect("a key of any length")
}

pub(crate) fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    mac_of(key).chain_update(text).finalize().into_bytes().into()
}

/// The keyed MAC that signs strings in this scope.
pub(crate) fn derive(scope: KeyScope<'_>, secret: &Secret) -> HmacSha256 {
    let seed = Secret::new(["AWS4", secret.expose()].concat());
    let date = hmac(seed.expose().as_bytes(), scope.date.as_bytes());
    let region = hmac(&date, scope.region.as_bytes());
    let service = hmac(&region, scope.service.as_bytes());
    mac_of(&hmac(&service, b"aws4_request"))
}
