//! Rules about the kind of policy: endpoint policies that only deny, addresses that endpoints hide, names that role
//! sessions lack.

use super::conditions::keys_in;
use super::read::{Policy, Read};
use super::{Code, Holder, Report};
use crate::Slot;

pub(super) fn check_document(policy: &Policy, report: &mut Report) {
    let limits = matches!(policy.subject.slot, Slot::Endpoint | Slot::Boundary | Slot::Session);
    if limits && policy.statements.iter().all(|statement| !statement.allows()) {
        let message = format!("a {} without an Allow lets nothing through", policy.subject.slot.noun());
        report.add(Code::DenyOnly, None, "$.Statement", message);
    }
}

pub(super) fn check(policy: &Policy, statement: &Read, report: &mut Report) {
    source_ip(policy, statement, report);
    username(policy, statement, report);
}

fn source_ip(policy: &Policy, statement: &Read, report: &mut Report) {
    let through =
        |key: &str| statement.conditions.iter().any(|test| test.is(key) && (test.negated() || test.base == "null"));
    for test in statement.conditions.iter().filter(|test| test.is("aws:SourceIp")) {
        if policy.subject.slot == Slot::Endpoint {
            let message = "requests through an endpoint never have aws:SourceIp".to_owned();
            report.add(Code::SourceIpAtEndpoint, statement.sid(), &test.path, message);
        } else if !test.if_exists && !through("aws:SourceVpce") && !through("aws:ViaAWSService") {
            let what = match (statement.allows(), test.negated()) {
                (true, false) => "does not allow",
                (true, true) => "allows",
                (false, false) => "does not deny",
                (false, true) => "denies",
            };
            let message = format!("{what} requests through a VPC endpoint, which do not have aws:SourceIp");
            report.add(Code::SourceIpAbsent, statement.sid(), &test.path, message);
        }
    }
}

fn username(policy: &Policy, statement: &Read, report: &mut Report) {
    if policy.subject.holder == Holder::User || matches!(policy.subject.slot, Slot::Trust) {
        return;
    }
    let is_name = |key: &str| key.eq_ignore_ascii_case("aws:username");
    if policy.variables {
        let values = statement.conditions.iter().flat_map(|test| &test.values);
        for text in statement.resources.iter().chain(values) {
            // A default stands in for the absent key.
            let bare = keys_in(&text.text).any(is_name) && !text.text.contains(',');
            if bare {
                let message = format!("`{}` matches nothing for a role session, which has no aws:username", text.text);
                report.add(Code::UsernameAbsent, statement.sid(), &text.path, message);
            }
        }
    }
    for test in statement.conditions.iter().filter(|test| is_name(&test.key) && !test.if_exists) {
        let message = "a role session has no aws:username".to_owned();
        report.add(Code::UsernameAbsent, statement.sid(), &test.path, message);
    }
}
