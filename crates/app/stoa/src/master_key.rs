//! The master key: where it comes from, the one that is to replace it, and what the store says of both.
//!
//! The key is 32 bytes, written as 64 hexadecimal digits or in base64. It is kept by Stoa (`master.key` in the data
//! folder, and `master.key.next` while it is being replaced) or by the operator: `STOA_MASTER_KEY` or the file that
//! `STOA_MASTER_KEY_FILE` names, with `_NEXT` before the end of the name for the one that replaces it.
//!
//! INVARIANT: a key is durable where it is kept before anything is sealed under it, and the store names every key that
//! something in it may be sealed under. A server that lacks one of them does not start.

use std::fs;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stoa_seal::SealingKey;
use stoa_store::{Document, Key, Store, Transaction};
use stoa_types::{AccountId, Clock, IdSource};
use zeroize::Zeroizing;

use crate::data_dir::DataDir;

const VARIABLE: &str = "STOA_MASTER_KEY";
const FILE_VARIABLE: &str = "STOA_MASTER_KEY_FILE";
const NEXT_VARIABLE: &str = "STOA_MASTER_KEY_NEXT";
const NEXT_FILE_VARIABLE: &str = "STOA_MASTER_KEY_NEXT_FILE";

/// Thirty-two bytes from which every other key is derived.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Reads what is written in a variable or file.
    fn parse(text: &str, from: &str) -> io::Result<MasterKey> {
        let text = text.trim();
        let mut key = Zeroizing::new([0; 32]);
        let hexadecimal = hex::decode_to_slice(text, &mut *key).is_ok();
        if !hexadecimal {
            let bytes = STANDARD.decode(text).map(Zeroizing::new).unwrap_or_default();
            let wrong = || {
                let message =
                    format!("the master key in {from} is neither 64 hexadecimal digits nor 32 bytes in base64");
                io::Error::other(message)
            };
            *key = bytes.as_slice().try_into().map_err(|_| wrong())?;
        }
        Ok(MasterKey(key))
    }

    fn generate(ids: &dyn IdSource) -> MasterKey {
        let mut key = Zeroizing::new([0; 32]);
        ids.fill(&mut *key);
        MasterKey(key)
    }

    /// A key for one purpose.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new().chain_update(*self.0).chain_update(purpose).finalize().into()
    }
}

/// Who keeps the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// Stoa, in the data folder.
    DataFolder,
    /// The operator; the text names the variable that says the present key.
    Operator(&'static str),
}

/// The master key and, while it is being replaced, the next one.
pub struct MasterKeys {
    pub current: MasterKey,
    pub next: Option<MasterKey>,
    pub keeper: Keeper,
}

impl MasterKeys {
    /// Reads the keys from where they are kept; the first start of a data folder makes one.
    pub fn load(data_dir: &DataDir, ids: &dyn IdSource) -> io::Result<MasterKeys> {
        let next = of_variables(NEXT_VARIABLE, NEXT_FILE_VARIABLE)?;
        if let Some((current, variable)) = of_variables(VARIABLE, FILE_VARIABLE)? {
            return Ok(MasterKeys { current, next: next.map(|(key, _)| key), keeper: Keeper::Operator(variable) });
        }
        if let Some((_, variable)) = next {
            let message = format!("{variable} is set, but neither {VARIABLE} nor {FILE_VARIABLE} is");
            return Err(io::Error::other(message));
        }
        let current = of_data_folder(data_dir, ids)?;
        let next = of_file(&next_path(data_dir))?;
        Ok(MasterKeys { current, next, keeper: Keeper::DataFolder })
    }

    /// The key that seals from now on.
    pub fn newest(&self) -> &MasterKey {
        self.next.as_ref().unwrap_or(&self.current)
    }

    /// Seals under the newest key and opens under both.
    pub fn sealing_key(&self) -> SealingKey {
        let newest = SealingKey::new(*self.newest().0);
        if self.next.is_some() { newest.with_older(*self.current.0) } else { newest }
    }

