//! What policies mean for others than the caller of the moment: for every principal of the organization, for calls of
//! the past, for policies that are only drafts. Read-only. Implemented by the IAM service, asked by the `stoa` service.
//!
//! INVARIANT: everything is decided by the engine that decides calls, over the policies as they are now.

use async_trait::async_trait;
use stoa_policy::{Effect, Explanation, MapContext, Possible, Slot};
use stoa_types::AccountId;

use crate::{ApiError, Principal};

/// An account of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationAccount {
    /// Twelve digits.
    pub id: AccountId,
    /// Whether it is the management account.
    pub management: bool,
}

/// Whoever may be allowed something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `Root`, `User`, `Role`, `Service`, `Account`, `Federated` or `Everyone`.
    pub kind: &'static str,
    /// The principal, as far as it is known: a role stands for all of its sessions.
    pub principal: Principal,
}

/// Whom to list.
#[derive(Debug, Clone)]
pub enum Subjects<'a> {
    /// The root user, users and roles of an account.
    Of(&'a AccountId),
    /// Those outside the organization whom the policy of this resource names: services, other accounts and their
    /// principals, identity providers, everyone.
    NamedBy {
        /// The action that is asked about.
        action: &'a str,
        /// The resource.
        resource: &'a str,
    },
}

/// An action on a resource, with the condition keys that are known; all others may hold anything.
#[derive(Debug, Clone)]
pub struct AccessQuestion {
    /// `sagemaker:DescribeHubContent`.
    pub action: String,
    /// The ARN, or `*`.
    pub resource: String,
    /// Keys of the request or the resource that are known.
    pub keys: MapContext,
    /// Beginnings (in lower case) of keys that are known to be absent unless `keys` has them: `aws:resourcetag/`.
    pub closed: Vec<String>,
}

/// A statement, by where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementPlace {
    /// Name or ARN of the policy.
    pub policy: String,
    /// `Sid`.
    pub sid: Option<String>,
    /// Position in the document, from 0.
    pub index: usize,
}

/// A condition over a key that is not known, which decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCondition {
    /// The slot of the statement.
    pub slot: Slot,
    /// The statement.
    pub statement: StatementPlace,
    /// Whether the statement denies.
    pub deny: bool,
    /// As written.
    pub operator: String,
    /// In lower case.
    pub key: String,
    /// What the policy wants.
    pub values: Vec<String>,
}

/// The answer to an [`AccessQuestion`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectAccess {
    /// Whether it is allowed.
    pub possible: Possible,
    /// The slot that granted, denied, or lacks an Allow.
    pub slot: Slot,
    /// Whether a statement denies, or none allows, or it is allowed.
    pub effect: Effect,
    /// The statement that granted or denied.
    pub matched: Option<StatementPlace>,
    /// For conditional access: what decides.
    pub conditions: Vec<OpenCondition>,
}

/// Who made a call of the past, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PastPrincipal {
    /// `arn:aws:iam::A:user/x`, `arn:aws:sts::A:assumed-role/Name/session`, a service's name, …
    pub arn: String,
    /// The unique id, where it is recorded; a principal made again under the same name is another one.
    pub id: Option<String>,
}

/// A target of a call of the past, as the journal has it.
#[derive(Debug, Clone)]
pub struct PastTarget {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// Every condition key that the decision saw.
    pub keys: MapContext,
}

/// A draft policy.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its document.
    pub document: String,
    /// The kind of policy it would be.
    pub slot: Slot,
    /// What it would be attached to: organization targets, accounts, ARNs of principals or resources, endpoint ids.
    /// Empty for everything that such a policy can be attached to.
    pub targets: Vec<String>,
    /// The policy whose place it would take; none when it would be added.
    pub replaces: Option<String>,
}

/// What a target comes to now, and would with a candidate in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    /// Whether the candidate bears on this target at all.
    pub in_scope: bool,
    /// With the policies as they are.
    pub now: Effect,
    /// With the candidate.
    pub then: Effect,
    /// The slot that decides with the candidate.
    pub slot: Slot,
    /// The statement that decides with the candidate.
    pub matched: Option<StatementPlace>,
}

/// A compiled candidate.
#[async_trait]
pub trait Rehearsal: Send + Sync {
    /// Decides a target of the past; none when its principal is not there any more.
    async fn judge(&self, principal: &PastPrincipal, target: &PastTarget) -> Result<Option<Rehearsed>, ApiError>;
}

/// Insight into policies.
#[async_trait]
pub trait PolicyInsight: Send + Sync {
    /// The accounts, in order of id.
    async fn organization(&self) -> Result<Vec<OrganizationAccount>, ApiError>;
    /// The subjects, in order of kind and ARN.
    async fn subjects(&self, whom: Subjects<'_>) -> Result<Vec<Subject>, ApiError>;
    /// What the subject may do, one answer a question.
    async fn access(&self, subject: &Subject, questions: &[AccessQuestion]) -> Result<Vec<SubjectAccess>, ApiError>;
    /// Explains a target of the past by the policies as they are now; none when its principal is not there any more.
    async fn explain(&self, principal: &PastPrincipal, target: &PastTarget) -> Result<Option<Explanation>, ApiError>;
    /// Compiles a candidate; `MalformedPolicyDocument` with the position where it is none.
    async fn rehearsal(&self, candidate: Candidate) -> Result<Box<dyn Rehearsal>, ApiError>;
}
