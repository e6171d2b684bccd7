//! Rules about `Principal` and `NotPrincipal`.

use super::read::{Policy, Read};
use super::{Code, Report};
use crate::Slot;
use crate::statement::{Named, Principals};

pub(super) fn check(policy: &Policy, statement: &Read, report: &mut Report) {
    if !statement.allows() {
        return;
    }
    match &statement.parsed.principals {
        Principals::AllBut(_) => {
            let message = "Allow with NotPrincipal allows everyone who is not listed".to_owned();
            report.add(Code::NotPrincipalAllow, statement.sid(), &statement.at("NotPrincipal"), message);
        }
        Principals::Only(named)
            if named.contains(&Named::Everyone)
                && statement.conditions.is_empty()
                && matches!(policy.subject.slot, Slot::Resource | Slot::Trust) =>
        {
            let message = "allows everyone, of any account".to_owned();
            report.add(Code::PublicAllow, statement.sid(), &statement.at("Principal"), message);
        }
        Principals::Only(_) | Principals::Absent => {}
    }
}
