//! `stoa doctor`: what on this machine would keep Stoa from doing its work, with what to do about it.

use std::process::ExitCode;
use std::time::Duration;

use stoa_runtime::Runtime;
use stoa_runtime_process::{ProcessRuntime, ProcessRuntimeConfig};

use crate::cli::{DataDirArgs, Outcome};
use crate::data_dir::{DataDir, EndpointEntry, ServerFile};

/// Below this the disk is called full.
const LITTLE_SPACE: u64 = 1 << 30;

struct Finding {
    what: &'static str,
    /// None when all is well.
    problem: Option<String>,
    detail: String,
}

pub fn run(arguments: &DataDirArgs) -> Outcome {
    let data_dir = DataDir::new(&arguments.data_dir)?;
    let mut findings = vec![writable(&data_dir), space(&data_dir), server(&data_dir)];
    findings.extend(vpc_endpoints(&data_dir));
    findings.extend(sandbox());
    findings.push(clients());
    let mut bad = 0;
    for finding in &findings {
        match &finding.problem {
            None => println!("ok       {:12} {}", finding.what, finding.detail),
            Some(problem) => {
                bad += 1;
                println!("problem  {:12} {problem}", finding.what);
            }
        }
    }
    println!("{} checked, {bad} to look at", findings.len());
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn fine(what: &'static str, detail: String) -> Finding {
    Finding { what, problem: None, detail }
}

fn problem(what: &'static str, problem: String) -> Finding {
    Finding { what, problem: Some(problem), detail: String::new() }
}

fn writable(data_dir: &DataDir) -> Finding {
    let probe = data_dir.path().join(".doctor");
    let tried =
        data_dir.create().and_then(|()| data_dir.write_private(&probe, "")).and_then(|()| std::fs::remove_file(probe));
    match tried {
        Ok(()) => fine("data folder", format!("{} can be written", data_dir.path().display())),
        Err(error) => problem("data folder", format!("{} cannot be written: {error}", data_dir.path().display())),
    }
}

fn space(data_dir: &DataDir) -> Finding {
    match nix::sys::statvfs::statvfs(data_dir.path()) {
        Ok(found) => {
            let free = found.blocks_available().saturating_mul(found.fragment_size());
            let text = format!("{:.1} GiB free", free as f64 / f64::from(1 << 30));
            if free < LITTLE_SPACE {
                problem("disk", format!("only {text}; the journal refuses calls when it is full"))
            } else {
                fine("disk", text)
            }
        }
        Err(error) => problem("disk", format!("free space is not known: {error}")),
    }
}

fn server_file(data_dir: &DataDir) -> Option<ServerFile> {
    let known = std::fs::read_to_string(data_dir.server_file()).ok()?;
    serde_json::from_str(&known).ok()
}

/// The VPC endpoints of the server that ran last, and what is to be said against their policies.
fn vpc_endpoints(data_dir: &DataDir) -> Vec<Finding> {
    let endpoints = server_file(data_dir).map(|file| file.vpc_endpoints).unwrap_or_default();
    let finding = |endpoint: EndpointEntry| match endpoint.warning {
        Some(warning) => problem("vpc endpoint", warning),
        None => fine("vpc endpoint", format!("{} at {}", endpoint.id, endpoint.url)),
    };
    endpoints.into_iter().map(finding).collect()
}

fn server(data_dir: &DataDir) -> Finding {
    let Some(file) = server_file(data_dir) else {
        return fine("server", "none has run on this folder yet".to_owned());
    };
    if std::path::Path::new(&format!("/proc/{}", file.pid)).exists() {
        return fine("server", format!("process {} at {}", file.pid, file.url));
    }
    fine("server", "not running".to_owned())
}

/// What the process runtime cannot do here.
fn sandbox() -> Vec<Finding> {
    let found = tempfile_folder().and_then(|folder| {
        let config = ProcessRuntimeConfig {
            folder: folder.clone(),
            executable: std::env::current_exe()?,
            programs: Vec::new(),
            invocation_deadline: Duration::from_secs(1),
            stop_grace: Duration::from_secs(1),
        };
        let warnings = ProcessRuntime::new(config)?.warnings();
        std::fs::remove_dir_all(folder)?;
        Ok(warnings)
    });
    match found {
        Ok(warnings) if warnings.is_empty() => vec![fine("sandbox", "namespaces and cgroups are there".to_owned())],
        Ok(warnings) => warnings.into_iter().map(|warning| problem("sandbox", warning)).collect(),
        Err(error) => vec![problem("sandbox", format!("cannot be tried: {error}"))],
    }
}

fn tempfile_folder() -> std::io::Result<std::path::PathBuf> {
    let folder = std::env::temp_dir().join(format!("stoa-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn clients() -> Finding {
    let set = ["AWS_ENDPOINT_URL", "HTTPS_PROXY"].iter().any(|name| std::env::var_os(name).is_some());
    if set {
        return fine("clients", "this shell points AWS clients somewhere (see `stoa env`)".to_owned());
    }
    fine("clients", "this shell does not point AWS clients here yet: eval \"$(stoa env)\"".to_owned())
}
