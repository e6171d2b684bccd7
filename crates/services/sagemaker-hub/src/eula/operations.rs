//! PutEulaDecision and ListEulaAcceptances, for the caller's own account; the local administrator's commands for any.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_stoa::operations as op;
use stoa_models_stoa::types::{
    EulaAcceptance, EulaDecision, EulaDecisionKind, ListEulaAcceptancesRequest, ListEulaAcceptancesResponse,
    PutEulaDecisionRequest, PutEulaDecisionResponse,
};
use stoa_sagemaker_common::{Paging, SortKey, store_error};
use stoa_store::{Document, Expect, Query, StoreError, Transaction};
use stoa_types::{AccountId, Timestamp};

use super::consent::digest;
use super::{ACCEPTANCE_KIND, Acceptance, DECISION_KIND, Decision, DecisionKind, decision_key};
use crate::service::Hubs;

const ATTEMPTS: usize = 8;
const DEFAULT_PAGE: i64 = 100;

/// Everything about licences.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Consents {
    /// Of principals.
    pub acceptances: Vec<EulaAcceptance>,
    /// Of administrators.
    pub decisions: Vec<EulaDecision>,
}

impl Hubs {
    /// Accepts a licence for an account, forbids the model there, or takes either back.
    pub async fn put_eula_decision(
        &self,
        account: &AccountId,
        by: &str,
        now: Timestamp,
        input: &PutEulaDecisionRequest,
    ) -> Result<PutEulaDecisionResponse, ApiError> {
        let model = &input.model_name;
        let accepted = match input.decision {
            EulaDecisionKind::Accepted => Some(self.text_to_accept(model, input.eula_digest.as_deref()).await?),
            EulaDecisionKind::Forbidden => {
                self.texts_of(model).await?;
                None
            }
            EulaDecisionKind::Undecided => None,
        };
        let key = decision_key(account, model);
        for _ in 0..ATTEMPTS {
            let existing = self.parts.store.get(&key).await.map_err(store_error)?;
            let mut digests = match &existing {
                Some(document) => document.decode::<Decision>().map_err(store_error)?.digests,
                None => Default::default(),
            };
            digests.extend(accepted.clone());
            let kind = match input.decision {
                EulaDecisionKind::Accepted => DecisionKind::Accepted,
                EulaDecisionKind::Forbidden => {
                    digests.clear();
                    DecisionKind::Forbidden
                }
                EulaDecisionKind::Undecided => {
                    // A decision can be taken back also when its model has left the catalog.
                    if existing.is_some() {
                        let gone = Transaction::new().delete(key.clone(), Expect::Any);
                        self.parts.store.commit(gone).await.map_err(store_error)?;
                    } else {
                        self.texts_of(model).await?;
                    }
                    return Ok(answer(input, None));
                }
            };
            let decision = Decision { kind, digests, by: by.to_owned(), at: now };
            let transaction = match existing {
                Some(document) => Transaction::new().update(document.with_body(now, &decision).map_err(store_error)?),
                None => {
                    let document = Document::new(key.clone(), model, now, &decision).map_err(store_error)?;
                    Transaction::new().create(document)
                }
            };
            match self.parts.store.commit(transaction).await {
                Ok(()) => return Ok(answer(input, accepted)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(store_error(error)),
            }
        }
        Err(ApiError::new("ConflictException", 409, format!("{model} is decided by many at once, try again")))
    }

    /// The digest that an acceptance is to: the one named, which must be a version's, or the latest version's.
    async fn text_to_accept(&self, model: &str, named: Option<&str>) -> Result<String, ApiError> {
        let mut texts = self.texts_of(model).await?.into_iter();
        let found = match named {
            Some(named) => texts.find(|text| text == named),
            None => texts.next(),
        };
        let named = named.unwrap_or_default();
        let none = || ApiError::validation(format!("no version of {model} has a licence with the digest {named}"));
        found.ok_or_else(none)
    }

    /// The licences of a model's versions, the latest first. There must be such a model, and it must be gated: of any
    /// other a decision would say what is not so.
    async fn texts_of(&self, model: &str) -> Result<Vec<String>, ApiError> {
        let index = self.parts.catalog.index().await?;
        let versions = index.versions(model).ok_or_else(|| {
            ApiError::new(
                "ResourceNotFoundException",
                400,
                format!("Model {model} does not exist in SageMakerPublicHub; ListHubContents names those that do"),
            )
        })?;
        let texts: Vec<String> =
            versions.values().rev().filter_map(|version| digest(version)).map(str::to_owned).collect();
        if texts.is_empty() {
            return Err(ApiError::validation(format!("{model} is not gated, so there is no licence to decide about")));
        }
        Ok(texts)
    }

    /// Acceptances and decisions of an account, or of all.
    pub async fn consents(&self, account: Option<&AccountId>, model: Option<&str>) -> Result<Consents, ApiError> {
        let query = |kind| {
            let mut query = Query::of(kind);
            query.account = account.cloned();
            query.name = model.map(str::to_owned);
            query
        };
        let mut acceptances = Vec::new();
        for document in self.all(query(ACCEPTANCE_KIND)).await? {
            let found: Acceptance = document.decode().map_err(store_error)?;
            acceptances.push(EulaAcceptance {
                account_id: document.key.account.to_string(),
                principal_arn: found.principal,
                model_name: found.model,
                model_version: Some(found.version),
                eula_digest: found.digest,
                how: found.how,
                accepted_at: found.at,
            });
        }
        let mut decisions = Vec::new();
        for document in self.all(query(DECISION_KIND)).await? {
            let found: Decision = document.decode().map_err(store_error)?;
            let row = |digest: Option<String>| EulaDecision {
                account_id: document.key.account.to_string(),
                model_name: document.name.clone(),
                decision: found.kind.shown(),
                eula_digest: digest,
                decided_by: found.by.clone(),
                decided_at: found.at,
            };
            match found.kind {
                DecisionKind::Forbidden => decisions.push(row(None)),
                DecisionKind::Accepted => decisions.extend(found.digests.iter().cloned().map(|text| row(Some(text)))),
            }
        }
        Ok(Consents { acceptances, decisions })
    }
}

fn answer(input: &PutEulaDecisionRequest, eula_digest: Option<String>) -> PutEulaDecisionResponse {
    PutEulaDecisionResponse { model_name: input.model_name.clone(), decision: input.decision, eula_digest }
}

impl Handles<op::PutEulaDecision> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<PutEulaDecisionRequest>,
    ) -> Result<PutEulaDecisionResponse, ApiError> {
        self.put_eula_decision(&cx.principal.account, &cx.principal.arn, cx.now, &input).await
    }
}

