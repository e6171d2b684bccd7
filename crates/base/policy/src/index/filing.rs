//! Which of the things that a statement requires it is filed under.
//!
//! A statement can be filed by its resources (an anchor of each pattern), by the principals that it names, or by the
//! values that one of its conditions requires: any of these must be so in every request that it matches. The rarest
//! choice wins; looking by anything but words of the resource costs every request a little, so it has to be much rarer.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::table::{Bucket, Buckets, FLAT, Posting};
use super::{Filed, PolicySet};
use crate::keys::{Anchor, AnchorKind, action_hash, anchors, grams, key_seed, named_anchor, value_hash};
use crate::statement::{Principals, Resources, Statement};

/// Distinct condition keys that are looked up for each request.
const MOST_KEYS: usize = 12;
/// Actions of a statement that are counted when its company under a word is looked at.
const MOST_ACTIONS: usize = 4;
/// A cover of more anchors than this is not worth its postings.
const MOST_ANCHORS: usize = 64;

/// What a statement may be filed under: it matches no request that has none of these.
struct Cover {
    anchors: Vec<Anchor>,
    /// The condition key, of values.
    key: Option<Box<str>>,
}

/// Files every statement.
pub(super) fn file(set: &PolicySet) -> Filed {
    let covers = Covers::of(set);
    let (mut everywhere, mut by_kind) = (Vec::new(), [const { Vec::new() }; 5]);
    let (mut lengths, mut gram_from, mut keys) = (0u64, usize::MAX, Vec::<(Box<str>, u32)>::new());
    for (id, cover) in covers.chosen.into_iter().enumerate() {
        let Some(statement) = set.statement(id as u32) else { continue };
        let posting = Posting::of(statement, id as u32);
        let Some(cover) = cover else {
            everywhere.push(posting);
            continue;
        };
        for anchor in &cover.anchors {
            match anchor.kind {
                AnchorKind::Start => lengths |= 1 << anchor.len,
                AnchorKind::Gram => gram_from = gram_from.min(usize::from(anchor.len)),
                AnchorKind::Word | AnchorKind::Name | AnchorKind::Value => {}
            }
            if let Some(list) = by_kind.get_mut(anchor.kind as usize) {
                list.push((anchor.hash, posting));
            }
        }
        if let Some(key) = cover.key.filter(|key| keys.iter().all(|(other, _)| other != key)) {
            let seed = key_seed(&key);
            keys.push((key, seed));
        }
    }
    let [words, starts, by_grams, names, values] = by_kind.map(|list| Buckets::of(list, set));
    Filed {
        everywhere: Bucket::of(everywhere, set),
        words,
        starts,
        lengths,
        grams: by_grams,
        gram_from,
        names,
        values,
        keys: keys.into(),
    }
}

/// How often each anchor occurs.
#[derive(Default)]
struct Counts(HashMap<u32, u32, BuildHasherDefault<Ready>>);

impl Counts {
    fn add(&mut self, anchor: &Anchor) {
        *self.0.entry(salted(anchor)).or_insert(0) += 1;
    }

    fn of(&self, anchor: &Anchor) -> usize {
        self.0.get(&salted(anchor)).copied().unwrap_or(0) as usize
    }

    /// The rarest of them, longer ones first.
    fn rarest(&self, anchors: &[Anchor]) -> Option<Anchor> {
        let rank = |anchor: &Anchor| (self.of(anchor), anchor.kind, u8::MAX - anchor.len);
        anchors.iter().min_by_key(|anchor| rank(anchor)).copied()
    }
}

fn salted(anchor: &Anchor) -> u32 {
    anchor.hash.rotate_left(anchor.kind as u32)
}

struct Covers {
    chosen: Vec<Option<Cover>>,
}

impl Covers {
    fn of(set: &PolicySet) -> Covers {
        let mut made = Covers { chosen: Vec::with_capacity(set.entries.len()) };
        // First by words alone, which cost a request least.
        let (found, counts) = words(set);
        let mut found = found.iter();
        for entry in &set.entries {
            let cover = match &entry.statement.resources {
                Resources::Only(patterns) => {
                    let lists = found.by_ref().take(patterns.len());
                    let anchors: Vec<Option<Anchor>> = lists.map(|list| counts.rarest(list)).collect();
                    anchors.into_iter().collect::<Option<Vec<Anchor>>>()
                }
                Resources::Absent | Resources::AllBut(_) => None,
            };
            made.chosen.push(cover.map(|anchors| Cover { anchors, key: None }));
        }
        let crowded = made.crowded(set, &counts);
        if !crowded.is_empty() {
            made.thin_out(set, &crowded);
        }
        made
    }

