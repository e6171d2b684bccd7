//! What runs inside the new process: namespaces, root file system, limits, and then the image's program.
//!
//! Order matters: namespaces first (the process has one thread then), the root file system while we still may mount,
//! limits, and at last a child that is PID 1 of the new PID namespace. Each step that this kernel refuses is told on
//! standard error; only a refused root file system or network namespace of an isolated container ends it.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{getegid, geteuid, getppid, pivot_root, read, sethostname};
use stoa_runtime::ContainerSpec;

use crate::folder::Folder;
use crate::limits;

/// First argument of a container's outer process; its folder and the server's process id follow.
pub const INIT_ARGUMENT: &str = "__container-init";
/// First argument of a container's program, inside; the program's and the container's name follow.
pub const RUN_ARGUMENT: &str = "__container-run";
/// Ends with status 0 when namespaces can be made here.
pub const PROBE_ARGUMENT: &str = "__container-probe";

const ISOLATED: CloneFlags = CloneFlags::CLONE_NEWUSER
    .union(CloneFlags::CLONE_NEWNS)
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWIPC)
    .union(CloneFlags::CLONE_NEWUTS);

/// Handles the container arguments; none when the process was not started as a container. Must be called before any
/// thread is made. `program` runs a built-in image by name and gives its exit status.
pub fn container_main(arguments: &[String], program: impl FnOnce(&str) -> i32) -> Option<i32> {
    let mut arguments = arguments.iter().map(String::as_str);
    match (arguments.nth(1)?, arguments.next(), arguments.next()) {
        (PROBE_ARGUMENT, ..) => Some(i32::from(unshare(ISOLATED | CloneFlags::CLONE_NEWNET).is_err())),
        (INIT_ARGUMENT, Some(folder), Some(server)) => Some(init(Path::new(folder), server).unwrap_or_else(|error| {
            eprintln!("the container cannot be set up: {error}");
            125
        })),
        (RUN_ARGUMENT, Some(name), _) => {
            // A program that cannot be bound to its parent still runs; the runtime stops it by its group.
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            // Blocked by the outer process, and inherited from it.
            let _ = terminate().thread_unblock();
            Some(if outer_is_gone() { 128 } else { program(name) })
        }
        _ => None,
    }
}

fn terminate() -> SigSet {
    SigSet::from_iter([Signal::SIGTERM])
}

/// Whether the outer process died before this one was bound to it. It alone holds the other end of our standard input
/// (its process id is no help: seen from a new PID namespace it is always zero).
fn outer_is_gone() -> bool {
    let input = io::stdin();
    let _ = fcntl(&input, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
    matches!(read(&input, &mut [0]), Ok(0))
}

fn init(folder: &Path, server: &str) -> io::Result<i32> {
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    // The signal is sent for a death from now on only.
    if getppid().to_string() != server {
        return Err(io::Error::other("the server is gone"));
    }
    // SIGTERM is for the program, which ends in order; this process ends when the program has.
    terminate().thread_block()?;
    let folder = Folder::at(folder);
    let spec: ContainerSpec = serde_json::from_slice(&fs::read(folder.spec())?)?;
    let executable = std::env::current_exe()?;
    limits::apply(&spec);
    let sandboxed = enter_namespaces(&spec)?;
    let mut command = if sandboxed {
        make_root(&folder, &executable)?;
        prctl::set_no_new_privs()?;
        let mut command = Command::new("/stoa");
        environment(&mut command, &spec);
        command.env("STOA_MODEL_DIR", "/opt/ml/model").env("STOA_BIND_UNIX", "/run/stoa/http.sock");
        command
    } else {
        let mut command = Command::new(&executable);
        environment(&mut command, &spec);
        command.env("STOA_MODEL_DIR", folder.model()).env("STOA_BIND_UNIX", folder.socket());
        command
    };
    command.args([RUN_ARGUMENT, &spec.image, &spec.name]).stdin(Stdio::piped());
    let mut child = command.spawn()?;
    // Held until the program ends, see `outer_is_gone`; waiting would close it.
    let _alive = child.stdin.take();
    let status = child.wait()?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

/// The model's environment, but for what steers the dynamic loader: a model is data, and would become code by
/// `LD_PRELOAD`, with this server's own rights where there are no namespaces.
fn environment(command: &mut Command, spec: &ContainerSpec) {
    command.env_clear();
    for (name, value) in &spec.environment {
        if name.starts_with("LD_") || name == "GLIBC_TUNABLES" {
            eprintln!("warning: the environment variable {name} is not given to a built-in image");
        } else {
            command.env(name, value);
        }
    }
}

/// True when the process is in namespaces of its own. An isolated container does not run without them.
fn enter_namespaces(spec: &ContainerSpec) -> io::Result<bool> {
    let (user, group) = (geteuid(), getegid());
    let mut flags = ISOLATED;
    if spec.network_isolation {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    if let Err(error) = unshare(flags) {
        if spec.network_isolation {
            return Err(io::Error::other(format!(
                "network isolation was asked for and this kernel gives no namespaces ({error}); allow user namespaces \
                 (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces) or use the docker runtime"
            )));
        }
        eprintln!("warning: no namespaces here ({error}): the container runs with the server's own rights");
        return Ok(false);
    }
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    sethostname("container")?;
    Ok(true)
}

/// A root of its own: the binary, the system's libraries, the model (read-only), the socket's folder; nothing else.
fn make_root(folder: &Folder, executable: &Path) -> io::Result<()> {
    let root = folder.rootfs();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("tmpfs"), &root, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("size=256m,mode=755"))?;
    for system in ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"] {
        bind(Path::new(system), &root.join(system.trim_start_matches('/')), true)?;
    }
    bind(executable, &root.join("stoa"), true)?;
    bind(&folder.model(), &root.join("opt/ml/model"), true)?;
    bind(&folder.run(), &root.join("run/stoa"), false)?;
    for device in ["/dev/null", "/dev/zero", "/dev/urandom"] {
        bind(Path::new(device), &root.join(device.trim_start_matches('/')), false)?;
    }
    for made in ["tmp", "proc", "old", "opt/ml/output", "opt/ml/input"] {
        fs::create_dir_all(root.join(made))?;
    }
    pivot_root(&root, &root.join("old"))?;
    std::env::set_current_dir("/")?;
    // A /proc of the new PID namespace cannot be mounted in every nesting; programs here do without one.
    let _ = mount(Some("proc"), "/proc", Some("proc"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, None::<&str>);
    umount2("/old", MntFlags::MNT_DETACH)?;
    fs::remove_dir("/old")
}

fn bind(source: &Path, target: &Path, read_only: bool) -> io::Result<()> {
    let Ok(source) = source.canonicalize() else { return Ok(()) };
    if source.is_dir() {
        fs::create_dir_all(target)?;
    } else {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(target, "")?;
    }
    mount(Some(&source), target, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
    if read_only {
        let flags =
            MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        // Locked mount flags of the outer namespace can forbid the remount; retry without adding flags.
        mount(None::<&str>, target, None::<&str>, flags, None::<&str>).or_else(|_| {
            let fewer = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(None::<&str>, target, None::<&str>, fewer, None::<&str>)
        })?;
    }
    Ok(())
}
