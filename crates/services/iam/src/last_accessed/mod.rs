//! Last-accessed details: which of the services that somebody may use were used, when, where and by whom.
//!
//! A job is done when it is asked for: its document holds what was known then, and is read until it is a week old.
//! Uses are those that were allowed here (`crate::usage`).

mod get;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_authz::actions_of;
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AccessAdvisorUsageGranularityType, GenerateServiceLastAccessedDetailsRequest,
    GenerateServiceLastAccessedDetailsResponse,
};
use stoa_store::{Document, Expect, Key, Query, TimeRange, Transaction};
use stoa_types::{AccountId, Timestamp, uuid_v4};

use crate::Iam;
use crate::authority::Sources;
use crate::entities::{Entity, EntityKind};
use crate::error::{no_such_policy, store_failed};
use crate::inspect::{allows_action, allows_service, named_services, statements};
use crate::managed;
use crate::state::kind;
use crate::usage::PrincipalUse;

const LIFETIME_MILLIS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Somebody who may use the services, and what they used.
#[derive(Debug, Serialize, Deserialize)]
struct Accessor {
    user: bool,
    name: String,
    id: String,
    path: String,
    arn: String,
    used: PrincipalUse,
}

/// A job with its result.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    created: Timestamp,
    action_level: bool,
    /// By namespace: the actions that are allowed, where the job is about actions.
    services: BTreeMap<String, Vec<String>>,
    /// By ARN.
    accessors: Vec<Accessor>,
}

fn job_key(account: &AccountId, id: &str) -> Key {
    Key { kind: kind::LAST_ACCESSED, account: account.clone(), region: None, id: id.to_owned() }
}

/// The services that these documents allow something of; with the actions of each where they are asked for.
fn services_of(documents: &[String], action_level: bool) -> BTreeMap<String, Vec<String>> {
    let statements: Vec<_> = documents.iter().flat_map(|document| statements(document)).collect();
    let allowed = |service: &str| {
        let actions = actions_of(service).iter().filter(|action| allows_action(&statements, &action.full_name()));
        actions.map(|action| action.name.to_owned()).collect()
    };
    let mut all: BTreeSet<String> = services::known().map(str::to_owned).collect();
    all.extend(documents.iter().flat_map(|document| named_services(document)));
    all.retain(|service| documents.iter().any(|document| allows_service(document, service)));
    all.into_iter()
        .map(|service| {
            let actions = if action_level { allowed(&service) } else { Vec::new() };
            (service, actions)
        })
        .collect()
}

impl Iam {
    /// The documents that give the entity or policy its rights, and the users and roles that have them.
    async fn subject(&self, account: &AccountId, arn: &str) -> Result<(Vec<String>, Vec<Entity>), ApiError> {
        if !arn.contains(":policy/") {
            let entity = self.entity_by_arn(account, arn).await?;
            let held = self.held_policies(account, &entity).await?;
            let documents = held.into_iter().map(|held| held.document).collect();
            let accessors = match entity.kind {
                EntityKind::Group => self.users_in(account, &[entity.name.to_ascii_lowercase()]).await?,
                EntityKind::Role | EntityKind::User => vec![entity],
            };
            return Ok((documents, accessors));
        }
        if managed::find(arn).is_none() {
            self.own_policy(account, arn).await?;
        }
        let document = self.managed_document(arn, &mut Sources::default()).await?.ok_or_else(|| no_such_policy(arn))?;
        let (groups, mut accessors): (Vec<Entity>, Vec<Entity>) = self
            .entities(account)
            .await?
            .into_iter()
            .filter(|entity| entity.attached.iter().any(|attached| attached == arn))
            .partition(|entity| entity.kind == EntityKind::Group);
        let groups: Vec<String> = groups.iter().map(|group| group.name.to_ascii_lowercase()).collect();
        for user in self.users_in(account, &groups).await? {
            if accessors.iter().all(|known| known.id != user.id) {
                accessors.push(user);
            }
        }
        Ok((vec![document], accessors))
    }

    async fn users_in(&self, account: &AccountId, groups: &[String]) -> Result<Vec<Entity>, ApiError> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut entities = self.entities(account).await?;
        entities.retain(|entity| entity.groups.iter().any(|group| groups.contains(group)));
        Ok(entities)
    }

    async fn last_accessed(&self, account: &AccountId, arn: &str, action_level: bool) -> Result<Job, ApiError> {
        let (documents, entities) = self.subject(account, arn).await?;
        let mut accessors = Vec::with_capacity(entities.len());
        for entity in entities {
            accessors.push(Accessor {
                used: self.principal_use(account, &entity.id).await?,
                user: entity.kind == EntityKind::User,
                name: entity.name,
                id: entity.id,
                path: entity.path,
                arn: entity.arn,
            });
        }
        accessors.sort_by(|left, right| left.arn.cmp(&right.arn));
        Ok(Job { created: self.clock.now(), action_level, services: services_of(&documents, action_level), accessors })
    }

    /// Adds the removal of jobs that are too old to be read, some at a time.
    async fn without_old_jobs(
        &self,
        mut transaction: Transaction,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<Transaction, ApiError> {
        let mut query = Query::of(kind::LAST_ACCESSED).owned_by(account, None);
        query.created = TimeRange { before: Some(now.plus_millis(-LIFETIME_MILLIS)), after: None };
        for old in self.store.query(&query).await.map_err(store_failed)?.documents {
            transaction = transaction.delete(old.key.clone(), Expect::Any);
        }
        Ok(transaction)
    }
}

impl Handles<op::GenerateServiceLastAccessedDetails> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GenerateServiceLastAccessedDetailsRequest>,
    ) -> Result<GenerateServiceLastAccessedDetailsResponse, ApiError> {
        let account = self.account(cx);
        let action_level = input.granularity == Some(AccessAdvisorUsageGranularityType::ActionLevel);
        let job = self.last_accessed(account, &input.arn, action_level).await?;
        let id = uuid_v4(&*self.ids);
        let document = Document::new(job_key(account, &id), &id, cx.now, &job).map_err(store_failed)?;
        let transaction = Transaction::new().create(document);
        self.commit(self.without_old_jobs(transaction, account, cx.now).await?).await?;
        Ok(GenerateServiceLastAccessedDetailsResponse { job_id: Some(id) })
    }
}
