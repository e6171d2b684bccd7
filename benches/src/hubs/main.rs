//! `bench-hubs [--models N] [--hubs N] [--references N] [--bundle-mib N] [--dir DIR]`: the server that `STOA_BINARY` names over a public
//! hub of 50,000 models and 1,000 private hubs of 500 references, and over a tenth of the hubs, to see what grows.
//!
//! Times are what one client on a kept connection sees, signature, decision and durable audit record included, and the
//! server's CPU time a call. Nothing is kept: the data folders are temporary ones.

#[path = "../front/aws.rs"]
#[expect(dead_code, reason = "shared with bench-front, which calls more of it")]
mod aws;
mod bundle;
mod data;
mod memory;
#[path = "../front/stoa.rs"]
#[expect(dead_code, reason = "shared with bench-front, which calls more of it")]
mod stoa;
#[path = "../front/wire.rs"]
mod wire;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use aws::Caller;
use data::{Size, hub_name, manifest, model_id};
use serde_json::{Value, json};
use stoa::Stoa;
use wire::{Client, Outcome};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CALLS: usize = 400;
const PATIENCE: Duration = Duration::from_secs(120);
const REFERENCE: &str = "ModelReference";

struct Arguments {
    binary: PathBuf,
    folder: PathBuf,
    size: Size,
    /// Of the weights in the bundle that is imported; none is when it is 0.
    bundle_bytes: u64,
}

/// One line of the table.
struct Figure {
    what: String,
    value: String,
    aim: &'static str,
    met: Option<bool>,
}

/// What a call costs: median and p99 in ms as the client sees them, CPU of the server in ms.
struct Cost {
    median: f64,
    p99: f64,
    cpu: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Outcome<Arguments> {
    const USAGE: &str = "usage: bench-hubs [--models N] [--hubs N] [--references N] [--bundle-mib N] [--dir DIR]";
    let binary = std::env::var_os("STOA_BINARY").ok_or("STOA_BINARY must name a release build of stoa")?;
    let mut size = Size { models: 50_000, hubs: 1000, references: 500 };
    let mut bundle_bytes = 4 << 30;
    let mut parent = std::env::temp_dir();
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next().ok_or(USAGE)?;
        match name.as_str() {
            "--models" => size.models = value.parse()?,
            "--hubs" => size.hubs = value.parse()?,
            "--references" => size.references = value.parse()?,
            "--bundle-mib" => bundle_bytes = value.parse::<u64>()? << 20,
            "--dir" => parent = PathBuf::from(value),
            _ => return Err(USAGE.into()),
        }
    }
    let folder = parent.join(format!("stoa-bench-hubs-{}", std::process::id()));
    Ok(Arguments { binary: PathBuf::from(binary), folder, size, bundle_bytes })
}

fn run() -> Outcome<()> {
    let arguments = arguments()?;
    std::fs::create_dir_all(&arguments.folder)?;
    let measured = measure_both(&arguments);
    // What cannot be removed now lies in the temporary folder.
    let _ = std::fs::remove_dir_all(&arguments.folder);
    print(&measured?, arguments.size);
    Ok(())
}

fn measure_both(arguments: &Arguments) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let few = Size { hubs: (arguments.size.hubs / 10).max(1), ..arguments.size };
    let small = measure(arguments, few, &arguments.folder.join("few"), &mut Vec::new())?;
    let large = measure(arguments, arguments.size, &arguments.folder.join("all"), &mut figures)?;
    for (what, few_hubs, all_hubs) in [("ListHubContents", small.0, large.0), ("DescribeHubContent", small.1, large.1)]
    {
        let ratio = all_hubs / few_hubs;
        figures.push(Figure {
            what: format!("{what}: {} hubs against {}", arguments.size.hubs, few.hubs),
            value: format!("{ratio:.2} x ({few_hubs:.2} ms, {all_hubs:.2} ms)"),
            aim: "flat",
            met: Some(ratio < 1.3),
        });
    }
    for part in ["few", "all"] {
        std::fs::remove_dir_all(arguments.folder.join(part))?;
    }
    if arguments.bundle_bytes > 0 {
        figures.push(bundle::measure(arguments)?);
    }
    Ok(figures)
}

