//! The rule language: `framework is pytorch and licence in (apache-2.0, mit) and size below 20 GB and not gated`.
//!
//! ```text
//! rule   = part { "or" part }
//! part   = piece { "and" piece }
//! piece  = "not" piece | "(" rule ")" | test
//! test   = flag [ "is" ("true" | "false") ]
//!        | field "is" ["not"] "unknown"
//!        | text  "is" ["not"] value | text ["is"] ["not"] "in" "(" value { "," value } ")"
//!        | text  ["not"] "contains" value | text ["not"] "matches" glob
//!        | number "is" ["not"] amount | number ["is"] ("below" | "above" | "at" "most" | "at" "least") amount
//! ```
//! Whatever is wrong is told with its line and column and with what is expected there.

use super::expression::{Check, Expression, Test, fold};
use super::fields::{Field, FieldKind};
use super::lexer::{Token, TokenKind, tokens};

/// Parentheses within parentheses, and `not` before `not`.
const DEEPEST: usize = 64;
/// Tests of a rule text: every model of the public hub is asked each of them.
const MOST_TESTS: usize = 100;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub(crate) struct Problem {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// A problem at a byte of the source.
pub(crate) fn problem(source: &str, at: usize, message: &str) -> Problem {
    let before = source.get(..at).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem { line, column, message: message.to_owned() }
}

/// Reads a rule; none when there is nothing but spaces and comments.
pub(crate) fn parse(source: &str) -> Result<Option<Expression>, Problem> {
    let tokens = tokens(source)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { source, tokens: &tokens, at: 0, depth: 0, tests: 0 };
    let rule = parser.rule()?;
    match parser.peek() {
        None => Ok(Some(rule)),
        Some(token) if token.kind == TokenKind::Close => Err(parser.wrong("there is no `(` for this `)`")),
        Some(token) => Err(parser.wrong(&format!(
            "`{}` is not expected here: `and`, `or` or the end is; quote values of several words",
            token.text
        ))),
    }
}

struct Parser<'s> {
    source: &'s str,
    tokens: &'s [Token],
    at: usize,
    depth: usize,
    tests: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// A problem at the next token, or at the end.
    fn wrong(&self, message: &str) -> Problem {
        let at = self.peek().map_or(self.source.trim_end().len(), |token| token.start);
        problem(self.source, at, message)
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        let token = self.tokens.get(self.at + ahead);
        token.is_some_and(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn take(&mut self, kind: TokenKind, message: &str) -> Result<(), Problem> {
        match self.peek() {
            Some(token) if token.kind == kind => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.wrong(message)),
        }
    }

    fn rule(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.part()?];
        while self.take_word("or") {
            parts.push(self.part()?);
        }
        Ok(one_or(parts, Expression::Any))
    }

    fn part(&mut self) -> Result<Expression, Problem> {
        let mut pieces = vec![self.piece()?];
        while self.take_word("and") {
            pieces.push(self.piece()?);
        }
        Ok(one_or(pieces, Expression::All))
    }

    fn piece(&mut self) -> Result<Expression, Problem> {
        if self.depth == DEEPEST {
            return Err(self.wrong(&format!("rules may be {DEEPEST} levels deep, this is one more")));
        }
        self.depth += 1;
        let start = self.at;
        let piece = if self.take_word("not") {
            negated(self.piece()?, self.text_since(start))
        } else if self.peek().is_some_and(|token| token.kind == TokenKind::Open) {
            self.at += 1;
            let inner = self.rule()?;
            self.take(TokenKind::Close, "`)` is expected, or `and` or `or`; quote values of several words")?;
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(piece)
    }

    fn test(&mut self) -> Result<Expression, Problem> {
        let start = self.at;
        let expected = "a field is expected";
        let Some(token) = self.peek() else { return Err(self.wrong(expected)) };
        let Some((field, kind)) = Field::parse(&token.text).filter(|_| token.kind == TokenKind::Word) else {
            return Err(self.wrong(&format!("`{}` is no field; fields are {}", token.text, Field::names())));
        };
        if self.tests == MOST_TESTS {
            return Err(self.wrong(&format!("rules may have {MOST_TESTS} tests, this is one more")));
        }
        self.tests += 1;
        self.at += 1;
        let (check, negated) = if self.is_unknown() {
            self.at += 1;
            let negated = self.take_word("not");
            self.at += 1;
            (Check::Known, !negated)
        } else {
            match kind {
                FieldKind::Flag => self.flag_check()?,
                FieldKind::Text | FieldKind::Texts => self.text_check()?,
                FieldKind::Bytes | FieldKind::Number => self.number_check(kind)?,
            }
        };
        Ok(Expression::Test(Test { field, kind, check, negated, text: self.text_since(start) }))
    }

    /// `is unknown`, `is not unknown`.
    fn is_unknown(&self) -> bool {
        self.is_word(0, "is") && self.is_word(1 + usize::from(self.is_word(1, "not")), "unknown")
    }

    fn flag_check(&mut self) -> Result<(Check, bool), Problem> {
        if !self.take_word("is") {
            return Ok((Check::True, false));
        }
        let negated = self.take_word("not");
        for (word, is) in [("true", true), ("yes", true), ("false", false), ("no", false)] {
            if self.take_word(word) {
                return Ok((Check::True, negated == is));
            }
        }
        Err(self.wrong("`true` or `false` is expected"))
    }

    fn text_check(&mut self) -> Result<(Check, bool), Problem> {
        let is = self.take_word("is");
        let negated = self.take_word("not");
        if self.take_word("in") {
            return Ok((Check::OneOf(self.values()?), negated));
        }
        if !is && self.take_word("contains") {
            return Ok((Check::Contains(fold(&self.value()?)), negated));
        }
        if !is && self.take_word("matches") {
            return Ok((Check::Matches(glob(&self.value()?)), negated));
        }
        if is {
            return Ok((Check::OneOf(vec![fold(&self.value()?)]), negated));
        }
        Err(self.wrong("`is`, `is not`, `in`, `not in`, `contains` or `matches` is expected"))
    }

    fn values(&mut self) -> Result<Vec<String>, Problem> {
        self.take(TokenKind::Open, "a list in parentheses is expected, such as (mit, apache-2.0)")?;
        let mut values = vec![fold(&self.value()?)];
        while self.peek().is_some_and(|token| token.kind == TokenKind::Comma) {
            self.at += 1;
            values.push(fold(&self.value()?));
        }
        self.take(TokenKind::Close, "`,` or `)` is expected; quote values of several words")?;
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// Words of the language can be values only in quotes, so that a forgotten value is told where it is missing.
    fn value(&mut self) -> Result<String, Problem> {
        const WORDS: [&str; 4] = ["and", "or", "not", "is"];
        let value = match self.peek() {
            Some(token) if token.kind == TokenKind::Quoted => token.text.clone(),
            Some(token)
                if token.kind == TokenKind::Word && !WORDS.iter().any(|word| token.text.eq_ignore_ascii_case(word)) =>
            {
                token.text.clone()
            }
            _ => return Err(self.wrong("a value is expected")),
        };
        if value.trim().is_empty() {
            return Err(self.wrong("a value with something in it is expected"));
        }
        self.at += 1;
        Ok(value)
    }

    fn number_check(&mut self, kind: FieldKind) -> Result<(Check, bool), Problem> {
        let is = self.take_word("is");
        let negated = is && self.take_word("not");
        let make: fn(u64) -> Check = match () {
            () if self.take_word("below") => Check::Below,
            () if self.take_word("above") => Check::Above,
            () if self.is_word(0, "at") && self.is_word(1, "most") => {
                self.at += 2;
                Check::AtMost
            }
            () if self.is_word(0, "at") && self.is_word(1, "least") => {
                self.at += 2;
                Check::AtLeast
            }
            () if is => Check::Equals,
            () => return Err(self.wrong("`below`, `above`, `at most`, `at least` or `is` is expected")),
        };
        Ok((make(self.amount(kind)?), negated))
    }

    /// `20 GB`, `20GB`, `7.5 B`.
    fn amount(&mut self, kind: FieldKind) -> Result<u64, Problem> {
        let units = units(kind);
        let names = units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let expected = format!("a number is expected, with or without a unit ({names})");
        let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Word) else {
            return Err(self.wrong(&expected));
        };
        let digits = token.text.find(|character: char| character.is_alphabetic()).unwrap_or(token.text.len());
        let (number, glued) = token.text.split_at(digits);
        let scaled = |unit: u64| scaled(number, unit).ok_or_else(|| self.wrong(&expected));
        let unit = |word: &str| units.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, unit)| *unit);
        let (amount, used) = if glued.is_empty() {
            match self.tokens.get(self.at + 1).and_then(|next| unit(&next.text)) {
                Some(unit) => (scaled(unit)?, 2),
                None => (scaled(1)?, 1),
            }
        } else {
            let unit =
                unit(glued).ok_or_else(|| self.wrong(&format!("`{glued}` is no unit here; units are {names}")))?;
            (scaled(unit)?, 1)
        };
        self.at += used;
        Ok(amount)
    }

    /// What was written from this token to the one before the next.
    fn text_since(&self, start: usize) -> String {
        let first = self.tokens.get(start).map_or(0, |token| token.start);
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |token| token.end);
        let text = self.source.get(first..last).unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Stars beside stars say nothing more.
