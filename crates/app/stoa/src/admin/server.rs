//! The server's side: each command is audited, done, and audited again, as calls of the gateway are.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use stoa_audit::{AuditRecord, ErrorInfo, Journal, Phase, UserIdentity};
use stoa_blobs::{BlobKeeper, KeeperError, Progress};
use stoa_iam::Iam;
use stoa_insight::{Insight, Viewer};
use stoa_kernel::ApiError;
use stoa_kernel::ports::OrganizationFacts;
use stoa_sagemaker_hub::{Catalog, Hubs, RulesCaller, SecretKey, TrustedKey};
use stoa_types::{AccountId, Clock, IdSource, uuid_v4};
use stoa_work::TaskGroup;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::protocol::{AdminCommand, AdminError, CreatedAccount, LONGEST, Line, too_long};
use super::socket::SocketName;
use crate::data_dir::DataDir;

/// How often a long command says how far it is.
const PROGRESS: Duration = Duration::from_millis(500);

/// What commands act on.
#[derive(Clone)]
pub struct AdminParts {
    pub iam: Arc<Iam>,
    pub insight: Arc<Insight>,
    pub catalog: Arc<Catalog>,
    pub hubs: Arc<Hubs>,
    pub blobs: Arc<BlobKeeper>,
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn IdSource>,
    pub region: String,
    pub management_account: AccountId,
}

/// The listening socket.
pub struct AdminServer {
    listener: UnixListener,
    parts: Arc<AdminParts>,
}

impl AdminServer {
    /// Binds the socket of the data folder. The store's lock has shown that no other server has it.
    pub fn bind(data_dir: &DataDir, parts: AdminParts) -> io::Result<AdminServer> {
        let path = data_dir.admin_socket();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let name = SocketName::in_folder(data_dir.path(), "admin.sock")?;
        let listener = UnixListener::bind(name.path())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(AdminServer { listener, parts: Arc::new(parts) })
    }

    /// Serves until the group is shut down.
    pub fn start(self, tasks: &TaskGroup) {
        let token = tasks.token();
        tasks.spawn("admin-socket", async move {
            loop {
                let stream = tokio::select! {
                    () = token.cancelled() => return,
                    accepted = self.listener.accept() => accepted,
                };
                if let Ok((stream, _)) = stream {
                    tokio::spawn(serve(stream, Arc::clone(&self.parts), token.clone()));
                }
            }
        });
    }
}

async fn serve(stream: UnixStream, parts: Arc<AdminParts>, token: CancellationToken) {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reading.take(LONGEST + 1));
    let read = reader.read_line(&mut line);
    tokio::select! {
        () = token.cancelled() => return,
        read = tokio::time::timeout(std::time::Duration::from_secs(10), read) => {
            if !matches!(read, Ok(Ok(_))) {
                return;
            }
        }
    }
    if line.len() as u64 > LONGEST {
        // One byte more than is taken was read.
        let _ = write_line(&mut writing, &Line::Err(too_long())).await;
        return;
    }
    let (progress, far) = watch::channel(Progress::default());
    let answer = match serde_json::from_str::<AdminCommand>(&line) {
        Ok(command) => {
            let run = run(&parts, &command, &progress);
            match with_progress(run, far, &mut writing).await {
                Ok(answer) => Line::Ok(answer),
                Err(error) => Line::Err(told(&error)),
            }
        }
        Err(error) => Line::Err(AdminError { code: "InvalidCommand".to_owned(), message: error.to_string() }),
    };
    // A client that has gone needs no answer; what it asked for is in the journal.
    let _ = write_line(&mut writing, &answer).await;
}

async fn write_line(writing: &mut OwnedWriteHalf, line: &Line) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    writing.write_all(&bytes).await
}

/// Runs the command and says now and then how far it is, as long as somebody listens.
async fn with_progress<T>(
    run: impl Future<Output = T>,
    mut far: watch::Receiver<Progress>,
    writing: &mut OwnedWriteHalf,
) -> T {
    let mut run = std::pin::pin!(run);
    loop {
        tokio::select! {
            answer = &mut run => return answer,
            () = tokio::time::sleep(PROGRESS) => {}
        }
        if far.has_changed().unwrap_or(false) {
            let line = Line::Progress(*far.borrow_and_update());
            if write_line(writing, &line).await.is_err() {
                return run.await;
            }
        }
    }
}

fn told(error: &ApiError) -> AdminError {
    if let Some(cause) = std::error::Error::source(error) {
        tracing::error!(code = error.code(), cause = %cause, "an admin command failed");
    }
    AdminError { code: error.code().to_owned(), message: error.message().to_owned() }
}

