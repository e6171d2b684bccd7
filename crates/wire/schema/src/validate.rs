//! The model's constraints, checked in one walk, every failure reported at once in AWS's wording.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use regex::Regex;

use crate::{Kind, Shape, Value};

/// One constraint that a value does not satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// `hubName`, `tags.1.member.key`.
    pub path: String,
    /// The value as AWS shows it, or the placeholder for sensitive ones; none for null.
    pub value: Option<String>,
    /// `Member must have length less than or equal to 63`.
    pub constraint: String,
}

/// Every constraint the value breaks, in the order of the model.
pub fn validate(shape: &Shape, value: &Value) -> Vec<Violation> {
    let mut walk = Walk { path: Vec::new(), found: Vec::new() };
    walk.visit(shape, value, false);
    walk.found
}

/// AWS's message: `N validation error(s) detected: Value '…' at '…' failed to satisfy constraint: …; …`.
pub fn validation_message(violations: &[Violation]) -> String {
    let plural = if violations.len() == 1 { "" } else { "s" };
    let mut message = format!("{} validation error{plural} detected: ", violations.len());
    for (index, violation) in violations.iter().enumerate() {
        if index > 0 {
            message.push_str("; ");
        }
        match &violation.value {
            Some(value) => message.push_str(&format!("Value '{value}' at '{}'", violation.path)),
            None => message.push_str(&format!("Value null at '{}'", violation.path)),
        }
        message.push_str(&format!(" failed to satisfy constraint: {}", violation.constraint));
    }
    message
}

struct Walk {
    path: Vec<String>,
    found: Vec<Violation>,
}

impl Walk {
    fn visit(&mut self, shape: &Shape, value: &Value, sensitive: bool) {
        let sensitive = sensitive || shape.sensitive;
        match (&shape.kind, value) {
            (Kind::Structure(members), Value::Struct(_)) => {
                for member in *members {
                    self.path.push(lower_first(member.name));
                    match value.member(member.name) {
                        Some(inner) => self.visit(member.shape, inner, sensitive),
                        None if member.required => self.fail(None, "Member must not be null".to_owned()),
                        None => {}
                    }
                    self.path.pop();
                }
            }
            (Kind::Union(members), Value::Struct(set)) => {
                if set.len() != 1 {
                    self.fail(None, "Member must have exactly one of its union members set".to_owned());
                }
                for member in *members {
                    if let Some(inner) = value.member(member.name) {
                        self.path.push(lower_first(member.name));
                        self.visit(member.shape, inner, sensitive);
                        self.path.pop();
                    }
                }
            }
            (Kind::List { member, min, max, .. }, Value::List(items)) => {
                self.length(items.len() as u64, *min, *max, value, sensitive);
                for (index, item) in items.iter().enumerate() {
                    self.path.push(format!("{}.member", index + 1));
                    self.visit(member, item, sensitive);
                    self.path.pop();
                }
            }
            (Kind::Map { key, value: inner, min, max }, Value::Map(entries)) => {
                self.length(entries.len() as u64, *min, *max, value, sensitive);
                for (name, item) in entries {
                    self.path.push(format!("{name}.member"));
                    self.visit(key, &Value::String(name.clone()), sensitive);
                    self.visit(inner, item, sensitive);
                    self.path.pop();
                }
            }
            _ => self.scalar(shape, value, sensitive),
        }
    }

    fn scalar(&mut self, shape: &Shape, value: &Value, sensitive: bool) {
        match (&shape.kind, value) {
            (Kind::String { min, max, pattern, values }, Value::String(text)) => {
                if !values.is_empty() && !values.contains(&text.as_str()) {
                    let list = values.join(", ");
                    self.fail_value(value, sensitive, format!("Member must satisfy enum value set: [{list}]"));
                }
                self.length(text.chars().count() as u64, *min, *max, value, sensitive);
                if let Some(pattern) = pattern
                    && !matches_whole(pattern, text)
                {
                    self.fail_value(
                        value,
                        sensitive,
                        format!("Member must satisfy regular expression pattern: {pattern}"),
                    );
                }
            }
            (Kind::Blob { min, max }, Value::Blob(bytes)) => {
                self.length(bytes.len() as u64, *min, *max, value, sensitive);
            }
            (Kind::Integer { min, max }, Value::Int(number)) => {
                if let Some(min) = min.filter(|min| number < min) {
                    self.fail_value(value, sensitive, format!("Member must have value greater than or equal to {min}"));
                }
                if let Some(max) = max.filter(|max| number > max) {
                    self.fail_value(value, sensitive, format!("Member must have value less than or equal to {max}"));
                }
            }
            (Kind::Float { min, max }, Value::Float(number)) => {
                if let Some(min) = min.filter(|min| number < min) {
                    self.fail_value(value, sensitive, format!("Member must have value greater than or equal to {min}"));
                }
                if let Some(max) = max.filter(|max| number > max) {
                    self.fail_value(value, sensitive, format!("Member must have value less than or equal to {max}"));
                }
            }
            _ => {}
        }
    }

    fn length(&mut self, length: u64, min: Option<u64>, max: Option<u64>, value: &Value, sensitive: bool) {
        if let Some(min) = min.filter(|min| length < *min) {
            self.fail_value(value, sensitive, format!("Member must have length greater than or equal to {min}"));
        }
        if let Some(max) = max.filter(|max| length > *max) {
            self.fail_value(value, sensitive, format!("Member must have length less than or equal to {max}"));
        }
    }

    fn fail_value(&mut self, value: &Value, sensitive: bool, constraint: String) {
        let shown = if sensitive { "***".to_owned() } else { show(value) };
        self.fail(Some(shown), constraint);
    }

    fn fail(&mut self, value: Option<String>, constraint: String) {
        self.found.push(Violation { path: self.path.join("."), value, constraint });
    }
}

/// A value as AWS's messages show it, cut so that no message grows with its input.
fn show(value: &Value) -> String {
    const LONGEST: usize = 1024;
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Blob(bytes) => format!("{} bytes", bytes.len()),
        other => crate::to_json(other).to_string(),
    };
    match text.char_indices().nth(LONGEST) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}

/// Whether the pattern matches the whole text. A pattern this engine cannot compile constrains nothing; codegen's
/// tests list those, so none goes unnoticed.
fn matches_whole(pattern: &'static str, text: &str) -> bool {
    type Cache = Mutex<HashMap<&'static str, Option<Arc<Regex>>>>;
    static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);
    let compiled = {
        let mut cache = CACHE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let entry = cache.entry(pattern).or_insert_with(|| Regex::new(&format!("^(?:{pattern})$")).ok().map(Arc::new));
        entry.clone()
    };
    compiled.is_none_or(|regex| regex.is_match(text))
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + letters.as_str())
}
