//! Which model a Hugging Face repository is: one, in all its versions. Where two claimed it, Hugging Face's clients
//! would find now the one and now the other under its name.
//!
//! Asked before anything is committed, under the lock of imports. What was stored by an older Stoa keeps its claim.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CatalogIndex, Manifest};

/// The claims of the public hub, and those of the models that an import is about to add.
pub(super) struct Claims {
    index: Arc<CatalogIndex>,
    added: BTreeMap<String, String>,
}

impl Claims {
    pub fn of(index: Arc<CatalogIndex>) -> Claims {
        Claims { index, added: BTreeMap::new() }
    }

    /// Notes what a new model claims; says why it may not.
    pub fn add(&mut self, manifest: &Manifest) -> Result<(), String> {
        let origin = manifest.huggingface.as_ref();
        let Some(repository) = origin.and_then(|origin| origin.repository.as_ref()) else { return Ok(()) };
        let owner = match self.index.repositories.get(repository.as_str()) {
            Some(id) => id.to_string(),
            None => self.added.entry(repository.clone()).or_insert_with(|| manifest.id.clone()).clone(),
        };
        if owner == manifest.id {
            return Ok(());
        }
        Err(format!(
            "the repository {repository} is {owner}'s, and one model alone is known by it: import it as a version of \
             {owner}, or with another repository or none"
        ))
    }
}
