//! Which model a Hugging Face repository is: one, in all its versions. Where two claimed it, Hugging Face's clients
//! would find now the one and now the other under its name.
//!
//! Asked before anything is committed, under the lock of imports. What was stored by an older Stoa keeps its claim.

use std::collections::BTreeMap;
use std::sync::Arc;

use stoa_kernel::ApiError;

use super::{Catalog, CatalogIndex, Manifest};

/// The claims of the public hub, and those of the models that an import is about to add.
pub(super) struct Claims {
    /// None where no model to be imported claims anything.
    index: Option<Arc<CatalogIndex>>,
    added: BTreeMap<String, String>,
}

impl Claims {
    /// What there is to ask for these models.
    pub async fn before(catalog: &Catalog, mut new: impl Iterator<Item = &Manifest>) -> Result<Claims, ApiError> {
        let index =
            if new.any(|manifest| repository(manifest).is_some()) { Some(catalog.index().await?) } else { None };
        Ok(Claims { index, added: BTreeMap::new() })
    }

    /// Notes what a new model claims; says why it may not.
    pub fn add(&mut self, manifest: &Manifest) -> Result<(), String> {
        let Some(repository) = repository(manifest) else { return Ok(()) };
        let known = self.index.as_ref().and_then(|index| index.repositories.get(repository.as_str()));
        let owner = match known {
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

fn repository(manifest: &Manifest) -> Option<&String> {
    manifest.huggingface.as_ref()?.repository.as_ref()
}
