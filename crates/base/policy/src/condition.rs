//! Conditions: an operator with its modifiers, a key and the wanted values, parsed once.
//!
//! Rules that are easy to get wrong: wanted values are alternatives, and a negated operator is their NOR; a negated
//! operator over an absent key holds; `ForAllValues` over an absent key holds, `ForAnyValue` does not; `IfExists` makes
//! any of them hold. A value of the request that is not of the operator's type matches nothing.

mod certainty;
use std::fmt;

use crate::glob::{Pattern, Syntax};
use crate::values::{self, Instant, Number, Range};
use crate::{Context, Values};

/// One operator applied to one key.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// The key in lower case, and as written where that differs.
    key: Box<str>,
    /// The wanted values as written, where the parsed ones do not keep their text.
    texts: Box<[Box<str>]>,
    wanted: Wanted,
    key_len: u32,
    operator: Operator,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    None,
    ForAllValues,
    ForAnyValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds<T: Ord>(self, have: &T, want: &T) -> bool {
        match self {
            Comparison::Equal => have == want,
            Comparison::Less => have < want,
            Comparison::LessOrEqual => have <= want,
            Comparison::Greater => have > want,
            Comparison::GreaterOrEqual => have >= want,
        }
    }
}

#[derive(Debug, Clone)]
enum Wanted {
    Text(Box<[Pattern]>),
    TextFold(Box<[Pattern]>),
    Number(Comparison, Box<[Number]>),
    Date(Comparison, Box<[Instant]>),
    Bool(Box<[BoolValue]>),
    Binary(Box<[Vec<u8>]>),
    Ip(Box<[Range]>),
    Arn(Box<[ArnPattern]>),
    Null(Box<[bool]>),
}

/// The kind of an operator, before its values are parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Equals,
    EqualsFold,
    Like,
    Number(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    Ip,
    ArnEquals,
    ArnLike,
    Null,
}

/// A wanted boolean; it may be a variable.
#[derive(Debug, Clone)]
enum BoolValue {
    Fixed(bool),
    Variable(Pattern),
}

/// A wanted ARN.
#[derive(Debug, Clone)]
enum ArnPattern {
    /// Six components, compared one by one.
    Components(Box<[Pattern; 6]>),
    /// `*`, or a variable that stands for a whole ARN.
    Whole(Pattern),
    /// Fewer than six components: no ARN is like it.
    Never,
}

/// Operator names without modifiers, in lower case: kind, and whether it is the negation of that kind.
fn base_operator(name: &str) -> Option<(Kind, bool)> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    Some(match name {
        "stringequals" => (Kind::Equals, false),
        "stringnotequals" => (Kind::Equals, true),
        "stringequalsignorecase" => (Kind::EqualsFold, false),
        "stringnotequalsignorecase" => (Kind::EqualsFold, true),
        "stringlike" => (Kind::Like, false),
        "stringnotlike" => (Kind::Like, true),
        "numericequals" => (Kind::Number(Equal), false),
        "numericnotequals" => (Kind::Number(Equal), true),
        "numericlessthan" => (Kind::Number(Less), false),
        "numericlessthanequals" => (Kind::Number(LessOrEqual), false),
        "numericgreaterthan" => (Kind::Number(Greater), false),
        "numericgreaterthanequals" => (Kind::Number(GreaterOrEqual), false),
        "dateequals" => (Kind::Date(Equal), false),
        "datenotequals" => (Kind::Date(Equal), true),
        "datelessthan" => (Kind::Date(Less), false),
        "datelessthanequals" => (Kind::Date(LessOrEqual), false),
        "dategreaterthan" => (Kind::Date(Greater), false),
        "dategreaterthanequals" => (Kind::Date(GreaterOrEqual), false),
        "bool" => (Kind::Bool, false),
        "binaryequals" => (Kind::Binary, false),
        "ipaddress" => (Kind::Ip, false),
        "notipaddress" => (Kind::Ip, true),
        "arnequals" => (Kind::ArnEquals, false),
        "arnnotequals" => (Kind::ArnEquals, true),
        "arnlike" => (Kind::ArnLike, false),
        "arnnotlike" => (Kind::ArnLike, true),
        "null" => (Kind::Null, false),
        _ => return None,
    })
}

