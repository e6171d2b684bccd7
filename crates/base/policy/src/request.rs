//! What is asked and what is answered: the request, the slots of policies that apply to it, and the decision.
//!
//! Slots hold references, so that a caller keeps compiled sets for as long as it likes. Nothing here does I/O.

use std::fmt;

use serde::Serialize;

use crate::{Context, PolicySet, PrincipalRef};

/// One action on one resource by one principal.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a PrincipalRef,
    /// `service:Action`, in any case.
    pub action: &'a str,
    /// The ARN, or `*` for actions without a resource.
    pub resource: &'a str,
    /// The account that owns the resource; `None`: that of the ARN, or else the principal's own.
    pub resource_account: Option<&'a str>,
    /// Whether the principal belongs to the organization's management account, to which no SCP applies.
    pub management_account: bool,
    /// The condition keys.
    pub context: &'a dyn Context,
}

/// The policies that apply to a request, by what kind they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Slots<'a> {
    /// The principal's own policies: inline, attached, of its groups.
    pub identity: &'a [&'a PolicySet],
    /// The policy of the resource (a KMS key policy too).
    pub resource: Option<&'a PolicySet>,
    /// The permissions boundary of the principal.
    pub boundary: Option<&'a PolicySet>,
    /// The session policies; `None` when the session was made without any.
    pub session: Option<&'a [&'a PolicySet]>,
    /// Service control policies from the root to the account: one set a level, each of which must allow.
    pub scp: &'a [&'a PolicySet],
    /// Resource control policies of the resource's account, likewise.
    pub rcp: &'a [&'a PolicySet],
    /// The policy of the VPC endpoint that the request came through.
    pub endpoint: Option<&'a PolicySet>,
    /// The trust policy of the role, for `sts:AssumeRole*`.
    pub trust: Option<&'a PolicySet>,
}

/// What a decision came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Allowed.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// Nothing allows it, where something must.
    ImplicitDeny,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Effect::Allow => "allow",
            Effect::ExplicitDeny => "explicit_deny",
            Effect::ImplicitDeny => "implicit_deny",
        })
    }
}

/// A kind of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// Identity-based policies.
    Identity,
    /// The resource-based policy.
    Resource,
    /// The permissions boundary.
    Boundary,
    /// Session policies.
    Session,
    /// Service control policies.
    Scp,
    /// Resource control policies.
    Rcp,
    /// The VPC endpoint policy.
    Endpoint,
    /// The role trust policy.
    Trust,
}

impl Slot {
    /// AWS's words for the kind, without an article.
    pub fn noun(self) -> &'static str {
        match self {
            Slot::Identity => "identity-based policy",
            Slot::Resource => "resource-based policy",
            Slot::Boundary => "permissions boundary",
            Slot::Session => "session policy",
            Slot::Scp => "service control policy",
            Slot::Rcp => "resource control policy",
            Slot::Endpoint => "VPC endpoint policy",
            Slot::Trust => "role trust policy",
        }
    }

    /// AWS's words for the kind, with the article that its messages use.
    pub fn noun_with_article(self) -> &'static str {
        match self {
            Slot::Identity => "an identity-based policy",
            Slot::Resource => "a resource-based policy",
            Slot::Boundary => "a permissions boundary",
            Slot::Session => "a session policy",
            Slot::Scp => "a service control policy",
            Slot::Rcp => "a resource control policy",
            Slot::Endpoint => "a VPC endpoint policy",
            Slot::Trust => "the role trust policy",
        }
    }

    /// The name that case files use.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Identity => "identity",
            Slot::Resource => "resource",
            Slot::Boundary => "boundary",
            Slot::Session => "session",
            Slot::Scp => "scp",
            Slot::Rcp => "rcp",
            Slot::Endpoint => "endpoint",
            Slot::Trust => "trust",
        }
    }
}

/// The statement that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StatementRef<'a> {
    /// Name or ARN of the policy, as given to [`PolicySet::compile`].
    pub policy: &'a str,
    /// `Sid` of the statement.
    pub sid: Option<&'a str>,
    /// Position of the statement in its document, from 0.
    pub index: usize,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Decision<'a> {
    /// What it came to.
    pub effect: Effect,
    /// Allow: the slot that granted. Explicit deny: the slot that denied. Implicit deny: the slot that lacks an Allow.
    pub slot: Slot,
    /// The statement that granted or denied; none for implicit denies and for an account's root user.
    pub matched: Option<StatementRef<'a>>,
}

impl Decision<'_> {
    /// Whether the request may proceed.
    pub fn is_allowed(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// AWS's wording of why, without a leading `because`: `no identity-based policy allows the sagemaker:X action` or
    /// `with an explicit deny in a service control policy`. For an Allow, `allowed by an identity-based policy`.
    pub fn reason_text(&self, action: &str) -> String {
        match self.effect {
            Effect::Allow => format!("allowed by {}", self.slot.noun_with_article()),
            Effect::ExplicitDeny => format!("with an explicit deny in {}", self.slot.noun_with_article()),
            Effect::ImplicitDeny => format!("no {} allows the {action} action", self.slot.noun()),
        }
    }

    /// The whole AccessDenied message of AWS: an implicit deny is joined by `because`, an explicit one is not.
    pub fn message(&self, request: &Request<'_>) -> String {
        let joint = if self.effect == Effect::ExplicitDeny { "" } else { "because " };
        format!(
            "User: {} is not authorized to perform: {} on resource: {} {joint}{}",
            request.principal.arn(),
            request.action,
            request.resource,
            self.reason_text(request.action)
        )
    }
}
