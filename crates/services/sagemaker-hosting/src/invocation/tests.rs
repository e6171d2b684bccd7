//! Choosing containers: by weight, in turn, passing over what is not ready.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use super::choose::{NoChoice, choose};
use crate::endpoint::{Serving, ServingVariant};

fn variant(name: &str, weight: f64, instances: &[&str]) -> ServingVariant {
    let instances = instances.iter().map(|instance| (*instance).to_owned()).collect();
    ServingVariant { name: name.to_owned(), weight, instances, turn: AtomicU64::new(0) }
}

fn serving(variants: Vec<ServingVariant>) -> Serving {
    Serving { variants, turn: AtomicU64::new(0) }
}

fn shares(serving: &Serving, rounds: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..rounds {
        let (_, container) = choose(serving, None).unwrap();
        *shares.entry(container.to_owned()).or_default() += 1;
    }
    shares
}

#[test]
fn containers_take_turns() {
    let serving = serving(vec![variant("AllTraffic", 1.0, &["a", "b"])]);
    assert_eq!(shares(&serving, 10), BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 5)]));
}

#[test]
fn variants_share_by_weight() {
    let serving = serving(vec![variant("big", 3.0, &["a"]), variant("small", 1.0, &["b"])]);
    assert_eq!(shares(&serving, 1000), BTreeMap::from([("a".to_owned(), 750), ("b".to_owned(), 250)]));
}

#[test]
fn a_variant_that_is_not_ready_is_passed_over() {
    let serving = serving(vec![variant("gone", 9.0, &[]), variant("here", 1.0, &["b"])]);
    assert_eq!(shares(&serving, 5), BTreeMap::from([("b".to_owned(), 5)]));
    assert_eq!(choose(&serving, Some("gone")), Err(NoChoice::NotReady));
    assert_eq!(choose(&serving, Some("none")), Err(NoChoice::UnknownVariant));
    assert_eq!(choose(&serving, Some("here")), Ok(("here", "b")));
}
