//! Real containers: this binary starts itself as one, as the server does.
//!
//! Its program answers `/ping` and `/invocations` over the socket and does what its environment says. Where the kernel
//! gives no user namespaces, what is about isolation is skipped, and said to be.
#![expect(clippy::unwrap_used, reason = "a test, which clippy cannot know without the test harness")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::signal::{SigSet, Signal};
use stoa_runtime::{ContainerSpec, ContainerState, Invocation, InvocationRequest, Runtime, RuntimeError};
use stoa_runtime_process::{ProcessRuntime, ProcessRuntimeConfig, container_main};

const SERVER_ARGUMENT: &str = "server";
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(status) = container_main(&arguments, |_| program()) {
        return ExitCode::from(u8::try_from(status).unwrap_or(1));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [_, SERVER_ARGUMENT, folder, name] = arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        runtime.block_on(serve(folder, name));
    }
    runtime.block_on(async {
        a_container_from_start_to_stop().await;
        the_programs_end_is_seen().await;
        a_stop_waits_for_an_orderly_end_and_not_for_ever().await;
        a_dropped_runtime_leaves_nothing_running().await;
        a_killed_server_leaves_nothing_running().await;
        connections_that_were_closed_are_replaced().await;
    });
    println!("all containers did as they were told");
    ExitCode::SUCCESS
}

// ---- inside ---------------------------------------------------------------------------------------------------------

/// The container's program.
fn program() -> i32 {
    let say = |name: &str| std::env::var(name).ok();
    if let Some(code) = say("EXIT") {
        println!("I end with {code}");
        return code.parse().unwrap();
    }
    if say("TERMINATE").as_deref() == Some("orderly") {
        let signals = SigSet::from_iter([Signal::SIGTERM]);
        signals.thread_block().unwrap();
        std::thread::spawn(move || {
            signals.wait().unwrap();
            std::thread::sleep(Duration::from_millis(200));
            println!("ended in order");
            std::process::exit(0);
        });
    }
    let listener = UnixListener::bind(say("STOA_BIND_UNIX").unwrap()).unwrap();
    loop {
        let (stream, _) = listener.accept().unwrap();
        std::thread::spawn(move || while answer(&stream).is_some() {});
    }
}

fn answer(mut stream: &UnixStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if header.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (status, text) = match (&*path, std::str::from_utf8(&body).ok()?) {
        ("/ping", _) => (200, String::new()),
        (_, close @ ("close" | "close and say so")) => {
            let said = if close == "close" { "" } else { "connection: close\r\n" };
            write!(stream, "HTTP/1.1 200 OK\r\n{said}content-length: 6\r\n\r\nclosed").ok()?;
            return None;
        }
        (_, question) => match seen(question) {
            Ok(text) => (200, text),
            Err(error) => (400, error.to_string()),
        },
    };
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{text}", text.len())
        .ok()
}

/// What this container sees of the world.
fn seen(question: &str) -> std::io::Result<String> {
    let (verb, what) = question.split_once(' ').unwrap_or((question, ""));
    match verb {
        "read" => std::fs::read_to_string(what),
        "model" => std::fs::read_to_string(Path::new(&std::env::var("STOA_MODEL_DIR").unwrap()).join(what)),
        "write" => std::fs::write(what, "x").map(|()| "written".to_owned()),
        "environment" => Ok(std::env::var(what).unwrap_or_else(|_| "unset".to_owned())),
        "connect" => std::net::TcpStream::connect(what).map(|_| "connected".to_owned()),
        other => Ok(format!("what is {other}?")),
    }
}

// ---- outside --------------------------------------------------------------------------------------------------------

struct World {
    folder: tempfile::TempDir,
    runtime: Arc<ProcessRuntime>,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let runtime = world_in(folder.path());
    World { folder, runtime: Arc::new(runtime) }
}

