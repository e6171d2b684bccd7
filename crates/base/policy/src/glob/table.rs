//! The slow, steady way to match: the set of places in the subject that the pattern so far can have reached, as bits.
//!
//! INVARIANT: takes a step for each character of the pattern and each 64 characters of the subject, whatever they are. The
//! pattern's literal text is no longer than the subject, which the caller has seen to.

use std::collections::HashMap;

use super::Part;

/// A set of places between characters.
type Places = Vec<u64>;

/// Whether the pieces match the whole subject.
pub(super) fn matches<'p>(parts: impl Iterator<Item = Part<'p>>, subject: &[u8], values: &[&str]) -> bool {
    let Ok(subject) = std::str::from_utf8(subject) else { return false };
    let mut of: HashMap<char, Places> = HashMap::new();
    let words = subject.chars().count() / 64 + 1;
    let mut count = 0usize;
    for (at, character) in subject.chars().enumerate() {
        set(of.entry(character).or_insert_with(|| vec![0; words]), at);
        count = at + 1;
    }
    let mut reached = vec![0; words];
    set(&mut reached, 0);
    for part in parts {
        match part {
            Part::Star => from_first(&mut reached),
            Part::One => forward(&mut reached, None, count),
            Part::Lit(text) | Part::Escaped(text) => literal(&mut reached, text, &of, count),
            Part::Var(at) => literal(&mut reached, values.get(at).map_or(&[], |value| value.as_bytes()), &of, count),
        }
        if reached.iter().all(|word| *word == 0) {
            return false;
        }
    }
    reached.get(count / 64).is_some_and(|word| word >> (count % 64) & 1 == 1)
}

fn set(places: &mut Places, at: usize) {
    if let Some(word) = places.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

/// Every place from the first one on.
fn from_first(reached: &mut Places) {
    let mut all = 0u64;
    for word in reached {
        // From the lowest bit up, or everything once an earlier word had one.
        let own = if *word == 0 { 0 } else { u64::MAX << word.trailing_zeros() };
        *word = own | all;
        all = if *word == 0 { 0 } else { u64::MAX };
    }
}

/// One character on, where the next one is among `allowed`.
fn forward(reached: &mut Places, allowed: Option<&Places>, count: usize) {
    let mut carry = 0;
    for (at, word) in reached.iter_mut().enumerate() {
        let kept = *word & allowed.map_or(u64::MAX, |allowed| allowed.get(at).copied().unwrap_or(0));
        *word = kept << 1 | carry;
        carry = kept >> 63;
    }
    // There is no place after the last one.
    if let Some(last) = reached.get_mut(count / 64) {
        *last &= u64::MAX >> (63 - count % 64);
    }
}

fn literal(reached: &mut Places, text: &[u8], of: &HashMap<char, Places>, count: usize) {
    let Ok(text) = std::str::from_utf8(text) else { return reached.fill(0) };
    for character in text.chars() {
        match of.get(&character) {
            Some(allowed) => forward(reached, Some(allowed), count),
            None => return reached.fill(0),
        }
    }
}
