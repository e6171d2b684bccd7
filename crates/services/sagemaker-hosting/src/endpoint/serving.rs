//! What serves now, as invocations read it: a map that is replaced whole, never changed in place.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use stoa_runtime::ContainerState;
use stoa_store::Key;

use super::plan::Observed;
use super::reconcile::{Endpoint, EndpointReconciler};
use super::{Deployment, Serving, ServingVariant, Variant};

impl EndpointReconciler {
    /// Publishes what serves now. An endpoint whose containers are the same keeps its turns.
    pub(super) fn publish(&self, endpoints: &[Endpoint], seen: &Observed) {
        let before = self.parts.serving.load();
        let mut serving = HashMap::new();
        for endpoint in endpoints {
            let Some(current) = &endpoint.state.current else { continue };
            if endpoint.document.status == "Deleting" {
                continue;
            }
            let variants = healthy(current, seen);
            let key = endpoint.document.key.clone();
            let unchanged = before.get(&key).filter(|old| same(old, &variants));
            let entry = unchanged.cloned().unwrap_or_else(|| serving_of(variants));
            serving.insert(key, entry);
        }
        self.parts.serving.store(Arc::new(serving));
    }

    /// Publishes one deployment as what serves.
    pub(super) fn serve(&self, key: &Key, deployment: &Deployment, seen: &Observed) {
        let entry = serving_of(healthy(deployment, seen));
        self.parts.serving.rcu(|before| {
            let mut serving = HashMap::clone(before);
            serving.insert(key.clone(), Arc::clone(&entry));
            serving
        });
    }
}

fn healthy(deployment: &Deployment, seen: &Observed) -> Vec<ServingVariant> {
    let is_healthy = |name: &String| seen.containers.get(name) == Some(&ContainerState::Healthy);
    let variant = |(index, variant): (usize, &Variant)| ServingVariant {
        name: variant.name.clone(),
        weight: variant.weight,
        instances: deployment.containers_of(index).into_iter().filter(is_healthy).collect(),
        turn: AtomicU64::new(0),
    };
    deployment.variants.iter().enumerate().map(variant).collect()
}

fn same(old: &Serving, new: &[ServingVariant]) -> bool {
    let same = |(a, b): (&ServingVariant, &ServingVariant)| {
        a.name == b.name && a.instances == b.instances && a.weight.total_cmp(&b.weight).is_eq()
    };
    old.variants.len() == new.len() && old.variants.iter().zip(new).all(same)
}

fn serving_of(variants: Vec<ServingVariant>) -> Arc<Serving> {
    Arc::new(Serving { variants, turn: AtomicU64::new(0) })
}