fn world_in(folder: &Path) -> ProcessRuntime {
    let config = ProcessRuntimeConfig {
        folder: folder.join("containers"),
        executable: std::env::current_exe().unwrap(),
        programs: vec!["program".to_owned()],
        invocation_deadline: PATIENCE,
        stop_grace: Duration::from_secs(2),
    };
    ProcessRuntime::new(config).unwrap()
}

fn spec(name: &str, environment: &[(&str, &str)]) -> ContainerSpec {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ContainerSpec {
        name: name.to_owned(),
        image: "program".to_owned(),
        environment: environment.collect::<BTreeMap<_, _>>(),
        model_files: Vec::new(),
        memory_mib: 1024,
        cpu_millis: 1000,
        network_isolation: false,
    }
}

impl World {
    async fn until(&self, name: &str, what: &str, wanted: impl Fn(&ContainerState) -> bool) -> ContainerState {
        let start = Instant::now();
        loop {
            let state = self.runtime.status(name).await.unwrap().unwrap().state;
            if wanted(&state) {
                return state;
            }
            let log = self.runtime.logs(name, 20).await.unwrap();
            assert!(start.elapsed() < PATIENCE, "{name} is not {what} but {state:?}: {log:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    async fn healthy(&self, spec: &ContainerSpec) {
        self.runtime.start(spec).await.unwrap();
        self.until(&spec.name, "healthy", |state| *state == ContainerState::Healthy).await;
    }
    async fn ask(&self, name: &str, question: &str) -> Invocation {
        let body = Bytes::copy_from_slice(question.as_bytes());
        self.runtime.invoke(name, InvocationRequest { body, ..Default::default() }).await.unwrap()
    }
    async fn told(&self, name: &str, question: &str) -> String {
        String::from_utf8(self.ask(name, question).await.body.to_vec()).unwrap()
    }
}

/// The processes with this in their command line, outer and inner ones.
fn processes(mark: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&line).contains(mark) {
            found.push(entry.path());
        }
    }
    found
}

async fn a_container_from_start_to_stop() {
    let world = world();
    let blob = world.folder.path().join("blob");
    std::fs::write(&blob, "weights").unwrap();
    let mut spec = spec("c", &[("NAME", "value"), ("LD_PRELOAD", "/nowhere.so"), ("STOA_MODEL_DIR", "/etc")]);
    spec.model_files = vec![("code/weights".to_owned(), blob.clone())];
    world.healthy(&spec).await;
    world.runtime.start(&spec).await.unwrap();
    assert_eq!(world.runtime.list().await.unwrap().len(), 1);
    assert_eq!(world.told("c", "model code/weights").await, "weights");
    assert_eq!(world.told("c", "environment NAME").await, "value");
    assert_eq!(world.told("c", "environment LD_PRELOAD").await, "unset");
    assert_eq!(world.told("c", "environment HOME").await, "unset", "nothing of the server's own");
    assert_eq!(world.ask("c", "read /no/such/file").await.status, 400);
    if world.runtime.warnings().iter().any(|warning| warning.contains("user namespaces")) {
        println!("skipped: this kernel gives no user namespaces");
    } else {
        let secret = world.folder.path().join("secret");
        std::fs::write(&secret, "secret").unwrap();
        assert_eq!(world.ask("c", &format!("read {}", secret.display())).await.status, 400);
        assert_eq!(world.ask("c", "write /opt/ml/model/code/weights").await.status, 400);
        assert_eq!(std::fs::read_to_string(&blob).unwrap(), "weights");
        isolation(&world).await;
    }
    world.runtime.stop("c").await.unwrap();
    world.runtime.stop("c").await.unwrap();
    assert_eq!(world.runtime.status("c").await.unwrap(), None);
    let gone = world.runtime.invoke("c", InvocationRequest::default()).await;
    assert!(matches!(gone, Err(RuntimeError::NotFound(_))), "{gone:?}");
    assert!(!world.folder.path().join("containers/c").exists());
    spec.image = "other".to_owned();
    assert!(matches!(world.runtime.start(&spec).await, Err(RuntimeError::UnknownImage(_))));
}