    /// Makes the next key in the data folder, where there is none yet. Durable when this returns.
    pub fn make_next(&mut self, data_dir: &DataDir, ids: &dyn IdSource) -> io::Result<()> {
        if self.next.is_none() {
            let key = MasterKey::generate(ids);
            data_dir.write_private(&next_path(data_dir), &hex::encode(*key.0))?;
            self.next = Some(key);
        }
        Ok(())
    }

    /// The next key becomes the key of the data folder.
    pub fn adopt_next(&self, data_dir: &DataDir) -> io::Result<()> {
        if self.next.is_some() && self.keeper == Keeper::DataFolder {
            fs::rename(next_path(data_dir), path(data_dir))?;
            data_dir.sync()?;
        }
        Ok(())
    }
}

fn path(data_dir: &DataDir) -> PathBuf {
    data_dir.path().join("master.key")
}

fn next_path(data_dir: &DataDir) -> PathBuf {
    data_dir.path().join("master.key.next")
}

fn of_variables(text: &'static str, file: &'static str) -> io::Result<Option<(MasterKey, &'static str)>> {
    match (std::env::var(text).ok(), std::env::var_os(file)) {
        (Some(_), Some(_)) => Err(io::Error::other(format!("{text} and {file} are both set"))),
        (Some(value), None) => Ok(Some((MasterKey::parse(&Zeroizing::new(value), text)?, text))),
        (None, Some(path)) => {
            let path = PathBuf::from(path);
            let key = of_file(&path)?;
            let missing = || io::Error::other(format!("{file} names {}, which is not there", path.display()));
            Ok(Some((key.ok_or_else(missing)?, file)))
        }
        (None, None) => Ok(None),
    }
}

fn of_file(path: &std::path::Path) -> io::Result<Option<MasterKey>> {
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) => MasterKey::parse(&text, &path.display().to_string()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::other(format!("{} cannot be read: {error}", path.display()))),
    }
}

fn of_data_folder(data_dir: &DataDir, ids: &dyn IdSource) -> io::Result<MasterKey> {
    let path = path(data_dir);
    if let Some(key) = of_file(&path)? {
        return Ok(key);
    }
    if data_dir.database().exists() {
        return Err(io::Error::other(format!(
            "{} is missing, and without it the secrets in {} cannot be read: restore it, or set {VARIABLE}",
            path.display(),
            data_dir.database().display()
        )));
    }
    let key = MasterKey::generate(ids);
    data_dir.write_private(&path, &hex::encode(*key.0))?;
    Ok(key)
}

/// What the store says: the keys that its secrets are sealed under, by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SealedUnder {
    current: String,
    /// Set before anything is sealed under it, gone when nothing is sealed under the current one any more.
    next: Option<String>,
}

fn record_key() -> Key {
    Key { kind: "stoa:master-key", account: AccountId::aws(), region: None, id: "sealed-under".to_owned() }
}

/// Holds the keys to what the store says, and notes there what is about to be used. To be called before anything is
/// sealed.
pub async fn check(store: &dyn Store, keys: &MasterKeys, clock: &dyn Clock) -> Result<(), Box<dyn std::error::Error>> {
    let sealing = keys.sealing_key();
    let newest = sealing.id().to_string();
    let Some(document) = store.get(&record_key()).await? else {
        // A first start, or the first since the record exists: what is there was sealed under the present key.
        let current = SealingKey::new(*keys.current.0).id().to_string();
        let next = (newest != current).then_some(newest);
        return write(store, None, &SealedUnder { current, next }, clock).await;
    };
    let mut under: SealedUnder = document.decode()?;
    for id in std::iter::once(&under.current).chain(&under.next) {
        if !sealing.knows(id) {
            let message = format!(
                "secrets in the store are sealed under the master key {id}, which is not given: {}",
                hint(keys, &under)
            );
            return Err(message.into());
        }
    }
    if under.current == newest || under.next.as_ref() == Some(&newest) {
        return Ok(());
    }
    if under.next.is_some() {
        return Err("another master key than this next one is replacing the present one; finish that first".into());
    }
    under.next = Some(newest);
    write(store, Some(&document), &under, clock).await
}

