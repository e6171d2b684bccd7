//! Whom the Allow statements of a policy name, for those who list who has access. Pure.

use std::collections::BTreeSet;

use crate::PolicySet;
use crate::statement::{Named, Principals};

/// A principal that a resource-based policy allows something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamedPrincipal {
    /// `*`, or everyone but some.
    Everyone,
    /// An account.
    Account(String),
    /// A user, role or session by its ARN.
    Arn(String),
    /// A service.
    Service(String),
    /// An identity provider.
    Federated(String),
}

impl PolicySet {
    /// Everyone whom an Allow statement of the set names, whatever it allows.
    pub fn named_principals(&self) -> BTreeSet<NamedPrincipal> {
        let statements = (0..self.len() as u32).filter_map(|id| self.statement(id)).filter(|statement| !statement.deny);
        let mut all = BTreeSet::new();
        for statement in statements {
            match &statement.principals {
                Principals::Absent => {}
                Principals::AllBut(_) => drop(all.insert(NamedPrincipal::Everyone)),
                Principals::Only(named) => all.extend(named.iter().map(name)),
            }
        }
        all
    }
}

fn name(named: &Named) -> NamedPrincipal {
    match named {
        Named::Everyone => NamedPrincipal::Everyone,
        Named::Account(account) => NamedPrincipal::Account(account.to_string()),
        Named::Role { arn, .. } | Named::Exact(arn) => NamedPrincipal::Arn(arn.to_string()),
        Named::Service(name) => NamedPrincipal::Service(name.to_string()),
        Named::Federated(name) => NamedPrincipal::Federated(name.to_string()),
    }
}
