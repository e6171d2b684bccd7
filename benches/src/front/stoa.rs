//! The server that is measured, as a child process over a data folder of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::wire::Outcome;

/// A running server; killed when dropped.
pub struct Stoa {
    process: Child,
    /// `host:port`.
    pub address: String,
    pub data_dir: PathBuf,
    /// From before the process was made to the line that says it is ready.
    pub ready: Duration,
    pub spawned: Instant,
}

impl Stoa {
    /// Starts the binary that `STOA_BINARY` names and waits for its line.
    pub fn start(binary: &Path, data_dir: &Path) -> Outcome<Stoa> {
        Stoa::spawn(binary, data_dir, None)
    }

    /// The same with a configuration file.
    pub fn start_with(binary: &Path, data_dir: &Path, config: &Path) -> Outcome<Stoa> {
        Stoa::spawn(binary, data_dir, Some(config))
    }

    fn spawn(binary: &Path, data_dir: &Path, config: Option<&Path>) -> Outcome<Stoa> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(data_dir.with_extension("log"))?;
        let mut command = Command::new(binary);
        command.args(["serve", "--listen", "127.0.0.1:0", "--region", crate::aws::REGION, "--data-dir"]).arg(data_dir);
        if let Some(config) = config {
            command.arg("--config").arg(config);
        }
        command.env("STOA_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let spawned = Instant::now();
        let mut process = command.spawn().map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let ready = spawned.elapsed();
        let Some(address) = line.trim().strip_prefix("stoa ready on http://").map(str::to_owned) else {
            let _ = process.kill();
            let _ = process.wait();
            let log = std::fs::read_to_string(data_dir.with_extension("log")).unwrap_or_default();
            return Err(format!("stoa did not start: {line}{log}").into());
        };
        Ok(Stoa { process, address, data_dir: data_dir.to_owned(), ready, spawned })
    }

    /// Resident memory, MiB.
    pub fn resident_mib(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kib / 1024.0)
    }

    /// User and system time so far.
    pub fn cpu_seconds(&self) -> Outcome<f64> {
        cpu_seconds(self.process.id())
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// User and system time of a process so far.
pub fn cpu_seconds(id: u32) -> Outcome<f64> {
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((field(11) + field(12)) / TICKS_A_SECOND)
}

impl Drop for Stoa {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where containers' sockets are: `<data>/run/<container>/run/http.sock`.
pub fn container_sockets(data_dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(data_dir.join("run")) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path().join("run/http.sock")).filter(|path| path.exists()).collect()
}
