//! What KMS keeps: keys, aliases and grants, each one document.
//!
//! INVARIANT: an alias is in its key's document too, and every change of a key's grants raises the key's
//! `grants_revision`, each in the same transaction. So a key's generation moves with all that bears on who may use it.
//! A grant's `status` is its retiring principal, by which grants are looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stoa_kernel::ApiError;
use stoa_models_kms::types::{GrantOperation, KeyManagerType, KeySpec, KeyUsageType, RotationType};
use stoa_store::{Document, Key, Store};
use stoa_types::{AccountId, Region, Timestamp};

use crate::error::store_failed;

/// The kinds of documents of this service.
pub(crate) mod kind {
    /// Keys, with their material.
    pub(crate) const KEY: &str = "kms:key";
    /// Aliases; the parent is the key.
    pub(crate) const ALIAS: &str = "kms:alias";
    /// Grants; the parent is the key.
    pub(crate) const GRANT: &str = "kms:grant";
}

/// The states that keys have here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum State {
    Enabled,
    Disabled,
    PendingDeletion,
}

/// A key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsageType,
    pub(crate) manager: KeyManagerType,
    #[serde(default)]
    pub(crate) description: String,
    pub(crate) state: State,
    pub(crate) created: Timestamp,
    pub(crate) policy: String,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) aliases: BTreeSet<String>,
    /// Oldest first; the last one encrypts, all decrypt.
    pub(crate) materials: Vec<Material>,
    /// SubjectPublicKeyInfo in DER, base64: for asymmetric keys.
    #[serde(default)]
    pub(crate) public_key: Option<String>,
    #[serde(default)]
    pub(crate) deletion: Option<Deletion>,
    #[serde(default)]
    pub(crate) rotation: Option<Rotation>,
    #[serde(default)]
    pub(crate) on_demand_rotations: u32,
    #[serde(default)]
    pub(crate) grants_revision: u64,
}

/// Key material of one age.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Material {
    /// From 1 on; named by ciphertexts.
    pub(crate) version: u32,
    /// Sixty-four hexadecimal digits, as the API has it.
    pub(crate) id: String,
    pub(crate) created: Timestamp,
    /// The secret, sealed for the key's ARN and this version.
    pub(crate) sealed: String,
    /// What made it; none for the first.
    #[serde(default)]
    pub(crate) rotation: Option<RotationType>,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Material({}, {})", self.version, self.id)
    }
}

/// When a key is deleted for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deletion {
    pub(crate) at: Timestamp,
    pub(crate) window_days: i64,
}

/// Automatic rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rotation {
    pub(crate) period_days: i64,
    pub(crate) next: Timestamp,
}

/// An alias.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AliasRecord {
    /// `alias/…`.
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) key_id: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct GrantRecord {
    pub(crate) id: String,
    pub(crate) key_id: String,
    pub(crate) key_arn: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) grantee: String,
    #[serde(default)]
    pub(crate) retiring: Option<String>,
    pub(crate) operations: Vec<GrantOperation>,
    #[serde(default)]
    pub(crate) subset: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(crate) equals: Option<BTreeMap<String, String>>,
    /// The root ARN of the account that made it.
    pub(crate) issuer: String,
    pub(crate) created: Timestamp,
    /// Authenticates tokens. It is not sealed: a token opens nothing that the grant does not give anyway.
    pub(crate) token_key: String,
}

/// A document with its decoded body.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<T> {
    pub(crate) document: Arc<Document>,
    pub(crate) record: T,
}

impl<T: Serialize> Loaded<T> {
    /// The document to write back, at the generation it was read at.
    pub(crate) fn changed(&self, now: Timestamp) -> Result<Document, ApiError> {
        self.document.with_body(now, &self.record).map_err(store_failed)
    }
}

/// Reads and decodes a document.
pub(crate) async fn load<T: DeserializeOwned>(store: &dyn Store, key: &Key) -> Result<Option<Loaded<T>>, ApiError> {
    let Some(document) = store.get(key).await.map_err(store_failed)? else { return Ok(None) };
    let record = document.decode().map_err(store_failed)?;
    Ok(Some(Loaded { document, record }))
}

pub(crate) fn key_key(account: &AccountId, region: &Region, id: &str) -> Key {
    regional(kind::KEY, account, region, id.to_owned())
}

pub(crate) fn alias_key(account: &AccountId, region: &Region, name: &str) -> Key {
    regional(kind::ALIAS, account, region, name.to_owned())
}

pub(crate) fn grant_key(account: &AccountId, region: &Region, key_id: &str, id: &str) -> Key {
    regional(kind::GRANT, account, region, format!("{key_id}/{id}"))
}

fn regional(kind: &'static str, account: &AccountId, region: &Region, id: String) -> Key {
    Key { kind, account: account.clone(), region: Some(region.clone()), id }
}

/// The status that the reconciler looks for: keys that rotate are told apart from those that only are enabled.
pub(crate) fn index_status(record: &KeyRecord) -> &'static str {
    match (record.state, record.rotation) {
        (State::Enabled, Some(_)) => "Rotating",
        (State::Enabled, None) => "Enabled",
        (State::Disabled, _) => "Disabled",
        (State::PendingDeletion, _) => "PendingDeletion",
    }
}

impl KeyRecord {
    /// The material that encrypts.
    pub(crate) fn current(&self) -> Option<&Material> {
        self.materials.last()
    }

    /// The material of a version.
    pub(crate) fn material(&self, version: u32) -> Option<&Material> {
        self.materials.iter().find(|material| material.version == version)
    }
}
