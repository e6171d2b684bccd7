//! One statement, and whether it matches a request.
//!
//! INVARIANT: matching is pure and total. The order (action, resource, principal, conditions) is only for speed.

use std::fmt;

use crate::action::Actions;
use crate::condition::Condition;
use crate::glob::Pattern;
use crate::keys::Prepared;
use crate::possible;
use crate::principal::{PrincipalKind, PrincipalRef, last_part};

/// A parsed statement.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub sid: Option<Box<str>>,
    pub deny: bool,
    pub principals: Principals,
    pub actions: Actions,
    pub resources: Resources,
    pub conditions: Box<[Condition]>,
    /// Position in the document.
    pub index: u32,
}

/// `Resource`, `NotResource`, or neither (trust policies).
#[derive(Debug, Clone)]
pub(crate) enum Resources {
    Absent,
    Only(Box<[Pattern]>),
    AllBut(Box<[Pattern]>),
}

/// `Principal`, `NotPrincipal`, or neither (identity policies).
#[derive(Debug, Clone)]
pub(crate) enum Principals {
    Absent,
    Only(Box<[Named]>),
    AllBut(Box<[Named]>),
}

/// A principal that a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// `*`
    Everyone,
    /// An account, by id or as `arn:aws:iam::A:root`.
    Account(Box<str>),
    /// A role: its ARN, account and name.
    Role { arn: Box<str>, account: Box<str>, name: Box<str> },
    /// A user, session or any other ARN or id, compared whole.
    Exact(Box<str>),
    /// `Service`
    Service(Box<str>),
    /// `Federated`
    Federated(Box<str>),
}

/// How directly a resource policy's Allow reaches the principal. Order: weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grant {
    /// The account was named: it may give the permission on by its identity policies.
    Account,
    /// The session's role was named: boundary and session policies still limit it.
    Role,
    /// The principal itself was named, or everyone.
    Direct,
}

/// What a statement without `Principal` means, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unnamed {
    /// It applies to whoever the policy is attached to.
    Applies,
    /// A resource-based policy must say whom it allows; a Deny without it still denies.
    OnlyDenies,
}

impl Resources {
    /// The patterns, whichever way they count.
    pub fn patterns(&self) -> &[Pattern] {
        match self {
            Resources::Absent => &[],
            Resources::Only(patterns) | Resources::AllBut(patterns) => patterns,
        }
    }

    pub fn cover(&self, prepared: &Prepared<'_>) -> bool {
        let any = |patterns: &[Pattern]| {
            let (resource, context) = (prepared.request.resource, prepared.request.context);
            patterns.iter().any(|pattern| pattern.matches(resource, context))
        };
        match self {
            Resources::Absent => true,
            Resources::Only(patterns) => any(patterns),
            Resources::AllBut(patterns) => !any(patterns),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Named::Everyone => f.write_str("*"),
            Named::Account(account) => write!(f, "arn:aws:iam::{account}:root"),
            Named::Role { arn: name, .. } | Named::Exact(name) | Named::Service(name) | Named::Federated(name) => {
                f.write_str(name)
            }
        }
    }
}

impl Named {
    /// How this name reaches the principal, if it does.
    pub fn reaches(&self, principal: &PrincipalRef) -> Option<Grant> {
        match self {
            Named::Everyone => Some(Grant::Direct),
            Named::Account(account) if principal.account() == Some(account) => {
                let root = principal.kind() == PrincipalKind::Root;
                Some(if root { Grant::Direct } else { Grant::Account })
            }
            Named::Role { arn, account, name } => match principal.kind() {
                PrincipalKind::Role if principal.arn() == &**arn => Some(Grant::Role),
                PrincipalKind::AssumedRole if same_role(principal, arn, account, name) => Some(Grant::Role),
                _ => None,
            },
            Named::Exact(arn) if principal.arn() == &**arn => Some(Grant::Direct),
            Named::Service(name) if principal.kind() == PrincipalKind::Service && principal.arn() == &**name => {
                Some(Grant::Direct)
            }
            Named::Federated(name) if principal.kind() == PrincipalKind::Federated && principal.arn() == &**name => {
                Some(Grant::Direct)
            }
            _ => None,
        }
    }
}

