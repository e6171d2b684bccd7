//! `stoa hf token`: asks the server, as a profile of the AWS credentials file, for a bearer token that Hugging Face's
//! clients send. The call is signed like any other, so it works wherever the server is reached by HTTP.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use stoa_models_stoa::types::CreateHuggingFaceTokenRequest;
use stoa_sigv4::{Signer, payload_hash, sign_headers};
use stoa_types::{Arn, Clock, Secret};

use super::report::print;
use crate::cli::{DataDirArgs, Outcome};
use crate::clock::SystemClock;
use crate::data_dir::{DataDir, ServerFile};

const TARGET: &str = "Stoa_20261121.CreateHuggingFaceToken";

#[derive(Subcommand)]
pub enum HfCommand {
    /// Prints a bearer token for `huggingface_hub` and its kin (HF_TOKEN).
    Token(TokenArgs),
}

#[derive(Args)]
pub struct TokenArgs {
    /// The profile whose session the token stands for.
    #[arg(long, env = "AWS_PROFILE", default_value = "default")]
    profile: String,
    /// The AWS credentials file; that of the data folder otherwise.
    #[arg(long, env = "AWS_SHARED_CREDENTIALS_FILE")]
    credentials: Option<PathBuf>,
    /// The one hub that the token is for: a name of the caller's account, or an ARN. Every hub otherwise.
    #[arg(long)]
    hub: Option<String>,
    /// A gated model whose EULA, as it is now, its user has read and accepts: the content's name in that hub (the public
    /// one without --hub), or the repository's. Again for more.
    #[arg(long = "accept-eula")]
    accepted_eulas: Vec<String>,
    /// How long it is to last, at most as long as the session: 12 hours otherwise.
    #[arg(long)]
    duration_seconds: Option<i64>,
    /// `http://host:port` of the server; that of the data folder otherwise.
    #[arg(long, env = "AWS_ENDPOINT_URL")]
    endpoint_url: Option<String>,
    /// The region; the server's first otherwise.
    #[arg(long, env = "AWS_REGION")]
    region: Option<String>,
    /// Print the exports of HF_ENDPOINT and HF_TOKEN instead. Needs `--hub`.
    #[arg(long, requires = "hub")]
    env: bool,
    #[command(flatten)]
    data: DataDirArgs,
}

pub fn run(command: &HfCommand) -> Outcome {
    match command {
        HfCommand::Token(arguments) => token(arguments),
    }
}

fn token(arguments: &TokenArgs) -> Outcome {
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let server: Option<ServerFile> =
        std::fs::read_to_string(data_dir.server_file()).ok().and_then(|text| serde_json::from_str(&text).ok());
    let of_server = |given: &Option<String>, found: Option<String>, what: &str| -> Result<String, String> {
        let none = || format!("no server has run on {}: name one with {what}", data_dir.path().display());
        given.clone().or(found).ok_or_else(none)
    };
    let url = of_server(&arguments.endpoint_url, server.as_ref().map(|server| server.url.clone()), "--endpoint-url")?;
    let first = server.as_ref().and_then(|server| server.regions.first().cloned());
    let region = of_server(&arguments.region, first, "--region")?;
    let file = arguments.credentials.clone().unwrap_or_else(|| data_dir.credentials());
    let keys = profile(&file, &arguments.profile)?;
    let input = CreateHuggingFaceTokenRequest {
        hub_name: arguments.hub.clone(),
        duration_seconds: arguments.duration_seconds,
        accepted_eulas: (!arguments.accepted_eulas.is_empty()).then(|| arguments.accepted_eulas.clone()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(call(&url, &region, &keys, serde_json::to_vec(&input)?))?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    if !arguments.env {
        print(&format!("{}\n", text("Token")))?;
        return Ok(ExitCode::SUCCESS);
    }
    let hub: Arn = text("HubArn").parse()?;
    let name = hub.resource().strip_prefix("hub/").unwrap_or_default();
    let url = url.trim_end_matches('/');
    print(&format!(
        "export HF_ENDPOINT={url}/hf/{}/{}/{name}\nexport HF_TOKEN={}\n",
        hub.account(),
        hub.region(),
        text("Token")
    ))?;
    Ok(ExitCode::SUCCESS)
}

struct Keys {
    id: String,
    secret: Secret,
    session_token: Option<Secret>,
}

/// A profile's keys. The file's form is INI; lines that are none of ours are left alone.
fn profile(file: &Path, name: &str) -> Result<Keys, Box<dyn Error>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (mut inside, mut found) = (false, BTreeMap::new());
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = section.trim() == name;
        } else if let (true, Some((key, value))) = (inside, line.split_once('=')) {
            found.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    let mut take = |key: &str| found.remove(key).filter(|value| !value.is_empty());
    let (id, secret) = (take("aws_access_key_id"), take("aws_secret_access_key"));
    let (Some(id), Some(secret)) = (id, secret) else {
        return Err(format!("{} has no keys for the profile `{name}`", file.display()).into());
    };
    Ok(Keys { id, secret: Secret::new(secret), session_token: take("aws_session_token").map(Secret::new) })
}

/// One signed call, by HTTP.
async fn call(url: &str, region: &str, keys: &Keys, body: Vec<u8>) -> Result<Value, Box<dyn Error>> {
    let Some(host) = url.trim_end_matches('/').strip_prefix("http://") else {
        return Err(format!(
            "{url}: only http:// is spoken here; by https call stoa:CreateHuggingFaceToken with an AWS SDK"
        )
        .into());
    };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(host)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    headers.insert("x-amz-target", HeaderValue::from_static(TARGET));
    let signer = Signer {
        access_key_id: &keys.id,
        secret: &keys.secret,
        session_token: keys.session_token.as_ref(),
        region,
        service: "stoa",
        now: SystemClock.now(),
    };
    sign_headers(&signer, "POST", "/", "", &mut headers, &payload_hash(&body))?;
    let mut request = Request::builder().method(Method::POST).uri("/").body(Full::new(Bytes::from(body)))?;
    *request.headers_mut() = headers;
    let address =
        if host.rsplit(']').next().unwrap_or(host).contains(':') { host.to_owned() } else { format!("{host}:80") };
    let stream = tokio::net::TcpStream::connect(&address).await.map_err(|error| format!("{url}: {error}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    driving.abort();
    let answer: Value = serde_json::from_slice(&bytes)?;
    if status.is_success() {
        return Ok(answer);
    }
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    Err(format!("{}: {}{}", text("__type"), text("message"), text("Message")).into())
}

#[cfg(test)]
mod tests {
    //! Reading a credentials file.

    use super::*;

    #[test]
    fn profiles_of_a_credentials_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        let text = "# c\n[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[ other ]\naws_access_key_id=C\naws_secret_access_key=D=\naws_session_token = E\n[half]\naws_access_key_id=F\n";
        std::fs::write(&file, text).unwrap();
        let first = profile(&file, "default").unwrap();
        assert_eq!((first.id.as_str(), first.secret.expose(), first.session_token), ("A", "B", None));
        let other = profile(&file, "other").unwrap();
        assert_eq!((other.secret.expose(), other.session_token.unwrap().expose()), ("D=", "E"));
        for missing in ["half", "nobody"] {
            assert!(profile(&file, missing).err().unwrap().to_string().contains(missing));
        }
    }
}