/// An operator name, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    quantifier: Quantifier,
    kind: Kind,
    negated: bool,
    if_exists: bool,
}

impl Operator {
    /// Reads a name such as `ForAnyValue:StringNotLikeIfExists`, in any case.
    pub fn parse(name: &str) -> Result<Operator, String> {
        let lower = name.to_ascii_lowercase();
        let (quantifier, rest) = match lower.split_once(':') {
            None => (Quantifier::None, lower.as_str()),
            Some(("forallvalues", rest)) => (Quantifier::ForAllValues, rest),
            Some(("foranyvalue", rest)) => (Quantifier::ForAnyValue, rest),
            Some(_) => return Err(format!("unknown set operator in `{name}`")),
        };
        let (rest, if_exists) = match rest.strip_suffix("ifexists") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (kind, negated) = base_operator(rest).ok_or_else(|| format!("unknown condition operator `{name}`"))?;
        if kind == Kind::Null && (if_exists || quantifier != Quantifier::None) {
            return Err(format!("`{name}`: Null takes neither IfExists nor a set operator"));
        }
        Ok(Operator { quantifier, kind, negated, if_exists })
    }
}

/// As AWS writes it: `ForAnyValue:StringNotLikeIfExists`.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = match self.quantifier {
            Quantifier::None => "",
            Quantifier::ForAllValues => "ForAllValues:",
            Quantifier::ForAnyValue => "ForAnyValue:",
        };
        let compared = |how: Comparison| match how {
            Comparison::Equal => "Equals",
            Comparison::Less => "LessThan",
            Comparison::LessOrEqual => "LessThanEquals",
            Comparison::Greater => "GreaterThan",
            Comparison::GreaterOrEqual => "GreaterThanEquals",
        };
        let (subject, test) = match self.kind {
            Kind::Equals => ("String", "Equals"),
            Kind::EqualsFold => ("String", "EqualsIgnoreCase"),
            Kind::Like => ("String", "Like"),
            Kind::Number(how) => ("Numeric", compared(how)),
            Kind::Date(how) => ("Date", compared(how)),
            Kind::Bool => ("Bool", ""),
            Kind::Binary => ("Binary", "Equals"),
            Kind::Ip => ("", "IpAddress"),
            Kind::ArnEquals => ("Arn", "Equals"),
            Kind::ArnLike => ("Arn", "Like"),
            Kind::Null => ("Null", ""),
        };
        let not = if self.negated { "Not" } else { "" };
        let if_exists = if self.if_exists { "IfExists" } else { "" };
        write!(f, "{set}{subject}{not}{test}{if_exists}")
    }
}

impl Condition {
    /// Parses the wanted values of one key; the error has the position of the bad value.
    pub fn parse(
        operator: Operator,
        key: &str,
        texts: &[impl AsRef<str>],
        variables: bool,
    ) -> Result<Condition, (usize, String)> {
        let wanted = Wanted::parse(operator.kind, texts, variables)?;
        let kept: Box<[Box<str>]> =
            if wanted.keeps_text() { Box::default() } else { texts.iter().map(|text| text.as_ref().into()).collect() };
        let mut both = key.to_ascii_lowercase();
        if both != key {
            both.push_str(key);
        }
        Ok(Condition { key: both.into(), texts: kept, wanted, key_len: key.len() as u32, operator })
    }

    /// The key in lower case.
    #[inline]
    pub fn key(&self) -> &str {
        self.key.get(..self.key_len as usize).unwrap_or("")
    }

