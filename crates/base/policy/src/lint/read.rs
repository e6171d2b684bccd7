//! A document as rules see it: texts as written, each with its path, beside the parsed statement.

use std::sync::Arc;

use super::Subject;
use crate::glob::Pattern;
use crate::parse::{self, Json};
use crate::statement::{Resources, Statement};
use crate::{Document, PolicyError};

pub(super) struct Policy {
    pub subject: Subject,
    /// Version 2012-10-17.
    pub variables: bool,
    pub statements: Vec<Read>,
}

/// A statement.
pub(super) struct Read {
    pub path: String,
    pub parsed: Arc<Statement>,
    /// Texts of `Action` or `NotAction`.
    pub actions: Vec<Text>,
    /// Texts of `Resource` or `NotResource`.
    pub resources: Vec<Text>,
    pub conditions: Vec<Test>,
}

/// A text and where it stands.
pub(super) struct Text {
    pub path: String,
    pub text: String,
}

/// One operator on one key.
pub(super) struct Test {
    pub path: String,
    /// As written: `ForAnyValue:StringNotLikeIfExists`.
    pub operator: String,
    /// In lower case, without set operator and `IfExists`.
    pub base: String,
    /// `forallvalues`, `foranyvalue` or empty.
    pub set: String,
    pub if_exists: bool,
    pub key: String,
    pub values: Vec<Text>,
}

impl Test {
    pub fn is(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key)
    }

    /// A `Null` test that wants the key to be absent (`true`) or present.
    pub fn is_null(&self, absent: bool) -> bool {
        let wants = |text: &Text| text.text.eq_ignore_ascii_case(if absent { "true" } else { "false" });
        self.base == "null" && !self.values.is_empty() && self.values.iter().all(wants)
    }

    pub fn negated(&self) -> bool {
        self.base.contains("not")
    }
}

impl Read {
    pub fn sid(&self) -> Option<&str> {
        self.parsed.sid.as_deref()
    }

    pub fn allows(&self) -> bool {
        !self.parsed.deny
    }

    /// The patterns of `Resource`; none for `NotResource` and where there is no resource.
    pub fn only(&self) -> &[Pattern] {
        match &self.parsed.resources {
            Resources::Only(patterns) => patterns,
            Resources::Absent | Resources::AllBut(_) => &[],
        }
    }

    pub fn everywhere(&self) -> bool {
        self.only().iter().any(Pattern::is_any)
    }

    pub fn at(&self, element: &str) -> String {
        format!("{}.{element}", self.path)
    }
}

impl Policy {
    pub fn read(text: &str, subject: Subject, most: usize) -> Result<Policy, PolicyError> {
        let document = Document::parse(text)?;
        let json = parse::json(text)?;
        let Json::Object(members) = &json else { return Err(PolicyError::new("a policy must be a JSON object", "$")) };
        let list: &[Json<'_>] = match members.iter().find(|(name, _)| name == "Statement") {
            Some((_, Json::List(list))) => list,
            Some((_, one)) => std::slice::from_ref(one),
            None => &[],
        };
        let statements = list.iter().zip(document.statements.iter());
        let statements = statements.enumerate().map(|(at, (json, parsed))| statement(at, json, Arc::clone(parsed)));
        let mut policy = Policy { subject, variables: document.variables, statements: statements.collect() };
        policy.keep(most);
        Ok(policy)
    }
}

impl Policy {
    /// Drops texts beyond a number: rules take time for each.
    fn keep(&mut self, most: usize) {
        let mut left = most;
        for statement in &mut self.statements {
            statement.conditions.truncate(left);
            for texts in [&mut statement.actions, &mut statement.resources]
                .into_iter()
                .chain(statement.conditions.iter_mut().map(|test| &mut test.values))
            {
                texts.truncate(left);
                left -= texts.len();
            }
        }
    }
}

fn statement(at: usize, json: &Json<'_>, parsed: Arc<Statement>) -> Read {
    let path = format!("$.Statement[{at}]");
    let mut read = Read { path, parsed, actions: Vec::new(), resources: Vec::new(), conditions: Vec::new() };
    let Json::Object(members) = json else { return read };
    for (name, value) in members {
        let at = read.at(name);
        match &**name {
            "Action" | "NotAction" => read.actions = texts(&at, value),
            "Resource" | "NotResource" => read.resources = texts(&at, value),
            "Condition" => read.conditions = tests(&at, value),
            _ => {}
        }
    }
    read
}

fn tests(path: &str, value: &Json<'_>) -> Vec<Test> {
    let Json::Object(operators) = value else { return Vec::new() };
    let mut all = Vec::new();
    for (operator, keys) in operators {
        let Json::Object(keys) = keys else { continue };
        let lower = operator.to_ascii_lowercase();
        let (set, rest) = lower.split_once(':').unwrap_or(("", &lower));
        let (base, if_exists) = rest.strip_suffix("ifexists").map_or((rest, false), |base| (base, true));
        for (key, values) in keys {
            let path = format!("{path}.{operator}[\"{key}\"]");
            all.push(Test {
                values: texts(&path, values),
                path,
                operator: operator.to_string(),
                base: base.to_owned(),
                set: set.to_owned(),
                if_exists,
                key: key.to_string(),
            });
        }
    }
    all
}

fn texts(path: &str, value: &Json<'_>) -> Vec<Text> {
    match value {
        Json::List(list) => {
            let texts = list.iter().map(Json::scalar).enumerate();
            texts.filter_map(|(nth, text)| Some(Text { path: format!("{path}[{nth}]"), text: text?.into() })).collect()
        }
        one => one.scalar().map(|text| Text { path: path.to_owned(), text: text.into() }).into_iter().collect(),
    }
}
