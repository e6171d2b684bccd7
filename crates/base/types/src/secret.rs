//! Text that must not be printed: zeroed on drop, compared in constant time, `Debug` shows a placeholder.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// A secret access key, a session token, key material as text.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }
    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        let (own, other) = (self.0.as_bytes(), other.0.as_bytes());
        if own.len() != other.len() {
            return false;
        }
        // By words: a session token has hundreds of bytes, and every request with one compares it.
        let words = own.chunks(8).zip(other.chunks(8));
        words.fold(Choice::from(1), |same, (own, other)| same & word(own).ct_eq(&word(other))).into()
    }
}

/// Up to eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    let mut padded = [0; 8];
    padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(padded)
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    //! Comparison, at and around the size of a word.

    use super::*;

    #[test]
    fn only_the_same_text_is_equal() {
        for length in [0, 1, 7, 8, 9, 16, 40, 41, 500] {
            let text = "k".repeat(length);
            assert_eq!(Secret::new(text.clone()), Secret::new(text.clone()));
            assert_ne!(Secret::new(text.clone()), Secret::new(format!("{text}k")));
            assert_ne!(Secret::new(text.clone()), Secret::new(format!("{text}\0")));
            for at in 0..length {
                let mut other = text.clone().into_bytes();
                other[at] = b'l';
                assert_ne!(
                    Secret::new(text.clone()),
                    Secret::new(String::from_utf8(other).unwrap()),
                    "{at} of {length}"
                );
            }
        }
    }
}