    /// The key as written.
    pub fn name(&self) -> &str {
        self.key.get(self.key_len as usize..).filter(|name| !name.is_empty()).unwrap_or(self.key())
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values of which the key must have one, where that is plain: the condition holds for no other request.
    pub fn required_values(&self) -> Option<impl Iterator<Item = &str>> {
        let Operator { quantifier, kind, negated, if_exists } = self.operator;
        if kind != Kind::Equals || negated || if_exists || quantifier == Quantifier::ForAllValues {
            return None;
        }
        let Wanted::Text(patterns) = &self.wanted else { return None };
        patterns.iter().all(|pattern| pattern.plain().is_some()).then(|| patterns.iter().filter_map(Pattern::plain))
    }

    /// The wanted values as written.
    pub fn wanted_texts(&self) -> Vec<String> {
        match self.wanted.patterns() {
            Some(patterns) => patterns.iter().map(Pattern::text).collect(),
            None => self.texts.iter().map(ToString::to_string).collect(),
        }
    }

    /// Keys of variables in the wanted values that the request does not have, in lower case.
    pub fn unresolved(&self, context: &dyn Context) -> Vec<String> {
        match &self.wanted {
            Wanted::Text(patterns) | Wanted::TextFold(patterns) => {
                patterns.iter().flat_map(|pattern| pattern.unresolved(context)).collect()
            }
            Wanted::Arn(patterns) => patterns.iter().flat_map(|pattern| pattern.unresolved(context)).collect(),
            Wanted::Bool(values) => values.iter().flat_map(|value| value.unresolved(context)).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the condition holds for a request.
    #[inline]
    pub fn holds(&self, context: &dyn Context) -> bool {
        let have = context.get(self.key()).filter(|values| !values.is_empty());
        if let Wanted::Null(wanted) = &self.wanted {
            return wanted.contains(&have.is_none());
        }
        match have {
            Some(values) => self.holds_for(values, context),
            None if self.operator.if_exists => true,
            None => match self.operator.quantifier {
                Quantifier::ForAllValues => true,
                Quantifier::ForAnyValue => false,
                Quantifier::None => self.operator.negated,
            },
        }
    }

    fn holds_for(&self, values: Values<'_>, context: &dyn Context) -> bool {
        let Operator { quantifier, negated, .. } = self.operator;
        let one = |value: &str| self.wanted.matches(value, context) != negated;
        match (quantifier, negated) {
            (Quantifier::ForAllValues, _) | (Quantifier::None, true) => values.all(one),
            (Quantifier::ForAnyValue, _) | (Quantifier::None, false) => values.any(one),
        }
    }
}

impl Wanted {
    fn parse(kind: Kind, texts: &[impl AsRef<str>], variables: bool) -> Result<Wanted, (usize, String)> {
        let plain = Syntax { wildcards: false, variables };
        let glob = Syntax { wildcards: true, variables };
        Ok(match kind {
            Kind::Equals => Wanted::Text(each(texts, |text| Pattern::parse(text, plain))?),
            Kind::EqualsFold => Wanted::TextFold(each(texts, |text| Pattern::parse(text, plain))?),
            Kind::Like => Wanted::Text(each(texts, |text| Pattern::parse(text, glob))?),
            Kind::Number(how) => Wanted::Number(how, each(texts, |text| typed(text, "a number", values::number))?),
            Kind::Date(how) => Wanted::Date(how, each(texts, |text| typed(text, "a date", values::date))?),
            Kind::Bool => Wanted::Bool(each(texts, |text| BoolValue::parse(text, plain))?),
            Kind::Binary => Wanted::Binary(each(texts, |text| typed(text, "base64", values::base64))?),
            Kind::Ip => Wanted::Ip(each(texts, |text| typed(text, "an IP address or CIDR range", values::range))?),
            Kind::ArnEquals | Kind::ArnLike => Wanted::Arn(each(texts, |text| ArnPattern::parse(text, glob))?),
            Kind::Null => Wanted::Null(each(texts, |text| typed(text, "`true` or `false`", values::boolean))?),
        })
    }

    /// The patterns, where the values are patterns.
    fn patterns(&self) -> Option<&[Pattern]> {
        match self {
            Wanted::Text(patterns) | Wanted::TextFold(patterns) => Some(patterns),
            _ => None,
        }
    }

    fn keeps_text(&self) -> bool {
        self.patterns().is_some()
    }

    /// Whether a value of the request is one of those wanted, negation aside.
    fn matches(&self, value: &str, context: &dyn Context) -> bool {
        match self {
            Wanted::Text(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Wanted::TextFold(patterns) => patterns
                .iter()
                .any(|pattern| pattern.render(context).is_some_and(|text| values::equal_fold(&text, value))),
            Wanted::Number(how, wanted) => {
                values::number(value).is_some_and(|have| wanted.iter().any(|want| how.holds(&have, want)))
            }
            Wanted::Date(how, wanted) => {
                values::date(value).is_some_and(|have| wanted.iter().any(|want| how.holds(&have, want)))
            }
            Wanted::Bool(wanted) => {
                values::boolean(value).is_some_and(|have| wanted.iter().any(|want| want.get(context) == Some(have)))
            }
            Wanted::Binary(wanted) => values::base64(value).is_some_and(|have| wanted.contains(&have)),
            Wanted::Ip(wanted) => {
                values::address_bits(value).is_some_and(|have| wanted.iter().any(|range| range.contains(have)))
            }
            Wanted::Arn(wanted) => wanted.iter().any(|pattern| pattern.matches(value, context)),
            Wanted::Null(_) => false,
        }
    }
}

impl BoolValue {
    fn parse(text: &str, syntax: Syntax) -> Result<BoolValue, String> {
        let pattern = Pattern::parse(text, syntax)?;
        if pattern.has_variables() {
            return Ok(BoolValue::Variable(pattern));
        }
        typed(text, "`true` or `false`", values::boolean).map(BoolValue::Fixed)
    }

    fn unresolved(&self, context: &dyn Context) -> Vec<String> {
        match self {
            BoolValue::Fixed(_) => Vec::new(),
            BoolValue::Variable(pattern) => pattern.unresolved(context),
        }
    }

    fn get(&self, context: &dyn Context) -> Option<bool> {
        match self {
            BoolValue::Fixed(value) => Some(*value),
            BoolValue::Variable(pattern) => values::boolean(&pattern.render(context)?),
        }
    }
}

impl ArnPattern {
    fn parse(text: &str, syntax: Syntax) -> Result<ArnPattern, String> {
        let whole = Pattern::parse(text, syntax)?;
        if whole.is_any() {
            return Ok(ArnPattern::Whole(whole));
        }
        let components = split_arn_pattern(text, syntax.variables);
        let parsed: Vec<Pattern> =
            components.iter().map(|component| Pattern::parse(component, syntax)).collect::<Result<_, _>>()?;
        Ok(match <[Pattern; 6]>::try_from(parsed) {
            Ok(six) => ArnPattern::Components(Box::new(six)),
            Err(_) if whole.has_variables() => ArnPattern::Whole(whole),
            Err(_) => ArnPattern::Never,
        })
    }

    fn unresolved(&self, context: &dyn Context) -> Vec<String> {
        match self {
            ArnPattern::Components(six) => six.iter().flat_map(|pattern| pattern.unresolved(context)).collect(),
            ArnPattern::Whole(pattern) => pattern.unresolved(context),
            ArnPattern::Never => Vec::new(),
        }
    }

    fn matches(&self, value: &str, context: &dyn Context) -> bool {
        match self {
            ArnPattern::Components(patterns) => {
                let mut parts = value.splitn(6, ':');
                patterns.iter().all(|pattern| parts.next().is_some_and(|part| pattern.matches(part, context)))
            }
            ArnPattern::Whole(pattern) => pattern.matches(value, context),
            ArnPattern::Never => false,
        }
    }
}

/// Splits at the first five colons that are outside `${...}`.
fn split_arn_pattern(text: &str, variables: bool) -> Vec<&str> {
    let mut parts = Vec::with_capacity(6);
    let (mut from, mut inside) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if variables && at > 0 && text.as_bytes().get(at - 1) == Some(&b'$') => inside = true,
            b'}' => inside = false,
            b':' if !inside && parts.len() < 5 => {
                parts.push(text.get(from..at).unwrap_or(""));
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(from..).unwrap_or(""));
    parts
}

fn each<T>(texts: &[impl AsRef<str>], parse: impl Fn(&str) -> Result<T, String>) -> Result<Box<[T]>, (usize, String)> {
    texts.iter().enumerate().map(|(at, text)| parse(text.as_ref()).map_err(|problem| (at, problem))).collect()
}

fn typed<T>(text: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    parse(text).ok_or_else(|| format!("`{text}` is not {what}"))
}

#[path = "condition/witness.rs"]
mod witness;

#[cfg(test)]
#[path = "condition/tests.rs"]
mod tests;
