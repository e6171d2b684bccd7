//! Whether patterns meet or cover each other. Pure and bounded: longer patterns than [`MOST`] are taken to meet, and not
//! to cover.

use crate::glob::{Part, Pattern};

/// Characters and wildcards of a pattern that are looked at.
const MOST: usize = 300;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    One,
    Any,
    /// Any text without a colon: what stands for a placeholder of an ARN.
    Name,
}

impl Token {
    fn may_be_empty(self) -> bool {
        matches!(self, Token::Any | Token::Name)
    }

    /// Whether it can go on over what the other side has next.
    fn absorbs(self, other: Token) -> bool {
        self == Token::Any || self == Token::Name && other != Token::Byte(b':')
    }
}

fn tokens(pattern: &Pattern, fold: bool) -> Vec<Token> {
    let mut out = Vec::new();
    for part in pattern.parts() {
        match part {
            Part::Lit(text) | Part::Escaped(text) => {
                let bytes = text.iter().map(|byte| if fold { byte.to_ascii_lowercase() } else { *byte });
                out.extend(bytes.map(Token::Byte));
            }
            Part::One => out.push(Token::One),
            Part::Star | Part::Var(_) => out.push(Token::Any),
        }
    }
    out
}

/// The ARN pattern of a resource type.
pub(super) struct ArnShape(Vec<Token>);

impl ArnShape {
    /// From `arn:${Partition}:sagemaker:${Region}:${Account}:model/${ModelName}`.
    pub fn new(arn: &str) -> ArnShape {
        // Keys of objects are the only names with colons.
        let name = if arn.contains(":s3:::") { Token::Any } else { Token::Name };
        let mut shape = Vec::new();
        let mut rest = arn;
        while let Some((literal, after)) = rest.split_once("${") {
            shape.extend(literal.bytes().map(Token::Byte));
            shape.push(name);
            rest = after.split_once('}').map_or("", |(_, rest)| rest);
        }
        shape.extend(rest.bytes().map(Token::Byte));
        ArnShape(shape)
    }

    /// Whether a pattern matches some ARN of this shape; with `fold`, case aside.
    pub fn meets(&self, pattern: &Pattern, fold: bool) -> bool {
        if pattern.is_any() {
            return true;
        }
        let lower = |token: &Token| match token {
            Token::Byte(byte) if fold => Token::Byte(byte.to_ascii_lowercase()),
            other => *other,
        };
        let shape: Vec<Token> = self.0.iter().map(lower).collect();
        tokens_meet(&tokens(pattern, fold), &shape)
    }
}

fn tokens_meet(left: &[Token], right: &[Token]) -> bool {
    if left.len() > MOST || right.len() > MOST {
        return true;
    }
    let fits = |a: Token, b: Token| match (a, b) {
        (Token::Byte(a), Token::Byte(b)) => a == b,
        (Token::Byte(b':'), Token::Name) | (Token::Name, Token::Byte(b':')) => false,
        _ => true,
    };
    // `row[j]`: the left pattern so far and the first j tokens of the right one can be some text.
    let mut row = vec![false; right.len() + 1];
    for i in 0..=left.len() {
        let a = i.checked_sub(1).and_then(|at| left.get(at).copied());
        let mut next = vec![false; right.len() + 1];
        for j in 0..=right.len() {
            let b = j.checked_sub(1).and_then(|at| right.get(at).copied());
            let up = row.get(j).copied().unwrap_or(false);
            let side = j.checked_sub(1).and_then(|at| next.get(at).copied()).unwrap_or(false);
            let both = j.checked_sub(1).and_then(|at| row.get(at).copied()).unwrap_or(false);
            let reached = match (a, b) {
                (None, None) => true,
                (None, Some(b)) => side && b.may_be_empty(),
                (Some(a), None) => up && a.may_be_empty(),
                // A wildcard may stand for nothing, or go on over what the other side has.
                (Some(a), Some(b)) => {
                    up && (a.may_be_empty() || b.absorbs(a))
                        || side && (b.may_be_empty() || a.absorbs(b))
                        || both && fits(a, b)
                }
            };
            if let Some(place) = next.get_mut(j) {
                *place = reached;
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

/// Whether everything that `inner` matches is matched by `outer`, as far as can be told at a glance: never wrongly yes.
pub(super) fn covers(outer: &Pattern, inner: &Pattern) -> bool {
    if outer.is_any() || outer == inner {
        return true;
    }
    if inner.size() > 4 * MOST || outer.has_variables() || outer.parts().any(|part| part == Part::One) {
        return false;
    }
    // Wildcards and variables of the inner pattern stand as characters that only a `*` of the outer one can match.
    let mut stands = Vec::with_capacity(inner.size());
    for part in inner.parts() {
        match part {
            Part::Lit(text) | Part::Escaped(text) => stands.extend_from_slice(text),
            Part::One | Part::Star | Part::Var(_) => stands.push(0),
        }
    }
    outer.matches_bytes(&stands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glob::Syntax;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text, Syntax { wildcards: true, variables: true }).unwrap()
    }

    #[test]
    fn meeting() {
        let model = ArnShape::new("arn:${Partition}:sagemaker:${Region}:${Account}:model/${ModelName}");
        for (text, want) in [
            ("*", true),
            ("arn:aws:sagemaker:*:*:model/*", true),
            ("arn:aws:sagemaker:us-west-2:111122223333:model/a-?", true),
            ("arn:aws:sagemaker:*:*:endpoint/*", false),
            ("arn:aws:sagemaker:*", true),
            ("arn:*/team-*", true),
            ("arn:aws:sagemaker:*:*:mo*", true),
            ("arn:aws:sagemaker:*:*:Model/*", false),
            ("arn:aws:sagemaker:*:model/*", true),
            ("arn:aws:s3:::*", false),
            ("arn:aws:sagemaker:*:*:${aws:username}/x", true),
            ("arn:aws:sagemaker:*:*:*x", true),
            ("arn:aws:sagemaker:*:*:*:x", false),
        ] {
            assert_eq!(model.meets(&pattern(text), false), want, "{text}");
        }
        assert!(model.meets(&pattern("arn:aws:sagemaker:*:*:Model/*"), true));
        let object = ArnShape::new("arn:${Partition}:s3:::${BucketName}/${ObjectName}");
        assert!(object.meets(&pattern("arn:aws:s3:::b/a:b"), false));
    }

    #[test]
    fn covering() {
        for (outer, inner, want) in [
            ("*", "a*", true),
            ("a*", "ab*", true),
            ("ab*", "a*", false),
            ("a*c", "a*c", true),
            ("a*c", "ab?c", true),
            ("a?c", "abc", false),
            ("a*", "${x:y}", false),
            ("*", "${x:y}", true),
            ("home/*", "home/${aws:username}/*", true),
            ("a", "a", true),
            ("a", "?", false),
        ] {
            assert_eq!(covers(&pattern(outer), &pattern(inner)), want, "{outer} {inner}");
        }
    }
}
