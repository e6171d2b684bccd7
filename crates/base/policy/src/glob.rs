//! Patterns of the policy language: literal text, `*`, `?`, and policy variables, parsed once into one small piece of code
//! and matched without allocation (up to four variables).
//!
//! INVARIANT: nothing recurses. Matching restarts only at the last `*`, and a subject shorter than the pattern's literal
//! text is refused at once. A match that takes more steps than a few times the subject's length is done again by sets of
//! positions (`glob/table.rs`), 64 at a time, so that no pattern takes long. A variable's value is literal text, whatever
//! it contains. A variable that the request cannot resolve and that has no default matches nothing.

mod table;

use std::borrow::Cow;

use crate::Context;

/// A piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Literal text.
    Lit(&'a [u8]),
    /// A character that was written as `${*}`, `${?}` or `${$}`.
    Escaped(&'a [u8]),
    /// `?`: exactly one character.
    One,
    /// `*`: any text.
    Star,
    /// A policy variable, by its position in the pattern's list.
    Var(usize),
}

// The code: an operation a byte, with its operand after it.
const STAR: u8 = 0;
const ONE: u8 = 1;
/// Followed by two bytes: the variable's position.
const VAR: u8 = 2;
/// Followed by two bytes of length, and the text. Longer literals are several.
const LIT: u8 = 3;
/// Followed by the character.
const ESCAPED: u8 = 4;

const MAX_LIT: usize = u16::MAX as usize;

/// `${key}` or `${key, 'default'}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    /// What is between the braces, as written.
    written: Box<str>,
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
    code: Box<[u8]>,
    // A boxed vector is one word in the many patterns that have no variable.
    #[expect(clippy::box_collection, reason = "half the size where there are none, which is nearly always")]
    variables: Option<Box<Vec<Variable>>>,
    /// Bytes that a subject has at least.
    least: u32,
}

impl Pattern {
    /// Parses a pattern; the error says what is wrong with a variable in it.
    pub fn parse(text: &str, syntax: Syntax) -> Result<Pattern, String> {
        let mut parser =
            Parser { text, syntax, code: Vec::with_capacity(text.len() + 4), variables: Vec::new(), least: 0, lit: 0 };
        parser.run()?;
        let Parser { code, variables, least, .. } = parser;
        let variables = (!variables.is_empty()).then(|| Box::new(variables));
        Ok(Pattern { code: code.into(), variables, least })
    }

    /// About how long the text is.
    pub fn size(&self) -> usize {
        self.code.len()
    }

