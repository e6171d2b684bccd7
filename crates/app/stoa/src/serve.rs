//! `stoa serve`: puts the server together, says that it is ready, and ends in order.

use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use stoa_gateway::Server;
use stoa_kernel::VpcEndpoint;
use stoa_work::TaskGroup;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::admin::{AdminParts, AdminServer};
use crate::cli::{Outcome, ServeArgs};
use crate::compose::{Stoa, compose};
use crate::config::Config;
use crate::data_dir::{DataDir, EndpointEntry, ServerFile};
use crate::vpc_endpoints::EndpointConfig;

/// For tasks of ours once requests are done.
const SHUTDOWN: Duration = Duration::from_secs(15);
/// How often the last uses of access keys are written down.
const KEY_USES_PERIOD: Duration = Duration::from_secs(120);

/// Runs the server to its end.
pub fn run(arguments: &ServeArgs) -> Outcome {
    let filter = EnvFilter::try_from_env("STOA_LOG").unwrap_or_else(|_| EnvFilter::new("info,s3s=off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    stoa_work::check_failpoints()?;
    let config = Config::load(
        &arguments.data.data_dir,
        &arguments.listen,
        &arguments.regions,
        arguments.config.as_deref(),
        !arguments.no_sample_catalog,
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("stoa").build()?;
    runtime.block_on(serve(config))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    let data_dir = DataDir::new(&config.data_dir)?;
    data_dir.create()?;
    let stoa = compose(&config, &data_dir).await?;
    if config.sample_catalog {
        stoa.catalog.import_sample().await?;
    }
    write_credentials(&stoa, &data_dir).await?;
    let server = Server::bind(config.listen, Arc::clone(&stoa.gateway), Arc::clone(&stoa.certificates))?;
    let url = format!("http://{}", reachable(server.local_addr()));
    let endpoints = bind_endpoints(&stoa)?;
    let tasks = TaskGroup::new();
    start_workers(&stoa, &config, &data_dir, &tasks)?;
    reload_on_hangup(&stoa, &config, &tasks)?;
    let file = server_file(&config, &url, &endpoints);
    data_dir.write_private(&data_dir.server_file(), &serde_json::to_string(&file)?)?;
    let stop = stop_on_signal()?;
    announce(&file);
    let mut servers = tokio::task::JoinSet::new();
    for server in std::iter::once(server).chain(endpoints) {
        servers.spawn(server.run(stop.clone()));
    }
    servers.join_all().await;
    tracing::info!("stopping");
    if tokio::time::timeout(SHUTDOWN, stoa.s3.wait_for_mutations()).await.is_err() {
        tracing::warn!("an S3 mutation outlived the shutdown limit");
    }
    let left = tasks.shutdown(SHUTDOWN).await;
    if !left.is_empty() {
        tracing::warn!(tasks = ?left, "tasks outlived the shutdown limit");
    }
    for container in stoa.runtime.list().await.unwrap_or_default() {
        if let Err(error) = stoa.runtime.stop(&container.name).await {
            tracing::warn!(container = %container.name, %error, "a container could not be stopped");
        }
    }
    let _ = std::fs::remove_file(data_dir.admin_socket());
    Ok(())
}

fn start_workers(stoa: &Stoa, config: &Config, data_dir: &DataDir, tasks: &TaskGroup) -> Result<(), Box<dyn Error>> {
    stoa.endpoints.start(tasks);
    stoa.keys.start(tasks);
    stoa.lifecycle.start(tasks);
    stoa.events.iter().for_each(|worker| worker.start(tasks));
    stoa.collector.start(tasks);
    stoa.admission.start(tasks);
    stoa.hub_rules.start(tasks);
    let (iam, token) = (Arc::clone(&stoa.iam), tasks.token());
    tasks.spawn("iam-key-uses", async move {
        loop {
            let stopping = tokio::select! {
                () = token.cancelled() => true,
                () = tokio::time::sleep(KEY_USES_PERIOD) => false,
            };
            if let Err(error) = iam.flush_key_uses().await {
                tracing::warn!(%error, "last uses of access keys could not be written");
            }
            if stopping {
                return;
            }
        }
    });
    let parts = AdminParts {
        iam: Arc::clone(&stoa.iam),
        insight: Arc::clone(&stoa.insight),
        catalog: Arc::clone(&stoa.catalog),
        hubs: Arc::clone(&stoa.hubs),
        blobs: Arc::clone(&stoa.blobs),
        journal: Arc::clone(&stoa.journal),
        clock: Arc::clone(&stoa.clock),
        ids: Arc::clone(&stoa.ids),
        region: config.regions.first().map(ToString::to_string).unwrap_or_default(),
        management_account: stoa.management_account.clone(),
    };
    AdminServer::bind(data_dir, parts)?.start(tasks);
    let runtime = Arc::clone(&stoa.runtime);
    tasks.spawn("runtime-warnings", async move {
        let warnings = tokio::task::spawn_blocking(move || runtime.warnings()).await.unwrap_or_default();
        for warning in warnings {
            tracing::warn!(warning, "the container runtime is limited here");
        }
    });
    Ok(())
}

/// The address as clients on this machine reach it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(IpAddr::from([127, 0, 0, 1])),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])),
        _ => {}
    }
    address
}

async fn write_credentials(stoa: &Stoa, data_dir: &DataDir) -> Result<(), Box<dyn Error>> {
    let path = data_dir.credentials();
    let existing = std::fs::read_to_string(&path).ok();
    let user = std::env::var("USER").ok().filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    let name = user.filter(|name| name.len() >= 2).unwrap_or_else(|| "local".to_owned());
    let credentials = stoa.iam.local_credentials(existing.as_deref(), &name).await?;
    if credentials.changed {
        data_dir.write_private(&path, &credentials.text)?;
    }
    Ok(())
}

/// The listeners of the VPC endpoints, before the same gateway.
fn bind_endpoints(stoa: &Stoa) -> std::io::Result<Vec<Server>> {
    let bind = |(address, endpoint): &(SocketAddr, Arc<VpcEndpoint>)| {
        let server = Server::bind(*address, Arc::clone(&stoa.gateway), Arc::clone(&stoa.certificates));
        let named = |error| std::io::Error::other(format!("cannot listen on {address} for {}: {error}", endpoint.id));
        server.map(|server| server.for_endpoint(Arc::clone(endpoint))).map_err(named)
    };
    stoa.vpc_endpoints.iter().map(bind).collect()
}

/// Reads the endpoints' policies again on SIGHUP. One that cannot be read stays as it was.
fn reload_on_hangup(stoa: &Stoa, config: &Config, tasks: &TaskGroup) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (iam, management, token) = (Arc::clone(&stoa.iam), stoa.management_account.clone(), tasks.token());
    let mut endpoints = config.vpc_endpoints.clone();
    tasks.spawn("vpc-endpoint-policies", async move {
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                received = hangup.recv() => {
                    if received.is_none() {
                        return;
                    }
                }
            }
            for endpoint in &mut endpoints {
                match endpoint.reloaded() {
                    Ok(changed) => *endpoint = changed,
                    Err(error) => tracing::error!(id = endpoint.id, error, "the endpoint keeps its former policy"),
                }
                warn_of(endpoint);
            }
            iam.set_vpc_endpoints(endpoints.iter().map(|endpoint| endpoint.endpoint(&management)));
            tracing::info!(endpoints = endpoints.len(), "the policies of vpc endpoints were read again");
        }
    });
    Ok(())
}