impl Handles<op::ListEulaAcceptances> for Hubs {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListEulaAcceptancesRequest>,
    ) -> Result<ListEulaAcceptancesResponse, ApiError> {
        let mut input = input.into_inner();
        let (max_results, next_token) = (input.max_results.take(), input.next_token.take());
        let first = next_token.is_none();
        let found = self.consents(Some(&cx.principal.account), input.model_name.as_deref()).await?;
        let paging = Paging {
            tokens: &self.parts.tokens,
            scope: format!("{}/{}/ListEulaAcceptances/{input:?}", cx.principal.account, cx.region),
            ascending: true,
            max_results: max_results.or(Some(DEFAULT_PAGE)),
            next_token,
            now: cx.now,
        };
        let (acceptances, next_token) = paging.page(found.acceptances, |record| {
            let rest = [&record.model_name, &record.eula_digest, &record.principal_arn, &record.how];
            let version = record.model_version.clone().unwrap_or_default();
            let name = rest.into_iter().chain([&version]).cloned().collect::<Vec<_>>().join("\n");
            (SortKey::Number(record.accepted_at.millis()), name)
        })?;
        let decisions = if first { found.decisions } else { Vec::new() };
        Ok(ListEulaAcceptancesResponse { acceptances, decisions, next_token })
    }
}