    /// The pieces in order.
    pub fn parts(&self) -> Parts<'_> {
        Parts { code: &self.code }
    }

    /// As written, but for repeated stars.
    pub fn text(&self) -> String {
        let mut out = Vec::with_capacity(self.code.len());
        for part in self.parts() {
            match part {
                Part::Lit(text) => out.extend_from_slice(text),
                Part::Escaped(text) => out.extend([b"${", text, b"}"].concat()),
                Part::One => out.push(b'?'),
                Part::Star => out.push(b'*'),
                Part::Var(at) => {
                    let written = self.variable(at).map_or("", |variable| &variable.written);
                    out.extend([b"${", written.as_bytes(), b"}"].concat());
                }
            }
        }
        text_of(out)
    }

    fn variables(&self) -> &[Variable] {
        self.variables.as_deref().map_or(&[], Vec::as_slice)
    }

    fn variable(&self, at: usize) -> Option<&Variable> {
        self.variables().get(at)
    }

    /// Keys of variables that have neither a value in the request nor a default: they make the pattern match nothing.
    pub fn unresolved(&self, context: &dyn Context) -> Vec<String> {
        let missing = self.variables().iter().filter(|variable| variable.resolve(context).is_none());
        missing.map(|variable| variable.key.to_string()).collect()
    }

    /// Some text that it matches: `*` as nothing, `?` as `x`; `None` when a variable cannot be resolved.
    pub fn example(&self, context: &dyn Context) -> Option<String> {
        if self.is_any() {
            return Some("x".to_owned());
        }
        self.put_together(context, b"x", b"")
    }

    /// The text that it stands for, wildcards as themselves; `None` when a variable cannot be resolved.
    pub fn render<'a>(&'a self, context: &'a dyn Context) -> Option<Cow<'a, str>> {
        if let Some(text) = self.plain() {
            return Some(Cow::Borrowed(text));
        }
        self.put_together(context, b"?", b"*").map(Cow::Owned)
    }

    fn put_together(&self, context: &dyn Context, one: &[u8], star: &[u8]) -> Option<String> {
        let mut out = Vec::with_capacity(self.code.len());
        for part in self.parts() {
            out.extend_from_slice(match part {
                Part::Lit(text) | Part::Escaped(text) => text,
                Part::One => one,
                Part::Star => star,
                Part::Var(at) => self.variable(at)?.resolve(context)?.as_bytes(),
            });
        }
        Some(text_of(out))
    }

    /// Whether it has a variable in it.
    pub fn has_variables(&self) -> bool {
        self.variables.is_some()
    }

    /// Whether it is nothing but `*`.
    pub fn is_any(&self) -> bool {
        *self.code == [STAR]
    }

    /// Its text, where it is plain: neither wildcards nor variables nor escapes.
    pub fn plain(&self) -> Option<&str> {
        let mut parts = self.parts();
        match (parts.next(), parts.next()) {
            (None, _) => Some(""),
            (Some(Part::Lit(text)), None) => std::str::from_utf8(text).ok(),
            _ => None,
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
        if self.variables.is_none() {
            return self.run(subject, &[], &mut || ());
        }
        self.matches_with_variables(subject, context)
    }

    fn matches_with_variables(&self, subject: &[u8], context: &dyn Context) -> bool {
        // Most subjects differ before the first variable, and need not have it looked up.
        if let Some(Part::Lit(start)) = self.parts().next()
            && !subject.starts_with(start)
        {
            return false;
        }
        let variables = self.variables();
        let mut few = [""; 4];
        if let Some(slots) = few.get_mut(..variables.len()) {
            for (slot, variable) in slots.iter_mut().zip(variables) {
                match variable.resolve(context) {
                    Some(value) => *slot = value,
                    None => return false,
                }
            }
            return self.run(subject, slots, &mut || ());
        }
        let all: Option<Vec<&str>> = variables.iter().map(|variable| variable.resolve(context)).collect();
        all.is_some_and(|values| self.run(subject, &values, &mut || ()))
    }

    /// The key of a variable that the context does not know, where there is one.
    pub fn unknown_variable<'a>(&'a self, context: &dyn Context) -> Option<&'a str> {
        self.variables().iter().map(|variable| &*variable.key).find(|key| context.is_unknown(key))
    }

    /// Whether `subject` may match: a variable that the context does not know is taken for any text.
    pub fn matches_loosely(&self, subject: &str, context: &dyn Context) -> bool {
        let mut code = Vec::with_capacity(self.code.len());
        let mut after_star = false;
        for part in self.parts() {
            let any = match part {
                Part::Lit(text) | Part::Escaped(text) => {
                    push_literal(&mut code, text);
                    false
                }
                Part::One => {
                    code.push(ONE);
                    false
                }
                Part::Star => true,
                Part::Var(at) => match self.variable(at) {
                    Some(variable) if context.is_unknown(&variable.key) => true,
                    variable => {
                        let Some(value) = variable.and_then(|known| known.resolve(context)) else { return false };
                        push_literal(&mut code, value.as_bytes());
                        false
                    }
                },
            };
            if any && !after_star {
                code.push(STAR);
            }
            after_star = any;
        }
        Pattern { code: code.into(), variables: None, least: 0 }.run(subject.as_bytes(), &[], &mut || ())
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
        if bytes.len() < self.least as usize {
            return false;
        }
        let (mut code, mut rest) = (&*self.code, bytes);
        let mut steps_left = 256 + 8 * bytes.len();
        // The code after the last `*` seen, and the subject from where it was last tried.
        let mut retry: Option<(&[u8], &[u8])> = None;
        loop {
            tick();
            steps_left -= 1;
            if steps_left == 0 {
                return table::matches(self.parts(), bytes, values);
            }
            let after = match code.split_first() {
                None if rest.is_empty() => return true,
                None => None,
                Some((&STAR, after)) => {
                    let Some(ends) = first_place(after, rest) else { return false };
                    match ends {
                        Place::Decided(matched) => return matched,
                        Place::At(from) => {
                            retry = Some((after, from));
                            (code, rest) = (after, from);
                            continue;
                        }
                    }
                }
                Some((&LIT, after)) => literal(after).and_then(|(text, after)| Some((after, rest.strip_prefix(text)?))),
                Some((&ONE, after)) => rest.first().map(|first| (after, rest.get(char_len(*first)..).unwrap_or(&[]))),
                Some((&VAR, after)) => {
                    number(after).and_then(|(at, after)| Some((after, rest.strip_prefix(values.get(at)?.as_bytes())?)))
                }
                Some((_, after)) => after
                    .split_at_checked(1)
                    .and_then(|(character, after)| Some((after, rest.strip_prefix(character)?))),
            };
            if let Some(next) = after {
                (code, rest) = next;
                continue;
            }
            let Some((from_code, from)) = retry else { return false };
            let Some(first) = from.first() else { return false };
            let Some(next) = next_place(from_code, from.get(char_len(*first)..).unwrap_or(&[])) else { return false };
            retry = Some((from_code, next));
            (code, rest) = (from_code, next);
        }
    }
}

