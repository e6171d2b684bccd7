//! `stoa policy replay --candidate FILE --slot SLOT`: what a draft policy would have changed.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use stoa_models_stoa::types::{Decision, ReplayChange, ReplayPolicyRequest, ReplayPolicyResponse};

use super::SlotName;
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::commands::audit::point_in_time;
use crate::commands::report::{print, statement, table};
use crate::data_dir::DataDir;

#[derive(Args)]
pub struct ReplayArgs {
    /// The draft's document.
    #[arg(long)]
    candidate: PathBuf,
    /// What it would be used as.
    #[arg(long)]
    slot: SlotName,
    /// What it would be attached to: for scp and rcp the root (r-…), a unit (ou-…) or an account; for identity, boundary
    /// and session a principal's ARN or an account; for resource and trust a resource's ARN (also ending in `*`); for
    /// endpoint its id, or `*` for every call. Again for more; without it, everything it can be attached to.
    #[arg(long = "target", num_args = 1..)]
    targets: Vec<String>,
    /// The name or ARN of the policy whose place it would take. Without it, it is added.
    #[arg(long)]
    replace: Option<String>,
    /// From when: a time or an age (30d, 12h, 5m).
    #[arg(long, default_value = "30d")]
    since: String,
    /// Until when: likewise.
    #[arg(long)]
    until: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

pub fn run(arguments: &ReplayArgs) -> Outcome {
    let file = &arguments.candidate;
    let document = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let input = ReplayPolicyRequest {
        policy_document: document,
        slot: arguments.slot.slot(),
        targets: (!arguments.targets.is_empty()).then(|| arguments.targets.clone()),
        replaced_policy_name: arguments.replace.clone(),
        start_time: point_in_time(&arguments.since)?,
        end_time: arguments.until.as_deref().map(point_in_time).transpose()?,
        max_examples: None,
    };
    let answer = call(&DataDir::new(&arguments.data.data_dir)?, &AdminCommand::ReplayPolicy(input))?;
    let text = if arguments.json {
        serde_json::to_string_pretty(&answer)? + "\n"
    } else {
        report(&serde_json::from_value(answer)?)
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn report(answer: &ReplayPolicyResponse) -> String {
    let mut out = format!(
        "{} calls read, {} replayed, {} of them within the candidate's reach\n\n",
        answer.calls_read, answer.calls_replayed, answer.calls_in_scope
    );
    let counts = [
        (answer.newly_denied, "would be denied that are allowed now"),
        (answer.newly_allowed, "would be allowed that are denied now"),
        (answer.unchanged, "stay as they are"),
        (answer.drifted, "come out differently by today's policies already (drift, not the candidate's doing)"),
        (answer.calls_without_decision, "have no decision in the journal"),
        (answer.calls_undecidable, "cannot be replayed"),
    ];
    for (count, what) in counts {
        out.push_str(&format!("{count:>8}  {what}\n"));
    }
    section(&mut out, "changed by the candidate", &answer.changes);
    section(&mut out, "drift: changed by policies since", &answer.drift);
    for note in &answer.notes {
        out.push_str(&format!("\nnote: {note}\n"));
    }
    out
}

fn section(out: &mut String, title: &str, changes: &[ReplayChange]) {
    if changes.is_empty() {
        return;
    }
    let row = |change: &ReplayChange| {
        let to = match (change.from, change.to) {
            (Decision::Allowed, Decision::Denied) => "denied",
            (Decision::Denied, Decision::Allowed) => "allowed",
            _ => "the same",
        };
        let by = change
            .matched
            .as_ref()
            .map(|matched| statement(&matched.policy_name, matched.statement_id.as_deref(), matched.statement_index));
        vec![
            change.count.to_string(),
            to.to_owned(),
            change.principal_arn.clone(),
            change.action.clone(),
            by.or_else(|| change.reason.clone()).unwrap_or_default(),
            change.example_request_ids.join(" "),
        ]
    };
    let rows: Vec<Vec<String>> = changes.iter().map(row).collect();
    let head = ["COUNT", "NOW", "PRINCIPAL", "ACTION", "BY", "REQUESTS"];
    out.push_str(&format!("\n{title}\n{}", table(&head, &rows)));
}
