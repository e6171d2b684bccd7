//! `stoa policy lint FILE…`: what is likely wrong with policies, each by itself and all together. Needs no server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use stoa_models_authz::lint_catalog;
use stoa_policy::Slot;
use stoa_policy::lint::{Finding, Severity, Subject, lint_set};

use super::SlotName;
use crate::cli::Outcome;
use crate::commands::report::print;

#[derive(Args)]
pub struct LintArgs {
    /// Policy documents. Several are also looked at as policies that apply to the same requests.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What the policies are used as; without it, a document that names principals is a resource-based policy (a trust
    /// policy where it is about `sts:` alone), any other an identity-based one.
    #[arg(long)]
    slot: Option<SlotName>,
    /// Exit 1 when there is a warning. Without it only a document that is no policy fails.
    #[arg(long)]
    strict: bool,
    /// As JSON, one finding a line.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &LintArgs) -> Outcome {
    let mut texts = Vec::new();
    for file in &arguments.files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let slot = arguments.slot.map_or_else(|| guess(&text), engine_slot);
        texts.push((text, Subject::slot(slot)));
    }
    let documents: Vec<(&str, Subject)> = texts.iter().map(|(text, subject)| (text.as_str(), *subject)).collect();
    let found = lint_set(&documents, lint_catalog());
    let mut out = String::new();
    for finding in found.iter().map(|finding| named(finding, &arguments.files)) {
        let finding = &finding;
        let file = arguments.files.get(finding.document).map(|file| file.display().to_string()).unwrap_or_default();
        out.push_str(&if arguments.json { json(&file, finding)? } else { line(&file, finding) });
    }
    if !arguments.json {
        let (files, count) = (arguments.files.len(), found.len());
        out.push_str(&format!("{count} findings in {files} {}\n", if files == 1 { "file" } else { "files" }));
    }
    print(&out)?;
    let fails = |finding: &Finding| {
        finding.code == stoa_policy::lint::Code::Malformed || arguments.strict && finding.severity >= Severity::Warning
    };
    Ok(if found.iter().any(fails) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Other documents by their files, where a finding counts them.
fn named(finding: &Finding, files: &[PathBuf]) -> Finding {
    let mut finding = finding.clone();
    // From the highest number down, so that `document 1` is not found in `document 12`.
    for (number, file) in files.iter().enumerate().rev() {
        finding.message = finding.message.replace(&format!("document {number}"), &file.display().to_string());
    }
    finding
}

fn line(file: &str, finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let sid = finding.sid.as_deref().map(|sid| format!(" ({sid})")).unwrap_or_default();
    format!(
        "{severity}[{}] {file}: {}{sid}\n  {}\n  help: {}\n",
        finding.code.name(),
        finding.path,
        finding.message,
        finding.help
    )
}

fn json(file: &str, finding: &Finding) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(finding)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("file".to_owned(), Value::from(file));
    }
    Ok(format!("{value}\n"))
}

fn engine_slot(name: SlotName) -> Slot {
    match name {
        SlotName::Identity => Slot::Identity,
        SlotName::Resource => Slot::Resource,
        SlotName::Boundary => Slot::Boundary,
        SlotName::Session => Slot::Session,
        SlotName::Scp => Slot::Scp,
        SlotName::Rcp => Slot::Rcp,
        SlotName::Endpoint => Slot::Endpoint,
        SlotName::Trust => Slot::Trust,
    }
}

/// What a document is most likely used as.
fn guess(text: &str) -> Slot {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return Slot::Identity };
    let statements = match document.get("Statement") {
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let names = |statement: &Value| statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some();
    let assumes = |statement: &Value| statement.get("Resource").is_none() && statement.get("NotResource").is_none();
    match () {
        () if !statements.iter().any(names) => Slot::Identity,
        () if statements.iter().all(assumes) => Slot::Trust,
        () => Slot::Resource,
    }
}
