//! Patterns of the policy language: literal text, `*`, `?`, and policy variables, parsed once and matched without
//! allocation (up to four variables).
//!
//! INVARIANT: matching restarts only at the last `*`, so it takes at most `subject × pattern` steps; nothing recurses.
//! A variable's value is literal text, whatever it contains. A variable that the request cannot resolve and that has no
//! default matches nothing.

use std::borrow::Cow;

use crate::Context;

/// A piece of a pattern. Spans point into [`Pattern::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Literal text.
    Lit { start: u32, len: u32 },
    /// `?`: exactly one character.
    One,
    /// `*`: any text.
    Star,
    /// A policy variable, by its position in the pattern's list.
    Var(u32),
}

/// `${key}` or `${key, 'default'}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    key: Box<str>,
    default: Option<Box<str>>,
}

/// What a pattern may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards.
    pub wildcards: bool,
    /// `${...}` is a variable or an escape (version 2012-10-17).
    pub variables: bool,
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: Box<str>,
    parts: Box<[Part]>,
    variables: Box<[Variable]>,
}

impl Pattern {
    /// Parses a pattern; the error says what is wrong with a variable in it.
    pub fn parse(text: &str, syntax: Syntax) -> Result<Pattern, String> {
        let mut parser = Parser { text, syntax, parts: Vec::new(), variables: Vec::new(), lit: 0 };
        parser.run()?;
        Ok(Pattern { text: text.into(), parts: parser.parts.into(), variables: parser.variables.into() })
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn literal(&self, start: u32, len: u32) -> &str {
        self.text.get(start as usize..(start as usize).saturating_add(len as usize)).unwrap_or("")
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Keys of variables that have neither a value in the request nor a default: they make the pattern match nothing.
    pub fn unresolved(&self, context: &dyn Context) -> Vec<String> {
        let missing = self.variables.iter().filter(|variable| variable.resolve(context).is_none());
        missing.map(|variable| variable.key.to_string()).collect()
    }

    /// Some text that it matches: `*` as nothing, `?` as `x`; `None` when a variable cannot be resolved.
    pub fn example(&self, context: &dyn Context) -> Option<String> {
        let mut out = String::with_capacity(self.text.len());
        for part in &self.parts {
            match *part {
                Part::Lit { start, len } => out.push_str(self.literal(start, len)),
                Part::One => out.push('x'),
                Part::Star => {}
                Part::Var(at) => out.push_str(self.variables.get(at as usize)?.resolve(context)?),
            }
        }
        Some(if out.is_empty() && self.is_any() { "x".to_owned() } else { out })
    }

    /// Whether it has a variable in it.
    pub fn has_variables(&self) -> bool {
        !self.variables.is_empty()
    }

    /// Whether it is nothing but `*`.
    pub fn is_any(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|part| *part == Part::Star)
    }

    /// Whether it is plain text, with neither wildcards nor variables nor escapes.
    pub fn is_plain(&self) -> bool {
        match *self.parts {
            [] => true,
            [Part::Lit { len, .. }] => len as usize == self.text.len(),
            _ => false,
        }
    }

    /// Whether a subject matches a pattern without variables; the bytes are of UTF-8 text.
    #[inline]
    pub fn matches_bytes(&self, subject: &[u8]) -> bool {
        self.run(subject, &[], &mut || ())
    }

    /// Whether `subject` matches.
    pub fn matches(&self, subject: &str, context: &dyn Context) -> bool {
        let subject = subject.as_bytes();
        if self.variables.is_empty() {
            return self.run(subject, &[], &mut || ());
        }
        let mut few = [""; 4];
        if let Some(slots) = few.get_mut(..self.variables.len()) {
            for (slot, variable) in slots.iter_mut().zip(&self.variables) {
                match variable.resolve(context) {
                    Some(value) => *slot = value,
                    None => return false,
                }
            }
            return self.run(subject, slots, &mut || ());
        }
        let all: Option<Vec<&str>> = self.variables.iter().map(|variable| variable.resolve(context)).collect();
        all.is_some_and(|values| self.run(subject, &values, &mut || ()))
    }

    /// The text that it stands for, wildcards as themselves; `None` when a variable cannot be resolved.
    pub fn render<'a>(&'a self, context: &'a dyn Context) -> Option<Cow<'a, str>> {
        if self.is_plain() {
            return Some(Cow::Borrowed(&self.text));
        }
        let mut out = String::with_capacity(self.text.len());
        for part in &self.parts {
            match *part {
                Part::Lit { start, len } => out.push_str(self.literal(start, len)),
                Part::One => out.push('?'),
                Part::Star => out.push('*'),
                Part::Var(at) => out.push_str(self.variables.get(at as usize)?.resolve(context)?),
            }
        }
        Some(Cow::Owned(out))
    }

    /// How many steps a match takes, for tests of the bound.
    #[cfg(test)]
    pub fn steps(&self, subject: &str) -> (bool, usize) {
        let mut count = 0;
        let matched = self.run(subject.as_bytes(), &[], &mut || count += 1);
        (matched, count)
    }

    #[inline]
    fn run(&self, bytes: &[u8], values: &[&str], tick: &mut impl FnMut()) -> bool {
        let (mut at_part, mut at) = (0usize, 0usize);
        // The part after the last `*` seen, and where in the subject it was last tried.
        let mut retry: Option<(usize, usize)> = None;
        loop {
            tick();
            let rest = bytes.get(at..).unwrap_or(&[]);
            let step = match self.parts.get(at_part) {
                None if rest.is_empty() => return true,
                None => None,
                Some(Part::Star) => {
                    at_part += 1;
                    if at_part == self.parts.len() {
                        return true;
                    }
                    retry = Some((at_part, at));
                    continue;
                }
                Some(Part::Lit { start, len }) => strip(rest, self.literal(*start, *len)),
                Some(Part::Var(value)) => values.get(*value as usize).and_then(|value| strip(rest, value)),
                Some(Part::One) => rest.first().map(|first| char_len(*first)),
            };
            if let Some(taken) = step {
                at += taken;
                at_part += 1;
                continue;
            }
            let Some((part, from)) = retry else { return false };
            let Some(next) = self.next_try(bytes, part, from) else { return false };
            retry = Some((part, next));
            (at_part, at) = (part, next);
        }
    }

    /// The next place after `from` where the part after a `*` may begin.
    fn next_try(&self, bytes: &[u8], part: usize, from: usize) -> Option<usize> {
        let next = from + char_len(*bytes.get(from)?);
        if let Some(Part::Lit { start, len }) = self.parts.get(part)
            && let Some(first) = self.literal(*start, *len).as_bytes().first()
        {
            return memchr::memchr(*first, bytes.get(next..)?).map(|skip| next + skip);
        }
        (next <= bytes.len()).then_some(next)
    }
}

impl Variable {
    pub fn resolve<'a>(&'a self, context: &'a dyn Context) -> Option<&'a str> {
        context.get(&self.key).and_then(|values| values.single()).or(self.default.as_deref())
    }
}

#[inline]
fn strip(rest: &[u8], literal: &str) -> Option<usize> {
    rest.starts_with(literal.as_bytes()).then_some(literal.len())
}

/// Bytes in the UTF-8 character that starts with `first`.
#[inline]
fn char_len(first: u8) -> usize {
    match first {
        0..0xC0 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0.. => 4,
    }
}

struct Parser<'a> {
    text: &'a str,
    syntax: Syntax,
    parts: Vec<Part>,
    variables: Vec<Variable>,
    /// Where the literal being read began.
    lit: usize,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), String> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'*' if self.syntax.wildcards => {
                    self.flush(at);
                    if self.parts.last() != Some(&Part::Star) {
                        self.parts.push(Part::Star);
                    }
                    at += 1;
                    self.lit = at;
                }
                b'?' if self.syntax.wildcards => {
                    self.flush(at);
                    self.parts.push(Part::One);
                    at += 1;
                    self.lit = at;
                }
                b'$' if self.syntax.variables && bytes.get(at + 1) == Some(&b'{') => {
                    self.flush(at);
                    at = self.variable(at)?;
                    self.lit = at;
                }
                _ => at += 1,
            }
        }
        self.flush(at);
        Ok(())
    }

    fn flush(&mut self, end: usize) {
        if end > self.lit {
            self.parts.push(lit(self.lit, end - self.lit));
        }
    }

    /// Reads `${...}` at `at`; the position after it.
    fn variable(&mut self, at: usize) -> Result<usize, String> {
        let inner_at = at + 2;
        let inner = self.text.get(inner_at..).unwrap_or("");
        // A default may contain a closing brace inside its quotes.
        let mut quoted = false;
        let end = inner
            .bytes()
            .position(|byte| {
                quoted ^= byte == b'\'';
                byte == b'}' && !quoted
            })
            .ok_or_else(|| format!("policy variable without a closing brace in `{}`", self.text))?;
        let inner = inner.get(..end).unwrap_or("");
        if matches!(inner, "*" | "?" | "$") {
            self.parts.push(lit(inner_at, 1));
            return Ok(inner_at + end + 1);
        }
        let (key, default) = match inner.split_once(',') {
            None => (inner, None),
            Some((key, default)) => {
                let default = default.trim();
                let text = default
                    .strip_prefix('\'')
                    .and_then(|rest| rest.strip_suffix('\''))
                    .ok_or_else(|| format!("default of the policy variable `${{{inner}}}` is not in single quotes"))?;
                (key, Some(Box::from(text)))
            }
        };
        let key = key.trim();
        if key.is_empty() || key.contains(['$', '{', '*', '?', '\'']) {
            return Err(format!("policy variable `${{{inner}}}` does not name a condition key"));
        }
        self.parts.push(Part::Var(u32::try_from(self.variables.len()).unwrap_or(u32::MAX)));
        self.variables.push(Variable { key: key.to_ascii_lowercase().into(), default });
        Ok(inner_at + end + 1)
    }
}

