//! Hash keys that the index is looked up by: of actions (names and their beginnings) and of resources (words).
//!
//! A resource is cut into words at every character that is not a letter or digit. A literal stretch of a pattern must
//! occur in any resource that the pattern matches, so a word that is whole inside the stretch is a word of the resource,
//! and one that is cut off by a wildcard at its end is the beginning of a word. That holds however many colons a `*`
//! spans, so the index never misses. Different words may share a hash: they share a bucket, and the match decides.
//!
//! A literal between wildcards that has no whole word in it has runs of four bytes ("grams") that must occur, too.
//! Statements that no resource tells apart may be told apart by whom they name, or by a value that a condition requires.
//!
//! INVARIANT: hashes are a fixed function; nothing here depends on a process or a run.

use std::cell::OnceCell;

use crate::glob::{Part, Pattern};
use crate::statement::Named;
use crate::{Lean, PrincipalRef, Request};

/// Beginnings of action names longer than this are indexed by this much of them.
pub(crate) const MAX_PREFIX: usize = 63;

const WORD_SEED: u32 = 0x57A0;
const START_SEED: u32 = 0x9E15;

#[inline]
fn step(state: u32, byte: u8) -> u32 {
    (state << 5).wrapping_sub(state).wrapping_add(u32::from(byte))
}

#[inline]
fn finish(state: u32, len: usize) -> u32 {
    let mixed = (state ^ (len as u32).wrapping_mul(0x85EB_CA6B)).wrapping_mul(0x9E37_79B1);
    mixed ^ (mixed >> 15)
}

/// Hash of an action name or a beginning of one, in lower case.
pub(crate) fn action_hash(lower: &str) -> u32 {
    finish(lower.bytes().fold(0, step), lower.len())
}

/// Hash of a whole word.
fn word_hash(word: &[u8]) -> u32 {
    finish(word.iter().fold(WORD_SEED, |state, byte| step(state, *byte)), word.len())
}

/// Hash of the beginning of a word.
fn start_hash(start: &[u8]) -> u32 {
    finish(start.iter().fold(START_SEED, |state, byte| step(state, *byte)), start.len())
}

/// Letters, digits, and all of non-ASCII text.
const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte >= 0x80;
        byte += 1;
    }
    table
};

#[inline]
fn is_word(byte: u8) -> bool {
    WORD.get(byte as usize).copied().unwrap_or(false)
}

/// What to look a statement up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub hash: u32,
    /// Length of the text behind the hash: longer is rarer. Of a gram: how far into the resource it is at least.
    pub len: u8,
    pub kind: AnchorKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AnchorKind {
    /// A whole word of the resource.
    Word,
    /// The beginning of a word.
    Start,
    /// Four bytes anywhere.
    Gram,
    /// A name of the principal.
    Name,
    /// A value of a condition key.
    Value,
}

/// Hash of four bytes.
#[inline]
fn gram_hash(bytes: [u8; 4]) -> u32 {
    let mixed = u32::from_le_bytes(bytes).wrapping_mul(0x9E37_79B1);
    mixed ^ (mixed >> 15)
}

