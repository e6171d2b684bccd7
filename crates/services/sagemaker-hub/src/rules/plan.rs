//! What rules change in a hub: pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use stoa_sagemaker_common::Version;
use stoa_store::Document;

use super::{Expression, Ruled};
use crate::catalog::{CatalogIndex, PublicModel, Versions};

/// The versions of each model that a rule lets in.
pub(super) type Wanted = BTreeMap<Arc<str>, BTreeSet<Version>>;

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
    /// Let in by the rules, and kept out by the hub's admission policy.
    pub refused: Vec<Ruled>,
    /// Let in by the rules, and to be looked into before the policy can say anything.
    pub unscanned: Vec<Arc<PublicModel>>,
}

impl Plan {
    /// Names what is refused: something else has another digest, and nothing has none.
    pub fn refused_digest(&self) -> Option<String> {
        let mut hash = Sha256::new();
        for ruled in &self.refused {
            hash.update(&ruled.name);
            for version in &ruled.versions {
                hash.update(format!(" {version}"));
            }
            hash.update("\n");
        }
        (!self.refused.is_empty()).then(|| hex::encode(hash.finalize()))
    }
}

/// The versions of each model that the rule lets in, of all models or of these.
pub(super) fn wanted(rule: Option<&Expression>, index: &CatalogIndex, only: Option<&BTreeSet<Arc<str>>>) -> Wanted {
    let Some(rule) = rule else { return Wanted::new() };
    let mut found = Wanted::new();
    let mut judge = |id: &Arc<str>, versions: &Versions| {
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

/// A hub beside what its rules and its admission policy let in.
#[derive(Debug)]
pub(super) struct Compared {
    pub rule: Option<Arc<Expression>>,
    pub index: Arc<CatalogIndex>,
    /// What both let in.
    pub wanted: Arc<Wanted>,
    /// What the rules let in and the policy keeps out, by model.
    pub refused: BTreeMap<String, Ruled>,
    pub unscanned: Vec<Arc<PublicModel>>,
    pub existing: BTreeMap<String, Existing>,
    /// References that the hub has a place for.
    pub room: u64,
}

impl Compared {
    /// Removals first, so that their places are free; then updates, then additions as far as there is room.
    pub fn plan(self) -> Plan {
        let mut plan = Plan::default();
        let mut updates = Vec::new();
        for (name, found) in &self.existing {
            let Some(admitted) = &found.admitted else { continue };
            match self.wanted.get(name.as_str()) {
                None => {
                    let ruled = self.ruled(name, admitted, admitted);
                    plan.steps.push(Step::Remove(ruled, Arc::clone(&found.document)));
                }
                Some(versions) if versions == admitted => plan.unchanged += 1,
                Some(versions) => {
                    let differing: BTreeSet<Version> = versions.symmetric_difference(admitted).copied().collect();
                    updates.push(Step::Update(self.ruled(name, versions, &differing), Arc::clone(&found.document)));
                }
            }
        }
        let mut room = self.room + plan.steps.len() as u64;
        plan.steps.extend(updates);
        for (name, versions) in &*self.wanted {
            match self.existing.get(&**name) {
                Some(Existing { admitted: Some(_), .. }) => {}
                Some(_) => plan.by_hand.push(name.to_string()),
                None if room == 0 => plan.left_out += 1,
                None => {
                    room -= 1;
                    plan.steps.push(Step::Add(self.ruled(name, versions, versions)));
                }
            }
        }
        plan.refused = self.refused.into_values().collect();
        plan.unscanned = self.unscanned;
        plan
    }

    fn ruled(&self, name: &str, versions: &BTreeSet<Version>, deciding: &BTreeSet<Version>) -> Ruled {
        Ruled { name: name.to_owned(), versions: versions.clone(), reason: self.reason(name, deciding) }
    }

    /// What decided about the latest of these versions.
    fn reason(&self, name: &str, versions: &BTreeSet<Version>) -> String {
        let Some(rule) = &self.rule else { return "the hub has no rules any more".to_owned() };
        let Some(latest) = versions.last() else { return String::new() };
        match self.refused.get(name) {
            Some(refused) if refused.versions.contains(latest) => return refused.reason.clone(),
            _ => {}
        }
        match self.index.versions(name).and_then(|known| known.get(latest)) {
            Some(model) => format!("{latest}: {}", rule.reason(model)),
            None => "it is not in the public hub any more".to_owned(),
        }
    }
}
