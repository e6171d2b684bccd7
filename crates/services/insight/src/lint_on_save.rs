//! Lint when a policy is saved: a route that takes a policy document is wrapped, and once its handler has succeeded the
//! findings become warnings of the call (`x-stoa-warning`, and in the audit record).
//!
//! INVARIANT: a finding never changes the answer. The table below is the only place that knows which member of which
//! operation is a policy.

use stoa_kernel::{Authorized, Cx, Route};
use stoa_models_authz::lint_catalog;
use stoa_policy::Slot;
use stoa_policy::lint::{Holder, Subject, lint};
use stoa_schema::Value;

/// Service, operation, the member that is a policy, its slot, who holds it.
const SAVED: &[(&str, &str, &str, Slot, Holder)] = &[
    ("iam", "CreatePolicy", "PolicyDocument", Slot::Identity, Holder::Unknown),
    ("iam", "CreatePolicyVersion", "PolicyDocument", Slot::Identity, Holder::Unknown),
    ("iam", "PutUserPolicy", "PolicyDocument", Slot::Identity, Holder::User),
    ("iam", "PutGroupPolicy", "PolicyDocument", Slot::Identity, Holder::User),
    ("iam", "PutRolePolicy", "PolicyDocument", Slot::Identity, Holder::Role),
    ("iam", "CreateRole", "AssumeRolePolicyDocument", Slot::Trust, Holder::Unknown),
    ("iam", "UpdateAssumeRolePolicy", "PolicyDocument", Slot::Trust, Holder::Unknown),
    ("sts", "AssumeRole", "Policy", Slot::Session, Holder::Role),
    ("sts", "AssumeRoleWithSAML", "Policy", Slot::Session, Holder::Role),
    ("sts", "AssumeRoleWithWebIdentity", "Policy", Slot::Session, Holder::Role),
    ("sts", "GetFederationToken", "Policy", Slot::Session, Holder::User),
    ("organizations", "CreatePolicy", "Content", Slot::Scp, Holder::Unknown),
    ("organizations", "UpdatePolicy", "Content", Slot::Scp, Holder::Unknown),
    ("kms", "CreateKey", "Policy", Slot::Resource, Holder::Unknown),
    ("kms", "PutKeyPolicy", "Policy", Slot::Resource, Holder::Unknown),
];

/// The routes, of which those that save a policy warn of what is likely wrong with it.
pub fn linting(routes: Vec<Route>) -> Vec<Route> {
    routes.into_iter().map(wrapped).collect()
}

fn wrapped(route: Route) -> Route {
    let named = |(service, operation, ..): &&(&str, &str, &str, Slot, Holder)| {
        *service == route.spec.service && *operation == route.spec.name
    };
    let Some(&(_, _, member, slot, holder)) = SAVED.iter().find(named) else { return route };
    let Route { spec, handler, targets } = route;
    let handler: stoa_kernel::Handler = Box::new(move |cx: &Cx, input: Authorized<Value>| {
        let text = input.str_member(member).map(str::to_owned);
        let kind = input.str_member("Type").map(str::to_owned);
        let handling = handler(cx, input);
        Box::pin(async move {
            let answer = handling.await?;
            if let Some(text) = text {
                let slot = if slot == Slot::Scp { control_slot(&text, kind.as_deref()) } else { slot };
                warn(cx, member, &text, Subject { slot, holder });
            }
            Ok(answer)
        })
    });
    Route { spec, handler, targets }
}

/// An update does not say of which type the policy is: only resource control policies name principals.
fn control_slot(text: &str, kind: Option<&str>) -> Slot {
    let of_resources = match kind {
        Some(kind) => kind == "RESOURCE_CONTROL_POLICY",
        None => text.contains("\"Principal\""),
    };
    if of_resources { Slot::Rcp } else { Slot::Scp }
}

fn warn(cx: &Cx, member: &str, text: &str, subject: Subject) {
    let mut found = lint(text, subject, lint_catalog());
    found.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    for finding in found {
        cx.note_warning(format!("{member}: {} at {}: {}", finding.code.name(), finding.path, finding.message));
    }
}
