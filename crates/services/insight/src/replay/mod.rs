//! ReplayPolicy: what a draft policy would have changed, over the calls of the past.
//!
//! Each decision in the journal is made again twice, over the keys that were seen then: with the policies as they are
//! now, and with the candidate among them. Where the first differs from what is recorded, policies have changed since
//! (drift); where the second differs from the first, it is the candidate's doing. A call counts once, whatever the
//! number of its decisions.
//!
//! INVARIANT: the journal is streamed, and what is kept is bounded: one entry for each principal, action and direction
//! of change, up to [`tally::MOST_GROUPS`] of them.

mod tally;

use std::ops::ControlFlow;

use stoa_audit::{AuditQuery, AuditRecord, Visit};
use stoa_kernel::ApiError;
use stoa_kernel::ports::{Candidate, Rehearsal, Rehearsed};
use stoa_models_stoa::types::{ReplayPolicyRequest, ReplayPolicyResponse, Slot};
use stoa_policy::Effect;
use tokio::sync::mpsc;

use crate::recorded::{RecordedCall, RecordedTarget};
use crate::service::{Insight, journal_failed};
use crate::viewer::Viewer;
use crate::words;
use tally::{Change, Tally};

const DEFAULT_EXAMPLES: i64 = 3;
/// Calls that are read and not judged yet.
const AHEAD: usize = 512;

/// A call as far as a replay needs it.
struct Call {
    request_id: String,
    principal: String,
    recorded: Option<RecordedCall>,
}

impl Insight {
    /// See the module.
    ///
    /// # Errors
    /// `MalformedPolicyDocumentException` with the place, `ValidationException`, the ports' own.
    pub async fn replay_policy(
        &self,
        viewer: &Viewer,
        input: &ReplayPolicyRequest,
    ) -> Result<ReplayPolicyResponse, ApiError> {
        let scope = self.scope(viewer, None).await?;
        let targets = input.targets.clone().unwrap_or_default();
        if targets.is_empty() && matches!(input.slot, Slot::Resource | Slot::Trust) {
            let message = "Targets: a resource's policy belongs to a resource, name the ARNs of those it would be on";
            return Err(ApiError::validation(message));
        }
        let candidate = Candidate {
            document: input.policy_document.clone(),
            slot: words::engine_slot(input.slot),
            targets,
            replaces: input.replaced_policy_name.clone(),
        };
        let rehearsal = self.parts.policies.rehearsal(candidate).await?;
        let query = AuditQuery {
            since: Some(input.start_time),
            until: input.end_time,
            account: (!scope.everything).then(|| viewer.account.to_string()),
            ..AuditQuery::default()
        };
        let examples = usize::try_from(input.max_examples.unwrap_or(DEFAULT_EXAMPLES)).unwrap_or(0);
        let (sender, receiver) = mpsc::channel(AHEAD);
        let reading = self.parts.journal.scan(&query, reader(sender));
        let (read, tally) = tokio::join!(reading, judge_all(&*rehearsal, receiver, Tally::new(examples)));
        // A failure to judge also ends the reading; it is the one to tell.
        let tally = tally?;
        read.map_err(journal_failed)?;
        Ok(tally.answer())
    }
}

/// Hands calls on, as slowly as they are judged.
fn reader(sender: mpsc::Sender<Call>) -> Visit {
    Box::new(move |record: AuditRecord| {
        let call = Call {
            principal: principal(&record),
            recorded: RecordedCall::read(&record),
            request_id: record.request_id,
        };
        if sender.blocking_send(call).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
}

/// Whose calls are counted together: all sessions of a role are one.
fn principal(record: &AuditRecord) -> String {
    let issuer = record.user_identity.session_context.as_ref().and_then(|session| session.get("sessionIssuer"));
    let role = issuer.and_then(|issuer| issuer.get("arn")).and_then(|arn| arn.as_str()).filter(|arn| !arn.is_empty());
    role.unwrap_or(&record.user_identity.arn).to_owned()
}

async fn judge_all(
    rehearsal: &dyn Rehearsal,
    mut calls: mpsc::Receiver<Call>,
    mut tally: Tally,
) -> Result<Tally, ApiError> {
    while let Some(call) = calls.recv().await {
        tally.read += 1;
        let Some(recorded) = &call.recorded else {
            tally.without_decision += 1;
            continue;
        };
        match judge(rehearsal, recorded).await? {
            None => tally.undecidable += 1,
            Some(judged) => note(&mut tally, &call, recorded, &judged),
        }
    }
    Ok(tally)
}

/// Judges every decision of a call; none where one of them cannot be made again.
async fn judge(rehearsal: &dyn Rehearsal, call: &RecordedCall) -> Result<Option<Vec<Rehearsed>>, ApiError> {
    let mut judged = Vec::with_capacity(call.targets.len());
    for recorded in &call.targets {
        // What a session's own policies said is not recorded.
        if recorded.slot == stoa_policy::Slot::Session {
            return Ok(None);
        }
        match rehearsal.judge(&recorded.principal, &recorded.target).await? {
            Some(one) => judged.push(one),
            None => return Ok(None),
        }
    }
    Ok(Some(judged))
}

fn note(tally: &mut Tally, call: &Call, recorded: &RecordedCall, judged: &[Rehearsed]) {
    tally.replayed += 1;
    tally.in_scope += i64::from(judged.iter().any(|one| one.in_scope));
    let all = |effect: fn(&Rehearsed) -> Effect| judged.iter().all(|one| effect(one) == Effect::Allow);
    let (then, now, draft) = (recorded.allowed(), all(|one| one.now), all(|one| one.then));
    let pairs = || recorded.targets.iter().zip(judged);
    if now != then
        && let Some((target, one)) = pairs().find(|(target, one)| allows(target.effect) != allows(one.now))
    {
        tally.drifted(change(call, target, then, now, one));
    }
    let differs = |(_, one): &(&RecordedTarget, &Rehearsed)| allows(one.now) != allows(one.then);
    match pairs().find(differs).filter(|_| draft != now) {
        Some((target, one)) => tally.changed(change(call, target, now, draft, one)),
        None => tally.unchanged += 1,
    }
}

fn allows(effect: Effect) -> bool {
    effect == Effect::Allow
}

fn change<'c>(call: &'c Call, target: &'c RecordedTarget, from: bool, to: bool, one: &'c Rehearsed) -> Change<'c> {
    Change {
        principal: &call.principal,
        request_id: &call.request_id,
        action: &target.target.action,
        from,
        to,
        judged: one,
    }
}