/// What follows a `*`.
enum Place<'a> {
    /// Nothing more needs to be tried.
    Decided(bool),
    /// The first place where the rest of the pattern may begin.
    At(&'a [u8]),
}

/// Where the code after a `*` may begin first; `None`: nowhere.
#[inline]
fn first_place<'a>(code: &[u8], rest: &'a [u8]) -> Option<Place<'a>> {
    if code.is_empty() {
        return Some(Place::Decided(true));
    }
    if let Some((&LIT, after)) = code.split_first()
        && let Some((text, after)) = literal(after)
        && after.is_empty()
    {
        return Some(Place::Decided(rest.ends_with(text)));
    }
    next_place(code, rest).map(Place::At)
}

/// The first place in `rest` where the code after a `*` may begin.
#[inline]
fn next_place<'a>(code: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    if let Some((&LIT, after)) = code.split_first()
        && let Some((text, _)) = literal(after)
        && let Some(first) = text.first()
    {
        return rest.get(memchr::memchr(*first, rest)?..);
    }
    Some(rest)
}

/// Appends the code of a literal text.
fn push_literal(code: &mut Vec<u8>, text: &[u8]) {
    for piece in text.chunks(MAX_LIT) {
        code.push(LIT);
        code.extend(u16::try_from(piece.len()).unwrap_or(u16::MAX).to_le_bytes());
        code.extend_from_slice(piece);
    }
}

/// The text of a literal, and the code after it.
#[inline]
fn literal(code: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, after) = number(code)?;
    after.split_at_checked(len)
}

#[inline]
fn number(code: &[u8]) -> Option<(usize, &[u8])> {
    let (bytes, after) = code.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*bytes)), after))
}

/// INVARIANT: code is made of whole pieces of UTF-8 text, so this loses nothing.
fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// The pieces of a pattern.
#[derive(Debug, Clone)]
pub(crate) struct Parts<'a> {
    code: &'a [u8],
}

impl Parts<'_> {
    /// Whether there is nothing more.
    pub fn is_done(&self) -> bool {
        self.code.is_empty()
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let (operation, after) = self.code.split_first()?;
        let (part, after) = match *operation {
            STAR => (Part::Star, after),
            ONE => (Part::One, after),
            VAR => number(after).map(|(at, after)| (Part::Var(at), after))?,
            LIT => literal(after).map(|(text, after)| (Part::Lit(text), after))?,
            _ => after.split_at_checked(1).map(|(text, after)| (Part::Escaped(text), after))?,
        };
        self.code = after;
        Some(part)
    }
}

