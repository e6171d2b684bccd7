//! A bounded cache that never answers with less than what was committed.
//!
//! INVARIANT: the writer updates an entry after its commit and before it answers, and raises the shard's epoch; a
//! reader that filled a miss from the database gives its value up when the epoch has moved in between. Bounded by
//! weight in two generations: when the young one is full it becomes the old one, and what is still used moves back.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};

use parking_lot::{RwLock, RwLockUpgradableReadGuard};

const SHARDS: usize = 64;

/// A cache from `K` to `V`. Absence of a document is a value like any other.
#[derive(Debug)]
pub struct Cache<K, V> {
    shards: Vec<RwLock<Shard<K, V>>>,
    hasher: RandomState,
    /// Of one generation of one shard, in bytes.
    limit: usize,
}

#[derive(Debug)]
struct Shard<K, V> {
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    weight: usize,
    epoch: u64,
}

/// A miss, to be filled from the database if nobody writes in between.
#[derive(Debug, Clone, Copy)]
pub struct Vacancy {
    shard: usize,
    epoch: u64,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// An empty cache of about so many bytes.
    pub fn new(bytes: usize) -> Cache<K, V> {
        let shard = || RwLock::new(Shard { young: HashMap::new(), old: HashMap::new(), weight: 0, epoch: 0 });
        Cache { shards: (0..SHARDS).map(|_| shard()).collect(), hasher: RandomState::new(), limit: bytes / SHARDS / 2 }
    }

    fn shard_of<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        (self.hasher.hash_one(key) % SHARDS as u64) as usize
    }

    /// The value, or the right to fill it in.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Result<V, Vacancy>
    where
        K: Borrow<Q>,
    {
        let index = self.shard_of(key);
        let shard = self.shards[index].read();
        if let Some((value, _)) = shard.young.get(key) {
            return Ok(value.clone());
        }
        if !shard.old.contains_key(key) {
            return Err(Vacancy { shard: index, epoch: shard.epoch });
        }
        drop(shard);
        self.promote(index, key)
    }

    fn promote<Q: Hash + Eq + ?Sized>(&self, index: usize, key: &Q) -> Result<V, Vacancy>
    where
        K: Borrow<Q>,
    {
        let shard = self.shards[index].upgradable_read();
        if let Some((value, _)) = shard.young.get(key) {
            return Ok(value.clone());
        }
        let mut shard = RwLockUpgradableReadGuard::upgrade(shard);
        let Some((key, (value, weight))) = shard.old.remove_entry(key) else {
            return Err(Vacancy { shard: index, epoch: shard.epoch });
        };
        shard.insert(key, value.clone(), weight, self.limit);
        Ok(value)
    }

    /// Fills a miss with what the database said, unless something was written to the shard since.
    pub fn fill(&self, vacancy: Vacancy, key: K, value: V, weight: usize) {
        let mut shard = self.shards[vacancy.shard].write();
        if shard.epoch == vacancy.epoch {
            shard.insert(key, value, weight, self.limit);
        }
    }

    /// What the writer committed.
    pub fn wrote(&self, key: K, value: V, weight: usize) {
        let mut shard = self.shards[self.shard_of(&key)].write();
        shard.epoch += 1;
        shard.insert(key, value, weight, self.limit);
    }

    /// The writer does not know what is on disk: ask again.
    pub fn forget(&self, key: &K) {
        let mut shard = self.shards[self.shard_of(key)].write();
        shard.epoch += 1;
        shard.remove(key);
    }
}

impl<K: Hash + Eq, V> Shard<K, V> {
    fn remove(&mut self, key: &K) {
        self.old.remove(key);
        if let Some((_, weight)) = self.young.remove(key) {
            self.weight -= weight;
        }
    }

    fn insert(&mut self, key: K, value: V, weight: usize, limit: usize) {
        self.remove(&key);
        if weight > limit {
            return;
        }
        if self.weight + weight > limit {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += weight;
        self.young.insert(key, (value, weight));
    }
}
