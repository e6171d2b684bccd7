//! A place in a document, as a chain of steps that live on the stack; only an error turns it into text.

use std::fmt;

/// A JSON path.
#[derive(Debug, Clone, Copy)]
pub(super) enum At<'a> {
    /// The document.
    Root,
    /// A member by its name.
    Member(&'a At<'a>, &'a str),
    /// A member by a name that may have any characters.
    Key(&'a At<'a>, &'a str),
    /// An item of a list.
    Item(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => f.write_str("$"),
            At::Member(up, name) => write!(f, "{up}.{name}"),
            At::Key(up, name) => write!(f, "{up}[\"{name}\"]"),
            At::Item(up, nth) => write!(f, "{up}[{nth}]"),
        }
    }
}
