//! The request context: condition keys and their values. Keys compare without regard to case, values with.
//!
//! INVARIANT: the engine only ever asks for lower-case keys, so an implementation may keep its keys in lower case and
//! compare bytes. An empty list of values counts as absent, as AWS says of a null data set. Nothing is kept across calls.

use crate::Lean;

/// The value or values of one condition key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values<'a> {
    /// A single-valued key.
    One(&'a str),
    /// A multivalued key; may be empty.
    Many(&'a [String]),
}

impl<'a> Values<'a> {
    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Values::One(_) => 1,
            Values::Many(list) => list.len(),
        }
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value where there is exactly one: all that a policy variable can stand for.
    pub fn single(&self) -> Option<&'a str> {
        match self {
            Values::One(value) => Some(value),
            Values::Many([value]) => Some(value),
            Values::Many(_) => None,
        }
    }

    /// Calls `use_it` with every value.
    #[inline]
    pub(crate) fn for_each(&self, mut use_it: impl FnMut(&'a str)) {
        match self {
            Values::One(value) => use_it(value),
            Values::Many(list) => list.iter().for_each(|value| use_it(value)),
        }
    }

    /// Whether `test` holds for some value.
    pub(crate) fn any(&self, mut test: impl FnMut(&'a str) -> bool) -> bool {
        match self {
            Values::One(value) => test(value),
            Values::Many(list) => list.iter().any(|value| test(value)),
        }
    }

    /// Whether `test` holds for every value.
    pub(crate) fn all(&self, mut test: impl FnMut(&'a str) -> bool) -> bool {
        !self.any(|value| !test(value))
    }

    /// The values as owned strings, for explanations.
    pub fn to_strings(self) -> Vec<String> {
        match self {
            Values::One(value) => vec![(*value).to_owned()],
            Values::Many(list) => list.to_vec(),
        }
    }
}

/// Where the engine reads condition keys from.
pub trait Context {
    /// The values of a key, `None` when the request does not have it. `key` is in lower case (ASCII).
    fn get(&self, key: &str) -> Option<Values<'_>>;

    /// Whether the key may have any value, or none: nobody knows. Only [`crate::possible`] asks. `key` is in lower case.
    fn is_unknown(&self, _key: &str) -> bool {
        false
    }

    /// What statements over unknown keys are taken for; none where every key is known, as in every real request.
    fn lean(&self) -> Option<Lean> {
        None
    }
}

/// A context without any key.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoContext;

impl Context for NoContext {
    fn get(&self, _key: &str) -> Option<Values<'_>> {
        None
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stored {
    One(String),
    Many(Vec<String>),
}

/// A context held in a sorted list; later values of a key replace earlier ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MapContext {
    // INVARIANT: sorted by (length, bytes) of the lower-case key, no key twice.
    entries: Vec<(String, Stored)>,
}

impl MapContext {
    /// An empty context.
    pub fn new() -> MapContext {
        MapContext::default()
    }

    /// Sets a single-valued key.
    pub fn set(&mut self, key: &str, value: impl Into<String>) -> &mut MapContext {
        self.put(key, Stored::One(value.into()))
    }

    /// Sets a multivalued key; the list may be empty.
    pub fn set_many<S: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = S>) -> &mut MapContext {
        self.put(key, Stored::Many(values.into_iter().map(Into::into).collect()))
    }

    /// As [`MapContext::set`], for building in one expression.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> MapContext {
        self.set(key, value);
        self
    }

    /// As [`MapContext::set_many`], for building in one expression.
    #[must_use]
    pub fn with_many<S: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = S>) -> MapContext {
        self.set_many(key, values);
        self
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        let key = key.to_ascii_lowercase();
        if let Ok(at) = self.find(&key) {
            self.entries.remove(at);
        }
    }

    /// The keys (lower case) with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Values<'_>)> {
        self.entries.iter().map(|(key, stored)| (key.as_str(), stored.values()))
    }

    fn put(&mut self, key: &str, stored: Stored) -> &mut MapContext {
        let key = key.to_ascii_lowercase();
        match self.find(&key) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = stored;
                }
            }
            Err(at) => self.entries.insert(at, (key, stored)),
        }
        self
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|(have, _)| have.len().cmp(&key.len()).then_with(|| have.as_bytes().cmp(key.as_bytes())))
    }
}

impl Stored {
    fn values(&self) -> Values<'_> {
        match self {
            Stored::One(value) => Values::One(value),
            Stored::Many(list) => Values::Many(list),
        }
    }
}

impl Context for MapContext {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        let at = self.find(key).ok()?;
        self.entries.get(at).map(|(_, stored)| stored.values())
    }
}

/// A context with some keys changed; a key set to no values is absent.
#[derive(Clone)]
pub(crate) struct Overlay<'a> {
    pub base: &'a dyn Context,
    pub changed: MapContext,
}

impl Context for Overlay<'_> {
    fn get(&self, key: &str) -> Option<Values<'_>> {
        self.changed.get(key).or_else(|| self.base.get(key))
    }
}
