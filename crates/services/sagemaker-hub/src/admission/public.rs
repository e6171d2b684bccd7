//! What a policy says of versions of public models that many references are to be made to, as rules do: by what is known
//! of their files, and without reading any.

use std::sync::Arc;

use stoa_kernel::ApiError;
use stoa_types::Timestamp;

use super::AdmissionPolicy;
use super::judge::Verdict;
use super::scans::{examined, stated};
use crate::catalog::{ModelBody, PublicModel};
use crate::service::Hubs;

/// Bodies that are held at once.
const BODIES: usize = 256;

/// What comes of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicVerdict {
    Admitted,
    /// Why it is kept out. There is nothing to hold in quarantine: that keeps out, too.
    Refused(String),
    /// Its files are to be looked into first.
    Unscanned,
}

impl AdmissionPolicy {
    /// Whether it has something to say about what is in files.
    fn looks_into_files(&self) -> bool {
        !self.formats.is_empty() || self.unsafe_pickle.is_some()
    }

    fn why_not(&self, verdict: &Verdict) -> Option<String> {
        verdict.kept_out(self.unsafe_pickle).map(|(_, why)| why)
    }
}

impl Hubs {
    /// Each of them with its verdict, in their order.
    pub(crate) async fn public_verdicts(
        &self,
        policy: &AdmissionPolicy,
        models: Vec<Arc<PublicModel>>,
    ) -> Result<Vec<(Arc<PublicModel>, PublicVerdict)>, ApiError> {
        let mut found = Vec::with_capacity(models.len());
        for some in models.chunks(BODIES) {
            let mut read = Vec::with_capacity(some.len());
            for model in some {
                read.push((Arc::clone(model), self.parts.catalog.body(model).await?));
            }
            let asked = policy.clone();
            let unread = self.aside(move || {
                let judge = |(model, body): (Arc<PublicModel>, Arc<ModelBody>)| {
                    asked.facts_public(&model, &body).map(|facts| (asked.why_not(&facts), model, body))
                };
                read.into_iter().map(judge).collect::<Result<Vec<_>, ApiError>>()
            });
            for (why, model, body) in unread.await?? {
                let verdict = match why {
                    Some(why) => PublicVerdict::Refused(why),
                    None if policy.looks_into_files() => self.verdict_of_known(policy, &body).await?,
                    None => PublicVerdict::Admitted,
                };
                found.push((model, verdict));
            }
        }
        Ok(found)
    }

    async fn verdict_of_known(&self, policy: &AdmissionPolicy, body: &ModelBody) -> Result<PublicVerdict, ApiError> {
        let mut scans = Vec::with_capacity(body.files.len());
        for file in &body.files {
            match self.known_scan(policy, stated(file)).await? {
                Some(scan) => scans.push(scan),
                None => return Ok(PublicVerdict::Unscanned),
            }
        }
        let verdict = policy.judge_files(&examined(body, &scans));
        Ok(policy.why_not(&verdict).map_or(PublicVerdict::Admitted, PublicVerdict::Refused))
    }

    /// Looks into the files of a version, as far as nobody has. Every policy is content with what comes of it: nothing but
    /// the files' own size bounds what may be unpacked.
    pub(crate) async fn scan_public(&self, model: &PublicModel, now: Timestamp) -> Result<(), ApiError> {
        let unbounded = AdmissionPolicy::default();
        for file in &self.parts.catalog.body(model).await?.files {
            self.scan(&unbounded, stated(file), now).await?;
        }
        Ok(())
    }
}
