//! Whole public models, read from the store when they are wanted; those wanted lately are kept.
//!
//! INVARIANT: a kept body is of the generation that the index names. A version changes in its marks only, so a body
//! that was read a moment later than its index says the same of everything else.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_sagemaker_common::{Version, store_error};

use super::Catalog;
use super::model::{ModelBody, version_key};
use super::public::PublicModel;

/// JSON bytes of all bodies that are kept; decoded they take about twice as much.
const KEPT: usize = 4 << 20;

type Name = (Arc<str>, Version);

/// The bodies that were wanted lately.
#[derive(Debug, Default)]
pub(super) struct Bodies {
    kept: HashMap<Name, Kept>,
    /// When each was last wanted, the longest ago first.
    order: BTreeMap<u64, Name>,
    clock: u64,
    size: usize,
}

#[derive(Debug)]
struct Kept {
    body: Arc<ModelBody>,
    generation: u64,
    size: usize,
    used: u64,
}

impl Bodies {
    fn get(&mut self, model: &PublicModel) -> Option<Arc<ModelBody>> {
        let name = (Arc::clone(&model.id), model.version);
        let kept = self.kept.get_mut(&name).filter(|kept| kept.generation == model.generation)?;
        self.order.remove(&kept.used);
        self.clock += 1;
        kept.used = self.clock;
        self.order.insert(self.clock, name);
        Some(Arc::clone(&kept.body))
    }

    fn keep(&mut self, model: &PublicModel, body: &Arc<ModelBody>, generation: u64, size: usize) {
        let name = (Arc::clone(&model.id), model.version);
        self.remove(&name);
        if size > KEPT {
            return;
        }
        self.clock += 1;
        self.size += size;
        self.order.insert(self.clock, name.clone());
        self.kept.insert(name, Kept { body: Arc::clone(body), generation, size, used: self.clock });
        while self.size > KEPT {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, name: &Name) {
        if let Some(gone) = self.kept.remove(name) {
            self.order.remove(&gone.used);
            self.size -= gone.size;
        }
    }
}

impl Catalog {
    /// All of a version: its manifest, card and files.
    pub(crate) async fn body(&self, model: &PublicModel) -> Result<Arc<ModelBody>, ApiError> {
        if let Some(body) = self.bodies.lock().get(model) {
            return Ok(body);
        }
        let key = version_key(&model.id, model.version);
        let found = self.store.get(&key).await.map_err(store_error)?;
        let found = found.ok_or_else(|| ApiError::internal(format!("{key} is not in the store any more")))?;
        let body = Arc::new(found.decode::<ModelBody>().map_err(store_error)?);
        self.bodies.lock().keep(model, &body, found.generation, found.body.len());
        Ok(body)
    }
}

#[cfg(test)]
mod tests {
    //! What is kept, and what makes way.

    use serde_json::json;
    use stoa_types::Timestamp;

    use super::*;

    fn model(id: &str) -> (PublicModel, Arc<ModelBody>) {
        let body: ModelBody = serde_json::from_value(json!({
            "manifest": {
                "id": id, "version": "1.0.0", "display_name": "n", "description": "d", "task": "t", "framework": "f",
                "provider": "p", "licence": "l", "default_instance_type": "ml.m5.large",
                "supported_instance_types": ["ml.m5.large"], "image": "i", "content_types": [], "accept_types": [],
                "min_memory_mb": 1,
            },
            "card": "c", "eula": null, "files": [],
        }))
        .unwrap();
        (PublicModel::new(body.clone(), Timestamp::default(), Timestamp::default()), Arc::new(body))
    }

    #[test]
    fn the_body_wanted_longest_ago_makes_way() {
        let mut bodies = Bodies::default();
        let models: Vec<_> = ["a-b-c", "d-e-f", "g-h-i"].map(model).into();
        bodies.keep(&models[0].0, &models[0].1, 0, KEPT / 2);
        bodies.keep(&models[1].0, &models[1].1, 0, KEPT / 2);
        assert!(bodies.get(&models[0].0).is_some());
        bodies.keep(&models[2].0, &models[2].1, 0, KEPT / 2);
        assert!(bodies.get(&models[1].0).is_none(), "it was not wanted since");
        assert!(bodies.get(&models[0].0).is_some() && bodies.get(&models[2].0).is_some());
        assert_eq!((bodies.size, bodies.order.len()), (KEPT, 2));
        // Kept again at another size, and one that is larger than all there is room for.
        bodies.keep(&models[0].0, &models[0].1, 0, 10);
        bodies.keep(&models[2].0, &models[2].1, 0, KEPT + 1);
        assert_eq!((bodies.size, bodies.kept.len(), bodies.order.len()), (10, 1, 1));
    }

    #[test]
    fn a_body_of_another_generation_is_read_again() {
        let mut bodies = Bodies::default();
        let (mut public, body) = model("a-b-c");
        bodies.keep(&public, &body, 0, 10);
        assert!(bodies.get(&public).is_some());
        public.generation = 2;
        assert!(bodies.get(&public).is_none());
    }
}
