//! `bench-objects [--rounds N] [--gib N] [--keys N] [--only get,put,small,list] [--dir DIR]`: S3 of the server that
//! `STOA_BINARY` names, in one run on one machine, against nginx (`STOA_BENCH_NGINX` or the one on the path; without one a plain
//! sendfile server of our own, and the table says so), against writing a file with fsync and SHA-256, and against
//! itself with a small bucket. Figures are medians of interleaved rounds.
//!
//! Nothing is kept: the data folder is a temporary one. `--gib` and `--keys` make a short run of it.

#[allow(dead_code, reason = "shared with bench-front")]
#[path = "../front/aws.rs"]
mod aws;
#[path = "../front/load.rs"]
mod load;
#[allow(dead_code, reason = "shared with bench-front")]
#[path = "../front/stoa.rs"]
mod stoa;
#[path = "../front/wire.rs"]
mod wire;

mod bytes;
mod list;
mod memory;
mod other;
mod s3;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws::Caller;
use load::{Burst, burst, median};
use memory::Watch;
use other::Other;
use stoa::Stoa;
use wire::Outcome;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub const BUCKET: &str = "bench";
const CONNECTIONS: usize = 64;
const BURST: Duration = Duration::from_millis(750);
const REST: Duration = Duration::from_millis(300);
const CLIENTS: usize = 8;
const SMALL: usize = 4096;
const USAGE: &str = "usage: bench-objects [--rounds N] [--gib N] [--keys N] [--only get,put,small,list] [--dir DIR]";

struct Arguments {
    binary: PathBuf,
    folder: PathBuf,
    rounds: usize,
    size: u64,
    keys: u64,
    only: Option<String>,
}

impl Arguments {
    fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.split(',').any(|wanted| wanted == part))
    }
}

/// One line of the table.
pub struct Figure {
    pub what: String,
    pub value: String,
    pub aim: &'static str,
    pub met: Option<bool>,
}

fn main() -> ExitCode {
    let first = std::env::args().nth(1);
    let done = if first.as_deref() == Some(other::ARGUMENT) { other::serve() } else { run() };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Outcome<Arguments> {
    let binary = std::env::var_os("STOA_BINARY").ok_or("STOA_BINARY must name a release build of stoa")?;
    let (mut rounds, mut gib, mut keys, mut only, mut parent) = (5, 2.0, 1_000_000, None, std::env::temp_dir());
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or(USAGE)?;
        match name.as_str() {
            "--rounds" => rounds = value.parse()?,
            "--gib" => gib = value.parse::<f64>()?,
            "--keys" => keys = value.parse()?,
            "--only" => only = Some(value),
            "--dir" => parent = PathBuf::from(value),
            _ => return Err(USAGE.into()),
        }
    }
    let folder = parent.join(format!("stoa-bench-{}", std::process::id()));
    let size = (gib * f64::from(1 << 30)) as u64;
    Ok(Arguments { binary: PathBuf::from(binary), folder, rounds, size, keys, only })
}

fn run() -> Outcome<()> {
    let arguments = arguments()?;
    std::fs::create_dir_all(&arguments.folder)?;
    let measured = measure_all(&arguments);
    // What cannot be removed now lies in the temporary folder.
    let _ = std::fs::remove_dir_all(&arguments.folder);
    print(&measured?, arguments.rounds);
    Ok(())
}

fn measure_all(arguments: &Arguments) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    std::fs::write(arguments.folder.join("stoa.toml"), "[audit]\ndata_events = false\n")?;
    let data_dir = arguments.folder.join("d");
    let server = Stoa::start_with(&arguments.binary, &data_dir, &arguments.folder.join("stoa.toml"))?;
    let caller = Caller::from_data_dir(&server.data_dir, &server.address)?;
    s3::make_bucket(&caller, BUCKET)?;
    // Rest is after the first calls: tables are laid out, keys are known.
    s3::put(&caller, "small", bytes::Source::new(1, SMALL as u64))?;
    let rest = server.resident_mib()?;
    if arguments.wants("small") {
        small(arguments, &server, &caller, &mut figures)?;
    }
    if arguments.wants("put") {
        writes(arguments, &server, &caller, rest, &mut figures)?;
    }
    if arguments.wants("get") {
        reads(arguments, &server, &caller, rest, &mut figures)?;
    }
    if arguments.wants("list") {
        list::measure(&server, &caller, arguments.keys, arguments.rounds, &mut figures)?;
    }
    Ok(figures)
}

fn progress(what: &str) {
    eprintln!("   measuring: {what}");
}