/// Hash of a longer text, eight bytes at a step.
#[inline]
fn text_hash(seed: u32, text: &[u8]) -> u32 {
    let mut state = u64::from(seed) ^ (text.len() as u64) << 32;
    let mut mix = |piece: [u8; 8]| {
        state = (state.rotate_left(23) ^ u64::from_le_bytes(piece)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    };
    let (pieces, rest) = text.as_chunks::<8>();
    pieces.iter().for_each(|piece| mix(*piece));
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    mix(last);
    (state >> 32) as u32 ^ state as u32
}

const NAME_SEED: u32 = 0x4E41;
const ROLE_SEED: u32 = 0x524F;

/// The name of a principal in a policy, for looking it up; none for everyone.
pub(crate) fn named_anchor(named: &Named) -> Option<Anchor> {
    let hash = match named {
        Named::Everyone => return None,
        Named::Account(name) | Named::Exact(name) | Named::Service(name) | Named::Federated(name) => {
            text_hash(NAME_SEED, name.as_bytes())
        }
        Named::Role { account, name, .. } => role_hash(account, name),
    };
    Some(Anchor { hash, len: 0, kind: AnchorKind::Name })
}

fn role_hash(account: &str, name: &str) -> u32 {
    text_hash(text_hash(ROLE_SEED, account.as_bytes()), name.as_bytes())
}

/// Every hash under which a policy can name the principal: itself, its account, its role.
fn name_hashes(principal: &PrincipalRef) -> [u32; 3] {
    let own = text_hash(NAME_SEED, principal.arn().as_bytes());
    let account = principal.account().map_or(own, |account| text_hash(NAME_SEED, account.as_bytes()));
    // A known ARN of the role says more than the session's.
    let of_role = principal.role_arn().and_then(|arn| arn.split(':').nth(4)).or(principal.account());
    let role = of_role.zip(principal.role_name()).map_or(own, |(account, name)| role_hash(account, name));
    [own, account, role]
}

/// Seed of the values of a key.
pub(crate) fn key_seed(key: &str) -> u32 {
    text_hash(0x4B45, key.as_bytes())
}

/// Hash of a value of a key.
#[inline]
pub(crate) fn value_hash(seed: u32, value: &str) -> u32 {
    text_hash(seed, value.as_bytes())
}

/// Adds the grams of a pattern's literals.
pub(crate) fn grams(pattern: &Pattern, out: &mut Vec<Anchor>) {
    let mut before = 0usize;
    for part in pattern.parts() {
        match part {
            Part::Lit(text) => {
                for (at, gram) in text.windows(4).enumerate() {
                    let Ok(bytes) = <[u8; 4]>::try_from(gram) else { continue };
                    let len = (before + at).min(255) as u8;
                    out.push(Anchor { hash: gram_hash(bytes), len, kind: AnchorKind::Gram });
                }
                before += text.len();
            }
            Part::Escaped(_) | Part::One => before += 1,
            Part::Star | Part::Var(_) => {}
        }
    }
}

/// Adds every anchor of a pattern.
pub(crate) fn anchors(pattern: &Pattern, out: &mut Vec<Anchor>) {
    let mut parts = pattern.parts();
    let mut first = true;
    while let Some(part) = parts.next() {
        if let Part::Lit(text) = part {
            anchors_of_literal(text, first, parts.is_done(), out);
        }
        first = false;
    }
}

/// `open` and `close`: whether the literal begins and ends the pattern, so that no wildcard touches it there.
fn anchors_of_literal(text: &[u8], open: bool, close: bool, out: &mut Vec<Anchor>) {
    let mut at = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or(&[]);
        let len = rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len());
        let word = rest.get(..len).unwrap_or(&[]);
        let begins = at > 0 || open;
        let ends = at + len < text.len() || close;
        if begins && len > 0 {
            if ends {
                out.push(Anchor { hash: word_hash(word), len: len.min(255) as u8, kind: AnchorKind::Word });
            } else if len > 1 {
                let kept = word.get(..len.min(MAX_PREFIX)).unwrap_or(word);
                out.push(Anchor { hash: start_hash(kept), len: kept.len() as u8, kind: AnchorKind::Start });
            }
        }
        at += len + 1;
    }
}

/// Which of 64 bits an action name sets in a posting's filter of full names.
pub(crate) fn name_bit(hash: u32) -> u64 {
    1 << (hash >> 26)
}

/// Which of 32 bits the service and the first three letters of the verb set in a posting's filter of beginnings; none
/// where the text is too short to have them.
pub(crate) fn verb_bit(lower: &[u8]) -> Option<u32> {
    let colon = lower.iter().position(|byte| *byte == b':')?;
    let head = lower.get(..colon + 4)?;
    Some(1 << (finish(head.iter().fold(7, |state, byte| step(state, *byte)), head.len()) >> 27))
}

