//! What is likely wrong with a policy that parses: names that do not exist, tests that do not test what they seem to,
//! statements that can never matter.
//!
//! Pure: facts about services come from a [`Catalog`] that the caller builds. Findings are advice and block nothing. The
//! work is bounded: rules that compare statements with each other stop at [`MOST_COMPARED`] statements, texts at [`MOST_TEXTS`] and
//! findings at [`MOST_FINDINGS`].

mod actions;
mod catalog;
mod code;
mod conditions;
mod endpoints;
mod overlap;
mod principals;
mod read;
mod resources;
mod shadow;
mod together;

pub use catalog::{Access, ActionFacts, ActionResource, Catalog, KeyFacts, ResourceFacts, ServiceFacts, ValueType};
pub use code::{Code, Severity};

use serde::Serialize;

use crate::Slot;
use read::Policy;

/// Statements that are compared pairwise at most.
const MOST_COMPARED: usize = 400;
/// Findings that are returned at most.
const MOST_FINDINGS: usize = 500;
/// Texts (actions, resources, values) that are looked at in a document: many times what AWS's sizes allow.
const MOST_TEXTS: usize = 10_000;

/// What a policy is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The slot.
    pub slot: Slot,
    /// Who holds it, of identity-based policies, boundaries and session policies.
    pub holder: Holder,
}

impl Subject {
    /// A policy in a slot, whoever holds it.
    pub fn slot(slot: Slot) -> Subject {
        Subject { slot, holder: Holder::Unknown }
    }
}

/// What an identity-based policy is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Not known, or several.
    Unknown,
    /// A user, or a group of users.
    User,
    /// A role.
    Role,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule.
    pub code: Code,
    /// How sure and how grave.
    pub severity: Severity,
    /// Which document, of several given together.
    pub document: usize,
    /// `Sid` of the statement.
    pub sid: Option<String>,
    /// JSON path, such as `$.Statement[2].Condition.Null`, or line and column of text that is not JSON.
    pub path: String,
    /// What is the matter, with the names in question.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
}

/// Looks at one document.
pub fn lint(text: &str, subject: Subject, catalog: &Catalog) -> Vec<Finding> {
    lint_set(&[(text, subject)], catalog)
}

/// Looks at documents that apply to the same requests, each by itself and all together.
pub fn lint_set(documents: &[(&str, Subject)], catalog: &Catalog) -> Vec<Finding> {
    let mut report = Report { found: Vec::new(), document: 0 };
    let mut policies = Vec::with_capacity(documents.len());
    for (document, (text, subject)) in documents.iter().enumerate() {
        report.document = document;
        match Policy::read(text, *subject, MOST_TEXTS) {
            Ok(policy) => {
                one(&policy, catalog, &mut report);
                policies.push((document, policy));
            }
            Err(error) => report.add(Code::Malformed, None, error.path(), error.message().to_owned()),
        }
    }
    shadow::check(&policies, &mut report);
    together::check(&policies, catalog, &mut report);
    report.found
}

fn one(policy: &Policy, catalog: &Catalog, report: &mut Report) {
    endpoints::check_document(policy, report);
    for statement in &policy.statements {
        if report.is_full() {
            return;
        }
        actions::check(policy, statement, catalog, report);
        resources::check(policy, statement, catalog, report);
        principals::check(policy, statement, report);
        conditions::check(policy, statement, catalog, report);
        endpoints::check(policy, statement, report);
    }
}

/// Findings as they are made.
struct Report {
    found: Vec<Finding>,
    document: usize,
}

impl Report {
    fn is_full(&self) -> bool {
        self.found.len() >= MOST_FINDINGS
    }

    fn add(&mut self, code: Code, sid: Option<&str>, path: &str, message: String) {
        if !self.is_full() {
            self.found.push(Finding {
                code,
                severity: code.severity(),
                document: self.document,
                sid: sid.filter(|sid| !sid.is_empty()).map(str::to_owned),
                path: path.to_owned(),
                message,
                help: code.help(),
            });
        }
    }
}
