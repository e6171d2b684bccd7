//! What users, roles and root users last did, by service and action: for RoleLastUsed and last-accessed details.
//!
//! Allowed calls are noted, at most once a minute for each principal and action, in memory; the notes are written with
//! those of access keys. A crash loses the notes since the last flush, nothing else.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use stoa_kernel::{ApiError, Principal, PrincipalIdentity};
use stoa_models_iam::types::RoleLastUsed;
use stoa_policy::Context;
use stoa_store::{Document, Key, Transaction};
use stoa_types::{AccountId, Timestamp};

use crate::Iam;
use crate::error::store_failed;
use crate::state::{account_key, kind, load};

const RECENT: usize = 4096;
const IN_ONE_COMMIT: usize = 128;

/// When and where something was last used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Use {
    pub(crate) at: Timestamp,
    pub(crate) region: String,
}

/// What a principal used, by service and by the names of its actions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PrincipalUse(pub(crate) BTreeMap<String, BTreeMap<String, Use>>);

impl PrincipalUse {
    fn note(&mut self, service: &str, action: &str, last: Use) {
        let actions = self.0.entry(service.to_owned()).or_default();
        match actions.get_mut(action) {
            Some(known) if *known >= last => {}
            Some(known) => *known = last,
            None => {
                actions.insert(action.to_owned(), last);
            }
        }
    }

    fn merge(&mut self, other: PrincipalUse) {
        for (service, actions) in other.0 {
            for (action, last) in actions {
                self.note(&service, &action, last);
            }
        }
    }

    /// The last use of a service.
    pub(crate) fn of_service(&self, service: &str) -> Option<&Use> {
        self.0.get(service)?.values().max()
    }

    /// The last use of anything.
    fn last(&self) -> Option<&Use> {
        self.0.values().flat_map(BTreeMap::values).max()
    }
}

type Owner = (AccountId, String);

/// The notes since the last flush.
pub(crate) struct PrincipalUses {
    hasher: RandomState,
    /// What was noted within a minute, by hash: two that share a place only cost each other a note more.
    recent: Box<[AtomicU64]>,
    unwritten: Mutex<HashMap<Owner, PrincipalUse>>,
}

impl Default for PrincipalUses {
    fn default() -> PrincipalUses {
        PrincipalUses {
            hasher: RandomState::new(),
            recent: (0..RECENT).map(|_| AtomicU64::new(0)).collect(),
            unwritten: Mutex::default(),
        }
    }
}

/// The unique id that outlives sessions and names: of a role session that of its role. None for services and for
/// federated users, whose sessions do not carry the id of the user behind them.
fn unique_id(principal: &Principal) -> Option<&str> {
    match principal.identity {
        PrincipalIdentity::Root | PrincipalIdentity::User { .. } => Some(&principal.principal_id),
        PrincipalIdentity::AssumedRole { .. } => principal.principal_id.split(':').next(),
        _ => None,
    }
}

impl PrincipalUses {
    /// Whether this was noted within the minute; if not, it counts as noted now.
    fn is_recent(&self, id: &str, action: &str, now: Timestamp) -> bool {
        let hash = self.hasher.hash_one((id, action));
        let minute = (now.seconds() / 60).unsigned_abs() & 0xFFFF_FFFF;
        let mark = (hash & 0xFFFF_FFFF_0000_0000) | minute;
        let place = usize::try_from(hash & 0xFFFF_FFFF).unwrap_or_default() % RECENT;
        self.recent.get(place).is_some_and(|recent| recent.swap(mark, Ordering::Relaxed) == mark)
    }

    fn take(&self) -> Vec<(Owner, PrincipalUse)> {
        self.unwritten.lock().drain().collect()
    }

    fn put_back(&self, owner: Owner, noted: PrincipalUse) {
        self.unwritten.lock().entry(owner).or_default().merge(noted);
    }
}

/// The key of the document that says what a principal last used.
pub(crate) fn principal_use_key(account: &AccountId, id: &str) -> Key {
    Key { kind: kind::PRINCIPAL_USE, account: account.clone(), region: None, id: id.to_owned() }
}

