//! A parsed policy document, and the rules that only hold for one kind of policy.
//!
//! Immutable and cheap to clone; the statements are shared with every [`crate::PolicySet`] compiled from it.

use std::sync::Arc;

use crate::statement::{Principals, Resources, Statement};
use crate::{PolicyError, parse};

/// What a document is to be used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Identity-based policies, boundaries and session policies: no `Principal`, a `Resource` in each statement.
    Identity,
    /// Service control policies: as identity-based ones.
    Scp,
    /// Resource-based policies and VPC endpoint policies: `Principal` and `Resource`.
    Resource,
    /// Trust policies of roles: `Principal`, no `Resource`, only `sts` actions.
    Trust,
}

/// A policy document that follows the grammar.
#[derive(Debug, Clone)]
pub struct Document {
    pub(crate) statements: Arc<[Arc<Statement>]>,
    pub(crate) variables: bool,
    pub(crate) id: Option<Arc<str>>,
}

impl Document {
    /// Parses a document's JSON text by the grammar common to all kinds.
    ///
    /// # Errors
    /// Text that is not JSON or not a policy, with the place.
    pub fn parse(text: &str) -> Result<Document, PolicyError> {
        parse::document(text)
    }

    /// Parses a document and applies the rules of its kind.
    ///
    /// # Errors
    /// As [`Document::parse`] and [`Document::check`].
    pub fn parse_as(text: &str, kind: PolicyKind) -> Result<Document, PolicyError> {
        let document = Document::parse(text)?;
        document.check(kind)?;
        Ok(document)
    }

    /// Whether the version is 2012-10-17, in which `${...}` is a variable.
    pub fn has_variables(&self) -> bool {
        self.variables
    }

    /// The `Id` element.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// How many statements there are.
    pub fn statement_count(&self) -> usize {
        self.statements.len()
    }

    /// Applies the rules of one kind of policy.
    ///
    /// # Errors
    /// The first statement that breaks one, with its place.
    pub fn check(&self, kind: PolicyKind) -> Result<(), PolicyError> {
        for statement in self.statements.iter() {
            let problem = problem(statement, kind);
            if let Some(problem) = problem {
                return Err(PolicyError::new(problem, format!("$.Statement[{}]", statement.index)));
            }
        }
        Ok(())
    }
}

fn problem(statement: &Statement, kind: PolicyKind) -> Option<&'static str> {
    let principal = !matches!(statement.principals, Principals::Absent);
    let resource = !matches!(statement.resources, Resources::Absent);
    match kind {
        PolicyKind::Identity | PolicyKind::Scp if principal => Some("policy document should not specify a principal"),
        PolicyKind::Resource | PolicyKind::Trust if !principal => Some("missing required field Principal"),
        PolicyKind::Trust if resource => Some("has prohibited field Resource"),
        PolicyKind::Trust if statement.actions.not || !statement.actions.all_start_with("sts:") => {
            Some("AssumeRole policy may only specify STS AssumeRole actions")
        }
        PolicyKind::Identity | PolicyKind::Scp | PolicyKind::Resource if !resource => {
            Some("policy statement must contain resources")
        }
        _ => None,
    }
}
