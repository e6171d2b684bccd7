//! A rule as a tree: whether a version matches, and why or why not, in the rule's own words.
//!
//! Three answers, as in SQL: yes, no, unknown. `not` of unknown is unknown, and only yes lets a version in.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use super::fields::{Field, FieldKind, Value};
use crate::catalog::PublicModel;

/// Parts that a reason tells; of the others it says how many they are.
const MOST_PARTS: usize = 8;
/// Characters of a test and of what a version says to it; the rest is cut off.
const LONGEST_TEXT: usize = 200;

/// A rule, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Test(Test),
}

/// One question about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Test {
    pub field: Field,
    pub kind: FieldKind,
    pub check: Check,
    /// `is not`, `not in`, `not gated`.
    pub negated: bool,
    /// As it was written.
    pub text: String,
}

/// What is asked. Texts are folded already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Check {
    /// Sorted.
    OneOf(Vec<String>),
    Contains(String),
    Matches(String),
    Below(u64),
    AtMost(u64),
    Above(u64),
    AtLeast(u64),
    Equals(u64),
    True,
    Known,
}

impl Expression {
    /// Whether a version matches; none when too little is known of it.
    pub fn decide(&self, model: &PublicModel) -> Option<bool> {
        match self {
            Expression::All(parts) => joined(parts, model, false),
            Expression::Any(parts) => joined(parts, model, true),
            Expression::Not(part) => part.decide(model).map(|is| !is),
            Expression::Test(test) => test.decide(model),
        }
    }

    /// Whether a version is let in.
    pub fn admits(&self, model: &PublicModel) -> bool {
        self.decide(model) == Some(true)
    }

    /// The parts that made it so, each with what the version says.
    pub fn reason(&self, model: &PublicModel) -> String {
        let (mut found, mut more) = (Vec::new(), 0_usize);
        self.each_deciding(model, &mut |test| {
            if found.len() < MOST_PARTS { found.push(test.reason(model)) } else { more += 1 }
        });
        if more > 0 {
            found.push(format!("and {more} more"));
        }
        found.join("; ")
    }

    fn each_deciding(&self, model: &PublicModel, take: &mut impl FnMut(&Test)) {
        let (parts, decisive) = match self {
            Expression::All(parts) => (parts, false),
            Expression::Any(parts) => (parts, true),
            Expression::Not(part) => return part.each_deciding(model, take),
            Expression::Test(test) => return take(test),
        };
        // One part decides an `and` that fails and an `or` that holds; else all of them do.
        let is = self.decide(model);
        let deciding: Vec<_> = parts.iter().filter(|part| part.decide(model) == is).collect();
        let enough = if is == Some(decisive) { 1 } else { deciding.len() };
        deciding.into_iter().take(enough).for_each(|part| part.each_deciding(model, take));
    }
}

/// `or` ends at the first yes, `and` at the first no; else unknown weighs more than the opposite.
fn joined(parts: &[Expression], model: &PublicModel, decisive: bool) -> Option<bool> {
    let mut answer = Some(!decisive);
    for part in parts {
        match part.decide(model) {
            Some(is) if is == decisive => return Some(decisive),
            None => answer = None,
            Some(_) => {}
        }
    }
    answer
}

impl Test {
    fn decide(&self, model: &PublicModel) -> Option<bool> {
        let value = self.field.of(model);
        let is = match (&self.check, &value) {
            (Check::Known, value) => *value != Value::Unknown,
            (_, Value::Unknown) => return None,
            (check, Value::Text(text)) => check.text(text),
            (check, Value::Texts(texts)) => texts.iter().any(|text| check.text(text)),
            (check, Value::Number(number)) => check.number(*number),
            (Check::True, Value::Flag(flag)) => *flag,
            (_, Value::Flag(_)) => return None,
        };
        Some(is != self.negated)
    }

    fn reason(&self, model: &PublicModel) -> String {
        let test = cut(&self.text);
        let mut text = match self.decide(model) {
            Some(true) => test.into_owned(),
            Some(false) => format!("`{test}` does not hold"),
            None => format!("`{test}` cannot be told"),
        };
        let said = match self.field.of(model) {
            Value::Unknown => "unknown".to_owned(),
            Value::Text(said) => cut(&said).into_owned(),
            Value::Texts([]) => "none".to_owned(),
            Value::Texts(texts) => said_of(texts),
            Value::Number(number) if self.kind == FieldKind::Bytes => bytes(number),
            Value::Number(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
        };
        let _ = write!(text, " ({said})");
        text
    }
}

impl Check {
    fn text(&self, text: &str) -> bool {
        match self {
            Check::OneOf(wanted) => match wanted.as_slice() {
                [one] => folded(text).eq(one.chars()),
                many => many.binary_search(&fold(text)).is_ok(),
            },
            Check::Contains(part) => fold(text).contains(part.as_str()),
            Check::Matches(glob) => matches(glob, &fold(text)),
            _ => false,
        }
    }

    fn number(&self, number: u64) -> bool {
        match self {
            Check::Below(bound) => number < *bound,
            Check::AtMost(bound) => number <= *bound,
            Check::Above(bound) => number > *bound,
            Check::AtLeast(bound) => number >= *bound,
            Check::Equals(wanted) => number == *wanted,
            _ => false,
        }
    }
}

/// Texts are compared without case, and with hyphens for spaces, as search keywords have them.
pub(crate) fn fold(text: &str) -> String {
    folded(text).collect()
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(|character| {
        let character = if character.is_whitespace() { '-' } else { character };
        character.to_lowercase()
    })
}

/// As much of a text as a reason has room for.
fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST_TEXT).and_then(|(end, _)| text.get(..end)) {
        Some(start) => Cow::Owned(format!("{start}…")),
        None => Cow::Borrowed(text),
    }
}

fn said_of(texts: &[Arc<str>]) -> String {
    let mut said = String::new();
    for text in texts {
        // Bytes are at least as many as characters, so enough is taken.
        if said.len() > 4 * LONGEST_TEXT {
            break;
        }
        if !said.is_empty() {
            said.push_str(", ");
        }
        said.push_str(&cut(text));
    }
    cut(&said).into_owned()
}

/// `*` is any run of characters, `?` one. Linear in the text for each star.
fn matches(glob: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Each character but a star stands for one: a glob with more of them matches nothing, however long it is.
    if glob.chars().filter(|character| *character != '*').nth(text.len()).is_some() {
        return false;
    }
    let glob: Vec<char> = glob.chars().collect();
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || Some(wanted) == text.get(seen) => {
                at += 1;
                seen += 1;
            }
            // The last star takes one character more.
            _ => match star {
                Some((back, from)) => {
                    star = Some((back, from + 1));
                    at = back + 1;
                    seen = from + 1;
                }
                None => return false,
            },
        }
    }
    glob.iter().skip(at).all(|rest| *rest == '*')
}

fn bytes(number: u64) -> String {
    let units = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1000)];
    match units.into_iter().find(|(_, unit)| number >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", number / unit, number % unit * 10 / unit),
        None => format!("{number} bytes"),
    }
}