async fn run(
    parts: &AdminParts,
    command: &AdminCommand,
    progress: &watch::Sender<Progress>,
) -> Result<Value, ApiError> {
    let (name, read_only) = command.event();
    let mut record = record(parts, command, name, read_only);
    let unavailable = |error| ApiError::unavailable("the audit journal takes no records").with_cause(error);
    if !read_only {
        record.phase = Phase::Begin;
        parts.journal.append(encoded(&record)?).await.map_err(unavailable)?;
    }
    let outcome = act(parts, command, progress).await;
    record.phase = Phase::Complete;
    record.event_id = uuid_v4(&*parts.ids);
    if let Err(error) = &outcome {
        record.error =
            Some(ErrorInfo { error_code: error.code().to_owned(), error_message: error.message().to_owned() });
    }
    parts.journal.append(encoded(&record)?).await.map_err(unavailable)?;
    outcome
}

fn encoded(record: &AuditRecord) -> Result<Vec<u8>, ApiError> {
    record.encode().map_err(ApiError::internal)
}

async fn act(
    parts: &AdminParts,
    command: &AdminCommand,
    progress: &watch::Sender<Progress>,
) -> Result<Value, ApiError> {
    match command {
        AdminCommand::CreateAccount { name, standalone } => {
            let account = if *standalone {
                parts.iam.create_standalone_account(name).await?
            } else {
                parts.iam.create_account(name).await?
            };
            let created = CreatedAccount {
                account_id: account.account_id.to_string(),
                access_key_id: account.access_key_id,
                secret_access_key: account.secret_access_key.expose().to_owned(),
            };
            serde_json::to_value(created).map_err(ApiError::internal)
        }
        AdminCommand::DeleteAccount { account_id } => {
            let account: AccountId = account_id.parse().map_err(|error| ApiError::validation(format!("{error}")))?;
            parts.iam.delete_account(&account).await?;
            Ok(json!({ "account_id": account_id }))
        }
        AdminCommand::ImportCatalog { path } => import(parts, path).await,
        AdminCommand::ExportCatalog { path, models, key_file } => {
            export(parts, path, models, key_file.as_deref()).await
        }
        AdminCommand::ImportBundle { path, trusted } => {
            let trusted = trusted.iter().map(|key| TrustedKey::parse(key)).collect::<Result<Vec<_>, _>>()?;
            json(parts.catalog.import_bundle(path, &trusted).await?)
        }
        AdminCommand::ImportHuggingFace(asked) => json(parts.catalog.import_huggingface(asked.clone()).await?),
        AdminCommand::ListCatalog {} => list(parts).await,
        AdminCommand::ExplainDecision(input) => json(parts.insight.explain_decision(&viewer(parts)?, input).await?),
        AdminCommand::ListPrincipalsWithAccess(input) => {
            json(parts.insight.list_principals_with_access(&viewer(parts)?, input).await?)
        }
        AdminCommand::GetAccessMatrix(input) => json(parts.insight.get_access_matrix(&viewer(parts)?, input).await?),
        AdminCommand::ReplayPolicy(input) => json(parts.insight.replay_policy(&viewer(parts)?, input).await?),
        AdminCommand::DescribeHubSettings(input) => {
            let viewer = viewer(parts)?;
            json(parts.hubs.describe_hub_settings(&viewer.account, &viewer.region, input).await?)
        }
        AdminCommand::PutHubSettings(input) => {
            let (viewer, now) = (viewer(parts)?, parts.clock.now());
            json(parts.hubs.put_hub_settings(&viewer.account, &viewer.region, now, input).await?)
        }
        AdminCommand::DescribeHubRules(input) => {
            json(parts.hubs.describe_hub_rules(&rules_caller(parts)?, input).await?)
        }
        AdminCommand::PutHubRules(input) => json(parts.hubs.put_hub_rules(&rules_caller(parts)?, input).await?),
        AdminCommand::PreviewHubRules(input) => json(parts.hubs.preview_hub_rules(&rules_caller(parts)?, input).await?),
        AdminCommand::ListHubRuleChanges(input) => {
            json(parts.hubs.list_hub_rule_changes(&rules_caller(parts)?, input).await?)
        }
        AdminCommand::DescribeHubAdmissionPolicy(input) => {
            let viewer = viewer(parts)?;
            json(parts.hubs.describe_hub_admission_policy(&viewer.account, &viewer.region, input).await?)
        }
        AdminCommand::PutHubAdmissionPolicy(input) => {
            let (viewer, now) = (viewer(parts)?, parts.clock.now());
            json(parts.hubs.put_hub_admission_policy(&viewer.account, &viewer.region, now, input).await?)
        }
        AdminCommand::DescribeModelProvenance(input) => {
            let viewer = viewer(parts)?;
            json(parts.hubs.describe_model_provenance(&viewer.account, &viewer.region, input).await?)
        }
        AdminCommand::PutEulaDecision { account_id, input } => {
            let account = account(account_id.as_deref())?.unwrap_or_else(|| parts.management_account.clone());
            if !parts.iam.has_account(&account).await? {
                return Err(ApiError::validation(format!("there is no account {account} here")));
            }
            json(parts.hubs.put_eula_decision(&account, "LocalAdministrator", parts.clock.now(), input).await?)
        }
        AdminCommand::ReportEulas { account_id, model } => {
            json(parts.hubs.consents(account(account_id.as_deref())?.as_ref(), model.as_deref()).await?)
        }
        AdminCommand::CollectBlobs { dry_run } => json(parts.blobs.collect(*dry_run).await.map_err(kept)?),
        AdminCommand::GetBlobUsage {} => json(parts.blobs.usage().await.map_err(kept)?),
        AdminCommand::VerifyBlobs(how) => {
            // Nobody may listen to how far it is.
            let say = |far| {
                let _ = progress.send_replace(far);
            };
            json(parts.blobs.verify(*how, say).await.map_err(kept)?)
        }
    }
}

