//! Statements that never matter: an Allow that a Deny covers, an Allow that another Allow covers. Conservative: what is
//! not plainly covered is not reported.

use super::overlap::covers;
use super::read::{Policy, Read};
use super::{Code, MOST_COMPARED, Report};
use crate::Slot;
use crate::glob::{Pattern, Syntax};
use crate::statement::{Named, Principals, Resources};

pub(super) fn check(policies: &[(usize, Policy)], report: &mut Report) {
    let all: Vec<(usize, Slot, &Read)> = policies
        .iter()
        .flat_map(|(at, policy)| policy.statements.iter().map(|one| (*at, policy.subject.slot, one)))
        .take(MOST_COMPARED)
        .collect();
    for (place, (document, slot, inner)) in all.iter().enumerate() {
        if !inner.allows() {
            continue;
        }
        report.document = *document;
        let denied =
            all.iter().find(|(_, other, outer)| !outer.allows() && reaches(*other, *slot) && covered(outer, inner));
        if let Some((from, _, outer)) = denied {
            let message = format!("{} denies all that this allows", name(outer, *from, *document));
            report.add(Code::AllowShadowed, inner.sid(), &inner.path, message);
            continue;
        }
        // Of two equal ones, the later is the repeated one.
        let repeated = all.iter().enumerate().find(|(at, (_, other, outer))| {
            *at != place
                && outer.allows()
                && other == slot
                && !matches!(slot, Slot::Scp | Slot::Rcp)
                && covered(outer, inner)
                && (*at < place || !covered(inner, outer))
        });
        if let Some((_, (from, _, outer))) = repeated {
            let message = format!("{} allows all that this allows", name(outer, *from, *document));
            report.add(Code::AllowRepeated, inner.sid(), &inner.path, message);
        }
    }
}

/// Whether a Deny of one slot is felt by an Allow of another, of documents given together.
fn reaches(deny: Slot, allow: Slot) -> bool {
    deny == allow || !matches!(deny, Slot::Trust) && !matches!(allow, Slot::Trust)
}

fn name(outer: &Read, from: usize, document: usize) -> String {
    let sid = outer.sid().filter(|sid| !sid.is_empty()).map(|sid| format!(" ({sid})")).unwrap_or_default();
    let other = if from == document { String::new() } else { format!(" of document {from}") };
    format!("{}{sid}{other}", outer.path)
}

/// Whether the outer statement matches whenever the inner one does, its conditions included.
pub(super) fn covered(outer: &Read, inner: &Read) -> bool {
    conditions_covered(outer, inner)
        && actions_covered(outer, inner)
        && resources_covered(outer, inner)
        && principals(outer, inner)
}

fn conditions_covered(outer: &Read, inner: &Read) -> bool {
    outer.parsed.conditions.iter().all(|wanted| {
        inner.parsed.conditions.iter().any(|have| {
            have.key() == wanted.key()
                && have.operator() == wanted.operator()
                && have.wanted_texts() == wanted.wanted_texts()
        })
    })
}

pub(super) fn actions_covered(outer: &Read, inner: &Read) -> bool {
    let pattern = |text: &str| Pattern::parse(&text.to_ascii_lowercase(), Syntax { wildcards: true, variables: false });
    let all: Option<Vec<Pattern>> = outer.actions.iter().map(|action| pattern(&action.text).ok()).collect();
    let Some(all) = all.filter(|all| !outer.parsed.actions.not && !inner.parsed.actions.not && all.len() <= 200) else {
        return false;
    };
    inner
        .actions
        .iter()
        .take(200)
        .all(|action| pattern(&action.text).is_ok_and(|inner| all.iter().any(|outer| covers(outer, &inner))))
        && inner.actions.len() <= 200
}

fn resources_covered(outer: &Read, inner: &Read) -> bool {
    match (&outer.parsed.resources, &inner.parsed.resources) {
        (Resources::Absent, _) => true,
        (Resources::Only(outer), Resources::Only(inner)) => {
            let few = outer.len() <= 200 && inner.len() <= 200;
            few && inner.iter().all(|inner| outer.iter().any(|outer| covers(outer, inner)))
        }
        (Resources::Only(outer), Resources::AllBut(_) | Resources::Absent) => outer.iter().any(Pattern::is_any),
        (Resources::AllBut(_), _) => false,
    }
}

fn principals(outer: &Read, inner: &Read) -> bool {
    match (&outer.parsed.principals, &inner.parsed.principals) {
        (Principals::Absent, _) => true,
        (Principals::Only(outer), _) if outer.contains(&Named::Everyone) => true,
        (Principals::Only(outer), Principals::Only(inner)) => inner.iter().all(|name| outer.contains(name)),
        (Principals::Only(_) | Principals::AllBut(_), _) => false,
    }
}
