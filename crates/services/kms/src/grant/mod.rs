//! Grants: what they allow, their tokens, and the operations on them.

mod create;
mod list;
mod retire;
mod token;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use stoa_schema::Value;

use crate::state::GrantRecord;
use crate::targets::{context_of, gives};

/// What a request asks of a grant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    action: String,
    context: BTreeMap<String, String>,
    /// For CreateGrant: the operations and constraints of the new grant.
    operations: Vec<String>,
    equals: bool,
}

impl Wanted {
    /// Of an action's request.
    pub(crate) fn of(action: &str, input: &Value) -> Wanted {
        let operations = match input.member("Operations") {
            Some(Value::List(items)) if action == "CreateGrant" => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let constraints = input.member("Constraints");
        Wanted {
            action: action.to_owned(),
            context: context_of(action, input).unwrap_or_default().into_iter().collect(),
            operations,
            equals: constraints.is_some_and(|given| given.member("EncryptionContextEquals").is_some()),
        }
    }

    /// Of an action with this encryption context.
    pub(crate) fn with_context(action: &str, context: &BTreeMap<String, String>) -> Wanted {
        Wanted { action: action.to_owned(), context: context.clone(), ..Wanted::default() }
    }
}

/// Whether a grant's operations and constraints cover a request; who asks is the policy engine's business.
///
/// A grant that is made through a grant may give nothing that the other does not, under constraints at least as strict.
pub(crate) fn fitting(grant: &GrantRecord, wanted: &Wanted) -> bool {
    if !gives(grant, &wanted.action) {
        return false;
    }
    match &*wanted.action {
        // Which grant is retired is in the request itself; describing a key has no context.
        "RetireGrant" => false,
        "DescribeKey" => true,
        "CreateGrant" => {
            wanted.operations.iter().all(|operation| gives(grant, operation))
                && grant.subset.as_ref().is_none_or(|pairs| holds(pairs, &wanted.context))
                && grant.equals.as_ref().is_none_or(|pairs| wanted.equals && *pairs == wanted.context)
        }
        _ => {
            grant.subset.as_ref().is_none_or(|pairs| holds(pairs, &wanted.context))
                && grant.equals.as_ref().is_none_or(|pairs| *pairs == wanted.context)
        }
    }
}

/// Whether all of these pairs are in the context.
fn holds(pairs: &BTreeMap<String, String>, context: &BTreeMap<String, String>) -> bool {
    pairs.iter().all(|(key, value)| context.get(key) == Some(value))
}
