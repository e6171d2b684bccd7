//! Choosing the next token: greedy, or by temperature, top-k and top-p with a seeded generator of random numbers.
//!
//! One seed gives one text on one machine: the sequence depends on nothing else.

use std::hash::{BuildHasher, Hasher, RandomState};

use super::{ranked, softmax};

/// How to choose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Strategy {
    /// The most likely token.
    Greedy,
    /// A random token among the likely ones.
    Sample {
        temperature: f32,
        /// 0 keeps all.
        top_k: usize,
        top_p: f32,
    },
}

/// A small generator of random numbers (splitmix64): enough for sampling text, not for secrets.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        // Without a seed: the process's own random hashing keys, a new pair for each `RandomState`.
        Self(seed.unwrap_or_else(|| RandomState::new().build_hasher().finish()))
    }

    /// A number in [0, 1).
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// Divides the logits of tokens already there by `penalty` (multiplies negative ones), as is usual.
pub(crate) fn penalise(logits: &mut [f32], seen: &[u32], penalty: f32) {
    let mut tokens = seen.to_vec();
    tokens.sort_unstable();
    tokens.dedup();
    for token in tokens {
        if let Some(logit) = logits.get_mut(token as usize) {
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
}

/// The next token of a row of logits; `None` for an empty row or one without numbers.
pub(crate) fn choose(logits: &[f32], strategy: Strategy, random: &mut Random) -> Option<u32> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    let index = match strategy {
        Strategy::Greedy => {
            logits.iter().enumerate().max_by(|left, right| left.1.total_cmp(right.1).then(right.0.cmp(&left.0)))?.0
        }
        Strategy::Sample { temperature, top_k, top_p } => {
            let mut order = ranked(logits);
            if top_k > 0 {
                order.truncate(top_k);
            }
            let mut weights: Vec<f32> =
                order.iter().filter_map(|&index| logits.get(index)).map(|logit| logit / temperature).collect();
            softmax(&mut weights);
            keep_nucleus(&mut weights, top_p);
            order.get(draw(&weights, random)).copied()?
        }
    };
    u32::try_from(index).ok()
}

/// Cuts the tail after the first tokens that together reach `top_p`.
fn keep_nucleus(weights: &mut Vec<f32>, top_p: f32) {
    let mut sum = 0.0;
    let reached = weights.iter().position(|weight| {
        sum += weight;
        sum >= top_p
    });
    if let Some(last) = reached {
        weights.truncate(last + 1);
    }
}

fn draw(weights: &[f32], random: &mut Random) -> usize {
    let mut left = random.next() * weights.iter().sum::<f32>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    weights.len().saturating_sub(1)
}
