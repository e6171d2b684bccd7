//! Whose a prefix is: of one Stoa, and of one data folder of it.
//!
//! The collector removes what the documents of its own data folder do not name, so two folders must never share a
//! prefix: not two Stoas, and not a folder and its copy, which has the same identity and other documents as soon as one
//! of the two is written to. The object `owner` says who has the prefix; each opening writes itself into it, and whoever
//! finds another there collects nothing any more.

use std::fmt;

/// Who opens a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The Stoa: what its state remembers of itself.
    pub stoa: String,
    /// What tells the data folder from its copies.
    pub folder: String,
    /// Where the folder is, for people.
    pub place: String,
    /// This process's own.
    pub session: String,
}

/// What the opening does to the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: blobs are only read.
    Look,
    /// Takes it where nobody has it, or this folder has.
    Take,
    /// Takes it from another folder of the same Stoa, which was moved or restored from a backup.
    TakeOver,
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { stoa, folder, place, session } = self;
        write!(formatter, "{stoa}\n{folder}\n{place}\n{session}")
    }
}

impl Owner {
    /// Reads what was written. Of before folders were told apart it is the Stoa alone.
    pub(crate) fn parse(text: &str) -> Owner {
        let mut lines = text.lines().map(str::to_owned);
        let mut next = || lines.next().unwrap_or_default();
        Owner { stoa: next(), folder: next(), place: next(), session: next() }
    }

    /// Whether it is of the same folder, or of one that was not written down.
    pub(crate) fn same_folder(&self, other: &Owner) -> bool {
        self.folder.is_empty() || other.folder.is_empty() || self.folder == other.folder
    }
}
