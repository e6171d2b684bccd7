//! `bench-policy [STATEMENTS...] [--seconds S]`: decisions per engine on one workload, in one run on one machine.
//!
//! Every engine's verdict on every request is compared with the expected one; the wrong ones are named in the table.
//! Exits 1 when Stoa's own are wrong. Nothing is kept.

mod engines;
mod workload;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use engines::{Cedar, Engine, IamRs, Stoa};
use workload::Workload;

/// One line of the table.
struct Row {
    engine: &'static str,
    statements: usize,
    parse: Option<Duration>,
    compile: Duration,
    p50: f64,
    p99: f64,
    wrong: Vec<&'static str>,
}

fn main() -> ExitCode {
    let (mut sizes, mut seconds) = (Vec::new(), 0.6);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(seconds);
        } else if let Ok(size) = argument.parse() {
            sizes.push(size);
        } else {
            eprintln!("usage: bench-policy [STATEMENTS...] [--seconds S]");
            return ExitCode::from(2);
        }
    }
    if sizes.is_empty() {
        sizes = vec![10, 100, 1000, 5000];
    }
    let largest = Workload::of(sizes.iter().copied().max().unwrap_or(0));
    let bytes = engines::bytes_a_statement(&largest);
    println!("stoa keeps about {bytes} bytes a statement at {} statements", largest.statements);
    drop(largest);
    let mut rows = Vec::new();
    for size in &sizes {
        let workload = Workload::of(*size);
        let time = Duration::from_secs_f64(seconds);
        rows.push(measure("stoa", &workload, time, 64, || Stoa::new(&workload)));
        rows.push(measure("iam-rs", &workload, time, 1, || IamRs::new(&workload)));
        rows.push(measure("cedar", &workload, time, 1, || Cedar::new(&workload)));
    }
    print(&rows);
    if rows.iter().any(|row| row.engine == "stoa" && !row.wrong.is_empty()) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Times batches of `rounds` times the eight requests; p50 and p99 are of batch means.
fn measure<E: Engine>(
    engine: &'static str,
    workload: &Workload,
    time: Duration,
    rounds: usize,
    make: impl FnOnce() -> E,
) -> Row {
    let begun = Instant::now();
    let made = make();
    let (parse, compile) = match made.times() {
        Some((parse, compile)) => (Some(parse), compile),
        None => (None, begun.elapsed()),
    };
    let count = workload.requests.len();
    let wrong = (0..count)
        .filter(|at| made.decide(*at) != workload.requests[*at].expect)
        .map(|at| workload.requests[at].name)
        .collect();
    let mut batches = Vec::new();
    let end = Instant::now() + time;
    while Instant::now() < end || batches.len() < 10 {
        let begun = Instant::now();
        for _ in 0..rounds {
            for at in 0..count {
                std::hint::black_box(made.decide(at));
            }
        }
        batches.push(begun.elapsed().as_secs_f64() * 1e6 / (rounds * count) as f64);
    }
    batches.sort_by(f64::total_cmp);
    let at = |share: f64| batches[((batches.len() - 1) as f64 * share) as usize];
    Row { engine, statements: workload.statements, parse, compile, p50: at(0.5), p99: at(0.99), wrong }
}

fn print(rows: &[Row]) {
    println!(
        "| engine | statements | p50 µs | p99 µs | decisions/s | parse ms | compile ms | p50 / stoa's | growth from first size | wrong verdicts |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let same = |engine: &str, size: usize| rows.iter().find(|r| r.engine == engine && r.statements == size);
        let ratio = row.p50 / same("stoa", row.statements).map_or(f64::NAN, |stoa| stoa.p50);
        let first = rows.iter().find(|r| r.engine == row.engine).map_or(f64::NAN, |first| first.p50);
        let parse = row.parse.map_or("with compile".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1e3));
        let wrong = if row.wrong.is_empty() { "none".to_owned() } else { row.wrong.join(", ") };
        println!(
            "| {} | {} | {:.3} | {:.3} | {:.0} | {parse} | {:.1} | {ratio:.1}x | {:.2}x | {wrong} |",
            row.engine,
            row.statements,
            row.p50,
            row.p99,
            1e6 / row.p50,
            row.compile.as_secs_f64() * 1e3,
            row.p50 / first
        );
    }
}
