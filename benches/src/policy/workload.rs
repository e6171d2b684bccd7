//! The workloads, fixed: the same N gives the same policies and requests. Each request has its expected verdict.

mod identity;
mod segments;
mod slots;

use serde_json::{Value, json};

/// What a decision comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    ExplicitDeny,
    ImplicitDeny,
}

/// A context value.
#[derive(Debug, Clone)]
pub enum Have {
    One(String),
    Many(Vec<String>),
}

/// A request with its expected verdict.
pub struct Ask {
    pub name: &'static str,
    pub action: &'static str,
    pub resource: String,
    pub context: Vec<(&'static str, Have)>,
    pub expect: Verdict,
}

pub const USER: &str = "arn:aws:iam::111122223333:user/alice";
pub const USERNAME: &str = "alice";

/// Documents by slot; those of one slot (or level) are compiled together.
#[derive(Clone, Default)]
pub struct Policies {
    pub identity: Vec<Value>,
    pub resource: Vec<Value>,
    pub boundary: Vec<Value>,
    pub session: Vec<Value>,
    pub endpoint: Vec<Value>,
    pub scp: Vec<Vec<Value>>,
}

impl Policies {
    /// Whether only identity policies are there, which is all that the other engines know.
    pub fn identity_only(&self) -> bool {
        let others = [&self.resource, &self.boundary, &self.session, &self.endpoint];
        others.iter().all(|list| list.is_empty()) && self.scp.is_empty()
    }
}

/// Policies of N statements in all, and requests.
pub struct Workload {
    pub name: &'static str,
    pub statements: usize,
    pub principal: &'static str,
    pub policies: Policies,
    pub requests: Vec<Ask>,
}

impl Workload {
    /// Every workload at a size.
    pub fn all(statements: usize) -> [Workload; 3] {
        [identity::workload(statements), slots::workload(statements), segments::workload(statements)]
    }
}

/// Documents of 20 statements each.
fn documents(statements: &[Value]) -> Vec<Value> {
    statements.chunks(20).map(|some| json!({"Version": "2012-10-17", "Statement": some})).collect()
}

fn statement_of(effect: &str, actions: &[&str], resource: Value) -> Value {
    json!({"Effect": effect, "Action": actions, "Resource": resource})
}

fn when(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}
