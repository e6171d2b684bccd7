//! `stoa explain REQUEST-ID`: why a call was decided as it was.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use stoa_models_stoa::types::{
    ContextEntry, DecisionKind, ExplainDecisionRequest, ExplainDecisionResponse, FailedElement, SlotExplanation,
    StatementEffect, StatementExplanation, TargetExplanation, Verdict,
};

use super::audit::point_in_time;
use super::report::{print, statement};
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

#[derive(Args)]
pub struct ExplainArgs {
    /// The request's id: `x-amzn-RequestId`, in every answer and in the audit journal.
    request_id: String,
    /// Not before: a time or an age (30d, 12h, 5m). Makes the search in a long journal short.
    #[arg(long)]
    since: Option<String>,
    /// Every slot and statement about the action, also those that have no part in it.
    #[arg(long)]
    all: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

pub fn run(arguments: &ExplainArgs) -> Outcome {
    let input = ExplainDecisionRequest {
        request_id: arguments.request_id.clone(),
        since: arguments.since.as_deref().map(point_in_time).transpose()?,
        until: None,
    };
    let answer = call(&DataDir::new(&arguments.data.data_dir)?, &AdminCommand::ExplainDecision(input))?;
    let text = if arguments.json {
        serde_json::to_string_pretty(&answer)? + "\n"
    } else {
        report(&serde_json::from_value(answer)?, arguments.all)?
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn report(answer: &ExplainDecisionResponse, all: bool) -> Result<String, std::fmt::Error> {
    let call = &answer.call;
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut out = String::new();
    let decision = answer.decision.map_or("Not decided", |decision| decision.as_str());
    writeln!(out, "{decision}: {} {}", call.event_source, call.event_name)?;
    writeln!(out, "  who      {} ({})", or(&call.principal_arn), or(&call.principal_type))?;
    writeln!(out, "  when     {} in {}", call.event_time.iso8601(), or(&call.aws_region))?;
    writeln!(out, "  from     {}, {}", or(&call.source_ip_address), or(&call.user_agent))?;
    writeln!(out, "  request  {}", call.request_id)?;
    if let Some(code) = &call.error_code {
        writeln!(out, "  error    {code}: {}", call.error_message.as_deref().unwrap_or_default())?;
    }
    if answer.changed {
        let now = answer.decision_now.map_or("-", |decision| decision.as_str());
        writeln!(out, "  POLICIES HAVE CHANGED SINCE: the same call would now be {now}")?;
    }
    for note in &answer.notes {
        writeln!(out, "  note     {note}")?;
    }
    for (at, target) in answer.targets.iter().enumerate() {
        writeln!(out)?;
        let shown = if at == 0 { &[][..] } else { answer.targets.first().map_or(&[][..], |first| &first.context) };
        one(&mut out, at + 1, target, shown, all)?;
    }
    Ok(out)
}

/// One decision; of its context, what has not been shown with the first one.
fn one(
    out: &mut String,
    number: usize,
    target: &TargetExplanation,
    shown: &[ContextEntry],
    all: bool,
) -> std::fmt::Result {
    writeln!(out, "{number}. {} on {}", target.action, target.resource)?;
    if let Some(then) = &target.recorded {
        writeln!(out, "   decided  {}", verdict(then))?;
    }
    if let Some(now) = target.now.as_ref().filter(|now| differs(target.recorded.as_ref(), now)) {
        writeln!(out, "   now      {}", verdict(now))?;
    }
    if let Some(note) = &target.note {
        writeln!(out, "   note     {note}")?;
    }
    let denied = target.now.as_ref().is_some_and(|now| now.decision != DecisionKind::Allow);
    for slot in &target.slots {
        shown_slot(out, slot, denied, all)?;
    }
    writeln!(out, "   seen{}", if shown.is_empty() { "" } else { ", besides what is under 1" })?;
    for entry in target.context.iter().filter(|entry| !shown.contains(entry)) {
        writeln!(out, "     {} = {}", entry.key, entry.values.join(", "))?;
    }
    if !target.suggestions.is_empty() {
        writeln!(out, "   to allow it, the smallest change first")?;
    }
    for suggestion in &target.suggestions {
        writeln!(out, "     - {}", suggestion.change)?;
        if let Some(text) = &suggestion.statement {
            writeln!(out, "       {text}")?;
        }
    }
    Ok(())
}

fn verdict(verdict: &Verdict) -> String {
    let kind = match verdict.decision {
        DecisionKind::Allow => "allowed",
        DecisionKind::ExplicitDeny => "denied",
        DecisionKind::ImplicitDeny => "not allowed",
    };
    let reason = verdict.reason.as_deref().unwrap_or_default();
    match &verdict.matched {
        None => format!("{kind}: {reason}"),
        Some(matched) => {
            let by = statement(&matched.policy_name, matched.statement_id.as_deref(), matched.statement_index);
            format!("{kind}: {reason}: {by}")
        }
    }
}

/// Allows are recorded without their statement, so that alone is no difference.
fn differs(then: Option<&Verdict>, now: &Verdict) -> bool {
    then.is_none_or(|then| {
        let statement = |verdict: &Verdict| verdict.matched.as_ref().map(|matched| matched.policy_name.clone());
        then.decision != now.decision
            || then.slot != now.slot
            || now.decision == DecisionKind::Allow
            || statement(then) != statement(now)
    })
}

/// The statements that matter: what matched, and of a refused request the Allows that came near.
fn shown_slot(out: &mut String, slot: &SlotExplanation, denied: bool, all: bool) -> std::fmt::Result {
    if !slot.applies && !all {
        return Ok(());
    }
    let near = |one: &StatementExplanation| denied && one.effect == StatementEffect::Allow;
    let shown: Vec<_> = slot.statements.iter().filter(|one| all || one.matches || near(one)).collect();
    let allows = slot.statements.iter().any(|one| one.matches && one.effect == StatementEffect::Allow);
    let level = if slot.level > 0 { format!(", level {}", slot.level + 1) } else { String::new() };
    let applies = if slot.applies { "" } else { " (does not bear on this principal)" };
    let nothing = if shown.is_empty() && !allows { ": no statement about this action" } else { "" };
    writeln!(out, "   {}{level}{applies}{nothing}", slot.slot)?;
    for one in shown {
        let effect = one.effect.as_str();
        let by = statement(&one.policy_name, one.statement_id.as_deref(), one.statement_index);
        let matches = if one.matches { "matches" } else { "does not match" };
        writeln!(out, "     {effect:5} {by}: {matches}")?;
        for failed in &one.failed {
            writeln!(out, "           {}", failure(failed))?;
        }
    }
    Ok(())
}

fn failure(failed: &FailedElement) -> String {
    let list = |values: &Option<Vec<String>>| values.as_deref().unwrap_or_default().join(", ");
    let wanted = list(&failed.wanted);
    match (&failed.operator, &failed.key) {
        (Some(operator), Some(key)) if failed.absent == Some(true) => {
            format!("{operator} {key}: wants {wanted}; the request has no such key")
        }
        (Some(operator), Some(key)) => {
            format!("{operator} {key}: wants {wanted}; the request has {}", list(&failed.found))
        }
        _ => format!("{}: only {wanted}", failed.element),
    }
}
