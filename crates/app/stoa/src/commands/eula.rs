//! `stoa eula`: licences of gated models, decided for accounts and shown to auditors.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use stoa_models_stoa::types::{EulaDecisionKind, PutEulaDecisionRequest, PutEulaDecisionResponse};
use stoa_sagemaker_hub::Consents;

use super::report::{csv_cell, print};
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

#[derive(Subcommand)]
pub enum EulaCommand {
    /// Accepts the licence of a gated model for everybody in an account.
    Accept(DecideArgs),
    /// Forbids a gated model to everybody in an account, whatever they accept.
    Forbid(DecideArgs),
    /// Takes back what was accepted or forbidden for an account.
    Clear(DecideArgs),
    /// Shows what administrators decided.
    List(ListArgs),
    /// Shows every acceptance and decision, for the auditor.
    Report(ReportArgs),
}

#[derive(Args)]
pub struct DecideArgs {
    /// The model in the public hub.
    model: String,
    /// Twelve digits; the management account when none.
    #[arg(long)]
    account: Option<String>,
    /// The SHA-256 of the text that is accepted; the latest version's when none.
    #[arg(long)]
    digest: Option<String>,
    #[command(flatten)]
    data: DataDirArgs,
}

#[derive(Args)]
pub struct ListArgs {
    /// Twelve digits; all accounts when none.
    #[arg(long)]
    account: Option<String>,
    /// The model; all when none.
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    data: DataDirArgs,
}

#[derive(Args)]
pub struct ReportArgs {
    #[command(flatten)]
    list: ListArgs,
    /// As comma-separated values.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(command: &EulaCommand) -> Outcome {
    match command {
        EulaCommand::Accept(arguments) => decide(arguments, EulaDecisionKind::Accepted),
        EulaCommand::Forbid(arguments) => decide(arguments, EulaDecisionKind::Forbidden),
        EulaCommand::Clear(arguments) => decide(arguments, EulaDecisionKind::Undecided),
        EulaCommand::List(arguments) => {
            let found = consents(arguments)?;
            print(&table(&rows(&Consents { acceptances: Vec::new(), ..found }))?)?;
            Ok(ExitCode::SUCCESS)
        }
        EulaCommand::Report(arguments) => report(arguments),
    }
}

fn decide(arguments: &DecideArgs, decision: EulaDecisionKind) -> Outcome {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let input =
        PutEulaDecisionRequest { model_name: arguments.model.clone(), decision, eula_digest: arguments.digest.clone() };
    let answer = call(&data_dir, &AdminCommand::PutEulaDecision { account_id: arguments.account.clone(), input })?;
    let answer: PutEulaDecisionResponse = serde_json::from_value(answer)?;
    let text = answer.eula_digest.map(|digest| format!(" (the text {digest})")).unwrap_or_default();
    print(&format!("{}: {}{text}\n", answer.model_name, answer.decision))?;
    Ok(ExitCode::SUCCESS)
}

fn consents(arguments: &ListArgs) -> Result<Consents, Box<dyn std::error::Error>> {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let command = AdminCommand::ReportEulas { account_id: arguments.account.clone(), model: arguments.model.clone() };
    Ok(serde_json::from_value(call(&data_dir, &command)?)?)
}

fn report(arguments: &ReportArgs) -> Outcome {
    let found = consents(&arguments.list)?;
    if arguments.json {
        print(&(serde_json::to_string_pretty(&found)? + "\n"))?;
    } else if arguments.csv {
        print(&csv(&rows(&found)))?;
    } else {
        print(&table(&rows(&found))?)?;
    }
    Ok(ExitCode::SUCCESS)
}

const COLUMNS: [&str; 7] = ["time", "account", "principal", "model", "version", "how", "eula_sha256"];

/// Both sorts of records, in order of time.
fn rows(found: &Consents) -> Vec<[String; 7]> {
    let mut rows: Vec<[String; 7]> = Vec::new();
    for record in &found.acceptances {
        rows.push([
            record.accepted_at.iso8601(),
            record.account_id.clone(),
            record.principal_arn.clone(),
            record.model_name.clone(),
            record.model_version.clone().unwrap_or_default(),
            record.how.clone(),
            record.eula_digest.clone(),
        ]);
    }
    for decision in &found.decisions {
        rows.push([
            decision.decided_at.iso8601(),
            decision.account_id.clone(),
            decision.decided_by.clone(),
            decision.model_name.clone(),
            "*".to_owned(),
            format!("administrator: {}", decision.decision),
            decision.eula_digest.clone().unwrap_or_default(),
        ]);
    }
    rows.sort();
    rows
}

fn csv(rows: &[[String; 7]]) -> String {
    let line = |fields: [&str; 7]| fields.map(csv_cell).join(",") + "\n";
    let mut text = line(COLUMNS);
    text.extend(rows.iter().map(|row| line(row.each_ref().map(String::as_str))));
    text
}

fn table(rows: &[[String; 7]]) -> Result<String, std::fmt::Error> {
    if rows.is_empty() {
        return Ok("nothing was accepted or decided\n".to_owned());
    }
    let mut text = String::new();
    for [time, account, principal, model, version, how, digest] in rows {
        writeln!(text, "{time}  {account}  {principal}\n    {how}: {model} {version}  {digest}")?;
    }
    Ok(text)
}
