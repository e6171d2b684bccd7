//! `stoa blobs collect|usage|verify|take-over`.
//!
//! The first two ask the running server. `verify` asks it too where there is one, and works on the data folder itself
//! where there is none; `take-over` wants that there is none.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use stoa_blobs::{BlobKeeper, Collected, Finding, KeeperParts, Progress, Trouble, Usage, Verified, Verify};
use stoa_store_sqlite::{Settings, SqliteStore};

use super::report::print;
use super::trail::Trail;
use crate::admin::{AdminCommand, call, call_with};
use crate::blob_store::{Claim, Opening};
use crate::cli::{DataDirArgs, Outcome};
use crate::clock::{SystemClock, SystemIds};
use crate::config::Config;
use crate::data_dir::DataDir;

#[derive(Subcommand)]
pub enum BlobsCommand {
    /// Removes the bytes that no object, part, model or endpoint names any more, as the server does by itself.
    Collect {
        /// Only say what would go.
        #[arg(long)]
        dry_run: bool,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataDirArgs,
    },
    /// Says how many blobs there are, and how many bytes.
    Usage {
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataDirArgs,
    },
    /// Reads every blob again and names what is damaged or missing, and whose it is; status 1 if anything is. Without
    /// a running server it works on the data folder itself.
    Verify(VerifyArgs),
    /// Gives this data folder the blobs in the object store that another folder of the same Stoa had: after the folder
    /// was moved to another disk or restored from a backup. Never while the other is used. The server must be stopped.
    TakeOver {
        /// The server's configuration file, which says where the blobs are.
        #[arg(long)]
        config: PathBuf,
        #[command(flatten)]
        data: DataDirArgs,
    },
}

#[derive(Args)]
pub struct VerifyArgs {
    /// Leave damaged blobs where they are; otherwise they are put aside, so that nobody is served their bytes.
    #[arg(long)]
    fix_nothing: bool,
    /// Read at most so many MiB a second.
    #[arg(long, value_name = "N")]
    mib_per_second: Option<u64>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// The server's configuration file, where there is no server and it says where the blobs are.
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    data: DataDirArgs,
}