fn progress(what: &str) {
    eprintln!("   measuring: {what}");
}

/// Sets one data folder up and measures it; the medians of listing and describing, for comparing.
fn measure(arguments: &Arguments, size: Size, data_dir: &Path, figures: &mut Vec<Figure>) -> Outcome<(f64, f64)> {
    progress(&format!("{} hubs: writing {} references", size.hubs, size.hubs * size.references));
    let account = {
        let server = Stoa::start(&arguments.binary, data_dir)?;
        let admin = Caller::from_data_dir(data_dir, &server.address)?;
        let hub = admin.sagemaker("CreateHub", &json!({"HubName": "first", "HubDescription": "d"}))?;
        hub["HubArn"].as_str().and_then(|arn| arn.split(':').nth(4)).ok_or("no account")?.to_owned()
    };
    data::write(&data_dir.join("stoa.db"), &account, size)?;
    let server = Stoa::start(&arguments.binary, data_dir)?;
    let admin = Caller::from_data_dir(data_dir, &server.address)?;
    figures.push(Figure {
        what: "memory after the start, by kind".to_owned(),
        value: memory::of(server.id())?.to_string(),
        aim: "",
        met: None,
    });
    // The first use reads the catalog.
    let began = Instant::now();
    admin.sagemaker("ListHubContents", &json!({"HubName": "SageMakerPublicHub", "HubContentType": "Model"}))?;
    let loaded = began.elapsed();
    figures.push(Figure {
        what: format!("first use: the catalog of {} models is read", size.models),
        value: format!("{:.2} s", loaded.as_secs_f64()),
        aim: "",
        met: None,
    });
    let mut seen = vec![("the catalog was read", memory::of(server.id())?)];
    let (listing, describing) = calls(&server, &admin, size, figures)?;
    seen.push(("lists and descriptions", memory::of(server.id())?));
    manifest_object(data_dir, &server, &admin, figures)?;
    seen.push(("the manifest", memory::of(server.id())?));
    changes(arguments, &server, &admin, size, figures)?;
    seen.push(("changes of the catalog", memory::of(server.id())?));
    if size.hubs == arguments.size.hubs {
        describe_all(&server, &admin, size)?;
        seen.push(("every public model was described", memory::of(server.id())?));
    }
    let resident = server.resident_mib()?;
    for (after, memory) in seen {
        figures.push(Figure {
            what: format!("memory after {after}, by kind"),
            value: memory.to_string(),
            aim: "",
            met: None,
        });
    }
    figures.push(Figure {
        what: "resident memory after all of this".to_owned(),
        value: format!("{resident:.0} MiB"),
        aim: "300 MB",
        met: Some(resident * 1.048_576 <= 300.0),
    });
    Ok((listing, describing))
}

fn calls(server: &Stoa, admin: &Caller, size: Size, figures: &mut Vec<Figure>) -> Outcome<(f64, f64)> {
    progress("lists and descriptions");
    let list = |hub: &str, kind: &str| json!({"HubName": hub, "HubContentType": kind, "MaxResults": 100});
    let describe =
        |hub: &str, kind: &str, name: &str| json!({"HubName": hub, "HubContentType": kind, "HubContentName": name});
    let hubs = |place: usize| hub_name(place * 7 % size.hubs);
    let listing = cost(server, admin, "ListHubContents", |place| list(&hubs(place), REFERENCE))?;
    figure(figures, "ListHubContents, private hub, page of 100", &listing, "5 ms", 5.0);
    let next = admin.sagemaker("ListHubContents", &list(&hub_name(0), REFERENCE))?["NextToken"].clone();
    if next.is_string() {
        let mut later = list(&hub_name(0), REFERENCE);
        later["NextToken"] = next;
        let later = cost(server, admin, "ListHubContents", |_| later.clone())?;
        figure(figures, "the same, its second page", &later, "5 ms", 5.0);
    }
    let public = cost(server, admin, "ListHubContents", |_| list("SageMakerPublicHub", "Model"))?;
    figure(figures, "ListHubContents, public hub, page of 100", &public, "5 ms", 5.0);
    let describing =
        cost(server, admin, "DescribeHubContent", |place| describe(&hubs(place), REFERENCE, &model_id(0)))?;
    figure(figures, "DescribeHubContent, a reference", &describing, "1 ms", 1.0);
    let public = cost(server, admin, "DescribeHubContent", |place| {
        describe("SageMakerPublicHub", "Model", &model_id(place * 31 % size.models))
    })?;
    figure(figures, "DescribeHubContent, a public model", &public, "1 ms", 1.0);
    Ok((listing.median, describing.median))
}

