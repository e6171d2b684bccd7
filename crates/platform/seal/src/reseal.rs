//! Sealing anew: every sealed text inside another text (a stored document) comes under the newest master key.
//!
//! A text is found by its prefix alone, so no service needs to say where it keeps secrets, and none can be forgotten.

use stoa_types::IdSource;

use crate::key::{SealError, SealingKey};
use crate::text::{Named, PREFIX};

/// What came of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resealed {
    /// The whole text with its secrets under the newest key; none when nothing changed.
    pub text: Option<String>,
    /// Secrets sealed anew.
    pub changed: usize,
    /// Texts of the form that open under no known key: damaged, or planted by a user. They are left as they are.
    pub unreadable: usize,
}

impl SealingKey {
    /// Seals every sealed text within this one anew, where it is not under the newest key yet.
    pub fn reseal_in(&self, text: &str, ids: &dyn IdSource) -> Result<Resealed, SealError> {
        let mut done = Resealed::default();
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, sealed, after)) = next_sealed(rest) {
            out.push_str(before);
            match self.resealed(sealed, ids)? {
                Outcome::Current => out.push_str(sealed),
                Outcome::Unreadable => {
                    done.unreadable += 1;
                    out.push_str(sealed);
                }
                Outcome::Anew(fresh) => {
                    done.changed += 1;
                    out.push_str(&fresh);
                }
            }
            rest = after;
        }
        if done.changed > 0 {
            out.push_str(rest);
            done.text = Some(out);
        }
        Ok(done)
    }

    fn resealed(&self, sealed: &str, ids: &dyn IdSource) -> Result<Outcome, SealError> {
        let Some(named) = Named::read(sealed) else { return Ok(Outcome::Unreadable) };
        if named.master == self.id().as_str() {
            return Ok(Outcome::Current);
        }
        let Ok(secret) = self.open(&named.purpose, &named.owner, sealed) else { return Ok(Outcome::Unreadable) };
        self.seal(&named.purpose, &named.owner, &secret, ids).map(Outcome::Anew)
    }
}

enum Outcome {
    Current,
    Anew(String),
    Unreadable,
}

/// What stands before the first sealed text, the text itself, and what stands after it.
fn next_sealed(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find(PREFIX)?;
    let (before, from) = text.split_at_checked(start)?;
    let of_text = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let end = from.find(|letter| !of_text(letter)).unwrap_or(from.len());
    let (sealed, after) = from.split_at_checked(end)?;
    Some((before, sealed, after))
}