/// A container with network isolation reaches nobody; one without does.
async fn isolation(world: &World) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let question = format!("connect {}", listener.local_addr().unwrap());
    assert_eq!(world.told("c", &question).await, "connected");
    let mut isolated = spec("isolated", &[]);
    isolated.network_isolation = true;
    world.healthy(&isolated).await;
    assert_eq!(world.ask("isolated", &question).await.status, 400);
    world.runtime.stop("isolated").await.unwrap();
}

async fn the_programs_end_is_seen() {
    let world = world();
    world.runtime.start(&spec("c", &[("EXIT", "7")])).await.unwrap();
    let state = world.until("c", "ended", |state| matches!(state, ContainerState::Exited { .. })).await;
    let ContainerState::Exited { code, last_output } = state else { unreachable!() };
    assert_eq!(code, 7);
    assert!(last_output.contains("I end with 7"), "{last_output}");
    world.runtime.stop("c").await.unwrap();
    // The same name again is a new container.
    world.healthy(&spec("c", &[])).await;
}

async fn a_stop_waits_for_an_orderly_end_and_not_for_ever() {
    let world = world();
    world.healthy(&spec("orderly", &[("TERMINATE", "orderly")])).await;
    let log = std::fs::File::open(world.folder.path().join("containers/orderly/log")).unwrap();
    let start = Instant::now();
    world.runtime.stop("orderly").await.unwrap();
    let took = start.elapsed();
    let text = std::io::read_to_string(log).unwrap();
    assert!(text.contains("ended in order"), "SIGTERM reaches the program, which gets its time: {text}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    let stubborn = unique("stubborn");
    world.healthy(&spec(&stubborn, &[])).await;
    assert_eq!(processes(&stubborn).len(), 2);
    world.runtime.stop(&stubborn).await.unwrap();
    nothing_runs(&stubborn).await;
}

/// A name that no other run of these tests has at the same time.
fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

async fn nothing_runs(mark: &str) {
    let start = Instant::now();
    while !processes(mark).is_empty() {
        assert!(start.elapsed() < PATIENCE, "{:?}", processes(mark));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_dropped_runtime_leaves_nothing_running() {
    for round in 0..20 {
        let (world, name) = (world(), unique(&format!("dropped-{round}")));
        world.healthy(&spec(&name, &[])).await;
        assert_eq!(processes(&name).len(), 2);
        // Containers in every state of their start; some of the callers go away while they wait.
        for number in 0..8 {
            let starting = spec(&format!("{name}-{number}"), &[]);
            let start = world.runtime.start(&starting);
            let _ = tokio::time::timeout(Duration::from_micros(100 << number), start).await;
        }
        tokio::time::sleep(Duration::from_millis(round)).await;
        drop(world);
        nothing_runs(&name).await;
    }
}

/// The server is killed while a container starts: whatever of it was there already goes too.
async fn a_killed_server_leaves_nothing_running() {
    for round in 0..30 {
        let (folder, name) = (tempfile::tempdir().unwrap(), unique(&format!("killed-{round}")));
        let mut server = std::process::Command::new(std::env::current_exe().unwrap())
            .arg(SERVER_ARGUMENT)
            .arg(folder.path())
            .arg(&name)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "started\n");
        tokio::time::sleep(Duration::from_micros(500 * round)).await;
        server.kill().unwrap();
        server.wait().unwrap();
        nothing_runs(&name).await;
    }
}

/// What is killed there: starts a container, says so, and waits.
async fn serve(folder: &str, name: &str) {
    let world = world_in(Path::new(folder));
    world.start(&spec(name, &[])).await.unwrap();
    println!("started");
    std::future::pending().await
}

async fn connections_that_were_closed_are_replaced() {
    let world = world();
    world.healthy(&spec("c", &[])).await;
    for _ in 0..20 {
        assert_eq!(world.told("c", "close and say so").await, "closed");
        assert_eq!(world.told("c", "environment NOTHING").await, "unset");
        assert_eq!(world.told("c", "close").await, "closed");
        // Until the end of the connection has come over; a request that may have been seen is not sent again.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