fn kept(error: KeeperError) -> ApiError {
    match error {
        KeeperError::Elsewhere | KeeperError::Taken => ApiError::validation(error.to_string()),
        other => ApiError::internal(other),
    }
}

fn account(text: Option<&str>) -> Result<Option<AccountId>, ApiError> {
    let parse = |text: &str| text.parse().map_err(|error| ApiError::validation(format!("{error}")));
    text.map(parse).transpose()
}

/// The local administrator with regard to rules.
fn rules_caller(parts: &AdminParts) -> Result<RulesCaller, ApiError> {
    let Viewer { account, region } = viewer(parts)?;
    Ok(RulesCaller { account, region, name: "LocalAdministrator".to_owned(), now: parts.clock.now() })
}

/// The local administrator asks as the management account does.
fn viewer(parts: &AdminParts) -> Result<Viewer, ApiError> {
    let region = parts.region.parse().map_err(|error| ApiError::validation(format!("{error}")))?;
    Ok(Viewer { account: parts.management_account.clone(), region })
}

fn json(answer: impl serde::Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(answer).map_err(ApiError::internal)
}

async fn import(parts: &AdminParts, path: &std::path::Path) -> Result<Value, ApiError> {
    let imported = parts.catalog.import_dir(path).await?;
    serde_json::to_value(imported).map_err(ApiError::internal)
}

async fn export(
    parts: &AdminParts,
    path: &std::path::Path,
    models: &[String],
    key_file: Option<&std::path::Path>,
) -> Result<Value, ApiError> {
    let key = match key_file {
        None => None,
        Some(file) => {
            let named = |error: &dyn std::fmt::Display| ApiError::validation(format!("{}: {error}", file.display()));
            let text = fs::read_to_string(file).map(zeroize::Zeroizing::new).map_err(|error| named(&error))?;
            Some(SecretKey::parse(&text).map_err(|error| named(&error.message()))?)
        }
    };
    json(parts.catalog.export_bundle(path, models, key.as_ref()).await?)
}

async fn list(parts: &AdminParts) -> Result<Value, ApiError> {
    let listed = parts.catalog.list().await?;
    serde_json::to_value(listed).map_err(ApiError::internal)
}

fn record(parts: &AdminParts, command: &AdminCommand, name: &str, read_only: bool) -> AuditRecord {
    AuditRecord {
        event_version: "1.11".to_owned(),
        user_identity: UserIdentity {
            kind: "LocalAdministrator".to_owned(),
            account_id: parts.management_account.to_string(),
            ..UserIdentity::default()
        },
        event_time: parts.clock.now().iso8601(),
        event_source: "stoa.local".to_owned(),
        event_name: name.to_owned(),
        aws_region: parts.region.clone(),
        source_ip_address: "local".to_owned(),
        user_agent: "stoa".to_owned(),
        error: None,
        request_parameters: serde_json::to_value(command).unwrap_or_default(),
        response_elements: Value::Null,
        additional_event_data: Value::Null,
        request_id: uuid_v4(&*parts.ids),
        event_id: uuid_v4(&*parts.ids),
        read_only,
        event_type: "AwsApiCall".to_owned(),
        management_event: true,
        recipient_account_id: parts.management_account.to_string(),
        event_category: "Management".to_owned(),
        vpc_endpoint_id: None,
        phase: Phase::Complete,
    }
}
