//! `bench-front [--rounds N] [--dir DIR]`: the front of the server that `STOA_BINARY` names, against an empty handler on
//! the same HTTP stack, in one run on one machine. Figures are medians of interleaved rounds; p99 are of bursts under
//! 0.8 s, since the kernel throttles the real-time class, in which this should run, to 95 % of each second.
//!
//! Nothing is kept: the data folder is a temporary one.

#[allow(dead_code, reason = "shared with bench-objects")]
mod aws;
mod empty;
mod load;
#[allow(dead_code, reason = "shared with bench-objects")]
mod stoa;
mod wire;

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws::Caller;
use empty::Empty;
use load::{Burst, burst, median};
use serde_json::{Value, json};
use stoa::Stoa;
use wire::{Client, Outcome};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HUB: &str = "Bench";
const CONNECTIONS: usize = 64;
const BURST: Duration = Duration::from_millis(750);
/// Between bursts, so that the real-time class has its budget again.
const REST: Duration = Duration::from_millis(300);
const MODEL: &str = "sklearn-tabularclassification-iris";
/// Identity policy statements that the measured caller has: five attached policies of twenty.
const POLICIES: (usize, usize) = (5, 20);

struct Arguments {
    binary: PathBuf,
    folder: PathBuf,
    rounds: usize,
}

/// One line of the table.
struct Figure {
    what: String,
    value: String,
    aim: &'static str,
    met: Option<bool>,
}

fn main() -> ExitCode {
    let first = std::env::args().nth(1);
    let done = if first.as_deref() == Some(empty::ARGUMENT) { empty::serve() } else { run() };
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
    let (mut rounds, mut parent) = (5, std::env::temp_dir());
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or("usage: bench-front [--rounds N] [--dir DIR]")?;
        match name.as_str() {
            "--rounds" => rounds = value.parse()?,
            "--dir" => parent = PathBuf::from(value),
            _ => return Err("usage: bench-front [--rounds N] [--dir DIR]".into()),
        }
    }
    let folder = parent.join(format!("stoa-bench-{}", std::process::id()));
    Ok(Arguments { binary: PathBuf::from(binary), folder, rounds })
}

fn run() -> Outcome<()> {
    let arguments = arguments()?;
    std::fs::create_dir_all(&arguments.folder)?;
    let measured = measure_all(&arguments);
    // What cannot be removed now lies in the temporary folder.
    let _ = std::fs::remove_dir_all(&arguments.folder);
    let figures = measured?;
    print(&figures, arguments.rounds);
    Ok(())
}

fn measure_all(arguments: &Arguments) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let data_dir = arguments.folder.join("d");
    starts(arguments, &data_dir, &mut figures)?;
    let server = Stoa::start(&arguments.binary, &data_dir)?;
    let admin = Caller::from_data_dir(&server.data_dir, &server.address)?;
    let hub = admin.sagemaker("DescribeHub", &json!({ "HubName": HUB }))?;
    let account = hub["HubArn"].as_str().and_then(|arn| arn.split(':').nth(4)).ok_or("no account")?.to_owned();
    let user = admin.user_with_statements("bench", &account, POLICIES.0, POLICIES.1)?;
    many_connections(arguments, &server, &user, &mut figures)?;
    one_connection(arguments, &server, &user, &mut figures)?;
    endpoints(arguments, &server, &admin, &user, &account, &mut figures)?;
    Ok(figures)
}

fn describe_hub(caller: &Caller) -> Outcome<Vec<u8>> {
    caller.sagemaker_request("DescribeHub", &json!({ "HubName": HUB }))
}

