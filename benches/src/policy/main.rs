//! `bench-policy [STATEMENTS...] [--seconds S] [--only ENGINE]`: decisions per engine and workload, in one run on one
//! machine. The workload of all slots is Stoa's alone: the others cannot express that each level must allow.
//!
//! Every engine's verdict on every request is compared with the expected one; the wrong ones are named in the table.
//! Exits 1 when Stoa's own are wrong. Nothing is kept.

mod engines;
mod memory;
mod workload;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use engines::{Cedar, Engine, IamRs, Stoa};
use workload::Workload;

/// One line of the table.
struct Row {
    workload: &'static str,
    engine: &'static str,
    statements: usize,
    parse: Option<Duration>,
    compile: Duration,
    p50: f64,
    p99: f64,
    wrong: Vec<&'static str>,
}

fn main() -> ExitCode {
    let (mut sizes, mut seconds, mut only) = (Vec::new(), 0.6, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(seconds);
        } else if argument == "--only" {
            only = arguments.next();
        } else if let Ok(size) = argument.parse() {
            sizes.push(size);
        } else {
            eprintln!("usage: bench-policy [STATEMENTS...] [--seconds S] [--only ENGINE]");
            return ExitCode::from(2);
        }
    }
    if sizes.is_empty() {
        sizes = vec![10, 100, 1000, 5000];
    }
    for workload in Workload::all(sizes.iter().copied().max().unwrap_or(0)) {
        let bytes = engines::bytes_a_statement(&workload);
        println!("stoa keeps {bytes} bytes a statement of `{}` at {} statements", workload.name, workload.statements);
    }
    let mut rows = Vec::new();
    let wanted = |engine: &str| only.as_deref().is_none_or(|only| only == engine);
    for size in &sizes {
        for workload in Workload::all(*size) {
            let time = Duration::from_secs_f64(seconds);
            rows.push(measure("stoa", &workload, time, 64, || Stoa::new(&workload)));
            if workload.policies.identity_only() && wanted("iam-rs") {
                rows.push(measure("iam-rs", &workload, time, 1, || IamRs::new(&workload)));
            }
            if workload.policies.identity_only() && wanted("cedar") {
                rows.push(measure("cedar", &workload, time, 1, || Cedar::new(&workload)));
            }
        }
    }
    rows.sort_by_key(|row| row.workload);
    print(&rows);
    if rows.iter().any(|row| row.engine == "stoa" && !row.wrong.is_empty()) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Times batches of `rounds` times all requests; p50 and p99 are of batch means.
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
    Row {
        workload: workload.name,
        engine,
        statements: workload.statements,
        parse,
        compile,
        p50: at(0.5),
        p99: at(0.99),
        wrong,
    }
}

fn print(rows: &[Row]) {
    println!(
        "| workload | engine | statements | p50 µs | p99 µs | decisions/s | parse ms | compile ms | p50 / stoa's | growth from first size | wrong verdicts |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let same = |engine: &str, size: usize| {
            rows.iter().find(|r| r.workload == row.workload && r.engine == engine && r.statements == size)
        };
        let ratio = row.p50 / same("stoa", row.statements).map_or(f64::NAN, |stoa| stoa.p50);
        let first = rows
            .iter()
            .find(|r| r.workload == row.workload && r.engine == row.engine)
            .map_or(f64::NAN, |first| first.p50);
        let parse = row.parse.map_or("with compile".to_owned(), |time| format!("{:.1}", time.as_secs_f64() * 1e3));
        let wrong = if row.wrong.is_empty() { "none".to_owned() } else { row.wrong.join(", ") };
        println!(
            "| {} | {} | {} | {:.3} | {:.3} | {:.0} | {parse} | {:.1} | {ratio:.1}x | {:.2}x | {wrong} |",
            row.workload,
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
