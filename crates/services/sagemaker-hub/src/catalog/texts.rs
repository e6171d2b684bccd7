//! Texts that many models share (tasks, licences, images, instance types), each held once.

use std::collections::HashSet;
use std::sync::Arc;

/// A list of shared texts.
pub(crate) type Words = Arc<[Arc<str>]>;

/// Every shared text and list of them.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    texts: HashSet<Arc<str>>,
    lists: HashSet<Words>,
}

impl Texts {
    /// The one that says this.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    /// The list of these.
    pub fn words(&mut self, words: &[String]) -> Words {
        let words: Vec<Arc<str>> = words.iter().map(|word| self.text(word)).collect();
        if let Some(known) = self.lists.get(words.as_slice()) {
            return Arc::clone(known);
        }
        let new: Words = words.into();
        self.lists.insert(Arc::clone(&new));
        new
    }

    /// Gives up what nobody else holds.
    pub fn sweep(&mut self) {
        self.lists.retain(|list| Arc::strong_count(list) > 1);
        self.texts.retain(|text| Arc::strong_count(text) > 1);
    }
}

#[cfg(test)]
mod tests {
    //! Sharing, and giving up.

    use super::*;

    #[test]
    fn a_text_is_held_once_and_as_long_as_it_is_used() {
        let mut texts = Texts::default();
        let words = |of: &[&str]| of.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let first = texts.text("apache-2.0");
        assert!(Arc::ptr_eq(&first, &texts.text("apache-2.0")));
        let list = texts.words(&words(&["apache-2.0", "b"]));
        assert!(Arc::ptr_eq(&list, &texts.words(&words(&["apache-2.0", "b"]))));
        assert!(Arc::ptr_eq(&list[0], &first));
        assert!(!Arc::ptr_eq(&list, &texts.words(&words(&["b", "apache-2.0"]))));
        drop(list);
        texts.sweep();
        assert_eq!((texts.texts.len(), texts.lists.len()), (1, 0));
        drop(first);
        texts.sweep();
        assert_eq!(texts.texts.len(), 0);
    }
}