/// The blob of the greatest size, which nginx is to serve too.
fn largest_blob(server: &Stoa) -> Outcome<PathBuf> {
    let mut largest = (0, PathBuf::new());
    let mut folders = vec![server.data_dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)?.flatten() {
            let found = entry.metadata()?;
            if found.is_dir() {
                folders.push(entry.path());
            } else if found.len() > largest.0 && entry.path().components().any(|part| part.as_os_str() == "blobs") {
                largest = (found.len(), entry.path());
            }
        }
    }
    Ok(largest.1)
}

fn gigabytes(size: u64) -> f64 {
    size as f64 / 1e9
}

/// A large object by presigned URL, in turn with the other server's copy of the very file.
fn reads(a: &Arguments, server: &Stoa, caller: &Caller, rest: f64, figures: &mut Vec<Figure>) -> Outcome<()> {
    progress("a large GET against the other server");
    s3::put(caller, "large", bytes::Source::new(2, a.size))?;
    let other = Other::start(&a.folder, &largest_blob(server)?)?;
    let ours_request = s3::presigned(caller, "large", "");
    let theirs_request = other.request();
    let (mut ours, mut theirs, mut cpu, mut their_cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    s3::read_through(&server.address, &ours_request, a.size)?;
    s3::read_through(&other.address, &theirs_request, a.size)?;
    for _ in 0..a.rounds {
        std::thread::sleep(REST);
        let (before, began) = (server.cpu_seconds()?, Instant::now());
        s3::read_through(&server.address, &ours_request, a.size)?;
        ours.push(gigabytes(a.size) / began.elapsed().as_secs_f64());
        cpu.push((server.cpu_seconds()? - before) / gigabytes(a.size));
        std::thread::sleep(REST);
        let (before, began) = (other.cpu_seconds()?, Instant::now());
        s3::read_through(&other.address, &theirs_request, a.size)?;
        theirs.push(gigabytes(a.size) / began.elapsed().as_secs_f64());
        their_cpu.push((other.cpu_seconds()? - before) / gigabytes(a.size));
    }
    let ratio = median(&ours.iter().zip(&theirs).map(|(one, other)| one / other).collect::<Vec<_>>());
    let cpu_ratio = median(&cpu) / median(&their_cpu);
    let name = other.name;
    figures.push(Figure {
        what: format!("GET of {:.2} GB against {name}", gigabytes(a.size)),
        value: format!("{:.2} GB/s, {:.2} GB/s: {ratio:.2} x", median(&ours), median(&theirs)),
        aim: "1.0 x",
        met: Some(ratio >= 1.0),
    });
    figures.push(Figure {
        what: format!("server CPU seconds a GB, against {name}"),
        value: format!("{:.3}, {:.3}: {cpu_ratio:.2} x", median(&cpu), median(&their_cpu)),
        aim: "at most 1.5 x",
        met: Some(cpu_ratio <= 1.5),
    });
    let watch = Watch::start(server.id());
    std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| s3::read_through(&server.address, &ours_request, a.size))).collect();
        readers.into_iter().try_for_each(|reader| reader.join().map_err(|_| "a reader died")?)
    })?;
    figures.push(memory_figure(format!("memory above rest, {CLIENTS} clients reading"), watch.most_mib() - rest));
    Ok(())
}

fn memory_figure(what: String, above: f64) -> Figure {
    Figure { what, value: format!("{above:.1} MiB"), aim: "32 MiB", met: Some(above <= 32.0) }
}

