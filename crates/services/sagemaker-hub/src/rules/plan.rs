//! What rules change in a hub: pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stoa_sagemaker_common::Version;
use stoa_store::Document;

use super::{Expression, Ruled};
use crate::catalog::CatalogIndex;

/// A reference that is there.
#[derive(Debug, Clone)]
pub(super) struct Existing {
    /// What rules let in; none when it was made by hand.
    pub admitted: Option<BTreeSet<Version>>,
    pub document: Arc<Document>,
}

/// One change of one reference.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Add(Ruled),
    Update(Ruled, Arc<Document>),
    Remove(Ruled, Arc<Document>),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub steps: Vec<Step>,
    /// Referred to already, as the rules want it.
    pub unchanged: u64,
    /// Let in, and referred to by hand.
    pub by_hand: Vec<String>,
    /// Let in, and without a place in the hub.
    pub left_out: u64,
}

/// The versions of each model that the rule lets in, of all models or of these.
pub(super) fn wanted(
    rule: Option<&Expression>,
    index: &CatalogIndex,
    only: Option<&BTreeSet<Arc<str>>>,
) -> BTreeMap<Arc<str>, BTreeSet<Version>> {
    let Some(rule) = rule else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    let mut judge = |id: &Arc<str>, versions: &crate::catalog::Versions| {
        let admitted = versions.iter().filter(|(_, model)| rule.admits(model)).map(|(version, _)| *version);
        let admitted: BTreeSet<Version> = admitted.collect();
        if !admitted.is_empty() {
            found.insert(Arc::clone(id), admitted);
        }
    };
    match only {
        None => index.models.iter().for_each(|(id, versions)| judge(id, versions)),
        Some(ids) => ids.iter().for_each(|id| {
            if let Some(versions) = index.versions(id) {
                judge(id, versions);
            }
        }),
    }
    found
}

/// Removals first, so that their places are free; then updates, then additions as far as there is room.
pub(super) fn plan(
    rule: Option<&Expression>,
    index: &CatalogIndex,
    wanted: &BTreeMap<Arc<str>, BTreeSet<Version>>,
    existing: &BTreeMap<String, Existing>,
    room: u64,
) -> Plan {
    let mut plan = Plan::default();
    let (mut updates, mut removed) = (Vec::new(), 0);
    for (name, found) in existing {
        let Some(admitted) = &found.admitted else { continue };
        match wanted.get(name.as_str()) {
            None => {
                let reason = reason(rule, index, name, admitted);
                let ruled = Ruled { name: name.clone(), versions: admitted.clone(), reason };
                plan.steps.push(Step::Remove(ruled, Arc::clone(&found.document)));
                removed += 1;
            }
            Some(versions) if versions == admitted => plan.unchanged += 1,
            Some(versions) => {
                let differing: BTreeSet<Version> = versions.symmetric_difference(admitted).copied().collect();
                let reason = reason(rule, index, name, &differing);
                let ruled = Ruled { name: name.clone(), versions: versions.clone(), reason };
                updates.push(Step::Update(ruled, Arc::clone(&found.document)));
            }
        }
    }
    plan.steps.extend(updates);
    let mut room = room + removed;
    for (name, versions) in wanted {
        match existing.get(&**name) {
            Some(Existing { admitted: Some(_), .. }) => {}
            Some(_) => plan.by_hand.push(name.to_string()),
            None if room == 0 => plan.left_out += 1,
            None => {
                room -= 1;
                let reason = reason(rule, index, name, versions);
                plan.steps.push(Step::Add(Ruled { name: name.to_string(), versions: versions.clone(), reason }));
            }
        }
    }
    plan
}

/// What the rule says of the latest of these versions.
fn reason(rule: Option<&Expression>, index: &CatalogIndex, name: &str, versions: &BTreeSet<Version>) -> String {
    let Some(rule) = rule else { return "the hub has no rules any more".to_owned() };
    let latest = versions.last();
    let model = latest.and_then(|version| index.versions(name)?.get(version).map(|model| (version, model)));
    match model {
        Some((version, model)) => format!("{version}: {}", rule.reason(model)),
        None => "it is not in the public hub any more".to_owned(),
    }
}