impl Iam {
    /// Notes an allowed call.
    pub(crate) fn note_principal_use(&self, principal: &Principal, action: &str, context: &dyn Context) {
        let Some(id) = unique_id(principal) else { return };
        let now = self.clock.now();
        if self.principal_uses.is_recent(id, action, now) {
            return;
        }
        let Some((service, name)) = action.split_once(':') else { return };
        let region = context.get("aws:requestedregion").and_then(|values| values.single()).unwrap_or("us-east-1");
        let last = Use { at: now, region: region.to_owned() };
        let mut unwritten = self.principal_uses.unwritten.lock();
        unwritten.entry((principal.account.clone(), id.to_owned())).or_default().note(service, name, last);
    }

    pub(super) async fn flush_principal_uses(&self) -> Result<(), ApiError> {
        let taken = self.principal_uses.take();
        for chunk in taken.chunks(IN_ONE_COMMIT) {
            if let Err(error) = self.write_principal_uses(chunk).await {
                chunk.iter().cloned().for_each(|(owner, noted)| self.principal_uses.put_back(owner, noted));
                return Err(error);
            }
        }
        Ok(())
    }

    async fn write_principal_uses(&self, noted: &[(Owner, PrincipalUse)]) -> Result<(), ApiError> {
        let now = self.clock.now();
        let mut transaction = Transaction::new();
        for ((account, id), noted) in noted {
            // Nothing is kept of an account that is gone.
            if self.store.get(&account_key(account)).await.map_err(store_failed)?.is_none() {
                continue;
            }
            let key = principal_use_key(account, id);
            let stored = load::<PrincipalUse>(&*self.store, &key).await?;
            let mut all = stored.map(|stored| stored.record).unwrap_or_default();
            all.merge(noted.clone());
            transaction = transaction.put(Document::new(key, id, now, &all).map_err(store_failed)?);
        }
        self.commit(transaction).await
    }

    /// What a principal last used, by its unique id.
    pub(crate) async fn principal_use(&self, account: &AccountId, id: &str) -> Result<PrincipalUse, ApiError> {
        let stored = load::<PrincipalUse>(&*self.store, &principal_use_key(account, id)).await?;
        let mut all = stored.map(|stored| stored.record).unwrap_or_default();
        if let Some(noted) = self.principal_uses.unwritten.lock().get(&(account.clone(), id.to_owned())) {
            all.merge(noted.clone());
        }
        Ok(all)
    }

    /// When and where a role was last used; empty when never.
    pub(crate) async fn role_last_used(&self, account: &AccountId, id: &str) -> Result<RoleLastUsed, ApiError> {
        let used = self.principal_use(account, id).await?;
        let last = used.last();
        Ok(RoleLastUsed { last_used_date: last.map(|last| last.at), region: last.map(|last| last.region.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use stoa_types::Timestamp;

    use super::{PrincipalUse, PrincipalUses, Use};

    #[test]
    fn a_use_is_noted_once_a_minute_and_the_newest_counts() {
        let uses = PrincipalUses::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        assert!(!uses.is_recent("AIDA", "s3:GetObject", at(60)));
        assert!(uses.is_recent("AIDA", "s3:GetObject", at(119)));
        assert!(!uses.is_recent("AIDA", "s3:PutObject", at(119)));
        assert!(!uses.is_recent("AIDA", "s3:GetObject", at(120)));
        let last = |seconds, region: &str| Use { at: at(seconds), region: region.to_owned() };
        let mut one = PrincipalUse::default();
        one.note("s3", "GetObject", last(5, "us-west-2"));
        one.note("s3", "GetObject", last(3, "us-east-1"));
        let mut other = PrincipalUse::default();
        other.note("s3", "PutObject", last(4, "eu-west-1"));
        one.merge(other);
        assert_eq!(one.of_service("s3"), Some(&last(5, "us-west-2")));
        assert_eq!(one.0["s3"]["PutObject"], last(4, "eu-west-1"));
        assert!(one.of_service("iam").is_none());
    }
}
