//! ExplainDecision: a call of the past, who made it, what was decided for it and by which statement, what stood in the
//! way, and the smallest change that would allow it.
//!
//! What was decided then is in the audit record; why is read off the policies as they are now, over the keys that were
//! seen then. Where the two verdicts differ, policies have changed since, and the answer says so. Session policies are
//! sealed in the session's token and not recorded, so they take no part now.

use stoa_audit::{AuditQuery, AuditRecord};
use stoa_kernel::ApiError;
use stoa_models_stoa::types::{
    Call, Decision, ExplainDecisionRequest, ExplainDecisionResponse, FailedElement, SlotExplanation,
    StatementExplanation, StatementReference, Suggestion, TargetExplanation, Verdict,
};
use stoa_policy::{Change, Considered, Effect, Explanation, Failed, Slot};
use stoa_types::Timestamp;

use crate::recorded::{RecordedCall, RecordedTarget};
use crate::service::{Insight, journal_failed};
use crate::viewer::Viewer;
use crate::words;

impl Insight {
    /// See the module.
    ///
    /// # Errors
    /// `ResourceNotFoundException` for a request that is not in the journal, or is another account's; the ports' own.
    pub async fn explain_decision(
        &self,
        viewer: &Viewer,
        input: &ExplainDecisionRequest,
    ) -> Result<ExplainDecisionResponse, ApiError> {
        let record = self.find_call(viewer, input).await?;
        // An owner's record is of another account's call: that one's policies are not the viewer's to read.
        let own =
            record.user_identity.account_id == viewer.account.as_str() || self.scope(viewer, None).await?.everything;
        let call = RecordedCall::read(&record);
        let mut notes = Vec::new();
        let mut targets = Vec::new();
        for target in call.iter().flat_map(|call| &call.targets) {
            let shown = own || target.principal.arn.split(':').nth(4) == Some(viewer.account.as_str());
            let now = match shown {
                true => self.parts.policies.explain(&target.principal, &target.target).await?,
                false => None,
            };
            targets.push(explained(target, now, shown));
        }
        match &call {
            None => notes.push(undecided(&record)),
            Some(call) if call.omitted > 0 => {
                notes.push(format!("{} more decisions of this call are not recorded", call.omitted));
            }
            Some(call) if call.allowed() && record.denied() => {
                notes.push("policies allowed this call; the service itself refused it, see the error".to_owned());
            }
            Some(_) => {}
        }
        let of = |allowed: bool| if allowed { Decision::Allowed } else { Decision::Denied };
        let decision = call.as_ref().map(|call| of(call.allowed()));
        let known = !targets.is_empty() && targets.iter().all(|target| target.now.is_some());
        let decision_now = known.then(|| of(targets.iter().all(allowed_now)));
        Ok(ExplainDecisionResponse {
            call: described(&record)?,
            decision,
            decision_now,
            changed: targets.iter().any(|target| target.changed),
            targets,
            notes,
        })
    }

    async fn find_call(&self, viewer: &Viewer, input: &ExplainDecisionRequest) -> Result<AuditRecord, ApiError> {
        let scope = self.scope(viewer, None).await?;
        let query = AuditQuery {
            request_id: Some(input.request_id.clone()),
            account: (!scope.everything).then(|| viewer.account.to_string()),
            since: input.since,
            until: input.until,
            limit: Some(1),
            ..AuditQuery::default()
        };
        let found = self.parts.journal.query(&query).await.map_err(journal_failed)?;
        // What another account called does not exist for this one.
        let missing = || {
            let place = if scope.everything { String::new() } else { format!(" of account {}", viewer.account) };
            let message = format!("no call{place} with the request id {} is in the audit journal", input.request_id);
            ApiError::new("ResourceNotFoundException", 400, message)
        };
        found.into_iter().next().ok_or_else(missing)
    }
}

fn described(record: &AuditRecord) -> Result<Call, ApiError> {
    let who = &record.user_identity;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Call {
        request_id: record.request_id.clone(),
        event_time: Timestamp::parse_iso8601(&record.event_time).map_err(ApiError::internal)?,
        event_source: record.event_source.clone(),
        event_name: record.event_name.clone(),
        aws_region: some(&record.aws_region),
        principal_arn: some(&who.arn),
        principal_type: some(&who.kind),
        account_id: some(&who.account_id),
        source_ip_address: some(&record.source_ip_address),
        user_agent: some(&record.user_agent),
        vpc_endpoint_id: record.vpc_endpoint_id.clone(),
        error_code: record.error.as_ref().map(|error| error.error_code.clone()),
        error_message: record.error.as_ref().map(|error| error.error_message.clone()),
    })
}

/// Why a record has no decision.
fn undecided(record: &AuditRecord) -> String {
    match &record.error {
        Some(error) if record.user_identity.arn.is_empty() => {
            format!("nothing was decided: the caller was not authenticated ({})", error.error_code)
        }
        Some(error) => {
            format!("no decision is recorded: the call ended with {} before or without one", error.error_code)
        }
        None => {
            "no decision is recorded: the operation needs no permission, or the record is older than decisions in it"
                .to_owned()
        }
    }
}