pub fn run(command: &BlobsCommand) -> Outcome {
    match command {
        BlobsCommand::Collect { dry_run, json, data } => {
            let answer = call(&DataDir::new(&data.data_dir)?, &AdminCommand::CollectBlobs { dry_run: *dry_run })?;
            let collected: Collected = serde_json::from_value(answer.clone())?;
            let text = if *json { format!("{answer}\n") } else { collected_text(&collected, *dry_run) };
            print(&text)?;
            Ok(if collected.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        BlobsCommand::Usage { json, data } => {
            let answer = call(&DataDir::new(&data.data_dir)?, &AdminCommand::GetBlobUsage {})?;
            let text = if *json { format!("{answer}\n") } else { usage_text(&serde_json::from_value(answer)?) };
            print(&text)?;
            Ok(ExitCode::SUCCESS)
        }
        BlobsCommand::Verify(arguments) => verify(arguments),
        BlobsCommand::TakeOver { config, data } => take_over(config, &DataDir::new(&data.data_dir)?),
    }
}

fn verify(arguments: &VerifyArgs) -> Outcome {
    let bytes_per_second = arguments.mib_per_second.map(|mib| mib.saturating_mul(1 << 20));
    let how = Verify { fix_nothing: arguments.fix_nothing, bytes_per_second };
    let data_dir = DataDir::new(&arguments.data.data_dir)?;
    let mut ticker = Ticker::new();
    let asked = call_with(&data_dir, &AdminCommand::VerifyBlobs(how), |far| ticker.tick(far));
    let verified = match asked {
        Ok(answer) => serde_json::from_value(answer)?,
        Err(error) if error.code == "NotRunning" && data_dir.database().is_file() => {
            offline(arguments, &data_dir, how, &mut ticker)?
        }
        Err(error) => return Err(error.into()),
    };
    ticker.end();
    let text =
        if arguments.json { format!("{}\n", serde_json::to_string(&verified)?) } else { verified_text(&verified) };
    print(&text)?;
    Ok(if verified.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Only where a data folder is: none is made.
fn take_over(config: &Path, data_dir: &DataDir) -> Outcome {
    if !data_dir.database().is_file() {
        return Err(format!("{} is no data folder", data_dir.path().display()).into());
    }
    let config = Config::load(data_dir.path(), "127.0.0.1:0", &[], Some(config), false)?;
    if config.blobs.is_none() {
        return Err("the configuration names no object store: the blobs are in the data folder itself".into());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (clock, ids) = (Arc::new(SystemClock), SystemIds);
        let store = SqliteStore::open(&data_dir.database(), clock.clone(), Settings::default())?;
        let opening = Opening { config: &config, data_dir, store: &store, clock: &*clock, ids: &ids };
        let trail = Trail::begin("TakeOverBlobs", serde_json::Value::Null, (data_dir, &*clock, &ids)).await?;
        opening.open(Claim::TakeOver).await?;
        trail.end(serde_json::Value::Null, &*clock, &ids).await
    })?;
    print("the blobs are this data folder's\n")?;
    Ok(ExitCode::SUCCESS)
}

/// On the data folder itself. The store's lock keeps a server from starting meanwhile.
fn offline(
    arguments: &VerifyArgs,
    data_dir: &DataDir,
    how: Verify,
    ticker: &mut Ticker,
) -> Result<Verified, Box<dyn Error>> {
    let config = Config::load(data_dir.path(), "127.0.0.1:0", &[], arguments.config.as_deref(), false)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (clock, ids) = (Arc::new(SystemClock), SystemIds);
        let store = Arc::new(SqliteStore::open(&data_dir.database(), clock.clone(), Settings::default())?);
        let opening = Opening { config: &config, data_dir, store: &*store, clock: &*clock, ids: &ids };
        let (blobs, same) = opening.look().await?;
        if !same {
            let before = opening.place_before().await?;
            if arguments.config.is_none() {
                let text = format!("the blobs of this data folder are in {before}: say where with --config");
                return Err(text.into());
            }
            // Nobody's bytes are put aside in a place that is not this folder's yet.
            writeln!(
                std::io::stderr(),
                "this is another place than {before}, where the blobs are: nothing is changed"
            )?;
        }
        let how = Verify { fix_nothing: how.fix_nothing || !same, ..how };
        let holder = data_dir.holder();
        let keeper =
            BlobKeeper::new(KeeperParts { store, blobs, clock: clock.clone(), grace: config.blobs_grace, holder });
        if how.fix_nothing {
            return Ok(keeper.verify(how, |far| ticker.tick(far)).await?);
        }
        let trail = Trail::begin("VerifyBlobs", serde_json::to_value(how)?, (data_dir, &*clock, &ids)).await?;
        let verified = keeper.verify(how, |far| ticker.tick(far)).await?;
        trail.end(serde_json::to_value(&verified)?, &*clock, &ids).await?;
        Ok(verified)
    })
}

/// Says on a terminal's standard error how far it is, and elsewhere now and then.
struct Ticker {
    terminal: bool,
    last: Option<Instant>,
}

impl Ticker {
    fn new() -> Ticker {
        Ticker { terminal: std::io::stderr().is_terminal(), last: None }
    }

    fn tick(&mut self, far: Progress) {
        let pause = if self.terminal { Duration::from_millis(200) } else { Duration::from_secs(30) };
        if self.last.is_some_and(|last| last.elapsed() < pause) {
            return;
        }
        let first = self.last.replace(Instant::now()).is_none();
        let Progress { blobs, bytes, all_blobs, all_bytes, findings } = far;
        let text = format!("{blobs} of {all_blobs} blobs, {} of {}, {findings} findings", size(bytes), size(all_bytes));
        // Nobody misses a line about how far it is.
        let _ = match (self.terminal, first) {
            (true, _) => write!(std::io::stderr(), "\r{text}\x1b[K"),
            (false, true) => Ok(()),
            (false, false) => writeln!(std::io::stderr(), "{text}"),
        };
    }

    fn end(&self) {
        if self.terminal && self.last.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, UNITS[0]);
    for larger in UNITS.iter().skip(1) {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

fn collected_text(collected: &Collected, dry_run: bool) -> String {
    let verb = if dry_run { "would go" } else { "removed" };
    let Collected { examined, removed, removed_bytes, waiting, waiting_bytes, failed } = *collected;
    let mut text = format!("{examined} blobs examined\n{removed} {verb} ({})\n", size(removed_bytes));
    text.push_str(&format!("{waiting} without a name wait ({})\n", size(waiting_bytes)));
    if failed > 0 {
        text.push_str(&format!("{failed} could not be removed; the server's log says why\n"));
    }
    text
}

fn usage_text(usage: &Usage) -> String {
    let Usage { blobs, bytes, unnamed, unnamed_bytes, names } = *usage;
    let named = blobs.saturating_sub(unnamed);
    format!(
        "{blobs} blobs ({})\n{named} have {names} names\n{unnamed} have none ({})\n",
        size(bytes),
        size(unnamed_bytes)
    )
}

fn verified_text(verified: &Verified) -> String {
    let mut text = format!("{} blobs read ({})\n", verified.blobs, size(verified.bytes));
    for finding in &verified.findings {
        text.push_str(&finding_text(finding));
    }
    match verified.findings.len() {
        0 => text.push_str("all are whole\n"),
        count => text.push_str(&format!("{count} are not\n")),
    }
    text
}

fn finding_text(finding: &Finding) -> String {
    let what = match finding.trouble {
        Trouble::Damaged => "damaged",
        Trouble::Unreadable => "unreadable",
        Trouble::Missing => "missing",
    };
    let mut text = format!("{what} {}", finding.digest);
    if !finding.detail.is_empty() {
        text.push_str(&format!(": {}", finding.detail));
    }
    if finding.set_aside {
        text.push_str(" (put aside)");
    }
    text.push('\n');
    for name in &finding.named_by {
        text.push_str(&format!("  named by {name}\n"));
    }
    if finding.named_by.is_empty() {
        text.push_str("  named by nobody\n");
    }
    text
}
