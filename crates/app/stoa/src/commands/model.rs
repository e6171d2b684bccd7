//! `stoa model provenance`: who brought a content into a hub, from where, and what its files are.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use stoa_models_stoa::types::{DescribeModelProvenanceRequest, DescribeModelProvenanceResponse};

use super::report::print;
use crate::admin::{AdminCommand, call};
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::DataDir;

#[derive(Subcommand)]
pub enum ModelCommand {
    /// Shows where a content came from, with the digests of its files and whether its signature is genuine.
    Provenance(ProvenanceArgs),
}

#[derive(Args)]
pub struct ProvenanceArgs {
    /// HUB/TYPE/NAME or HUB/TYPE/NAME/VERSION, HUB being a name (in the management account) or an ARN.
    content: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

pub fn run(command: &ModelCommand) -> Outcome {
    match command {
        ModelCommand::Provenance(arguments) => provenance(arguments),
    }
}

fn provenance(arguments: &ProvenanceArgs) -> Outcome {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let input = parsed(&arguments.content)
        .ok_or_else(|| format!("`{}`: HUB/TYPE/NAME or HUB/TYPE/NAME/VERSION is expected", arguments.content))?;
    let answer = call(&data_dir, &AdminCommand::DescribeModelProvenance(input))?;
    let found: DescribeModelProvenanceResponse = serde_json::from_value(answer)?;
    if arguments.json {
        print(&(serde_json::to_string_pretty(&found)? + "\n"))?;
    } else {
        print(&report(&found)?)?;
    }
    // A signature that is not genuine is an answer that a script must not miss.
    Ok(if found.signature_valid == Some(false) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn parsed(text: &str) -> Option<DescribeModelProvenanceRequest> {
    let (hub, rest) = match text.find(":hub/") {
        Some(at) => {
            let name = at + ":hub/".len();
            let end = name + text.get(name..)?.find('/')?;
            (text.get(..end)?, text.get(end + 1..)?)
        }
        None => text.split_once('/')?,
    };
    let mut parts = rest.split('/');
    let (kind, name, version) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    Some(DescribeModelProvenanceRequest {
        hub_name: hub.to_owned(),
        hub_content_type: kind.parse().ok()?,
        hub_content_name: name.to_owned(),
        hub_content_version: version.map(str::to_owned),
    })
}

fn report(found: &DescribeModelProvenanceResponse) -> Result<String, std::fmt::Error> {
    let mut text = format!("{}\n\n", found.hub_content_arn);
    let signed = match (found.signature_valid, &found.signing_key_arn) {
        (Some(true), Some(key)) => Some(format!("genuine, by {key}")),
        (Some(false), Some(key)) => Some(format!("NOT GENUINE, said to be by {key}")),
        _ => None,
    };
    let rows = [
        ("source", found.source.clone()),
        ("imported by", found.imported_by.clone()),
        ("imported at", Some(found.imported_at.iso8601())),
        ("manifest", found.manifest_digest.clone()),
        ("signature", signed),
    ];
    for (name, value) in rows {
        writeln!(text, "{name:12} {}", value.as_deref().unwrap_or("not known"))?;
    }
    for finding in &found.findings {
        writeln!(text, "{:12} {finding}", "finding")?;
    }
    for file in &found.files {
        let format = file.format.as_deref().unwrap_or("-");
        write!(text, "\n{}  {:>12}  {format:12} {}", file.sha256, file.size_bytes, file.path)?;
    }
    if !found.files.is_empty() {
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    //! What a content may be called.

    use super::parsed;

    #[test]
    fn hubs_by_name_and_by_arn() {
        let arn = "arn:aws:sagemaker:us-west-2:111122223333:hub/h";
        for (text, hub, version) in [
            ("h/Model/m".to_owned(), "h", None),
            ("h/Model/m/1.0.0".to_owned(), "h", Some("1.0.0")),
            (format!("{arn}/ModelReference/m/1.0.0"), arn, Some("1.0.0")),
        ] {
            let found = parsed(&text).unwrap();
            assert_eq!((found.hub_name.as_str(), found.hub_content_version.as_deref()), (hub, version));
        }
        for bad in ["", "h", "h/Model", "h/Thing/m", "h/Model/m/1.0.0/x", arn] {
            assert!(parsed(bad).is_none(), "{bad}");
        }
    }
}
