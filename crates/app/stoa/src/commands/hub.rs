//! `stoa hub settings`: what governs a private hub and has no AWS API.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use stoa_models_stoa::types::{
    DescribeHubAdmissionPolicyRequest, DescribeHubAdmissionPolicyResponse, DescribeHubSettingsRequest,
    DescribeHubSettingsResponse, HubAdmissionPolicy, HubSettings, PutHubAdmissionPolicyRequest, PutHubSettingsRequest,
    PutHubSettingsResponse,
};

use super::hub_rules::{self, RulesCommand};
use super::report::print;
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

#[derive(Subcommand)]
pub enum HubCommand {
    /// Shows a private hub's settings, or changes those that are named.
    Settings(SettingsArgs),
    /// Shows what a private hub lets in, or puts another admission policy in its place.
    Admission(AdmissionArgs),
    /// The rules by which a private hub refers to public models by itself.
    #[command(subcommand)]
    Rules(RulesCommand),
}

#[derive(Args)]
pub struct AdmissionArgs {
    /// The hub's name (in the management account) or ARN.
    #[arg(long)]
    hub: String,
    /// A file with the policy as JSON, as the API has it (`-`: the standard input); `{}` lets everything in.
    #[arg(long)]
    policy: Option<std::path::PathBuf>,
    #[command(flatten)]
    data: DataDirArgs,
}

#[derive(Args)]
pub struct SettingsArgs {
    /// The hub's name (in the management account) or ARN.
    #[arg(long)]
    hub: String,
    /// Whether lists show a caller only what it may describe.
    #[arg(long)]
    filter_lists: Option<Switch>,
    /// Whether references do not show versions that the catalog calls deprecated.
    #[arg(long)]
    withhold_deprecated: Option<Switch>,
    /// Whether references do not show versions that the catalog calls vulnerable.
    #[arg(long)]
    withhold_vulnerable: Option<Switch>,
    /// Whether a presigned URL ends with the content, or with the right of the caller who asked for it.
    #[arg(long)]
    revoke_urls: Option<Switch>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

pub fn run(command: &HubCommand) -> Outcome {
    match command {
        HubCommand::Settings(arguments) => settings(arguments),
        HubCommand::Admission(arguments) => admission(arguments),
        HubCommand::Rules(command) => hub_rules::run(command),
    }
}

fn admission(arguments: &AdmissionArgs) -> Outcome {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let hub_name = arguments.hub.clone();
    let answer = match &arguments.policy {
        None => {
            let input = DescribeHubAdmissionPolicyRequest { hub_name };
            call(&data_dir, &AdminCommand::DescribeHubAdmissionPolicy(input))?
        }
        Some(path) => {
            let text = if path.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin())?
            } else {
                std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?
            };
            let policy = policy_in(&text).map_err(|problem| format!("{}: {problem}", path.display()))?;
            let input = PutHubAdmissionPolicyRequest { hub_name, policy };
            call(&data_dir, &AdminCommand::PutHubAdmissionPolicy(input))?
        }
    };
    let answer: DescribeHubAdmissionPolicyResponse = serde_json::from_value(answer)?;
    print(&(serde_json::to_string_pretty(&answer)? + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// A policy, every member of which is known.
fn policy_in(text: &str) -> Result<HubAdmissionPolicy, String> {
    const KNOWN: [&str; 9] = [
        "AllowedFormats",
        "UnsafePickle",
        "AllowedImports",
        "MaxFileBytes",
        "MaxTotalBytes",
        "AllowedLicences",
        "RequiredDocumentFields",
        "RequiredCardFields",
        "SigningKeyId",
    ];
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    if let Some(other) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("`{other}` is no member of an admission policy; there are {}", KNOWN.join(", ")));
    }
    const FORMATS: &str = "AllowedFormats has Safetensors, ONNX, GGUF, Pickle, PyTorch, NumPy, Tar, Zip, Gzip, HDF5, JSON, Text and \
                           Unknown; UnsafePickle is Refuse, Quarantine or Mark";
    serde_json::from_value(members.into()).map_err(|error| format!("{error} ({FORMATS})"))
}

fn settings(arguments: &SettingsArgs) -> Outcome {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let on = |switch: Option<Switch>| switch.map(|switch| switch == Switch::On);
    let wanted = HubSettings {
        filter_lists: on(arguments.filter_lists),
        withhold_deprecated: on(arguments.withhold_deprecated),
        withhold_vulnerable: on(arguments.withhold_vulnerable),
        revoke_urls: on(arguments.revoke_urls),
    };
    let hub_name = arguments.hub.clone();
    let (arn, settings) = if wanted == HubSettings::default() {
        let input = DescribeHubSettingsRequest { hub_name };
        let answer = call(&data_dir, &AdminCommand::DescribeHubSettings(input))?;
        let answer: DescribeHubSettingsResponse = serde_json::from_value(answer)?;
        (answer.hub_arn, answer.settings)
    } else {
        let input = PutHubSettingsRequest { hub_name, settings: wanted };
        let answer = call(&data_dir, &AdminCommand::PutHubSettings(input))?;
        let answer: PutHubSettingsResponse = serde_json::from_value(answer)?;
        (answer.hub_arn, answer.settings)
    };
    if arguments.json {
        print(&(serde_json::to_string_pretty(&settings)? + "\n"))?;
    } else {
        print(&report(&arn, &settings))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn report(arn: &str, settings: &HubSettings) -> String {
    let rows = [
        ("filter-lists", settings.filter_lists),
        ("withhold-deprecated", settings.withhold_deprecated),
        ("withhold-vulnerable", settings.withhold_vulnerable),
        ("revoke-urls", settings.revoke_urls),
    ];
    let row = |(name, on): (&str, Option<bool>)| format!("{name:20} {}\n", if on == Some(true) { "on" } else { "off" });
    format!("{arn}\n\n{}", rows.into_iter().map(row).collect::<String>())
}