const INLINE_ACTION: usize = 80;
const INLINE_WORDS: usize = 28;

/// A word of the resource.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Word {
    pub hash: u32,
    from: u32,
    len: u32,
}

/// A request with everything that the index needs, computed once for all slots.
pub(crate) struct Prepared<'a> {
    pub request: &'a Request<'a>,
    /// Whether a permissions boundary is attached to the principal, which `NotPrincipal` of a Deny never spares.
    pub bounded: bool,
    /// Set when some keys are unknown.
    pub lean: Option<Lean>,
    action: [u8; INLINE_ACTION],
    action_len: usize,
    long_action: Option<String>,
    pub action_hash: u32,
    pub name_bit: u64,
    pub verb_bit: u32,
    words: [Word; INLINE_WORDS],
    word_count: usize,
    more_words: Vec<Word>,
    names: OnceCell<[u32; 3]>,
}

impl<'a> Prepared<'a> {
    pub fn new(request: &'a Request<'a>, bounded: bool) -> Prepared<'a> {
        let mut made = Prepared {
            request,
            bounded,
            lean: request.context.lean(),
            action: [0; INLINE_ACTION],
            action_len: 0,
            long_action: None,
            action_hash: 0,
            name_bit: 0,
            verb_bit: 0,
            words: [Word::default(); INLINE_WORDS],
            word_count: 0,
            more_words: Vec::new(),
            names: OnceCell::new(),
        };
        made.take_action(request.action);
        made.take_words(request.resource.as_bytes());
        made
    }

    /// The action in lower case, as the bytes of its text.
    #[inline]
    pub fn action(&self) -> &[u8] {
        match &self.long_action {
            Some(action) => action.as_bytes(),
            None => self.action.get(..self.action_len).unwrap_or(&[]),
        }
    }

    fn take_action(&mut self, action: &str) {
        let mut state = 0;
        if let Some(space) = self.action.get_mut(..action.len()) {
            for (to, from) in space.iter_mut().zip(action.bytes()) {
                *to = from.to_ascii_lowercase();
                state = step(state, *to);
            }
            self.action_len = action.len();
        } else {
            let lower = action.to_ascii_lowercase();
            state = lower.bytes().fold(0, step);
            self.long_action = Some(lower);
        }
        self.action_hash = finish(state, action.len());
        self.name_bit = name_bit(self.action_hash);
        self.verb_bit = verb_bit(self.action()).unwrap_or(0);
    }

    fn take_words(&mut self, text: &[u8]) {
        let (mut from, mut state) = (0usize, WORD_SEED);
        for (at, byte) in text.iter().enumerate() {
            if is_word(*byte) {
                state = step(state, *byte);
            } else {
                self.push_word(from, at, state);
                from = at + 1;
                state = WORD_SEED;
            }
        }
        self.push_word(from, text.len(), state);
    }

    #[inline]
    fn push_word(&mut self, from: usize, to: usize, state: u32) {
        if from == to {
            return;
        }
        let len = to - from;
        let word = Word { hash: finish(state, len), from: from as u32, len: len as u32 };
        match self.words.get_mut(self.word_count) {
            Some(place) => {
                *place = word;
                self.word_count += 1;
            }
            None => self.more_words.push(word),
        }
    }

    /// The words of the resource.
    #[inline]
    pub fn words(&self) -> impl Iterator<Item = &Word> {
        self.words.iter().take(self.word_count).chain(&self.more_words)
    }

    /// The hashes under which a policy can name the principal.
    #[inline]
    pub fn names(&self) -> [u32; 3] {
        *self.names.get_or_init(|| name_hashes(self.request.principal))
    }

    /// Calls `found` with the hash of every four bytes of the resource, from a place on.
    #[inline]
    pub fn grams(&self, from: usize, mut found: impl FnMut(u32)) {
        for gram in self.request.resource.as_bytes().get(from..).unwrap_or(&[]).windows(4) {
            if let Ok(bytes) = <[u8; 4]>::try_from(gram) {
                found(gram_hash(bytes));
            }
        }
    }

    /// Calls `found` with the hash of every beginning of the words that has one of the lengths in `lengths`.
    pub fn starts(&self, lengths: u64, mut found: impl FnMut(u32)) {
        for word in self.words() {
            let from = word.from as usize;
            let text = self.request.resource.as_bytes().get(from..from + word.len as usize).unwrap_or(&[]);
            let mut state = START_SEED;
            for (at, byte) in text.iter().take(MAX_PREFIX).enumerate() {
                state = step(state, *byte);
                if lengths >> (at + 1) & 1 == 1 {
                    found(finish(state, at + 1));
                }
            }
        }
    }

    /// Calls `found` with the hash of every beginning of the action that has one of the lengths in `lengths`.
    pub fn action_starts(&self, lengths: u64, mut found: impl FnMut(u32)) {
        let mut state = 0;
        if lengths & 1 == 1 {
            found(finish(state, 0));
        }
        let mut left = lengths >> 1;
        for (at, byte) in self.action().iter().enumerate() {
            if left == 0 {
                return;
            }
            state = step(state, *byte);
            if left & 1 == 1 {
                found(finish(state, at + 1));
            }
            left >>= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoContext;
    use crate::glob::Syntax;

    fn anchors_in(pattern: &str) -> Vec<Anchor> {
        let mut out = Vec::new();
        anchors(&Pattern::parse(pattern, Syntax { wildcards: true, variables: true }).unwrap(), &mut out);
        out
    }

    fn whole(word: &str) -> Anchor {
        Anchor { hash: word_hash(word.as_bytes()), len: word.len() as u8, kind: AnchorKind::Word }
    }

    fn start(word: &str) -> Anchor {
        Anchor { hash: start_hash(word.as_bytes()), len: word.len() as u8, kind: AnchorKind::Start }
    }

    #[test]
    fn anchors_are_words_that_must_occur() {
        assert_eq!(anchors_in("arn:*:x-*"), vec![whole("arn"), whole("x")]);
        assert_eq!(anchors_in("arn:model/team7*"), vec![whole("arn"), whole("model"), start("team7")]);
        assert_eq!(anchors_in("*GtRecipe*"), vec![]);
        assert_eq!(anchors_in("*GtRecipe-x"), vec![whole("x")]);
        assert_eq!(anchors_in("a:${aws:username}-b"), vec![whole("a"), whole("b")]);
        assert_eq!(anchors_in("*"), vec![]);
    }

    #[test]
    fn prepared_has_the_same_hashes() {
        let principal = PrincipalRef::parse("*");
        let resource = "arn:model/".to_owned() + &"w-".repeat(60) + "team77";
        let action = "SageMaker:".to_owned() + &"X".repeat(100);
        let request = Request {
            principal: &principal,
            action: &action,
            resource: &resource,
            resource_account: None,
            management_account: false,
            context: &NoContext,
        };
        let prepared = Prepared::new(&request, false);
        assert_eq!(prepared.action(), action.to_ascii_lowercase().as_bytes());
        assert_eq!(prepared.action_hash, action_hash(&action.to_ascii_lowercase()));
        assert_eq!(prepared.words().count(), 63);
        assert!(prepared.words().any(|word| word.hash == word_hash(b"team77")));
        let mut seen = Vec::new();
        prepared.starts(1 << 5, |hash| seen.push(hash));
        assert_eq!(seen, vec![start_hash(b"model"), start_hash(b"team7")]);
        let mut seen = Vec::new();
        prepared.action_starts(1 | 1 << 10, |hash| seen.push(hash));
        assert_eq!(seen, vec![action_hash(""), action_hash("sagemaker:")]);
    }
}
