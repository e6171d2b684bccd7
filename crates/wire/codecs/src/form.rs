//! Forms and query strings: `a=1&b.member.1=2`, as pairs and as a tree of the dotted names.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::uri::percent_decode;
use crate::{DecodeError, MAX_DEPTH};

/// The pairs of a form or query string, decoded.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = Result<(String, String), DecodeError>> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (decode(name), decode(value)) {
            (Some(name), Some(value)) => Ok((name, value)),
            _ => Err(DecodeError::body("a parameter is not valid UTF-8")),
        }
    })
}

fn decode(text: &str) -> Option<String> {
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode(&spaced).map(Cow::into_owned)
}

/// A form's names taken apart at their dots.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The value of the name that ends here.
    pub(crate) text: Option<String>,
    /// The names that go on.
    pub(crate) children: BTreeMap<String, Tree>,
}

impl Tree {
    /// The tree of a form. INVARIANT: no deeper than [`MAX_DEPTH`], so that walking and dropping it may recurse.
    pub(crate) fn parse(text: &str) -> Result<Tree, DecodeError> {
        let mut root = Tree::default();
        for pair in pairs(text) {
            let (name, value) = pair?;
            let mut node = &mut root;
            for (depth, step) in name.split('.').enumerate() {
                if depth >= MAX_DEPTH {
                    return Err(DecodeError::body(format!("a parameter nests deeper than {MAX_DEPTH}")));
                }
                node = node.children.entry(step.to_owned()).or_default();
            }
            node.text = Some(value);
        }
        Ok(root)
    }

    /// The numbered children, in the order of their numbers.
    pub(crate) fn numbered(&self) -> Vec<(u64, &Tree)> {
        let mut found: Vec<(u64, &Tree)> =
            self.children.iter().filter_map(|(name, child)| Some((name.parse().ok()?, child))).collect();
        found.sort_by_key(|(number, _)| *number);
        found
    }
}
