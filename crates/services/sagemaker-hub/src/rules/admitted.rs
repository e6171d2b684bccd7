//! What a hub's admission policy makes of what its rules let in. Rules bring in nothing that CreateHubContentReference
//! would refuse: a version is judged whole, by its description and by its files, before it is shown.
//!
//! Files that nobody looked into yet are not looked into here: that can take minutes, and a pass is for all hubs. They
//! are named, and what is shown already stays until they were (it is judged again whenever it is used).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stoa_kernel::ApiError;

use super::Ruled;
use super::plan::{Existing, Wanted};
use crate::admission::{AdmissionPolicy, PublicVerdict};
use crate::catalog::{CatalogIndex, PublicModel};
use crate::service::Hubs;

/// What rules let in, by what the policy says of it.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    pub wanted: Arc<Wanted>,
    /// By model; the reason is that of the latest version that is refused.
    pub refused: BTreeMap<String, Ruled>,
    pub unscanned: Vec<Arc<PublicModel>>,
}

impl Hubs {
    pub(super) async fn admitted(
        &self,
        policy: &AdmissionPolicy,
        index: &CatalogIndex,
        wanted: Arc<Wanted>,
        existing: &BTreeMap<String, Existing>,
    ) -> Result<Admitted, ApiError> {
        if policy.is_default() {
            return Ok(Admitted { wanted, ..Admitted::default() });
        }
        let models = wanted.iter().flat_map(|(id, versions)| {
            let known = index.versions(id);
            versions.iter().filter_map(move |version| known?.get(version).cloned())
        });
        let mut found = Admitted::default();
        let mut admitted = Wanted::new();
        for (model, verdict) in self.public_verdicts(policy, models.collect()).await? {
            let shown = || existing.get(&*model.id)?.admitted.as_ref().map(|shown| shown.contains(&model.version));
            let stays = match verdict {
                PublicVerdict::Admitted => true,
                PublicVerdict::Refused(why) => {
                    found.refuse(&model, &why);
                    false
                }
                PublicVerdict::Unscanned => {
                    found.unscanned.push(Arc::clone(&model));
                    shown() == Some(true)
                }
            };
            if stays {
                admitted.entry(Arc::clone(&model.id)).or_default().insert(model.version);
            }
        }
        found.wanted = Arc::new(admitted);
        Ok(found)
    }
}

impl Admitted {
    fn refuse(&mut self, model: &PublicModel, why: &str) {
        let name = model.id.to_string();
        let empty = || Ruled { name: name.clone(), versions: BTreeSet::new(), reason: String::new() };
        let ruled = self.refused.entry(name.clone()).or_insert_with(empty);
        ruled.versions.insert(model.version);
        // Versions come lowest first.
        ruled.reason = format!("{}: refused by admission: {why}", model.version);
    }
}
