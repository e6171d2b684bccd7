//! A small bounded map for derived state: sharded, read without waiting for writers of other shards.
//!
//! INVARIANT: it only ever holds what can be made again; a full shard is emptied. Whether an entry is still true is
//! the reader's business (by `Store::version`).

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::RwLock;

const SHARDS: usize = 16;

/// The cache.
pub(crate) struct Cache<V> {
    hasher: RandomState,
    shards: [RwLock<HashMap<String, V>>; SHARDS],
    per_shard: usize,
}

impl<V: Clone> Cache<V> {
    /// A cache of at most about so many entries.
    pub(crate) fn new(capacity: usize) -> Cache<V> {
        Cache {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
            per_shard: capacity.div_ceil(SHARDS),
        }
    }

    fn shard(&self, key: &str) -> Option<&RwLock<HashMap<String, V>>> {
        let hash = self.hasher.hash_one(key) as usize;
        self.shards.get(hash % SHARDS)
    }

    /// The entry.
    pub(crate) fn get(&self, key: &str) -> Option<V> {
        self.shard(key)?.read().get(key).cloned()
    }

    /// Puts an entry in.
    pub(crate) fn put(&self, key: &str, value: V) {
        let Some(shard) = self.shard(key) else { return };
        let mut shard = shard.write();
        if shard.len() >= self.per_shard && !shard.contains_key(key) {
            shard.clear();
        }
        shard.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn a_full_cache_stays_bounded_and_keeps_the_newest() {
        let cache = Cache::new(64);
        for number in 0..10_000 {
            cache.put(&format!("key-{number}"), number);
        }
        assert_eq!(cache.get("key-9999"), Some(9999));
        let held = (0..10_000).filter(|number| cache.get(&format!("key-{number}")).is_some()).count();
        assert!(held <= 64, "{held}");
    }
}