/// INVARIANT: documents are far below 4 GiB (`parse::MAX_BYTES`), so positions fit.
fn lit(start: usize, len: usize) -> Part {
    Part::Lit { start: u32::try_from(start).unwrap_or(u32::MAX), len: u32::try_from(len).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MapContext, NoContext};

    const ALL: Syntax = Syntax { wildcards: true, variables: true };

    fn is(pattern: &str, subject: &str) -> bool {
        Pattern::parse(pattern, ALL).unwrap().matches(subject, &NoContext)
    }

    #[test]
    fn wildcards() {
        for (pattern, subject, want) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a:b/c", true),
            ("?", "", false),
            ("?", "é", true),
            ("??", "é", false),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a*c*", "ac", true),
            ("*a?c*", "xxabcxx", true),
            ("*ab", "abab", true),
            ("*ab?", "ababa", true),
            ("a**b", "ab", true),
            ("arn:aws:s3:::*", "arn:aws:s3:::b/k:v", true),
            ("*é*", "caféteria", true),
            ("*?", "", false),
            ("*?é", "aé", true),
            ("?*?", "ab", true),
            ("?*?", "a", false),
        ] {
            assert_eq!(is(pattern, subject), want, "{pattern} on {subject}");
        }
    }

    #[test]
    fn escapes_are_literal() {
        assert!(is("a${*}b", "a*b"));
        assert!(!is("a${*}b", "axb"));
        assert!(is("${?}${$}", "?$"));
        assert!(is("${$}{x}", "${x}"));
    }

    #[test]
    fn variables_and_defaults() {
        let context = MapContext::new().with("aws:username", "jo*").with_many("many", ["a", "b"]);
        let is = |pattern: &str, subject: &str| Pattern::parse(pattern, ALL).unwrap().matches(subject, &context);
        assert!(is("home/${aws:UserName}/*", "home/jo*/x"));
        assert!(!is("home/${aws:username}/*", "home/joe/x"), "a value's star is not a wildcard");
        assert!(!is("${aws:absent}", ""));
        assert!(is("${aws:absent, 'team}x'}-1", "team}x-1"));
        assert!(is("${aws:username, 'x'}", "jo*"));
        assert!(!is("${many}", "a"), "a multivalued key is no variable");
        let five = "${aws:username}".repeat(5);
        assert!(is(&five, &"jo*".repeat(5)), "more variables than fit on the stack");
    }

    #[test]
    fn malformed_variables() {
        for bad in ["${aws:username", "${}", "${a, b}", "${a${b}}", "${ , 'x'}", "${**}"] {
            assert!(Pattern::parse(bad, ALL).is_err(), "{bad}");
        }
        assert!(Pattern::parse("${aws:username", Syntax { wildcards: true, variables: false }).is_ok());
        assert!(Pattern::parse("$x{y}$", ALL).is_ok());
    }

    #[test]
    fn wildcard_bombs_take_bounded_steps() {
        for pattern in ["*a".repeat(200) + "b", "*a*b?".repeat(100) + "c", "?*".repeat(300), "*ab".repeat(100) + "*c"] {
            let subject = "ab".repeat(2000) + &"a".repeat(2000);
            let parsed = Pattern::parse(&pattern, ALL).unwrap();
            let (_, steps) = parsed.steps(&subject);
            let bound = (subject.len() + 1) * (parsed.parts().len() + 1);
            assert!(steps <= bound, "{steps} steps for {pattern}");
        }
    }
}