fn warn_of(endpoint: &EndpointConfig) {
    if let Some(warning) = endpoint.warning() {
        tracing::warn!(id = endpoint.id, warning, "a vpc endpoint lets nothing through");
    }
}

fn server_file(config: &Config, url: &str, endpoints: &[Server]) -> ServerFile {
    let entry = |(server, endpoint): (&Server, &EndpointConfig)| {
        warn_of(endpoint);
        let url = format!("http://{}", reachable(server.local_addr()));
        EndpointEntry { id: endpoint.id.clone(), url, warning: endpoint.warning() }
    };
    ServerFile {
        url: url.to_owned(),
        regions: config.regions.iter().map(ToString::to_string).collect(),
        pid: std::process::id(),
        vpc_endpoints: endpoints.iter().zip(&config.vpc_endpoints).map(entry).collect(),
    }
}

/// Says where the server is; the last line says that it is ready.
fn announce(file: &ServerFile) {
    let mut out = std::io::stdout().lock();
    let mut text = String::new();
    for endpoint in &file.vpc_endpoints {
        text.push_str(&format!("vpc endpoint {} on {}\n", endpoint.id, endpoint.url));
    }
    text.push_str(&format!("stoa ready on {}\n", file.url));
    // A parent that closed our standard output still gets a server.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Cancelled by SIGTERM or SIGINT; a second one ends the process at once.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = stop.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if token.is_cancelled() {
                std::process::exit(130);
            }
            token.cancel();
        }
    });
    Ok(stop)
}
