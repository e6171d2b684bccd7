//! Values of a key that make a condition hold or fail: what a suggestion can propose. Pure; every setting that is
//! returned has been tried.

use super::{ArnPattern, BoolValue, Condition, Quantifier, Wanted};
use crate::context::{Context, MapContext, Overlay, Values};
use crate::values;

/// Values that hardly any policy names.
const UNUSUAL: &[&str] = &["other", "another-value", "x", "arn:aws:other:::x"];
const ADDRESSES: &[&str] = &["192.0.2.1", "198.51.100.1", "203.0.113.1", "10.0.0.1", "2001:db8::1", "::1", "0.0.0.0"];
/// Values tried of each kind: enough for a suggestion, bounded for documents with thousands of values.
const MOST: usize = 24;

impl Condition {
    /// Values of the key with which the condition holds (or does not), the smallest change first; an empty list is an
    /// absent key.
    pub fn settings(&self, context: &dyn Context, hold: bool) -> Vec<Vec<String>> {
        let mut tried: Vec<Vec<String>> = Vec::new();
        for setting in self.proposals(context) {
            if !tried.contains(&setting) && self.holds_with(&setting, context) == hold {
                tried.push(setting);
            }
        }
        tried
    }

    fn holds_with(&self, setting: &[String], context: &dyn Context) -> bool {
        let changed = MapContext::new().with_many(self.key(), setting.iter().cloned());
        self.holds(&Overlay { base: context, changed })
    }

    fn proposals(&self, context: &dyn Context) -> Vec<Vec<String>> {
        let have = context.get(self.key()).map(Values::to_strings).unwrap_or_default();
        let named = self.examples(context);
        let mut all = Vec::new();
        if have.len() > 1 {
            for wanted in [true, false] {
                let kept = have.iter().filter(|value| self.wanted.matches(value, context) == wanted);
                let kept: Vec<String> = kept.cloned().collect();
                all.extend((!kept.is_empty()).then_some(kept));
            }
        }
        let others = self.others();
        if !have.is_empty() && (have.len() > 1 || self.operator.quantifier != Quantifier::None) {
            all.extend(
                named.iter().chain(&others).map(|value| [have.as_slice(), std::slice::from_ref(value)].concat()),
            );
        }
        all.extend(named.iter().map(|value| vec![value.clone()]));
        all.extend(others.into_iter().map(|value| vec![value]));
        all.push(Vec::new());
        all
    }

    /// Values that are, or are near to, those wanted.
    fn examples(&self, context: &dyn Context) -> Vec<String> {
        match &self.wanted {
            Wanted::Text(patterns) => patterns.iter().take(MOST).filter_map(|one| one.example(context)).collect(),
            Wanted::TextFold(patterns) => {
                patterns.iter().take(MOST).filter_map(|one| one.render(context)).map(Into::into).collect()
            }
            Wanted::Number(_, wanted) => wanted.iter().take(MOST).flat_map(|one| one.around()).collect(),
            Wanted::Date(_, wanted) => wanted.iter().take(MOST).flat_map(|one| one.around()).collect(),
            Wanted::Bool(wanted) => wanted.iter().take(MOST).filter_map(|one| one.example(context)).collect(),
            Wanted::Binary(wanted) => wanted.iter().take(MOST).map(|one| values::to_base64(one)).collect(),
            Wanted::Ip(wanted) => wanted.iter().take(MOST).map(values::Range::first).collect(),
            Wanted::Arn(wanted) => wanted.iter().take(MOST).filter_map(|one| one.example(context)).collect(),
            Wanted::Null(_) => Vec::new(),
        }
    }

    /// Values that are likely not wanted.
    fn others(&self) -> Vec<String> {
        let texts = match &self.wanted {
            Wanted::Bool(_) => &["true", "false"],
            Wanted::Ip(_) => ADDRESSES,
            Wanted::Binary(_) => &["eA==", "eHg="],
            Wanted::Number(..) | Wanted::Date(..) => &["0", "1", "2"],
            Wanted::Text(_) | Wanted::TextFold(_) | Wanted::Arn(_) | Wanted::Null(_) => UNUSUAL,
        };
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}

impl BoolValue {
    fn example(&self, context: &dyn Context) -> Option<String> {
        self.get(context).map(|value| value.to_string())
    }
}

impl ArnPattern {
    fn example(&self, context: &dyn Context) -> Option<String> {
        match self {
            ArnPattern::Components(six) => {
                let parts: Option<Vec<String>> = six.iter().map(|part| part.example(context)).collect();
                parts.map(|parts| parts.join(":"))
            }
            ArnPattern::Whole(pattern) => pattern.example(context),
            ArnPattern::Never => None,
        }
    }
}
