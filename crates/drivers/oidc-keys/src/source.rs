//! Where an issuer's keys come from: the operator's pin, or discovery, held for a while.
//!
//! INVARIANT: what was fetched with one list of thumbprints is never served for another, since accounts may trust
//! different certificates. An unknown key id leads to one more fetch, and not to another within ten seconds.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use stoa_kernel::ports::{IssuerKeys, IssuerKeysError};
use stoa_types::{Clock, Timestamp};

use crate::fetch::Fetcher;

const HELD_MILLIS: i64 = 15 * 60_000;
const FRESH_MILLIS: i64 = 10_000;
const MOST_HELD: usize = 1_000;
const MAX_FILE: u64 = 1 << 20;

/// Where the operator says an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// A JWK set in a file. It is read at every use, so that it can be replaced.
    File(PathBuf),
    /// A JWK set behind a URL.
    Url(String),
}

/// What the operator set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// By issuer (`https://host/path`).
    pub pins: BTreeMap<String, Pin>,
    /// Whether issuers that are not pinned are asked over the network.
    pub discover: bool,
}

struct Held {
    at: Timestamp,
    /// When it was last asked for because of an unknown key.
    refreshed: Option<Timestamp>,
    set: Arc<[u8]>,
}

/// The keys of issuers.
pub struct OidcKeys {
    settings: Settings,
    clock: Arc<dyn Clock>,
    fetcher: Fetcher,
    held: Mutex<HashMap<(String, Vec<String>), Held>>,
}

impl fmt::Debug for OidcKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OidcKeys").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl OidcKeys {
    /// Nothing is asked before a token comes.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>) -> OidcKeys {
        OidcKeys { settings, clock, fetcher: Fetcher::default(), held: Mutex::default() }
    }

    fn held(&self, key: &(String, Vec<String>), fresh: bool) -> Option<Arc<[u8]>> {
        let held = self.held.lock();
        let found = held.get(key)?;
        let (since, limit) = if fresh { (found.refreshed?, FRESH_MILLIS) } else { (found.at, HELD_MILLIS) };
        let age = self.clock.now().millis().saturating_sub(since.millis());
        (0..limit).contains(&age).then(|| Arc::clone(&found.set))
    }

    fn hold(&self, key: (String, Vec<String>), set: &Arc<[u8]>, fresh: bool) {
        let mut held = self.held.lock();
        if held.len() >= MOST_HELD {
            held.clear();
        }
        let at = self.clock.now();
        let refreshed = if fresh { Some(at) } else { held.get(&key).and_then(|old| old.refreshed) };
        held.insert(key, Held { at, refreshed, set: Arc::clone(set) });
    }

    async fn fetch(&self, issuer: &str, thumbprints: &[String]) -> Result<Vec<u8>, IssuerKeysError> {
        match self.settings.pins.get(issuer) {
            Some(Pin::Url(url)) => self.fetcher.get(url, thumbprints).await,
            _ => self.fetcher.discover(issuer, thumbprints).await,
        }
    }
}

async fn read_file(path: &PathBuf) -> Result<Arc<[u8]>, IssuerKeysError> {
    // The caller is told no path of ours; the operator is.
    let failed = |error: std::io::Error| {
        tracing::error!(path = %path.display(), %error, "the keys of an issuer cannot be read");
        IssuerKeysError("the keys that are pinned for this issuer cannot be read".to_owned())
    };
    let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if size > MAX_FILE {
        return Err(failed(std::io::Error::other("the file is larger than 1 MiB")));
    }
    tokio::fs::read(path).await.map(Arc::from).map_err(failed)
}

#[async_trait]
impl IssuerKeys for OidcKeys {
    async fn key_set(&self, issuer: &str, thumbprints: &[String], fresh: bool) -> Result<Arc<[u8]>, IssuerKeysError> {
        if let Some(Pin::File(path)) = self.settings.pins.get(issuer) {
            return read_file(path).await;
        }
        if !self.settings.discover && !self.settings.pins.contains_key(issuer) {
            return Err(IssuerKeysError(
                "this server asks no issuer for keys, and none are pinned for this one".to_owned(),
            ));
        }
        let key = (issuer.to_owned(), thumbprints.to_vec());
        if let Some(set) = self.held(&key, fresh) {
            return Ok(set);
        }
        let set: Arc<[u8]> = self.fetch(issuer, thumbprints).await?.into();
        self.hold(key, &set, fresh);
        Ok(set)
    }

    async fn thumbprint(&self, issuer: &str) -> Result<String, IssuerKeysError> {
        if !self.settings.discover || self.settings.pins.contains_key(issuer) {
            return Err(IssuerKeysError("this server does not ask this issuer".to_owned()));
        }
        self.fetcher.thumbprint(issuer).await
    }
}
