//! Which container answers: a variant by weight, then its containers in turn. Pure.

use std::sync::atomic::Ordering;

use crate::endpoint::Serving;

/// Why no container can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoChoice {
    /// There is no variant of that name.
    UnknownVariant,
    /// None of its containers is healthy now.
    NotReady,
}

/// The variant and container for one invocation.
pub(crate) fn choose<'a>(serving: &'a Serving, target: Option<&str>) -> Result<(&'a str, &'a str), NoChoice> {
    let variant = match target {
        Some(name) => serving.variants.iter().find(|variant| variant.name == name).ok_or(NoChoice::UnknownVariant)?,
        None => by_weight(serving).ok_or(NoChoice::NotReady)?,
    };
    let count = u64::try_from(variant.instances.len()).unwrap_or(1).max(1);
    let turn = variant.turn.fetch_add(1, Ordering::Relaxed) % count;
    let instance = usize::try_from(turn).ok().and_then(|index| variant.instances.get(index));
    Ok((&variant.name, instance.ok_or(NoChoice::NotReady)?))
}

/// Spreads turns over variants in the proportion of their weights, without randomness: over any hundred invocations
/// each variant gets its share to within one. Variants without a healthy container are passed over.
fn by_weight(serving: &Serving) -> Option<&crate::endpoint::ServingVariant> {
    const STEPS: u64 = 1000;
    if let [only] = serving.variants.as_slice() {
        return Some(only);
    }
    let ready = || serving.variants.iter().filter(|variant| !variant.instances.is_empty());
    let total: f64 = ready().map(|variant| variant.weight).sum();
    // A stride that has no factor in common with the steps visits every step once, spread evenly.
    let turn = serving.turn.fetch_add(1, Ordering::Relaxed).wrapping_mul(617) % STEPS;
    let point = turn as f64 / STEPS as f64 * total;
    let mut passed = 0.0;
    for variant in ready() {
        passed += variant.weight;
        if point < passed {
            return Some(variant);
        }
    }
    ready().last()
}