impl Variable {
    pub fn resolve<'a>(&'a self, context: &'a dyn Context) -> Option<&'a str> {
        context.get(&self.key).and_then(|values| values.single()).or(self.default.as_deref())
    }
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
    code: Vec<u8>,
    variables: Vec<Variable>,
    least: u32,
    /// Where the literal being read began.
    lit: usize,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), String> {
        let bytes = self.text.as_bytes();
        let mut at = 0;
        let mut star = false;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'*' if self.syntax.wildcards => {
                    // Stars in a row are one.
                    if !star || at > self.lit {
                        self.flush(at);
                        self.code.push(STAR);
                    }
                    star = true;
                    at += 1;
                    self.lit = at;
                    continue;
                }
                b'?' if self.syntax.wildcards => {
                    self.flush(at);
                    self.code.push(ONE);
                    self.least = self.least.saturating_add(1);
                    at += 1;
                    self.lit = at;
                }
                b'$' if self.syntax.variables && bytes.get(at + 1) == Some(&b'{') => {
                    self.flush(at);
                    at = self.variable(at)?;
                    self.lit = at;
                }
                _ => {
                    at += 1;
                    continue;
                }
            }
            star = false;
        }
        self.flush(at);
        Ok(())
    }

    fn flush(&mut self, end: usize) {
        let text = self.text.as_bytes().get(self.lit..end).unwrap_or(&[]);
        push_literal(&mut self.code, text);
        self.least = self.least.saturating_add(text.len() as u32);
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
            .ok_or_else(|| format!("policy variable without a closing brace in `{}`", shown(self.text)))?;
        let inner = inner.get(..end).unwrap_or("");
        if let "*" | "?" | "$" = inner {
            self.code.push(ESCAPED);
            self.code.extend_from_slice(inner.as_bytes());
            self.least = self.least.saturating_add(1);
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
        let position = u16::try_from(self.variables.len());
        let position = position.map_err(|_| format!("more than {} policy variables in one text", u16::MAX))?;
        self.code.push(VAR);
        self.code.extend(position.to_le_bytes());
        self.variables.push(Variable { written: inner.into(), key: key.to_ascii_lowercase().into(), default });
        Ok(inner_at + end + 1)
    }
}

/// Enough of a text to know it by.
fn shown(text: &str) -> &str {
    text.char_indices().nth(200).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
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
    fn texts_and_long_literals() {
        let long = "é".repeat(70_000);
        assert!(is(&format!("*{long}?"), &format!("x{long}y")));
        assert!(!is(&format!("*{long}z"), &format!("x{long}y")));
        for text in ["a*b?c", "${aws:UserName}/${*}x", "${a, 'd}'}*", "", &long] {
            assert_eq!(Pattern::parse(text, ALL).unwrap().text(), *text);
        }
        assert_eq!(Pattern::parse("a***b", ALL).unwrap().text(), "a*b");
        assert_eq!(
            Pattern::parse("x*?${*}${a:b}", ALL).unwrap().example(&MapContext::new().with("a:b", "y")).unwrap(),
            "xx*y"
        );
    }

    #[test]
    fn patterns_longer_than_the_subject_are_refused_at_once() {
        let parsed = Pattern::parse(&"*a".repeat(100_000), ALL).unwrap();
        assert_eq!(parsed.steps(&"a".repeat(2000)), (false, 0));
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
            assert!(steps <= 256 + 8 * subject.len(), "{steps} steps for {pattern}");
        }
    }

    #[test]
    fn what_takes_long_is_decided_by_the_table() {
        let (hill, tail) = ("a?".repeat(500), "a".repeat(3000));
        for (pattern, subject, want) in [
            (format!("*{hill}b"), tail.clone(), false),
            (format!("*{hill}b*"), tail.clone(), false),
            (format!("*{hill}b*"), format!("{tail}b{tail}"), true),
            (format!("*{hill}b?*"), format!("{tail}b"), false),
            (format!("x*{hill}é*?"), format!("x{}é{tail}", "é".repeat(2000)), false),
            (format!("x*{hill}é*?"), format!("x{}éa", "aé".repeat(2000)), true),
            (format!("*{hill}${{aws:username}}"), format!("{tail}jo*"), true),
            (format!("*{hill}${{aws:username}}"), format!("{tail}joe"), false),
        ] {
            let parsed = Pattern::parse(&pattern, ALL).unwrap();
            assert_eq!(parsed.matches(&subject, &MapContext::new().with("aws:username", "jo*")), want, "{pattern}");
        }
    }
}
