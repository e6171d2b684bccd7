//! `cargo xtask demo`: builds, starts Stoa, does the main job with the real clients.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::{Outcome, build_stoa, root, step, target_dir};
use crate::python;

const REGION: &str = "us-west-2";

/// Runs the demo; the server stays up unless `once`.
pub fn run(once: bool, listen: &str) -> Outcome {
    let python = python::environment()?;
    let stoa = build_stoa()?;
    let folder = target_dir().join("demo");
    let data_dir = folder.join("data");
    stop_earlier(&folder);
    if data_dir.exists() {
        fs::remove_dir_all(&data_dir).map_err(|error| format!("cannot clear {}: {error}", data_dir.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let mut server = start(&stoa, &data_dir, listen, &folder)?;
    let url = match wait_ready(&mut server, &folder) {
        Ok(url) => url,
        Err(error) => {
            let _ = server.kill();
            return Err(error);
        }
    };
    let outcome = step("demo", &mut client(&python, &stoa, &data_dir, &url));
    if once || outcome.is_err() {
        stop(&mut server, &folder);
        return outcome;
    }
    println!(
        "\nStoa is still running at {url} (process {}).\n\
         Go on with your own code:   eval \"$({} env --data-dir {})\"\n\
         Stop it:                    kill {}",
        server.id(),
        stoa.display(),
        data_dir.display(),
        server.id()
    );
    Ok(())
}

fn start(stoa: &Path, data_dir: &Path, listen: &str, folder: &Path) -> Outcome<Child> {
    let log =
        File::create(folder.join("server.log")).map_err(|error| format!("cannot write the server's log: {error}"))?;
    let ready = File::create(folder.join("server.out"))
        .map_err(|error| format!("cannot write the server's output: {error}"))?;
    let mut command = Command::new(stoa);
    command.args(["serve", "--listen", listen, "--region", REGION, "--data-dir"]).arg(data_dir);
    let server = command
        .stdin(Stdio::null())
        .stdout(ready)
        .stderr(log)
        .spawn()
        .map_err(|error| format!("cannot start stoa: {error}"))?;
    let _ = fs::write(folder.join("server.pid"), server.id().to_string());
    Ok(server)
}

fn wait_ready(server: &mut Child, folder: &Path) -> Outcome<String> {
    let began = Instant::now();
    loop {
        if let Ok(output) = File::open(folder.join("server.out")) {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("stoa ready on ") {
                    println!("   stoa ready on {url} after {:.0} ms", began.elapsed().as_secs_f64() * 1000.0);
                    return Ok(url.trim().to_owned());
                }
            }
        }
        let ended = server.try_wait().ok().flatten();
        if ended.is_some() || began.elapsed() > Duration::from_secs(60) {
            let log = fs::read_to_string(folder.join("server.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            return Err(format!("stoa did not start; its log ends:\n{}", tail.join("\n")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn client(python: &Path, stoa: &Path, data_dir: &Path, url: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("tests/python/demo.py"));
    // INVARIANT: no endpoint setting at all: every call goes to AWS's own host names, through the front door.
    for name in ["AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        command.env_remove(name);
    }
    command
        .env("HTTPS_PROXY", url)
        .env("https_proxy", url)
        .env("NO_PROXY", "")
        .env("no_proxy", "")
        .env("AWS_CA_BUNDLE", data_dir.join("ca.pem"))
        .env("AWS_SHARED_CREDENTIALS_FILE", data_dir.join("credentials"))
        .env("AWS_CONFIG_FILE", data_dir.join("no-such-config"))
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SAGEMAKER_USER_CONFIG_OVERRIDE", root().join("tests/python/telemetry-off.yaml"))
        .env("STOA_BINARY", stoa)
        .env("STOA_DATA_DIR", data_dir)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn stop(server: &mut Child, folder: &Path) {
    let _ = Command::new("kill").arg(server.id().to_string()).status();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(15) {
        if server.try_wait().ok().flatten().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = server.kill();
    let _ = server.wait();
    let _ = fs::remove_file(folder.join("server.pid"));
}

/// Stops the server that an earlier demo left running, if that is still the same program.
fn stop_earlier(folder: &Path) {
    let Ok(pid) = fs::read_to_string(folder.join("server.pid")) else { return };
    let pid = pid.trim().to_owned();
    let Ok(name) = fs::read_to_string(format!("/proc/{pid}/comm")) else { return };
    if name.trim() != "stoa" {
        return;
    }
    println!("   stopping the server of an earlier demo (process {pid})");
    let _ = Command::new("kill").arg(&pid).status();
    let began = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() && began.elapsed() < Duration::from_secs(15) {
        std::thread::sleep(Duration::from_millis(50));
    }
}
