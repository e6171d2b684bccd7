//! `Action` and `NotAction`: names and wildcard patterns, compared without regard to case.
//!
//! INVARIANT: patterns are kept in lower case and are only matched against lower-case names. Full names are packed into
//! one allocation, each behind its length; long lists have a table of positions for searching. No state.

use crate::glob::{Part, Pattern, Syntax};

/// Lists up to this long are walked, longer ones searched.
const WALKED: usize = 12;

/// The actions that a statement covers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Actions {
    /// `NotAction`: all but these.
    pub not: bool,
    /// Full names, sorted, each behind its length in two bytes.
    names: Box<[u8]>,
    /// Where each name begins, of long lists.
    places: Box<[u32]>,
    /// Names with wildcards.
    globs: Box<[Pattern]>,
}

impl Actions {
    /// From the texts of an `Action` or `NotAction` element; the error has the position of the bad text.
    pub fn parse(texts: &[impl AsRef<str>], not: bool) -> Result<Actions, (usize, String)> {
        let (mut exact, mut globs) = (Vec::<String>::new(), Vec::new());
        for (at, text) in texts.iter().enumerate() {
            let text = text.as_ref();
            check(text).map_err(|problem| (at, problem))?;
            let lower = text.to_ascii_lowercase();
            if lower.contains(['*', '?']) {
                let syntax = Syntax { wildcards: true, variables: false };
                globs.push(Pattern::parse(&lower, syntax).map_err(|problem| (at, problem))?);
            } else {
                exact.push(lower);
            }
        }
        exact.sort_unstable();
        exact.dedup();
        let mut names = Vec::with_capacity(exact.iter().map(|name| name.len() + 2).sum());
        let mut places = Vec::new();
        for name in &exact {
            if exact.len() > WALKED {
                places.push(names.len() as u32);
            }
            names.extend((name.len() as u16).to_le_bytes());
            names.extend_from_slice(name.as_bytes());
        }
        Ok(Actions { not, names: names.into(), places: places.into(), globs: globs.into() })
    }

    /// Whether the statement covers an action given in lower case.
    #[inline]
    pub fn cover(&self, lower: &[u8]) -> bool {
        (self.lists(lower) || self.globs.iter().any(|glob| glob.matches_bytes(lower))) != self.not
    }

    #[inline]
    fn lists(&self, lower: &[u8]) -> bool {
        if self.places.is_empty() {
            return self.exact().any(|name| name.as_bytes() == lower);
        }
        let name_at = |place: &u32| self.names.get(*place as usize..).and_then(name).map_or(&[][..], |(name, _)| name);
        self.places.binary_search_by(|place| name_at(place).cmp(lower)).is_ok()
    }

    /// Full names, in lower case.
    #[inline]
    pub fn exact(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.names;
        std::iter::from_fn(move || {
            let (found, after) = name(rest)?;
            rest = after;
            // INVARIANT: `check` lets only ASCII through.
            std::str::from_utf8(found).ok()
        })
    }

    /// Literal beginnings of the wildcard patterns, in lower case.
    pub fn glob_prefixes(&self) -> impl Iterator<Item = &str> {
        self.globs.iter().map(|glob| match glob.parts().next() {
            Some(Part::Lit(text)) => std::str::from_utf8(text).unwrap_or(""),
            _ => "",
        })
    }

    /// Whether every name belongs to one of these lower-case prefixes, for checks of trust policies.
    pub fn all_start_with(&self, prefix: &str) -> bool {
        self.exact().all(|name| name.starts_with(prefix)) && self.glob_prefixes().all(|glob| glob.starts_with(prefix))
    }
}

/// The first name, and what is after it.
#[inline]
fn name(packed: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, after) = packed.split_first_chunk::<2>()?;
    after.split_at_checked(usize::from(u16::from_le_bytes(*len)))
}

/// Longer names than any action of AWS.
const MOST: usize = 512;

/// `*`, or a service name without spaces, a colon and a name.
fn check(text: &str) -> Result<(), String> {
    if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
        return Ok(());
    }
    if text.len() > MOST {
        return Err(format!("an action of {} characters is longer than {MOST}", text.len()));
    }
    let Some((service, name)) = text.split_once(':') else {
        return Err(format!("`{text}` must be prefaced by a vendor, as in `sagemaker:CreateModel`"));
    };
    let service_ok = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'*' | b'?');
    if service.is_empty() || !service.bytes().all(service_ok) {
        return Err(format!("vendor `{service}` of the action `{text}` is not valid"));
    }
    let name_ok =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'/' | b'.' | b'*' | b'?');
    if name.is_empty() || !name.bytes().all(name_ok) {
        return Err(format!("action `{text}` is not valid"));
    }
    Ok(())
}
