//! When, for what and where long-term access keys were last used; what principals used is in `principals`.
//!
//! Uses are noted in memory on the way of every request and written by [`Iam::flush_key_uses`], which the app calls
//! every few minutes and at shutdown. A crash loses the notes since the last flush, nothing else.

mod principals;

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_store::{Document, Key, Transaction};
use stoa_types::{AccountId, Timestamp};

pub(crate) use principals::{PrincipalUse, PrincipalUses, Use, principal_use_key};

use crate::Iam;
use crate::error::store_failed;
use crate::state::{kind, load};

/// The last use of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyUse {
    pub(crate) at: Timestamp,
    pub(crate) service: String,
    pub(crate) region: String,
}

/// Uses noted since the start; those written are kept for reading.
#[derive(Debug, Default)]
pub(crate) struct KeyUses(Mutex<HashMap<String, Noted>>);

#[derive(Debug)]
struct Noted {
    last: KeyUse,
    written: bool,
}

impl KeyUses {
    /// Notes a use.
    pub(crate) fn note(&self, access_key_id: &str, at: Timestamp, service: &str, region: &str) {
        let mut uses = self.0.lock();
        if let Some(noted) = uses.get_mut(access_key_id) {
            noted.last.at = at;
            noted.written = false;
            if noted.last.service != service {
                service.clone_into(&mut noted.last.service);
            }
            if noted.last.region != region {
                region.clone_into(&mut noted.last.region);
            }
            return;
        }
        let last = KeyUse { at, service: service.to_owned(), region: region.to_owned() };
        uses.insert(access_key_id.to_owned(), Noted { last, written: false });
    }

    fn get(&self, access_key_id: &str) -> Option<KeyUse> {
        self.0.lock().get(access_key_id).map(|noted| noted.last.clone())
    }

    fn take_unwritten(&self) -> Vec<(String, KeyUse)> {
        let mut uses = self.0.lock();
        let unwritten = uses.iter_mut().filter(|(_, noted)| !noted.written);
        unwritten
            .map(|(id, noted)| {
                noted.written = true;
                (id.clone(), noted.last.clone())
            })
            .collect()
    }
}

/// The key of the document that says when an access key was last used.
pub(crate) fn use_key(access_key_id: &str) -> Key {
    Key { kind: kind::KEY_USE, account: AccountId::aws(), region: None, id: access_key_id.to_owned() }
}

impl Iam {
    /// Writes down what access keys and principals were used for since the last time.
    ///
    /// # Errors
    /// The store's. What was not written is noted again with the key's next use.
    pub async fn flush_key_uses(&self) -> Result<(), ApiError> {
        let unwritten = self.uses.take_unwritten();
        for chunk in unwritten.chunks(256) {
            let mut transaction = Transaction::new();
            for (id, last) in chunk {
                transaction = transaction.put(Document::new(use_key(id), id, last.at, last).map_err(store_failed)?);
            }
            self.commit(transaction).await?;
        }
        self.flush_principal_uses().await
    }

    /// When this key was last used.
    pub(crate) async fn key_use(&self, access_key_id: &str) -> Result<Option<KeyUse>, ApiError> {
        if let Some(last) = self.uses.get(access_key_id) {
            return Ok(Some(last));
        }
        let stored = load::<KeyUse>(&*self.store, &use_key(access_key_id)).await?;
        Ok(stored.map(|stored| stored.record))
    }
}
