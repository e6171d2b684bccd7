//! `stoa hub rules`: shows, sets and previews a private hub's rules, and tells what they changed.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stoa_models_stoa::types::{
    DescribeHubRulesRequest, DescribeHubRulesResponse, HubRuleCause, HubRuleChange, HubRulesStatus,
    ListHubRuleChangesRequest, ListHubRuleChangesResponse, PreviewHubRulesRequest, PreviewHubRulesResponse,
    PutHubRulesRequest, PutHubRulesResponse, RuledContent,
};

use super::report::print;
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

/// Rules are longer than this only by mistake.
const LONGEST_FILE: u64 = 64 * 1024;

#[derive(Subcommand)]
pub enum RulesCommand {
    /// Shows the rules and whether they are applied.
    Show(HubArgs),
    /// Sets the rules; an empty text takes them back, with the references that they made.
    Set(SetArgs),
    /// Shows what rules would change now, and changes nothing.
    Preview(PreviewArgs),
    /// Shows what the rules changed, the latest first.
    Log(LogArgs),
}

#[derive(Args)]
pub struct HubArgs {
    /// The hub's name (in the management account) or ARN.
    #[arg(long)]
    hub: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

#[derive(Args)]
pub struct SetArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// Such as `framework is pytorch and size below 20 GB and not gated`.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    rules: Option<String>,
    /// A file with the rules; `-` is the standard input.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub struct PreviewArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// The rules to try; without them and a file, the hub's own.
    #[arg(conflicts_with = "file")]
    rules: Option<String>,
    /// A file with the rules; `-` is the standard input.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub struct LogArgs {
    #[command(flatten)]
    hub: HubArgs,
    /// At most so many changes.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

pub fn run(command: &RulesCommand) -> Outcome {
    match command {
        RulesCommand::Show(arguments) => show(arguments),
        RulesCommand::Set(arguments) => set(arguments),
        RulesCommand::Preview(arguments) => preview(arguments),
        RulesCommand::Log(arguments) => log(arguments),
    }
}

fn show(arguments: &HubArgs) -> Outcome {
    let input = DescribeHubRulesRequest { hub_name: arguments.hub.clone() };
    let answer: DescribeHubRulesResponse = asked(arguments, &AdminCommand::DescribeHubRules(input))?;
    told(arguments.json, &answer, |answer| {
        let mut text = format!("{}\n\n{}\n", answer.hub_arn, state(answer.status));
        if !answer.rules.is_empty() {
            text.push_str(&format!("set by {}\n\n{}\n", answer.set_by.as_deref().unwrap_or("?"), answer.rules.trim()));
        }
        text + &left_out(answer.left_out) + &kept_out(answer.refused)
    })
}

fn set(arguments: &SetArgs) -> Outcome {
    let rules = given(arguments.rules.as_ref(), arguments.file.as_ref())?.unwrap_or_default();
    let input = PutHubRulesRequest { hub_name: arguments.hub.hub.clone(), rules };
    let answer: PutHubRulesResponse = asked(&arguments.hub, &AdminCommand::PutHubRules(input))?;
    told(arguments.hub.json, &answer, |answer| format!("{}\n\n{}\n", answer.hub_arn, state(answer.status)))
}

fn preview(arguments: &PreviewArgs) -> Outcome {
    let rules = given(arguments.rules.as_ref(), arguments.file.as_ref())?;
    let input = PreviewHubRulesRequest { hub_name: arguments.hub.hub.clone(), rules };
    let answer: PreviewHubRulesResponse = asked(&arguments.hub, &AdminCommand::PreviewHubRules(input))?;
    told(arguments.hub.json, &answer, |answer| {
        let mut text = format!(
            "{}\n\n{} models match: {} to add, {} to remove, {} to update, {} unchanged, {} referred to by hand\n",
            answer.hub_arn,
            answer.matched,
            answer.added_count,
            answer.removed_count,
            answer.updated_count,
            answer.unchanged,
            answer.by_hand_count
        );
        text.push_str(&left_out(answer.left_out));
        text.push_str(&kept_out(answer.refused_count));
        if answer.unscanned_count > 0 {
            let count = answer.unscanned_count;
            text.push_str(&format!("the files of {count} versions are to be looked into before they are shown\n"));
        }
        text.push_str(&lines(&answer.added, &answer.removed, &answer.updated, &answer.refused));
        let told = [&answer.added, &answer.removed, &answer.updated, &answer.refused];
        let told = i64::try_from(told.map(Vec::len).iter().sum::<usize>()).unwrap_or(i64::MAX);
        let all = answer.added_count + answer.removed_count + answer.updated_count + answer.refused_count;
        if all > told {
            text.push_str(&format!("  and {} more\n", all - told));
        }
        text
    })
}

fn log(arguments: &LogArgs) -> Outcome {
    let mut changes: Vec<HubRuleChange> = Vec::new();
    let mut next_token = None;
    while changes.len() < arguments.limit {
        let input = ListHubRuleChangesRequest {
            hub_name: arguments.hub.hub.clone(),
            max_results: Some(i64::try_from((arguments.limit - changes.len()).min(100))?),
            next_token,
        };
        let answer: ListHubRuleChangesResponse = asked(&arguments.hub, &AdminCommand::ListHubRuleChanges(input))?;
        changes.extend(answer.changes);
        next_token = answer.next_token;
        if next_token.is_none() {
            break;
        }
    }
    told(arguments.hub.json, &changes, |changes| {
        let entry = |change: &HubRuleChange| {
            let why = match change.cause {
                HubRuleCause::Rules => "the rules",
                HubRuleCause::Catalog => "the catalog",
                HubRuleCause::Reference => "a reference that was deleted",
                HubRuleCause::Admission => "the admission policy",
            };
            let by = change.set_by.as_deref().unwrap_or("?");
            let head = format!("{} {} because of {why}; rules by {by}\n", change.change_number, change.time.iso8601());
            let lines = lines(&change.added, &change.removed, &change.updated, &change.refused);
            head + &left_out(change.left_out) + &kept_out(change.refused_count) + &lines
        };
        changes.iter().map(entry).collect()
    })
}

fn asked<T: DeserializeOwned>(arguments: &HubArgs, command: &AdminCommand) -> Result<T, Box<dyn std::error::Error>> {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    Ok(serde_json::from_value(call(&data_dir, command)?)?)
}

fn told<T: Serialize>(json: bool, answer: &T, text: impl FnOnce(&T) -> String) -> Outcome {
    if json {
        print(&(serde_json::to_string_pretty(answer)? + "\n"))?;
    } else {
        print(&text(answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The rules from the command line, a file or the standard input.
fn given(rules: Option<&String>, file: Option<&PathBuf>) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let Some(path) = file else { return Ok(rules.cloned()) };
    let named = |error| format!("{}: {error}", path.display());
    let mut source: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin()),
        false => Box::new(std::fs::File::open(path).map_err(named)?),
    };
    let mut text = String::new();
    source.by_ref().take(LONGEST_FILE).read_to_string(&mut text).map_err(named)?;
    if source.read(&mut [0]).map_err(named)? > 0 {
        return Err(format!("{}: rules are not longer than {LONGEST_FILE} bytes", path.display()).into());
    }
    Ok(Some(text))
}

fn state(status: HubRulesStatus) -> &'static str {
    match status {
        HubRulesStatus::None => "no rules",
        HubRulesStatus::Applying => "being applied",
        HubRulesStatus::Applied => "applied",
    }
}

fn left_out(count: i64) -> String {
    if count == 0 { String::new() } else { format!("{count} more match and have no place in the hub\n") }
}

fn kept_out(count: i64) -> String {
    if count == 0 { String::new() } else { format!("{count} match and are kept out by the hub's admission policy\n") }
}

fn lines(
    added: &[RuledContent],
    removed: &[RuledContent],
    updated: &[RuledContent],
    refused: &[RuledContent],
) -> String {
    let line = |sign: char| {
        move |content: &RuledContent| {
            let versions = content.versions.join(", ");
            format!("  {sign} {} {versions}: {}\n", content.hub_content_name, content.reason)
        }
    };
    let all = added.iter().map(line('+')).chain(removed.iter().map(line('-'))).chain(updated.iter().map(line('~')));
    all.chain(refused.iter().map(line('!'))).collect()
}
