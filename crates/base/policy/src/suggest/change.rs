//! What a suggestion is made of, as data. Nothing here decides.

use serde::Serialize;
use serde_json::Value;

use crate::Slot;

/// Changes that, made together, allow the request; proven by deciding again with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The changes in one sentence.
    pub sentence: String,
    /// The changes, in the order in which they were found to be needed.
    pub changes: Vec<Change>,
}

/// One change of a policy or of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Add a statement to a policy of a slot, or attach a policy of just this statement.
    AddStatement {
        /// The slot.
        slot: Slot,
        /// The level, from the root, of SCPs and RCPs; 0 elsewhere.
        level: usize,
        /// The statement (version 2012-10-17).
        statement: Value,
    },
    /// Narrow a Deny statement by one more condition, so that it no longer reaches this principal.
    Exempt {
        /// The slot.
        slot: Slot,
        /// The level or position of the set.
        level: usize,
        /// Name or ARN of the policy.
        policy: String,
        /// `Sid` of the statement.
        sid: Option<String>,
        /// Position of the statement in its document, from 0.
        index: usize,
        /// Operator, key and value to add to its `Condition`.
        condition: Value,
    },
    /// Take a Deny statement out.
    RemoveStatement {
        /// The slot.
        slot: Slot,
        /// The level or position of the set.
        level: usize,
        /// Name or ARN of the policy.
        policy: String,
        /// `Sid` of the statement.
        sid: Option<String>,
        /// Position of the statement in its document, from 0.
        index: usize,
    },
    /// Make the request with another value of a condition key.
    SetKey {
        /// The key, as the policy spells it.
        key: String,
        /// Who can change it, and how.
        source: KeySource,
        /// A value (or values) that does it; empty: without the key.
        values: Vec<String>,
        /// Whether the condition below has to hold (of an Allow) or not to hold (of a Deny).
        holds: bool,
        /// The operator of the condition that decides it.
        operator: String,
        /// The values of that condition, as written.
        wanted: Vec<String>,
        /// Whether the condition's key is absent from the request as it was made.
        absent: bool,
        /// The policy that has the condition.
        policy: String,
        /// `Sid` of its statement.
        sid: Option<String>,
        /// Position of its statement, from 0.
        index: usize,
    },
}

/// Where the value of a condition key comes from: who could change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// A parameter of the call: the caller.
    Request,
    /// Tags of the principal: who manages the principal, or the session's tags.
    Principal,
    /// Tags of the resource: who may tag it.
    Resource,
    /// How the session was made: MFA, source identity.
    Session,
    /// The way that the call takes: address, endpoint, TLS.
    Connection,
    /// The clock.
    Time,
    /// What the caller is; cannot be changed for a call.
    Identity,
}

impl KeySource {
    /// The source of a key, given in any case.
    pub fn of(key: &str) -> KeySource {
        let key = key.to_ascii_lowercase();
        let (service, name) = key.split_once(':').unwrap_or(("", &key));
        let name = name.split('/').next().unwrap_or(name);
        match (service, name) {
            (_, "resourcetag" | "existingobjecttag") => KeySource::Resource,
            ("aws", "principaltag") => KeySource::Principal,
            ("aws", "multifactorauthpresent" | "multifactorauthage" | "sourceidentity" | "tokenissuetime") => {
                KeySource::Session
            }
            ("sts", "sourceidentity") => KeySource::Request,
            (
                "aws",
                "sourceip" | "vpcsourceip" | "sourcevpc" | "sourcevpce" | "sourcevpcarn" | "securetransport"
                | "useragent" | "referer" | "viaawsservice" | "calledvia" | "calledviafirst" | "calledvialast",
            ) => KeySource::Connection,
            ("aws", "currenttime" | "epochtime") => KeySource::Time,
            ("aws", "requesttag" | "tagkeys" | "requestedregion") => KeySource::Request,
            ("aws", _) => KeySource::Identity,
            (_, "resourceaccount") => KeySource::Identity,
            _ => KeySource::Request,
        }
    }
}
