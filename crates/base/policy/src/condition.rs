//! Conditions: an operator with its modifiers, a key and the wanted values, parsed once.
//!
//! Rules that are easy to get wrong: wanted values are alternatives, and a negated operator is their NOR; a negated
//! operator over an absent key holds; `ForAllValues` over an absent key holds, `ForAnyValue` does not; `IfExists` makes
//! any of them hold. A value of the request that is not of the operator's type matches nothing.

use crate::glob::{Pattern, Syntax};
use crate::values::{self, Instant, Number, Range};
use crate::{Context, Values};

/// One operator applied to one key.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    /// As written in the document, for explanations.
    pub operator: Box<str>,
    /// In lower case.
    pub key: Box<str>,
    /// As written in the document.
    pub name: Box<str>,
    /// The wanted values as written, where the parsed ones do not keep their text.
    texts: Box<[Box<str>]>,
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    wanted: Wanted,
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
    Arn,
    Null,
}

/// A wanted boolean; it may be a variable.
#[derive(Debug, Clone)]
enum BoolValue {
    Fixed(bool),
    Variable(Pattern),
}

/// A wanted ARN: six components compared one by one.
#[derive(Debug, Clone)]
enum ArnPattern {
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
        "arnequals" | "arnlike" => (Kind::Arn, false),
        "arnnotequals" | "arnnotlike" => (Kind::Arn, true),
        "null" => (Kind::Null, false),
        _ => return None,
    })
}

/// An operator name, taken apart.
#[derive(Debug, Clone, Copy)]
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

impl Condition {
    /// Parses the wanted values of one key; the error has the position of the bad value.
    pub fn parse(
        name: &str,
        operator: Operator,
        key: &str,
        texts: &[String],
        variables: bool,
    ) -> Result<Condition, (usize, String)> {
        let wanted = Wanted::parse(operator.kind, texts, variables)?;
        let Operator { quantifier, negated, if_exists, .. } = operator;
        let kept = if wanted.keeps_text() { &[] } else { texts };
        Ok(Condition {
            operator: name.into(),
            key: key.to_ascii_lowercase().into(),
            name: key.into(),
            texts: kept.iter().map(|text| Box::from(text.as_str())).collect(),
            quantifier,
            if_exists,
            negated,
            wanted,
        })
    }

    /// The wanted values as written.
    pub fn wanted_texts(&self) -> Vec<String> {
        match self.wanted.patterns() {
            Some(patterns) => patterns.iter().map(|pattern| pattern.text().to_owned()).collect(),
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
        let have = context.get(&self.key).filter(|values| !values.is_empty());
        if let Wanted::Null(wanted) = &self.wanted {
            return wanted.contains(&have.is_none());
        }
        match have {
            Some(values) => self.holds_for(values, context),
            None if self.if_exists => true,
            None => match self.quantifier {
                Quantifier::ForAllValues => true,
                Quantifier::ForAnyValue => false,
                Quantifier::None => self.negated,
            },
        }
    }

    fn holds_for(&self, values: Values<'_>, context: &dyn Context) -> bool {
        let one = |value: &str| self.wanted.matches(value, context) != self.negated;
        match (self.quantifier, self.negated) {
            (Quantifier::ForAllValues, _) | (Quantifier::None, true) => values.all(one),
            (Quantifier::ForAnyValue, _) | (Quantifier::None, false) => values.any(one),
        }
    }
}

impl Wanted {
    fn parse(kind: Kind, texts: &[String], variables: bool) -> Result<Wanted, (usize, String)> {
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
            Kind::Arn => Wanted::Arn(each(texts, |text| ArnPattern::parse(text, glob))?),
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

fn each<T>(texts: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Result<Box<[T]>, (usize, String)> {
    texts.iter().enumerate().map(|(at, text)| parse(text).map_err(|problem| (at, problem))).collect()
}

fn typed<T>(text: &str, what: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    parse(text).ok_or_else(|| format!("`{text}` is not {what}"))
}

#[path = "condition/witness.rs"]
mod witness;

#[cfg(test)]
#[path = "condition/tests.rs"]
mod tests;
