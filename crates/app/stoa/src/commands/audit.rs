//! `stoa audit query|tail`: reads the journal, also while the server runs.

use std::collections::BTreeSet;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use stoa_audit::{AuditQuery, AuditRecord, Phase};
use stoa_audit_journal::JournalReader;
use stoa_types::{Clock, Timestamp};

use super::report::plain;
use crate::cli::{DataDirArgs, Outcome};
use crate::clock::SystemClock;
use crate::data_dir::DataDir;

#[derive(Subcommand)]
pub enum AuditCommand {
    /// Prints the records that match, oldest first.
    Query(QueryArgs),
    /// Prints the newest records, and with --follow those to come.
    Tail {
        #[command(flatten)]
        query: QueryArgs,
        /// Go on.
        #[arg(long, short)]
        follow: bool,
    },
}

#[derive(Args)]
pub struct QueryArgs {
    #[command(flatten)]
    data: DataDirArgs,
    /// Not before: a time (2026-11-21T00:00:00Z) or an age (30d, 12h, 5m).
    #[arg(long)]
    since: Option<String>,
    /// Not after: likewise.
    #[arg(long)]
    until: Option<String>,
    /// An event name, such as CreateHub.
    #[arg(long)]
    event: Option<String>,
    /// An event source, such as sagemaker.amazonaws.com.
    #[arg(long)]
    source: Option<String>,
    /// Contained in the caller's ARN.
    #[arg(long)]
    principal: Option<String>,
    /// Of this account: what it called, and what others did to what it owns, as it may see that.
    #[arg(long)]
    account: Option<String>,
    /// A request id.
    #[arg(long)]
    request_id: Option<String>,
    /// An error code, such as AccessDenied.
    #[arg(long)]
    error: Option<String>,
    /// Only calls that policy refused.
    #[arg(long)]
    denied: bool,
    /// The newest so many.
    #[arg(long)]
    limit: Option<usize>,
    /// As CloudTrail records, one JSON object a line.
    #[arg(long)]
    json: bool,
}

pub fn run(command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::Query(arguments) => {
            let records = reader(arguments)?.query(&query(arguments)?)?;
            show(&records, arguments.json)?;
        }
        AuditCommand::Tail { query: arguments, follow } => tail(arguments, *follow)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn reader(arguments: &QueryArgs) -> Result<JournalReader, Box<dyn std::error::Error>> {
    let folder = DataDir::new(&arguments.data.data_dir)?.audit();
    std::fs::read_dir(&folder).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("there is no audit journal at {}; is --data-dir right?", folder.display()),
        _ => format!("{}: {error}", folder.display()),
    })?;
    Ok(JournalReader::new(&folder))
}

fn query(arguments: &QueryArgs) -> Result<AuditQuery, String> {
    Ok(AuditQuery {
        since: arguments.since.as_deref().map(point_in_time).transpose()?,
        until: arguments.until.as_deref().map(point_in_time).transpose()?,
        event_name: arguments.event.clone(),
        event_source: arguments.source.clone(),
        principal: arguments.principal.clone(),
        account: arguments.account.clone(),
        request_id: arguments.request_id.clone(),
        error_code: arguments.error.clone(),
        denied: arguments.denied.then_some(true),
        limit: arguments.limit,
    })
}

pub fn point_in_time(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("`{text}` is neither a time such as 2026-11-21T00:00:00Z nor an age such as 30d, 12h or 5m");
    if let Ok(time) = Timestamp::parse_iso8601(text) {
        return Ok(time);
    }
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let count: i64 = digits.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    Ok(SystemClock.now().plus_millis(-count.saturating_mul(unit)))
}

fn tail(arguments: &QueryArgs, follow: bool) -> Result<(), Box<dyn std::error::Error>> {
    const SHOWN: usize = 20;
    let reader = reader(arguments)?;
    let wanted = query(arguments)?;
    let newest = AuditQuery { limit: wanted.limit.or(Some(SHOWN)), ..wanted.clone() };
    if !follow {
        return Ok(show(&reader.query(&newest)?, arguments.json)?);
    }
    let since = |at: Timestamp| AuditQuery { since: Some(at), limit: None, ..wanted.clone() };
    // What came shortly before the newest ones is not shown later, as if it were new.
    let mut last = reader.query(&since(recently()))?;
    let first = reader.query(&newest)?;
    show(&first, arguments.json)?;
    last.extend(first);
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let oldest = last.iter().filter(|record| record.phase == Phase::Begin).map(began).min();
        let found = reader.query(&since(oldest.unwrap_or_else(recently).min(recently())))?;
        let seen: BTreeSet<&str> = last.iter().map(|record| record.event_id.as_str()).collect();
        let fresh: Vec<&AuditRecord> = found.iter().filter(|record| !seen.contains(record.event_id.as_str())).collect();
        show(fresh, arguments.json)?;
        last = found;
    }
}

/// Calls usually end within this.
fn recently() -> Timestamp {
    SystemClock.now().plus_millis(-120_000)
}

fn began(record: &AuditRecord) -> Timestamp {
    Timestamp::parse_iso8601(&record.event_time).unwrap_or_else(|_| recently())
}

fn show<'r>(records: impl IntoIterator<Item = &'r AuditRecord>, json: bool) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for record in records {
        let written = if json { writeln!(out, "{}", serde_json::to_string(record)?) } else { line(&mut out, record) };
        match written {
            // The reader has seen enough (`| head`).
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
    match out.flush() {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn line(out: &mut impl Write, record: &AuditRecord) -> std::io::Result<()> {
    let who = if record.user_identity.arn.is_empty() { &record.user_identity.kind } else { &record.user_identity.arn };
    let who = plain(who.rsplit(':').next().unwrap_or(who));
    let source = plain(record.event_source.split('.').next().unwrap_or_default());
    let result = match (&record.error, record.phase) {
        (Some(error), _) => plain(&format!("{}: {}", error.error_code, error.error_message)),
        (None, Phase::Unknown) => "unknown: the server stopped before it answered".to_owned(),
        (None, Phase::Begin) => "still running".to_owned(),
        (None, Phase::Complete) => "ok".to_owned(),
    };
    let result = if std::io::stdout().is_terminal() { result.chars().take(120).collect() } else { result };
    writeln!(out, "{}  {who:32}  {source:12}  {:32}  {result}", record.event_time, plain(&record.event_name))
}

#[cfg(test)]
mod tests {
    //! Times and ages.

    use super::*;

    #[test]
    fn times_and_ages_are_understood() {
        assert_eq!(point_in_time("2026-11-21T00:00:00Z").unwrap().iso8601(), "2026-11-21T00:00:00Z");
        let hour_ago = point_in_time("1h").unwrap();
        let age = SystemClock.now().millis() - hour_ago.millis();
        assert!((3_600_000..3_610_000).contains(&age));
        for wrong in ["", "h", "5", "5 weeks", "yesterday"] {
            assert!(point_in_time(wrong).is_err(), "{wrong}");
        }
    }
}