fn glob(text: &str) -> String {
    let mut glob: Vec<char> = fold(text).chars().collect();
    glob.dedup_by(|next, last| *next == '*' && *last == '*');
    glob.into_iter().collect()
}

fn one_or(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            join(parts)
        }
        None => join(parts),
    }
}

/// `not gated` stays one test, which reads better in reasons.
fn negated(piece: Expression, text: String) -> Expression {
    match piece {
        Expression::Test(test) => Expression::Test(Test { negated: !test.negated, text, ..test }),
        other => Expression::Not(Box::new(other)),
    }
}

fn units(kind: FieldKind) -> &'static [(&'static str, u64)] {
    match kind {
        FieldKind::Bytes => &[
            ("B", 1),
            ("KB", 1000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("TB", 1_000_000_000_000),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("TiB", 1 << 40),
        ],
        _ => &[("K", 1000), ("M", 1_000_000), ("B", 1_000_000_000), ("T", 1_000_000_000_000)],
    }
}

/// A decimal number times a unit, in whole units of one, exactly; none for what is no number or too large.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let power = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let mantissa = whole.parse::<u128>().ok()?.checked_mul(power)?.checked_add(fraction.parse().ok()?)?;
    u64::try_from(mantissa.checked_mul(u128::from(unit))? / power).ok()
}
