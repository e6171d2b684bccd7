//! `stoa env`: the exports that point AWS clients at the server, both ways.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::report::print;
use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::{DataDir, ServerFile};

#[derive(Args)]
pub struct EnvArgs {
    #[command(flatten)]
    data: DataDirArgs,
    /// `front-door`: proxy and CA, for every AWS client, the SageMaker SDK included. `endpoint-url`: for boto3 and the
    /// AWS CLI.
    #[arg(long, value_enum, default_value = "front-door")]
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    FrontDoor,
    EndpointUrl,
}

pub fn run(arguments: &EnvArgs) -> Outcome {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let text = std::fs::read_to_string(data_dir.server_file()).map_err(|error| {
        let path = data_dir.path().display();
        match error.kind() {
            ErrorKind::NotFound => format!("no server has run on {path}: start it with `stoa serve --data-dir {path}`"),
            _ => format!("{}: {error}", data_dir.server_file().display()),
        }
    })?;
    let server: ServerFile = serde_json::from_str(&text)?;
    let opt_out = telemetry_opt_out(&data_dir)?;
    print(&(lines(arguments.way, &data_dir, &server, &opt_out).join("\n") + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// The SageMaker SDK's configuration that switches its usage pings off: they would leave this machine.
fn telemetry_opt_out(data_dir: &DataDir) -> std::io::Result<PathBuf> {
    const OPT_OUT: &str = "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n";
    let path = data_dir.path().join("sagemaker-sdk.yaml");
    if std::fs::read_to_string(&path).is_ok_and(|text| text == OPT_OUT) {
        return Ok(path);
    }
    data_dir.write_private(&path, OPT_OUT)?;
    Ok(path)
}

fn lines(way: Way, data_dir: &DataDir, server: &ServerFile, opt_out: &std::path::Path) -> Vec<String> {
    let region = server.regions.first().map(String::as_str).unwrap_or_default();
    let export = |name: &str, value: &str| format!("export {name}={}", quoted(value));
    let ca = data_dir.ca().display().to_string();
    let mut lines = vec![
        export("AWS_SHARED_CREDENTIALS_FILE", &data_dir.credentials().display().to_string()),
        export("AWS_DEFAULT_REGION", region),
        export("AWS_REGION", region),
        export("AWS_EC2_METADATA_DISABLED", "true"),
        export("SAGEMAKER_USER_CONFIG_OVERRIDE", &opt_out.display().to_string()),
        "unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN".to_owned(),
    ];
    match way {
        Way::FrontDoor => lines.extend([
            "# The front door: every AWS host name leads here, over TLS with Stoa's own CA.".to_owned(),
            export("HTTPS_PROXY", &server.url),
            export("AWS_CA_BUNDLE", &ca),
            "unset AWS_ENDPOINT_URL".to_owned(),
            "# Or by endpoint URL, enough for boto3 and the AWS CLI: stoa env --way endpoint-url".to_owned(),
        ]),
        Way::EndpointUrl => lines.extend([
            export("AWS_ENDPOINT_URL", &server.url),
            "# The SageMaker Python SDK calls sts.<region>.amazonaws.com whatever this says: for it use the front door,"
                .to_owned(),
            "# stoa env --way front-door".to_owned(),
        ]),
    }
    lines
}

/// A word for a POSIX shell.
fn quoted(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    //! What a shell makes of the values.

    use super::*;

    #[test]
    fn values_are_quoted_for_the_shell() {
        assert_eq!(quoted("/a/b-c:1"), "/a/b-c:1");
        assert_eq!(quoted("/my data/it's"), "'/my data/it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