/// Fills whatever keeps what was read.
fn describe_all(server: &Stoa, admin: &Caller, size: Size) -> Outcome<()> {
    progress("every public model");
    let mut client = Client::connect(&server.address)?;
    for number in 0..size.models {
        let id = model_id(number);
        let input = json!({"HubName": "SageMakerPublicHub", "HubContentType": "Model", "HubContentName": id});
        let answer = client.call(&admin.sagemaker_request("DescribeHubContent", &input)?)?;
        if answer.status != 200 {
            return Err(format!("{id}: {}", answer.status).into());
        }
    }
    Ok(())
}

/// Calls one after the other on one connection.
fn cost(server: &Stoa, admin: &Caller, operation: &str, input: impl Fn(usize) -> Value) -> Outcome<Cost> {
    let requests: Outcome<Vec<Vec<u8>>> =
        (0..CALLS).map(|place| admin.sagemaker_request(operation, &input(place))).collect();
    let requests = requests?;
    let mut client = Client::connect(&server.address)?;
    let mut call = |request: &[u8]| -> Outcome<f64> {
        let began = Instant::now();
        let answer = client.call(request)?;
        let took = began.elapsed().as_secs_f64() * 1e3;
        if answer.status == 200 {
            return Ok(took);
        }
        Err(format!("{operation}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)).into())
    };
    for request in requests.iter().take(20) {
        call(request)?;
    }
    let before = server.cpu_seconds()?;
    let mut times = Vec::with_capacity(CALLS);
    for request in &requests {
        times.push(call(request)?);
    }
    let cpu = (server.cpu_seconds()? - before) / CALLS as f64 * 1e3;
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    Ok(Cost { median: at(0.5), p99: at(0.99), cpu })
}

fn figure(figures: &mut Vec<Figure>, what: &str, cost: &Cost, aim: &'static str, most: f64) {
    figures.push(Figure {
        what: what.to_owned(),
        value: format!("{:.2} ms, p99 {:.2} ms, CPU {:.2} ms", cost.median, cost.p99, cost.cpu),
        aim,
        met: Some(cost.median <= most),
    });
}

/// The JumpStart manifest as the SDK reads it, and whether its ETag is that of its bytes and stays.
fn manifest_object(data_dir: &Path, server: &Stoa, admin: &Caller, figures: &mut Vec<Figure>) -> Outcome<()> {
    progress("the manifest of the public path");
    let url = format!("http://{}/jumpstart-cache-prod-{}/models_manifest.json", server.address, aws::REGION);
    let mut times = Vec::new();
    let mut etags = std::collections::BTreeSet::new();
    let (mut length, mut right) = (0, true);
    let body = data_dir.with_extension("manifest");
    for _ in 0..5 {
        let began = Instant::now();
        let output = curl(admin, &body, &url)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        if !output.status.success() {
            let value = format!("not read: {}", String::from_utf8_lossy(&output.stderr).trim());
            figures.push(Figure { what: "models_manifest.json".to_owned(), value, aim: "", met: Some(false) });
            return Ok(());
        }
        let head = String::from_utf8_lossy(&output.stdout).to_lowercase();
        let etag =
            head.lines().find_map(|line| line.strip_prefix("etag:")).unwrap_or("").trim().trim_matches('"').to_owned();
        let sum = Command::new("md5sum").arg(&body).output()?;
        right &= String::from_utf8_lossy(&sum.stdout).starts_with(&etag) && !etag.is_empty();
        etags.insert(etag);
        length = std::fs::metadata(&body)?.len();
    }
    let first = times.remove(0);
    times.sort_by(f64::total_cmp);
    figures.push(Figure {
        what: format!("models_manifest.json, {:.1} MB", length as f64 / 1e6),
        value: format!(
            "{:.0} ms, at first {first:.0} ms, ETag {}",
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
            if right && etags.len() == 1 { "is its MD5" } else { "is wrong" }
        ),
        aim: "from memory, right ETag",
        met: Some(right && etags.len() == 1),
    });
    Ok(())
}

/// A signed GET. The credentials are of a data folder that goes with this run.
fn curl(admin: &Caller, body: &Path, url: &str) -> Outcome<std::process::Output> {
    let mut command = Command::new("curl");
    command.args(["-sS", "-f", "-D", "-", "--aws-sigv4"]).arg(format!("aws:amz:{}:s3", aws::REGION));
    command.arg("--user").arg(format!("{}:{}", admin.access_key_id, admin.secret.expose()));
    command.args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]);
    if let Some(token) = &admin.session_token {
        command.arg("-H").arg(format!("x-amz-security-token: {}", token.expose()));
    }
    Ok(command.arg("-o").arg(body).arg(url).output()?)
}

