//! What a job found, by service and by who used one of them.

use std::collections::{BTreeMap, BTreeSet};

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    AccessAdvisorUsageGranularityType, EntityDetails, EntityInfo, GetServiceLastAccessedDetailsRequest,
    GetServiceLastAccessedDetailsResponse, GetServiceLastAccessedDetailsWithEntitiesRequest,
    GetServiceLastAccessedDetailsWithEntitiesResponse, JobStatusType, PolicyOwnerEntityType, ServiceLastAccessed,
    TrackedActionLastAccessed,
};
use stoa_types::AccountId;

use super::services::name_of;
use super::{Accessor, Job, LIFETIME_MILLIS, job_key};
use crate::Iam;
use crate::error::no_such_entity;
use crate::paging::Paging;
use crate::state::load;
use crate::usage::Use;

fn latest<'a>(uses: impl Iterator<Item = (&'a Accessor, &'a Use)>) -> Option<(&'a Accessor, &'a Use)> {
    uses.max_by_key(|(_, last)| last.at)
}

fn service(job: &Job, namespace: &str, allowed: &[String]) -> ServiceLastAccessed {
    let uses = job.accessors.iter().filter_map(|one| Some((one, one.used.of_service(namespace)?)));
    let total = i64::try_from(uses.clone().count()).ok();
    let last = latest(uses);
    ServiceLastAccessed {
        service_name: name_of(namespace),
        last_authenticated: last.map(|(_, last)| last.at),
        service_namespace: namespace.to_owned(),
        last_authenticated_entity: last.map(|(accessor, _)| accessor.arn.clone()),
        last_authenticated_region: last.map(|(_, last)| last.region.clone()),
        total_authenticated_entities: total,
        tracked_actions_last_accessed: job.action_level.then(|| actions(job, namespace, allowed)),
    }
}

/// The actions that are allowed, and those that were used when they still were.
fn actions(job: &Job, namespace: &str, allowed: &[String]) -> Vec<TrackedActionLastAccessed> {
    let used = job.accessors.iter().filter_map(|one| one.used.0.get(namespace)).flat_map(BTreeMap::keys);
    let names: BTreeSet<String> = used.chain(allowed).cloned().collect();
    let tracked = |name: String| {
        let uses = job.accessors.iter().filter_map(|one| Some((one, one.used.0.get(namespace)?.get(&name)?)));
        let last = latest(uses);
        TrackedActionLastAccessed {
            last_accessed_entity: last.map(|(accessor, _)| accessor.arn.clone()),
            last_accessed_time: last.map(|(_, last)| last.at),
            last_accessed_region: last.map(|(_, last)| last.region.clone()),
            action_name: Some(name),
        }
    };
    names.into_iter().map(tracked).collect()
}

impl Iam {
    async fn job(&self, account: &AccountId, id: &str) -> Result<Job, ApiError> {
        let found = load::<Job>(&*self.store, &job_key(account, id)).await?.map(|found| found.record);
        let now = self.clock.now();
        let fresh = found.filter(|job| now < job.created.plus_millis(LIFETIME_MILLIS));
        fresh.ok_or_else(|| no_such_entity(format!("The job with id {id} cannot be found.")))
    }
}

impl Handles<op::GetServiceLastAccessedDetails> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetServiceLastAccessedDetailsRequest>,
    ) -> Result<GetServiceLastAccessedDetailsResponse, ApiError> {
        let job = self.job(self.account(cx), &input.job_id).await?;
        let list = job.services.iter().map(|(name, allowed)| (name.clone(), service(&job, name, allowed))).collect();
        let paging = Paging {
            scope: format!("GetServiceLastAccessedDetails/{}", input.job_id),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_list(cx, &paging, list)?;
        Ok(GetServiceLastAccessedDetailsResponse {
            job_status: JobStatusType::Completed,
            job_type: Some(if job.action_level {
                AccessAdvisorUsageGranularityType::ActionLevel
            } else {
                AccessAdvisorUsageGranularityType::ServiceLevel
            }),
            job_creation_date: job.created,
            job_completion_date: job.created,
            is_truncated: page.truncated(),
            services_last_accessed: page.items,
            marker: page.marker,
            error: None,
        })
    }
}

impl Handles<op::GetServiceLastAccessedDetailsWithEntities> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetServiceLastAccessedDetailsWithEntitiesRequest>,
    ) -> Result<GetServiceLastAccessedDetailsWithEntitiesResponse, ApiError> {
        let job = self.job(self.account(cx), &input.job_id).await?;
        let namespace = &input.service_namespace;
        if !job.services.contains_key(namespace) {
            return Err(no_such_entity(format!("The service {namespace} is not in the job {}.", input.job_id)));
        }
        let details = |accessor: &Accessor| {
            let kind = if accessor.user { PolicyOwnerEntityType::User } else { PolicyOwnerEntityType::Role };
            let entity_info = EntityInfo {
                arn: accessor.arn.clone(),
                name: accessor.name.clone(),
                r#type: kind,
                id: accessor.id.clone(),
                path: Some(accessor.path.clone()),
            };
            let last_authenticated = accessor.used.of_service(namespace).map(|last| last.at);
            (accessor.arn.clone(), EntityDetails { entity_info, last_authenticated })
        };
        let paging = Paging {
            scope: format!("GetServiceLastAccessedDetailsWithEntities/{}/{namespace}", input.job_id),
            marker: input.marker.as_deref(),
            max_items: input.max_items,
        };
        let page = self.page_of_list(cx, &paging, job.accessors.iter().map(details).collect())?;
        Ok(GetServiceLastAccessedDetailsWithEntitiesResponse {
            job_status: JobStatusType::Completed,
            job_creation_date: job.created,
            job_completion_date: job.created,
            is_truncated: page.truncated(),
            entity_details_list: page.items,
            marker: page.marker,
            error: None,
        })
    }
}