/// A large object with a checksum, in turn with a file that is hashed, written and synced.
fn writes(a: &Arguments, server: &Stoa, caller: &Caller, rest: f64, figures: &mut Vec<Figure>) -> Outcome<()> {
    progress("a large PUT against a file with SHA-256 and fsync");
    let (mut ours, mut theirs, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..a.rounds as u64 {
        let source = bytes::Source::new(100 + round, a.size);
        let path = a.folder.join("plain");
        let began = Instant::now();
        bytes::write_synced(&path, source)?;
        theirs.push(gigabytes(a.size) / began.elapsed().as_secs_f64());
        std::fs::remove_file(&path)?;
        let source = bytes::Source::new(200 + round, a.size);
        let signed = s3::PutRequest::new(caller, "written", source)?;
        let (before, began) = (server.cpu_seconds()?, Instant::now());
        signed.send()?;
        ours.push(gigabytes(a.size) / began.elapsed().as_secs_f64());
        cpu.push((server.cpu_seconds()? - before) / gigabytes(a.size));
        remove_blobs(server, a.size)?;
    }
    let ratio = median(&ours.iter().zip(&theirs).map(|(one, other)| one / other).collect::<Vec<_>>());
    figures.push(Figure {
        what: format!("PUT of {:.2} GB with CRC-32 against file, SHA-256, fsync", gigabytes(a.size)),
        value: format!("{:.2} GB/s, {:.2} GB/s: {ratio:.2} x", median(&ours), median(&theirs)),
        aim: "0.7 x",
        met: Some(ratio >= 0.7),
    });
    figures.push(Figure {
        what: "server CPU seconds a GB written".to_owned(),
        value: format!("{:.3}", median(&cpu)),
        aim: "",
        met: None,
    });
    let watch = Watch::start(server.id());
    let each = a.size / CLIENTS as u64;
    std::thread::scope(|scope| {
        let put = |client: u64| s3::put(caller, &format!("client-{client}"), bytes::Source::new(300 + client, each));
        let writers: Vec<_> = (0..CLIENTS as u64).map(|client| scope.spawn(move || put(client))).collect();
        writers.into_iter().try_for_each(|writer| writer.join().map_err(|_| "a writer died")?)
    })?;
    figures.push(memory_figure(format!("memory above rest, {CLIENTS} clients writing"), watch.most_mib() - rest));
    remove_blobs(server, each)
}

/// Disks are finite: what is measured is not read again.
fn remove_blobs(server: &Stoa, at_least: u64) -> Outcome<()> {
    loop {
        let path = largest_blob(server)?;
        if std::fs::metadata(&path).map_or(0, |found| found.len()) < at_least.max(1) {
            return Ok(());
        }
        std::fs::remove_file(path)?;
    }
}

/// A small object by presigned URL on many connections, in turn with the other server.
fn small(a: &Arguments, server: &Stoa, caller: &Caller, figures: &mut Vec<Figure>) -> Outcome<()> {
    progress("4 KiB GETs against the other server, 64 connections");
    let file = a.folder.join("small");
    bytes::write_synced(&file, bytes::Source::new(1, SMALL as u64))?;
    let other = Other::start(&a.folder, &file)?;
    let reader = caller.user_with_policy("reader", &s3::may_read())?;
    let ours_request = vec![s3::presigned(&reader, "small", ""); CONNECTIONS];
    let theirs_request = vec![other.request(); CONNECTIONS];
    burst(&server.address, &ours_request, BURST / 2)?;
    burst(&other.address, &theirs_request, BURST / 2)?;
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cpu, mut their_cpu) = (Vec::new(), Vec::new());
    let each = |spent: f64, burst: &Burst| spent / (burst.per_second * BURST.as_secs_f64()) * 1e6;
    for _ in 0..a.rounds {
        std::thread::sleep(REST);
        let before = server.cpu_seconds()?;
        let one: Burst = burst(&server.address, &ours_request, BURST)?;
        cpu.push(each(server.cpu_seconds()? - before, &one));
        std::thread::sleep(REST);
        let before = other.cpu_seconds()?;
        let two = burst(&other.address, &theirs_request, BURST)?;
        their_cpu.push(each(other.cpu_seconds()? - before, &two));
        ratios.push(one.per_second / two.per_second);
        ours.push(one);
        theirs.push(two);
    }
    let of = |bursts: &[Burst], what: fn(&Burst) -> f64| median(&bursts.iter().map(what).collect::<Vec<_>>());
    let ratio = median(&ratios);
    figures.push(Figure {
        what: format!("GET of 4 KiB, {CONNECTIONS} connections, against {}", other.name),
        value: format!(
            "{:.0}/s, {:.0}/s: {ratio:.2} x",
            of(&ours, |one| one.per_second),
            of(&theirs, |one| one.per_second)
        ),
        aim: "0.6 x",
        met: Some(ratio >= 0.6),
    });
    figures.push(Figure {
        what: format!("its p50, p99; server CPU a call, {}'s", other.name),
        value: format!(
            "{:.0} µs, {:.0} µs; {:.1} µs, {:.1} µs",
            of(&ours, |one| one.p50),
            of(&ours, |one| one.p99),
            median(&cpu),
            median(&their_cpu)
        ),
        aim: "",
        met: None,
    });
    Ok(())
}

fn print(figures: &[Figure], rounds: usize) {
    let widest = figures.iter().map(|figure| figure.what.chars().count()).max().unwrap_or(0);
    let value = figures.iter().map(|figure| figure.value.chars().count()).max().unwrap_or(0);
    println!(
        "medians of {rounds} interleaved rounds; {} cores",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!("{:widest$}  {:value$}  {:16}  MET", "WHAT", "MEASURED", "AIM");
    for figure in figures {
        let met = figure.met.map_or("", |met| if met { "yes" } else { "no" });
        println!("{:widest$}  {:value$}  {:16}  {met}", figure.what, figure.value, figure.aim);
    }
}