/// A version that all hubs refer to, and a model that the rules of all hubs bring: from the start of the import to the
/// last hub that shows it.
fn changes(arguments: &Arguments, server: &Stoa, admin: &Caller, size: Size, figures: &mut Vec<Figure>) -> Outcome<()> {
    progress("changes of the catalog");
    for (what, id, version) in [
        ("a new version shows in", model_id(0), "1.1.0"),
        ("a model that rules let in is in", "ruled-textgeneration-new".to_owned(), "1.0.0"),
        ("another one is in", "ruled-textgeneration-newer".to_owned(), "1.0.0"),
    ] {
        let folder = arguments.folder.join("models").join(&id).join(version);
        std::fs::create_dir_all(folder.join("artifact"))?;
        std::fs::write(folder.join("manifest.json"), manifest(&id, version).to_string())?;
        std::fs::write(folder.join("README.md"), "# A card\n")?;
        std::fs::write(folder.join("artifact/config.json"), format!("{{\"of\": \"{id} {version}\"}}"))?;
        let mut client = Client::connect(&server.address)?;
        let requests: Outcome<Vec<Vec<u8>>> = (0..size.hubs)
            .map(|hub| {
                let input = json!({"HubName": hub_name(hub), "HubContentType": REFERENCE, "HubContentName": id, "HubContentVersion": version});
                admin.sagemaker_request("DescribeHubContent", &input)
            })
            .collect();
        let requests = requests?;
        let began = Instant::now();
        let mut import = Command::new(&arguments.binary);
        import.args(["catalog", "import"]).arg(&folder).arg("--data-dir").arg(&server.data_dir);
        let output = import.output()?;
        if !output.status.success() {
            return Err(format!("import: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let imported = began.elapsed();
        // The last hub first: while it does not show the model, nothing else is asked.
        let mut asked = 0;
        for request in requests.iter().rev() {
            while client.call(request)?.status != 200 {
                asked += 1;
                if began.elapsed() > PATIENCE {
                    return Err(format!("{id} is not in every hub after {PATIENCE:?} ({asked} times asked)").into());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let took = began.elapsed().as_secs_f64();
        figures.push(Figure {
            what: format!("{what} {} hubs after", size.hubs),
            value: format!("{took:.2} s (import {:.2} s; asking every hub included)", imported.as_secs_f64()),
            aim: "2 s",
            met: Some(took <= 2.0),
        });
    }
    Ok(())
}

fn print(figures: &[Figure], size: Size) {
    let widest = figures.iter().map(|figure| figure.what.chars().count()).max().unwrap_or(0);
    let value = figures.iter().map(|figure| figure.value.chars().count()).max().unwrap_or(0);
    println!(
        "{} public models, {} hubs of {} references; {} cores",
        size.models,
        size.hubs,
        size.references,
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!("{:widest$}  {:value$}  {:24}  MET", "WHAT", "MEASURED", "AIM");
    for figure in figures {
        let met = figure.met.map_or("", |met| if met { "yes" } else { "no" });
        println!("{:widest$}  {:value$}  {:24}  {met}", figure.what, figure.value, figure.aim);
    }
}