fn allowed_now(target: &TargetExplanation) -> bool {
    target.now.as_ref().is_some_and(|now| now.decision == words::decision_kind(Effect::Allow))
}

fn explained(recorded: &RecordedTarget, now: Option<Explanation>, shown: bool) -> TargetExplanation {
    let target = &recorded.target;
    let then = Verdict {
        decision: words::decision_kind(recorded.effect),
        slot: words::slot(recorded.slot),
        reason: Some(words::reason(recorded.effect, recorded.slot, &target.action)),
        matched: recorded.matched.as_ref().filter(|_| shown).map(words::statement),
    };
    let note = match &now {
        None if !shown => {
            Some(format!("{} is of another account, whose policies are not shown here", recorded.principal.arn))
        }
        None => Some(format!("{} is not there any more, or was made again since", recorded.principal.arn)),
        Some(_) if recorded.slot == Slot::Session && recorded.effect != Effect::Allow => {
            Some("session policies are not recorded: what is said of now leaves them out".to_owned())
        }
        Some(_) => None,
    };
    let changed = now.as_ref().is_some_and(|now| now.effect != recorded.effect) && note.is_none();
    let mut made = TargetExplanation {
        action: target.action.clone(),
        resource: target.resource.clone(),
        recorded: Some(then),
        now: None,
        changed,
        context: words::entries(&target.keys),
        slots: Vec::new(),
        suggestions: Vec::new(),
        note,
    };
    if let Some(now) = now {
        made.now = Some(verdict(&now));
        made.suggestions = now.suggestions.iter().map(suggestion).collect();
        made.slots = now.slots.iter().map(slot).collect();
    }
    made
}

fn verdict(now: &Explanation) -> Verdict {
    Verdict {
        decision: words::decision_kind(now.effect),
        slot: words::slot(now.slot),
        reason: Some(now.reason.clone()),
        matched: now.matched.as_ref().map(|matched| StatementReference {
            policy_name: matched.policy.clone(),
            statement_id: matched.sid.clone(),
            statement_index: words::count(matched.index),
        }),
    }
}

/// A slot's statements about the action; the others are counted.
fn slot(slot: &stoa_policy::SlotExplanation) -> SlotExplanation {
    let about = |statement: &&Considered| !statement.failed.contains(&Failed::Action);
    let statements: Vec<StatementExplanation> = slot.statements.iter().filter(about).map(statement).collect();
    SlotExplanation {
        slot: words::slot(slot.slot),
        level: words::count(slot.level),
        applies: slot.applies,
        other_statements: Some(words::count(slot.statements.len() - statements.len())),
        statements,
    }
}

fn statement(statement: &Considered) -> StatementExplanation {
    StatementExplanation {
        policy_name: statement.policy.clone(),
        statement_id: statement.sid.clone(),
        statement_index: words::count(statement.index),
        effect: words::statement_effect(statement.effect == "Deny"),
        matches: statement.matches,
        failed: statement.failed.iter().map(failed).collect(),
    }
}

fn failed(failed: &Failed) -> FailedElement {
    let mut made =
        FailedElement { element: String::new(), operator: None, key: None, wanted: None, found: None, absent: None };
    match failed {
        Failed::Action => made.element = "Action".to_owned(),
        Failed::Resource { wanted, .. } => {
            made.element = "Resource".to_owned();
            made.wanted = Some(wanted.clone());
        }
        Failed::Principal { wanted } => {
            made.element = "Principal".to_owned();
            made.wanted = Some(wanted.clone());
        }
        Failed::Condition { operator, name, wanted, values, .. } => {
            made.element = "Condition".to_owned();
            made.operator = Some(operator.clone());
            made.key = Some(name.clone());
            made.wanted = Some(wanted.clone());
            made.absent = Some(values.is_none());
            made.found.clone_from(values);
        }
    }
    made
}

fn suggestion(suggestion: &stoa_policy::Suggestion) -> Suggestion {
    let mut made = Suggestion {
        slot: None,
        policy_name: None,
        statement_id: None,
        change: suggestion.sentence.clone(),
        statement: None,
    };
    match suggestion.changes.first() {
        Some(Change::AddStatement { slot, statement, .. }) => {
            made.slot = Some(words::slot(*slot));
            made.statement = Some(statement.to_string());
        }
        Some(Change::Exempt { slot, policy, sid, condition, .. }) => {
            made.slot = Some(words::slot(*slot));
            made.policy_name = Some(policy.clone());
            made.statement_id.clone_from(sid);
            made.statement = Some(condition.to_string());
        }
        Some(Change::RemoveStatement { slot, policy, sid, .. }) => {
            made.slot = Some(words::slot(*slot));
            made.policy_name = Some(policy.clone());
            made.statement_id.clone_from(sid);
        }
        Some(Change::SetKey { policy, sid, .. }) => {
            made.policy_name = Some(policy.clone());
            made.statement_id.clone_from(sid);
        }
        None => {}
    }
    made
}