    /// Statements that share their word and an action with more than a few others, with how many.
    fn crowded(&self, set: &PolicySet, counts: &Counts) -> Vec<(usize, usize)> {
        let nowhere = self.chosen.iter().filter(|cover| cover.is_none()).count();
        let everywhere = [Anchor { hash: 0, len: 0, kind: AnchorKind::Word }];
        let common = |id: usize| -> Vec<u32> {
            let (Some(statement), Some(cover)) = (set.statement(id as u32), self.chosen.get(id)) else {
                return Vec::new();
            };
            let anchors = match cover {
                Some(cover) => cover.anchors.as_slice(),
                None if nowhere > FLAT => &everywhere,
                None => &[],
            };
            let many = anchors.iter().filter(|anchor| cover.is_none() || counts.of(anchor) > FLAT);
            many.flat_map(|anchor| actions_of(statement).map(move |action| anchor.hash.rotate_left(7) ^ action))
                .collect()
        };
        let mut company: HashMap<u32, usize, BuildHasherDefault<Ready>> = HashMap::default();
        for place in (0..set.entries.len()).flat_map(common) {
            *company.entry(place).or_insert(0) += 1;
        }
        let most = |id: usize| common(id).iter().filter_map(|place| company.get(place).copied()).max().unwrap_or(0);
        (0..set.entries.len()).map(|id| (id, most(id))).filter(|(_, most)| *most > FLAT).collect()
    }

    /// Finds something rarer for statements whose words are too common.
    fn thin_out(&mut self, set: &PolicySet, crowded: &[(usize, usize)]) {
        let mut counts = Counts::default();
        let others: Vec<(usize, usize, Vec<Cover>)> = crowded
            .iter()
            .filter_map(|(id, most)| Some((*id, *most, other_covers(set.statement(*id as u32)?))))
            .collect();
        let gram_lists: Vec<Vec<Vec<Anchor>>> = others
            .iter()
            .map(|(id, _, _)| set.statement(*id as u32).map_or(Vec::new(), |one| all_grams(one)))
            .collect();
        for anchor in others.iter().flat_map(|(_, _, covers)| covers).flat_map(|cover| &cover.anchors) {
            counts.add(anchor);
        }
        for anchor in gram_lists.iter().flatten().flatten() {
            counts.add(anchor);
        }
        let mut keys: Vec<Box<str>> = Vec::new();
        for ((id, most, covers), grams) in others.into_iter().zip(gram_lists) {
            let by_grams: Option<Vec<Anchor>> = grams.iter().map(|list| counts.rarest(list)).collect();
            let by_grams = by_grams.filter(|anchors| !anchors.is_empty());
            let choices = by_grams.map(|anchors| Cover { anchors, key: None }).into_iter().chain(covers);
            let commonest = |cover: &Cover| cover.anchors.iter().map(|anchor| counts.of(anchor)).max().unwrap_or(most);
            let best = choices
                .filter(|cover| cover.key.as_ref().is_none_or(|key| keys.contains(key) || keys.len() < MOST_KEYS))
                .min_by_key(|cover| commonest(cover));
            let Some(best) = best.filter(|best| commonest(best).saturating_mul(4) <= most) else { continue };
            keys.extend(best.key.clone().filter(|key| !keys.contains(key)));
            if let Some(place) = self.chosen.get_mut(id) {
                *place = Some(best);
            }
        }
    }
}

/// Hashes of some of the names and beginnings that a bucket files the statement under.
fn actions_of(statement: &Statement) -> impl Iterator<Item = u32> {
    let actions = &statement.actions;
    let all = actions.not.then_some("").into_iter();
    let starts = actions.glob_prefixes().filter(|_| !actions.not).take(MOST_ACTIONS);
    let names = actions.exact().filter(|_| !actions.not).take(MOST_ACTIONS);
    all.chain(starts).chain(names).map(action_hash)
}

/// The words of each resource pattern in order, and how often each occurs.
fn words(set: &PolicySet) -> (Vec<Vec<Anchor>>, Counts) {
    let mut found = Vec::with_capacity(set.entries.len());
    let mut counts = Counts::default();
    for entry in &set.entries {
        let Resources::Only(patterns) = &entry.statement.resources else { continue };
        for pattern in patterns {
            let mut list = Vec::with_capacity(8);
            anchors(pattern, &mut list);
            list.iter().for_each(|anchor| counts.add(anchor));
            found.push(list);
        }
    }
    (found, counts)
}

/// Grams of each resource pattern; nothing where there is no resource to go by.
fn all_grams(statement: &Statement) -> Vec<Vec<Anchor>> {
    let Resources::Only(patterns) = &statement.resources else { return Vec::new() };
    let of = |pattern| {
        let mut list = Vec::new();
        grams(pattern, &mut list);
        list
    };
    patterns.iter().map(of).collect()
}

/// Covers by principal and by required values.
fn other_covers(statement: &Statement) -> Vec<Cover> {
    let mut covers = Vec::new();
    if let Principals::Only(named) = &statement.principals {
        let anchors: Option<Vec<Anchor>> = named.iter().map(named_anchor).collect();
        covers.extend(anchors.map(|anchors| Cover { anchors, key: None }));
    }
    for condition in &statement.conditions {
        let Some(values) = condition.required_values() else { continue };
        let seed = key_seed(condition.key());
        let anchor = |value| Anchor { hash: value_hash(seed, value), len: 0, kind: AnchorKind::Value };
        covers.push(Cover { anchors: values.map(anchor).collect(), key: Some(condition.key().into()) });
    }
    covers.retain(|cover| !cover.anchors.is_empty() && cover.anchors.len() <= MOST_ANCHORS);
    covers
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u32(&mut self, value: u32) {
        // The map takes its control bits from the top and its place from the bottom.
        self.0 = u64::from(value) << 32 | u64::from(value);
    }
}
