//! What policies mean for others than the caller of the moment (the kernel's `PolicyInsight`): for every principal, for
//! calls of the past, for drafts. Read-only.
//!
//! INVARIANT: slots are gathered by [`Iam::gather`] alone, as for a call, so an answer here is what a call would get.

mod access;
mod past;
mod rehearsal;
mod subjects;

use std::sync::Arc;

use async_trait::async_trait;
use stoa_kernel::ApiError;
use stoa_kernel::ports::{
    AccessQuestion, Candidate, OrganizationAccount, PastPrincipal, PastTarget, PolicyInsight, Rehearsal,
    StatementPlace, Subject, SubjectAccess, Subjects,
};
use stoa_policy::{Explanation, StatementRef};

use crate::Iam;

/// Insight into the policies of one installation.
#[derive(Debug, Clone)]
pub struct IamInsight(pub Arc<Iam>);

#[async_trait]
impl PolicyInsight for IamInsight {
    async fn organization(&self) -> Result<Vec<OrganizationAccount>, ApiError> {
        let accounts = self.0.list_accounts().await?.into_iter().filter(|account| account.status == "Active");
        let mut accounts: Vec<_> =
            accounts.map(|account| OrganizationAccount { id: account.id, management: account.management }).collect();
        accounts.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(accounts)
    }

    async fn subjects(&self, whom: Subjects<'_>) -> Result<Vec<Subject>, ApiError> {
        match whom {
            Subjects::Of(account) => self.0.subjects_of(account).await,
            Subjects::NamedBy { action, resource } => self.0.subjects_named(action, resource).await,
        }
    }

    async fn access(&self, subject: &Subject, questions: &[AccessQuestion]) -> Result<Vec<SubjectAccess>, ApiError> {
        self.0.access_of(subject, questions).await
    }

    async fn explain(&self, principal: &PastPrincipal, target: &PastTarget) -> Result<Option<Explanation>, ApiError> {
        let Some(gathered) = self.0.gather_past(principal, target).await? else { return Ok(None) };
        Ok(Some(gathered.explain(&target.action, &target.resource, &target.keys)))
    }

    async fn rehearsal(&self, candidate: Candidate) -> Result<Box<dyn Rehearsal>, ApiError> {
        Ok(Box::new(rehearsal::Draft::new(Arc::clone(&self.0), candidate)?))
    }
}

/// A statement in the kernel's terms.
fn statement_place(statement: &StatementRef<'_>) -> StatementPlace {
    StatementPlace {
        policy: statement.policy.to_owned(),
        sid: statement.sid.map(str::to_owned),
        index: statement.index,
    }
}