fn same_role(principal: &PrincipalRef, arn: &str, account: &str, name: &str) -> bool {
    match principal.role_arn() {
        Some(known) => known == arn,
        None => principal.account() == Some(account) && principal.role_name() == Some(name),
    }
}

impl Principals {
    /// The names, whichever way they count.
    pub fn names(&self) -> &[Named] {
        match self {
            Principals::Absent => &[],
            Principals::Only(named) | Principals::AllBut(named) => named,
        }
    }

    /// How the statement reaches the principal, if it does.
    pub fn reach(&self, prepared: &Prepared<'_>, deny: bool, unnamed: Unnamed) -> Option<Grant> {
        let principal = prepared.request.principal;
        match self {
            Principals::Absent => (deny || unnamed == Unnamed::Applies).then_some(Grant::Direct),
            Principals::Only(named) => named.iter().filter_map(|name| name.reaches(principal)).max(),
            Principals::AllBut(_) if deny && prepared.bounded => Some(Grant::Direct),
            Principals::AllBut(named) if deny => (!spared(named, principal)).then_some(Grant::Direct),
            Principals::AllBut(named) => {
                let listed = named.iter().any(|name| name.reaches(principal).is_some());
                (!listed).then_some(Grant::Direct)
            }
        }
    }
}

/// Whether `NotPrincipal` of a Deny spares the principal: AWS wants the account, the role and the session all named.
fn spared(named: &[Named], principal: &PrincipalRef) -> bool {
    if named.contains(&Named::Everyone) {
        return true;
    }
    let has = |grant| named.iter().any(|name| name.reaches(principal) == Some(grant));
    match principal.kind() {
        PrincipalKind::User | PrincipalKind::FederatedUser => has(Grant::Direct) && has(Grant::Account),
        PrincipalKind::Role => has(Grant::Role) && has(Grant::Account),
        PrincipalKind::AssumedRole => has(Grant::Direct) && has(Grant::Role) && has(Grant::Account),
        _ => has(Grant::Direct),
    }
}

impl Statement {
    /// How the statement matches the request, if it does.
    pub fn matches(&self, prepared: &Prepared<'_>, unnamed: Unnamed) -> Option<Grant> {
        if let Some(lean) = prepared.lean {
            return possible::matches(self, prepared, unnamed, lean);
        }
        if !self.actions.cover(prepared.action()) || !self.resources.cover(prepared) {
            return None;
        }
        let grant = self.principals.reach(prepared, self.deny, unnamed)?;
        self.conditions.iter().all(|condition| condition.holds(prepared.request.context)).then_some(grant)
    }
}

/// Reads a name under `Principal.AWS`.
pub(crate) fn named_aws(text: &str) -> Result<Named, String> {
    if text == "*" {
        return Ok(Named::Everyone);
    }
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Named::Account(text.into()));
    }
    let mut parts = text.splitn(6, ':');
    if parts.next() != Some("arn") {
        // Unique ids (AIDA..., AROA...) are what AWS shows for deleted principals: they name no one.
        let id = text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return if id { Ok(Named::Exact(text.into())) } else { Err(format!("invalid principal `{text}`")) };
    }
    let (_, service, _) = (parts.next(), parts.next(), parts.next());
    let (Some(account), Some(resource)) = (parts.next(), parts.next()) else {
        return Err(format!("invalid principal `{text}`: not an ARN"));
    };
    if text.contains(['*', '?']) {
        return Err(format!("invalid principal `{text}`: wildcards cannot match part of a name"));
    }
    Ok(match (service, resource.split_once('/')) {
        (Some("iam"), None) if resource == "root" => Named::Account(account.into()),
        (Some("iam"), Some(("role", rest))) => {
            Named::Role { arn: text.into(), account: account.into(), name: last_part(rest).into() }
        }
        _ => Named::Exact(text.into()),
    })
}
