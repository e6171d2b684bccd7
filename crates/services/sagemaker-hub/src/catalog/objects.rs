//! The names of the objects in the JumpStart buckets, which are the same in every region. None is held: a key leads to
//! what it is of, and a listing makes the keys of one model after the other.
//!
//! INVARIANT: groups of keys do not overlap. Each has a beginning that is no other's beginning, so groups in order of
//! their beginnings, each in order within itself, are the bucket in order.

use std::sync::{Arc, OnceLock};

use stoa_kernel::ApiError;
use stoa_sagemaker_common::Version;

use super::index::CatalogIndex;
use super::model::ModelBody;
use super::public::{PublicModel, Versions};
use super::{Catalog, ModelFile};
use crate::location;

/// What an object of a JumpStart bucket is made of.
#[derive(Debug, Clone)]
pub(crate) enum Derived {
    Manifest,
    ProprietaryManifest,
    Spec(Arc<PublicModel>),
    Card(Arc<PublicModel>),
    Eula(Arc<PublicModel>),
    Artifact(Arc<PublicModel>, ModelFile),
}

/// The models in order of their keys, which is not that of their ids: `a-b-c-d/` comes before `a-b-c/`.
#[derive(Debug, Default)]
pub(crate) struct Places(OnceLock<Vec<Arc<str>>>);

impl Clone for Places {
    /// A clone is about to change: it makes its own.
    fn clone(&self) -> Places {
        Places::default()
    }
}

impl CatalogIndex {
    fn in_order_of_keys(&self) -> &[Arc<str>] {
        self.places.0.get_or_init(|| {
            let mut ids: Vec<Arc<str>> = self.models.keys().cloned().collect();
            ids.sort_unstable_by(|left, right| beginning(left).cmp(beginning(right)));
            ids
        })
    }

    /// The models whose keys, less what comes before the id, may be this text or come after it.
    fn models_from(&self, from: &str) -> &[Arc<str>] {
        let ids = self.in_order_of_keys();
        let before = |id: &Arc<str>| {
            let in_it = from.strip_prefix(&**id).is_some_and(|rest| rest.starts_with('/'));
            !in_it && beginning(id).lt(from.bytes())
        };
        ids.get(ids.partition_point(before)..).unwrap_or_default()
    }
}

/// What all keys of a model begin with.
fn beginning(id: &str) -> impl Iterator<Item = u8> {
    id.bytes().chain([b'/'])
}

/// What of a bucket is asked for: the keys with this prefix that come after this one.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
}

impl Asked<'_> {
    fn takes(&self, key: &str) -> bool {
        key.starts_with(self.prefix) && self.after.is_none_or(|after| key > after)
    }

    /// Whether a key that begins so may be asked for.
    fn may_begin(&self, beginning: &str) -> bool {
        let ahead = self.after.is_none_or(|after| beginning > after || after.starts_with(beginning));
        ahead && (beginning.starts_with(self.prefix) || self.prefix.starts_with(beginning))
    }

    /// Whether all keys that begin so, and all that come after them, come after those with the prefix.
    fn is_past(&self, beginning: &str) -> bool {
        beginning > self.prefix && !beginning.starts_with(self.prefix)
    }

    /// The first text that may be asked for.
    fn from(&self) -> &str {
        self.after.filter(|after| *after > self.prefix).unwrap_or(self.prefix)
    }
}

impl Catalog {
    /// What an object of the open or of the gated bucket is made of.
    pub(crate) async fn derived(
        &self,
        index: &CatalogIndex,
        gated: bool,
        key: &str,
    ) -> Result<Option<Derived>, ApiError> {
        if !gated && let Some(found) = text_at(index, key) {
            return Ok(Some(found));
        }
        let Some((id, version)) = location::artifact_of(key) else { return Ok(None) };
        let Some(model) = version_of(index, id, version).filter(|model| model.gated == gated) else { return Ok(None) };
        let Some(path) = key.strip_prefix(&location::artifact_prefix(&**model)) else { return Ok(None) };
        let body = self.body(model).await?;
        let file = body.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok();
        let file = file.and_then(|at| body.files.get(at));
        Ok(file.map(|file| Derived::Artifact(Arc::clone(model), file.clone())))
    }

