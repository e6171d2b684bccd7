//! Conditions over keys that are not known.

use super::{ArnPattern, BoolValue, Condition, Wanted};
use crate::Context;
use crate::glob::Pattern;
use crate::possible::Certainty;

impl Condition {
    /// Whether the condition holds; `Maybe` when its key, or a variable among the wanted values, is not known.
    pub fn certainty(&self, context: &dyn Context) -> Certainty {
        if context.is_unknown(self.key()) || self.wanted.is_unknown(context) {
            return Certainty::Maybe;
        }
        Certainty::of(self.holds(context))
    }
}

impl Wanted {
    fn is_unknown(&self, context: &dyn Context) -> bool {
        let unknown = |pattern: &Pattern| pattern.unknown_variable(context).is_some();
        match self {
            Wanted::Text(patterns) | Wanted::TextFold(patterns) => patterns.iter().any(unknown),
            Wanted::Bool(values) => {
                values.iter().any(|value| matches!(value, BoolValue::Variable(pattern) if unknown(pattern)))
            }
            Wanted::Arn(patterns) => patterns.iter().any(|pattern| match pattern {
                ArnPattern::Components(parts) => parts.iter().any(unknown),
                ArnPattern::Whole(whole) => unknown(whole),
                ArnPattern::Never => false,
            }),
            Wanted::Number(..) | Wanted::Date(..) | Wanted::Binary(_) | Wanted::Ip(_) | Wanted::Null(_) => false,
        }
    }
}