fn hint(keys: &MasterKeys, under: &SealedUnder) -> String {
    match (&keys.keeper, &under.next) {
        (Keeper::DataFolder, _) => "restore master.key (and master.key.next, if there was one)".to_owned(),
        (Keeper::Operator(variable), Some(_)) => {
            format!(
                "`stoa keys rotate-master` did not end; {variable} must say the old key and {NEXT_VARIABLE} the new one"
            )
        }
        (Keeper::Operator(variable), None) => format!("{variable} says another key"),
    }
}

/// Notes that nothing is sealed under an older key any more.
pub async fn finish(store: &dyn Store, keys: &MasterKeys, clock: &dyn Clock) -> Result<(), Box<dyn std::error::Error>> {
    let current = keys.sealing_key().id().to_string();
    let document = store.get(&record_key()).await?;
    write(store, document.as_deref(), &SealedUnder { current, next: None }, clock).await
}

async fn write(
    store: &dyn Store,
    old: Option<&Document>,
    under: &SealedUnder,
    clock: &dyn Clock,
) -> Result<(), Box<dyn std::error::Error>> {
    let transaction = match old {
        Some(document) => Transaction::new().update(document.with_body(clock.now(), under)?),
        None => Transaction::new().create(Document::new(record_key(), "sealed-under", clock.now(), under)?),
    };
    Ok(store.commit(transaction).await?)
}

#[cfg(test)]
mod tests {
    //! Forms of the key, and what the store makes of keys.

    use std::sync::Arc;

    use stoa_store::MemoryStore;

    use super::*;
    use crate::clock::SystemClock;

    fn keys(current: u8, next: Option<u8>) -> MasterKeys {
        let key = |byte| MasterKey(Zeroizing::new([byte; 32]));
        MasterKeys { current: key(current), next: next.map(key), keeper: Keeper::Operator(VARIABLE) }
    }

    #[test]
    fn a_key_is_read_in_both_forms_and_nothing_else() {
        let hexadecimal = MasterKey::parse(&"ab".repeat(32), "x").unwrap();
        let base64 = MasterKey::parse(&format!("{}\n", STANDARD.encode([0xab; 32])), "x").unwrap();
        assert_eq!(*hexadecimal.0, *base64.0);
        for wrong in ["", "ab", &"ab".repeat(31), &"zz".repeat(32), &STANDARD.encode([1; 31])] {
            assert!(MasterKey::parse(wrong, "x").is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_store_opens_only_with_all_the_keys_it_names() {
        let clock = SystemClock;
        let store = MemoryStore::new(Arc::new(clock));
        check(&store, &keys(1, None), &clock).await.unwrap();
        check(&store, &keys(1, None), &clock).await.unwrap();
        assert!(check(&store, &keys(2, None), &clock).await.is_err());
        check(&store, &keys(1, Some(2)), &clock).await.unwrap();
        // From now on something may be sealed under either.
        assert!(check(&store, &keys(1, None), &clock).await.is_err());
        assert!(check(&store, &keys(2, None), &clock).await.is_err());
        assert!(check(&store, &keys(1, Some(3)), &clock).await.is_err());
        check(&store, &keys(1, Some(2)), &clock).await.unwrap();
        finish(&store, &keys(1, Some(2)), &clock).await.unwrap();
        assert!(check(&store, &keys(1, None), &clock).await.is_err());
        check(&store, &keys(2, None), &clock).await.unwrap();
        // A crash before the file was renamed.
        check(&store, &keys(1, Some(2)), &clock).await.unwrap();
    }
}
