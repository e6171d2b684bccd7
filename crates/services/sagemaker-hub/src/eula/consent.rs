//! Whether a caller may use a gated model as far as its licence goes; a consent that a request carries is recorded.

use sha2::{Digest as _, Sha256};
use stoa_kernel::{ApiError, Cx};
use stoa_sagemaker_common::store_error;
use stoa_store::{Document, Key, Transaction};

use super::{ACCEPTANCE_KIND, Acceptance, Decision, DecisionKind, decision_key};
use crate::catalog::PublicModel;
use crate::service::Hubs;

/// The ways in which a request carries a consent.
pub(crate) const DEPLOY: &str = "CreateModel";
pub(crate) const PRESIGN: &str = "CreateHubContentPresignedUrls";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Not gated, or accepted.
    Given,
    /// Nobody accepted; whether an earlier text was accepted for the account.
    Missing { changed: bool },
    /// An administrator said no.
    Forbidden,
}

impl Consent {
    /// What a message says besides that the EULA was not accepted.
    pub fn note(&self) -> &'static str {
        match self {
            Consent::Missing { changed: true } => " (its text is not the one that was accepted for this account)",
            _ => "",
        }
    }
}

/// Why nothing that a caller sends helps.
pub(crate) fn forbidden(model: &str, account: &str) -> String {
    format!("an administrator of account {account} forbade the gated model {model}: its EULA cannot be accepted here")
}

impl Hubs {
    /// Whether the model may be used, with what the request says (`accepted`) and by which operation (`how`).
    pub(crate) async fn consent(
        &self,
        cx: &Cx,
        model: &PublicModel,
        accepted: bool,
        how: &str,
    ) -> Result<Consent, ApiError> {
        let found = self.standing_consent(cx, model).await?;
        match (&found, accepted) {
            (Consent::Forbidden, _) => Ok(found),
            (_, true) => {
                self.record_acceptance(cx, model, how).await?;
                Ok(Consent::Given)
            }
            (_, false) => Ok(found),
        }
    }

    /// The same for a plain S3 request, which carries no consent: the caller's own of before counts.
    pub(crate) async fn consent_of_before(&self, cx: &Cx, model: &PublicModel) -> Result<Consent, ApiError> {
        let found = self.standing_consent(cx, model).await?;
        let Consent::Missing { .. } = found else { return Ok(found) };
        for how in [DEPLOY, PRESIGN] {
            let Some(key) = acceptance_key(cx, model, how) else { continue };
            if self.parts.store.get(&key).await.map_err(store_error)?.is_some() {
                return Ok(Consent::Given);
            }
        }
        Ok(found)
    }

    /// What was decided for the account.
    async fn standing_consent(&self, cx: &Cx, model: &PublicModel) -> Result<Consent, ApiError> {
        if !model.gated {
            return Ok(Consent::Given);
        }
        let key = decision_key(&cx.principal.account, &model.id);
        let Some(found) = self.parts.store.get(&key).await.map_err(store_error)? else {
            return Ok(Consent::Missing { changed: false });
        };
        let decision: Decision = found.decode().map_err(store_error)?;
        let named = digest(model).is_some_and(|digest| decision.digests.contains(digest));
        Ok(match (decision.kind, named) {
            (DecisionKind::Forbidden, _) => Consent::Forbidden,
            (DecisionKind::Accepted, true) => Consent::Given,
            (DecisionKind::Accepted, false) => Consent::Missing { changed: true },
        })
    }

    async fn record_acceptance(&self, cx: &Cx, model: &PublicModel, how: &str) -> Result<(), ApiError> {
        let (Some(key), Some(digest)) = (acceptance_key(cx, model, how), digest(model)) else { return Ok(()) };
        let acceptance = Acceptance {
            principal: cx.principal.arn.clone(),
            model: model.id.to_string(),
            version: model.version.to_string(),
            digest: digest.to_owned(),
            how: how.to_owned(),
            at: cx.now,
        };
        let document = Document::new(key, &model.id, cx.now, &acceptance).map_err(store_error)?;
        match self.parts.store.commit(Transaction::new().create(document)).await {
            // The first one stays.
            Err(error) if error.is_conflict() => Ok(()),
            other => other.map_err(store_error),
        }
    }
}

/// The digest of the licence's text.
pub(crate) fn digest(model: &PublicModel) -> Option<&str> {
    model.eula.as_deref()
}

fn acceptance_key(cx: &Cx, model: &PublicModel, how: &str) -> Option<Key> {
    let principal = hex::encode(Sha256::digest(&cx.principal.arn));
    let id = format!("{}/{}/{}/{principal}/{how}", model.id, model.version, digest(model)?);
    Some(Key { kind: ACCEPTANCE_KIND, account: cx.principal.account.clone(), region: None, id })
}