fn expect_ok(answer: &wire::Answer, what: &str) -> Outcome<()> {
    if answer.status == 200 {
        return Ok(());
    }
    Err(format!("{what}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)).into())
}

fn progress(what: &str) {
    eprintln!("   measuring: {what}");
}

/// Start to the first authorised answer, and memory: first over an empty folder, then over one with the samples in it.
fn starts(arguments: &Arguments, data_dir: &Path, figures: &mut Vec<Figure>) -> Outcome<()> {
    progress("starts and memory");
    let fresh = Stoa::start(&arguments.binary, data_dir)?;
    let first_start = fresh.spawned.elapsed();
    let admin = Caller::from_data_dir(data_dir, &fresh.address)?;
    admin.sagemaker("CreateHub", &json!({ "HubName": HUB, "HubDescription": "measured" }))?;
    drop(fresh);
    let (mut answered, mut ready, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let server = Stoa::start(&arguments.binary, data_dir)?;
        let admin = Caller::from_data_dir(data_dir, &server.address)?;
        let request = describe_hub(&admin)?;
        let mut client = Client::connect(&server.address)?;
        expect_ok(&client.call(&request)?, "the first call")?;
        answered.push(server.spawned.elapsed().as_secs_f64() * 1e3);
        ready.push(server.ready.as_secs_f64() * 1e3);
        for _ in 0..200 {
            expect_ok(&client.call(&request)?, "a call")?;
        }
        resident.push(server.resident_mib()?);
    }
    let (answered, resident) = (median(&answered), median(&resident));
    figures.push(Figure {
        what: "start to first authorised answer, samples loaded".to_owned(),
        value: format!("{answered:.1} ms (its ready line after {:.1} ms)", median(&ready)),
        aim: "50 ms",
        met: Some(answered <= 50.0),
    });
    figures.push(Figure {
        what: "first start of all: folder, keys, CA, samples".to_owned(),
        value: format!("{:.0} ms", first_start.as_secs_f64() * 1e3),
        aim: "",
        met: None,
    });
    figures.push(Figure {
        what: "resident memory after 200 calls, samples loaded".to_owned(),
        value: format!("{resident:.1} MiB"),
        aim: "40 MiB",
        met: Some(resident <= 40.0),
    });
    Ok(())
}

/// DescribeHub against the empty handler, 64 connections, alternating bursts.
fn many_connections(arguments: &Arguments, server: &Stoa, user: &Caller, figures: &mut Vec<Figure>) -> Outcome<()> {
    progress("DescribeHub against the empty handler, 64 connections");
    let empty = Empty::start()?;
    let request = describe_hub(user)?;
    let requests = vec![request; CONNECTIONS];
    // Cold caches and page faults are not what is asked for.
    burst(&server.address, &requests, BURST / 2)?;
    burst(&empty.address, &requests, BURST / 2)?;
    let (mut ours, mut theirs, mut ratios, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        std::thread::sleep(REST);
        let before = server.cpu_seconds()?;
        let one: Burst = burst(&server.address, &requests, BURST)?;
        cpu.push((server.cpu_seconds()? - before) / (one.per_second * BURST.as_secs_f64()) * 1e6);
        std::thread::sleep(REST);
        let other = burst(&empty.address, &requests, BURST)?;
        ratios.push(one.per_second / other.per_second);
        ours.push(one);
        theirs.push(other);
    }
    let of = |bursts: &[Burst], what: fn(&Burst) -> f64| median(&bursts.iter().map(what).collect::<Vec<_>>());
    let ratio = median(&ratios);
    let (p50, p99) = (of(&ours, |one| one.p50), of(&ours, |one| one.p99));
    figures.push(Figure {
        what: format!("DescribeHub, {CONNECTIONS} connections, {} statements", POLICIES.0 * POLICIES.1),
        value: format!("{:.0}/s, {:.1} µs CPU a call", of(&ours, |one| one.per_second), median(&cpu)),
        aim: "",
        met: None,
    });
    figures.push(Figure {
        what: "the empty handler".to_owned(),
        value: format!(
            "{:.0}/s, p50 {:.0} µs, p99 {:.0} µs",
            of(&theirs, |one| one.per_second),
            of(&theirs, |one| one.p50),
            of(&theirs, |one| one.p99)
        ),
        aim: "",
        met: None,
    });
    figures.push(Figure {
        what: "the one against the other".to_owned(),
        value: format!("{ratio:.2} x{}", if ratio < 0.35 { ", under the floor of 0.35 x" } else { "" }),
        aim: "0.5 x, never under 0.35 x",
        met: Some(ratio >= 0.5),
    });
    figures.push(Figure {
        what: "DescribeHub p99 against its p50".to_owned(),
        value: format!("{p50:.0} µs, {p99:.0} µs: {:.1} x", p99 / p50),
        aim: "3 x",
        met: Some(p99 / p50 <= 3.0),
    });
    Ok(())
}

/// One client against a bare `fdatasync` on the same disk, a few of each in turn.
fn one_connection(arguments: &Arguments, server: &Stoa, user: &Caller, figures: &mut Vec<Figure>) -> Outcome<()> {
    progress("one client against a bare fdatasync");
    const RECORD: usize = 1024;
    const RECORDS: usize = 4096;
    let path = arguments.folder.join("fdatasync");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    file.write_all(&vec![1; RECORD * RECORDS])?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let request = describe_hub(user)?;
    let mut client = Client::connect(&server.address)?;
    let record = [2_u8; RECORD];
    let (mut calls, mut syncs, mut at) = (Vec::new(), Vec::new(), 0);
    for _ in 0..arguments.rounds {
        std::thread::sleep(REST);
        let (mut round_calls, mut round_syncs) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            let began = Instant::now();
            expect_ok(&client.call(&request)?, "a call")?;
            round_calls.push(began.elapsed().as_secs_f64() * 1e6);
            if at % RECORDS == 0 {
                file.seek(SeekFrom::Start(0))?;
            }
            at += 1;
            round_syncs.push(bare_sync(&mut file, &record)?);
        }
        calls.push(median(&round_calls));
        syncs.push(median(&round_syncs));
    }
    let ratios: Vec<f64> = calls.iter().zip(&syncs).map(|(call, sync)| call / sync).collect();
    let ratio = median(&ratios);
    figures.push(Figure {
        what: "DescribeHub, one client: p50 against a bare fdatasync".to_owned(),
        value: format!("{:.0} µs, {:.0} µs: {ratio:.2} x", median(&calls), median(&syncs)),
        aim: "2 x",
        met: Some(ratio <= 2.0),
    });
    Ok(())
}

fn bare_sync(file: &mut File, record: &[u8]) -> Outcome<f64> {
    let began = Instant::now();
    file.write_all(record)?;
    file.sync_data()?;
    Ok(began.elapsed().as_secs_f64() * 1e6)
}

/// CreateEndpoint to InService, then invocations by Stoa and straight to the container's socket, in turn.
fn endpoints(
    arguments: &Arguments,
    server: &Stoa,
    admin: &Caller,
    user: &Caller,
    account: &str,
    figures: &mut Vec<Figure>,
) -> Outcome<()> {
    progress("endpoints");
    configure(admin, account)?;
    let mut times = Vec::new();
    for round in 0..arguments.rounds {
        let name = format!("bench-{round}");
        let began = Instant::now();
        admin.sagemaker("CreateEndpoint", &json!({ "EndpointName": name, "EndpointConfigName": "bench" }))?;
        in_service(admin, &name)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        if round + 1 < arguments.rounds {
            admin.sagemaker("DeleteEndpoint", &json!({ "EndpointName": name }))?;
            while admin.sagemaker("DescribeEndpoint", &json!({ "EndpointName": name })).is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    let time = median(&times);
    figures.push(Figure {
        what: "CreateEndpoint to InService, sample model".to_owned(),
        value: format!("{time:.0} ms"),
        aim: "1 s",
        met: Some(time <= 1000.0),
    });
    invocations(arguments, server, user, &format!("bench-{}", arguments.rounds - 1), figures)
}

fn configure(admin: &Caller, account: &str) -> Outcome<()> {
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "sagemaker.amazonaws.com"}}]});
    admin.iam("CreateRole", &[("RoleName", "bench"), ("AssumeRolePolicyDocument", &trust.to_string())])?;
    let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    admin
        .iam("PutRolePolicy", &[("RoleName", "bench"), ("PolicyName", "all"), ("PolicyDocument", &all.to_string())])?;
    let content = json!({"HubName": "SageMakerPublicHub", "HubContentType": "Model", "HubContentName": MODEL});
    let described = admin.sagemaker("DescribeHubContent", &content)?;
    let document: Value = serde_json::from_str(described["HubContentDocument"].as_str().unwrap_or_default())?;
    let source = json!({"S3Uri": document["HostingArtifactUri"], "S3DataType": "S3Prefix", "CompressionType": "None"});
    admin.sagemaker(
        "CreateModel",
        &json!({
        "ModelName": "bench", "ExecutionRoleArn": format!("arn:aws:iam::{account}:role/bench"),
        "PrimaryContainer": {"Image": document["HostingEcrUri"], "ModelDataSource": {"S3DataSource": source}}}),
    )?;
    admin.sagemaker(
        "CreateEndpointConfig",
        &json!({
        "EndpointConfigName": "bench", "ProductionVariants": [{"VariantName": "v", "ModelName": "bench",
        "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}]}),
    )?;
    Ok(())
}

fn in_service(admin: &Caller, name: &str) -> Outcome<()> {
    let began = Instant::now();
    loop {
        let described = admin.sagemaker("DescribeEndpoint", &json!({ "EndpointName": name }))?;
        match described["EndpointStatus"].as_str() {
            Some("InService") => return Ok(()),
            Some("Creating") if began.elapsed() < Duration::from_secs(60) => {
                std::thread::sleep(Duration::from_millis(2))
            }
            _ => return Err(format!("{name} is not in service: {described}").into()),
        }
    }
}

/// Rows that fill about a kibibyte.
fn body() -> Vec<u8> {
    let mut rows = Vec::new();
    while rows.len() < 1008 {
        rows.extend_from_slice(b"5.1,3.5,1.4,0.2\n");
    }
    rows
}

fn invocations(
    arguments: &Arguments,
    server: &Stoa,
    user: &Caller,
    endpoint: &str,
    figures: &mut Vec<Figure>,
) -> Outcome<()> {
    progress("invocations");
    let body = body();
    let path = format!("/endpoints/{endpoint}/invocations");
    let signed = user.request("sagemaker", &path, &[("content-type", "text/csv")], &body)?;
    let mut by_stoa = Client::connect(&server.address)?;
    let sockets = stoa::container_sockets(&server.data_dir);
    let stream = sockets.first().and_then(|path| UnixStream::connect(path).ok());
    let mut straight = stream.map(Client::over);
    let mut plain = format!(
        "POST /invocations HTTP/1.1\r\nhost: container\r\ncontent-type: text/csv\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    plain.extend_from_slice(&body);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        std::thread::sleep(REST);
        let (mut round_ours, mut round_theirs) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            let began = Instant::now();
            expect_ok(&by_stoa.call(&signed)?, "an invocation")?;
            round_ours.push(began.elapsed().as_secs_f64() * 1e6);
            if let Some(straight) = &mut straight {
                let began = Instant::now();
                expect_ok(&straight.call(&plain)?, "an invocation of the container")?;
                round_theirs.push(began.elapsed().as_secs_f64() * 1e6);
            }
        }
        ours.push(median(&round_ours));
        theirs.push(median(&round_theirs));
    }
    let what = format!("InvokeEndpoint, {} bytes, added p50", body.len());
    if straight.is_none() {
        let value = format!("{:.0} µs in all; the container's socket cannot be reached from here", median(&ours));
        figures.push(Figure { what, value, aim: "150 µs", met: None });
        return Ok(());
    }
    let added = median(&ours.iter().zip(&theirs).map(|(one, other)| one - other).collect::<Vec<_>>());
    figures.push(Figure {
        what,
        value: format!(
            "{added:.0} µs ({:.0} by Stoa, {:.0} straight to the container)",
            median(&ours),
            median(&theirs)
        ),
        aim: "150 µs",
        met: Some(added <= 150.0),
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
    println!("{:widest$}  {:value$}  {:26}  MET", "WHAT", "MEASURED", "AIM");
    for figure in figures {
        let met = figure.met.map_or("", |met| if met { "yes" } else { "no" });
        println!("{:widest$}  {:value$}  {:26}  {met}", figure.what, figure.value, figure.aim);
    }
}