    /// Up to so many objects with this prefix, after this key, in order.
    pub(crate) async fn derived_after(
        &self,
        index: &CatalogIndex,
        gated: bool,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Derived)>, ApiError> {
        let asked = Asked { prefix, after };
        let mut found = Vec::new();
        let mut texts = if gated { Vec::new() } else { groups_of_texts() };
        texts.retain(|(beginning, _)| asked.may_begin(beginning));
        let mut texts = texts.into_iter().peekable();
        let mut models = index.models_from(asked.from()).iter().peekable();
        while found.len() < limit {
            let model = models.peek().filter(|id| !asked.is_past(&format!("{id}/")));
            let text_first = match (texts.peek(), model) {
                (None, None) => break,
                (Some((text, _)), Some(id)) => text.bytes().lt(beginning(id)),
                (text, _) => text.is_some(),
            };
            if text_first {
                let Some((beginning, group)) = texts.next() else { break };
                match group {
                    Some(single) if asked.takes(beginning) => found.push((beginning.to_owned(), single)),
                    Some(_) => {}
                    None => specs(index, asked, limit, &mut found),
                }
            } else if let Some(versions) = models.next().and_then(|id| index.versions(id)) {
                self.of_model(versions, gated, asked, &mut found).await?;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The objects of a model that are asked for, but for its specs.
    async fn of_model(
        &self,
        versions: &Versions,
        gated: bool,
        asked: Asked<'_>,
        found: &mut Vec<(String, Derived)>,
    ) -> Result<(), ApiError> {
        let mut keys = Vec::new();
        for model in versions.values() {
            if !gated {
                keys.push((location::card_key(&**model), Derived::Card(Arc::clone(model))));
                if model.gated {
                    keys.push((location::eula_key(&**model), Derived::Eula(Arc::clone(model))));
                }
            }
            let prefix = location::artifact_prefix(&**model);
            if model.gated == gated && asked.may_begin(&prefix) {
                let body = self.body(model).await?;
                keys.extend(artifacts(model, &body, &prefix).filter(|(key, _)| asked.takes(key)));
            }
        }
        if !gated && let Some(latest) = latest_gated(versions) {
            keys.push((location::latest_eula_key(&latest.id), Derived::Eula(Arc::clone(latest))));
        }
        keys.retain(|(key, _)| asked.takes(key));
        keys.sort_by(|(left, _), (right, _)| left.cmp(right));
        found.extend(keys);
        Ok(())
    }
}

/// The groups of the open bucket that are no model's, in order: an object, or the specs.
fn groups_of_texts() -> Vec<(&'static str, Option<Derived>)> {
    vec![
        (location::SPECS, None),
        (location::MANIFEST_KEY, Some(Derived::Manifest)),
        (location::PROPRIETARY_MANIFEST_KEY, Some(Derived::ProprietaryManifest)),
    ]
}

fn specs(index: &CatalogIndex, asked: Asked<'_>, limit: usize, found: &mut Vec<(String, Derived)>) {
    let from = asked.from().strip_prefix(location::SPECS).unwrap_or_default();
    for id in index.models_from(from) {
        if found.len() >= limit || asked.is_past(&format!("{}{id}/", location::SPECS)) {
            return;
        }
        let versions = index.versions(id).into_iter().flat_map(Versions::values);
        let keyed = versions.map(|model| (location::spec_key(&**model), Derived::Spec(Arc::clone(model))));
        let mut keys: Vec<_> = keyed.filter(|(key, _)| asked.takes(key)).collect();
        keys.sort_by(|(left, _), (right, _)| left.cmp(right));
        found.extend(keys);
    }
}

fn artifacts(model: &Arc<PublicModel>, body: &ModelBody, prefix: &str) -> impl Iterator<Item = (String, Derived)> {
    body.files
        .iter()
        .map(move |file| (format!("{prefix}{}", file.path), Derived::Artifact(Arc::clone(model), file.clone())))
}

fn latest_gated(versions: &Versions) -> Option<&Arc<PublicModel>> {
    versions.values().rev().find(|model| model.gated)
}

fn version_of<'i>(index: &'i CatalogIndex, id: &str, version: &str) -> Option<&'i Arc<PublicModel>> {
    let version: Version = version.parse().ok()?;
    index.versions(id)?.get(&version)
}

/// What an object of the open bucket is that is made of a model's texts. The key is made again from what was found, so
/// that no other spelling of a version leads anywhere.
fn text_at(index: &CatalogIndex, key: &str) -> Option<Derived> {
    match key {
        location::MANIFEST_KEY => return Some(Derived::Manifest),
        location::PROPRIETARY_MANIFEST_KEY => return Some(Derived::ProprietaryManifest),
        _ => {}
    }
    if let Some(rest) = key.strip_prefix(location::SPECS) {
        let (id, name) = rest.split_once('/')?;
        let version = name.strip_prefix("specs_v")?.strip_suffix(".json")?;
        let model = version_of(index, id, version)?;
        return (location::spec_key(&**model) == key).then(|| Derived::Spec(Arc::clone(model)));
    }
    let (id, rest) = key.split_once('/')?;
    if location::latest_eula_key(id) == key {
        return latest_gated(index.versions(id)?).map(|model| Derived::Eula(Arc::clone(model)));
    }
    let (version, _) = rest.strip_prefix('v')?.split_once('/')?;
    let model = version_of(index, id, version)?;
    if location::card_key(&**model) == key {
        return Some(Derived::Card(Arc::clone(model)));
    }
    (model.gated && location::eula_key(&**model) == key).then(|| Derived::Eula(Arc::clone(model)))
}
