//! `Action` and `NotAction`: names and wildcard patterns, compared without regard to case.
//!
//! INVARIANT: patterns are kept in lower case and are only matched against lower-case names. No state.

use crate::glob::{Part, Pattern, Syntax};

/// The actions that a statement covers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Actions {
    /// `NotAction`: all but these.
    pub not: bool,
    /// Full names, sorted.
    exact: Box<[Box<str>]>,
    /// Names with wildcards.
    globs: Box<[Pattern]>,
}

impl Actions {
    /// From the texts of an `Action` or `NotAction` element; the error has the position of the bad text.
    pub fn parse(texts: &[String], not: bool) -> Result<Actions, (usize, String)> {
        let (mut exact, mut globs) = (Vec::<Box<str>>::new(), Vec::new());
        for (at, text) in texts.iter().enumerate() {
            check(text).map_err(|problem| (at, problem))?;
            let lower = text.to_ascii_lowercase();
            if lower.contains(['*', '?']) {
                let syntax = Syntax { wildcards: true, variables: false };
                globs.push(Pattern::parse(&lower, syntax).map_err(|problem| (at, problem))?);
            } else {
                exact.push(lower.into());
            }
        }
        exact.sort_unstable();
        exact.dedup();
        Ok(Actions { not, exact: exact.into(), globs: globs.into() })
    }

    /// Whether the statement covers an action given in lower case.
    #[inline]
    pub fn cover(&self, lower: &[u8]) -> bool {
        let listed = self.exact.binary_search_by(|name| name.as_bytes().cmp(lower)).is_ok()
            || self.globs.iter().any(|glob| glob.matches_bytes(lower));
        listed != self.not
    }

    /// Full names, in lower case.
    pub fn exact(&self) -> &[Box<str>] {
        &self.exact
    }

    /// Literal beginnings of the wildcard patterns, in lower case.
    pub fn glob_prefixes(&self) -> impl Iterator<Item = &str> {
        self.globs.iter().map(|glob| match glob.parts().first() {
            Some(Part::Lit { start, len }) => glob.literal(*start, *len),
            _ => "",
        })
    }

    /// Whether every name belongs to one of these lower-case prefixes, for checks of trust policies.
    pub fn all_start_with(&self, prefix: &str) -> bool {
        self.exact.iter().all(|name| name.starts_with(prefix))
            && self.glob_prefixes().all(|glob| glob.starts_with(prefix))
    }
}

/// `*`, or a service name without spaces, a colon and a name.
fn check(text: &str) -> Result<(), String> {
    if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
        return Ok(());
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
