//! Memory and CPU limits from the instance type: cgroup v2 where it can be written, else what a process can set itself.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::Pid;
use stoa_runtime::ContainerSpec;

const CGROUPS: &str = "/sys/fs/cgroup";

/// Whether this server may make cgroups (version 2).
pub fn cgroups_writable() -> bool {
    let root = Path::new(CGROUPS);
    root.join("cgroup.controllers").exists() && fs::create_dir_all(root.join("stoa")).is_ok() && enable(root).is_ok()
}

fn enable(root: &Path) -> std::io::Result<()> {
    for folder in [root.to_path_buf(), root.join("stoa")] {
        fs::write(folder.join("cgroup.subtree_control"), "+memory +cpu")?;
    }
    Ok(())
}

fn cgroup(name: &str) -> PathBuf {
    Path::new(CGROUPS).join("stoa").join(name)
}

/// Limits the calling process and its children.
pub fn apply(spec: &ContainerSpec) {
    if !apply_cgroup(spec) {
        apply_to_self(spec);
    }
}

fn apply_cgroup(spec: &ContainerSpec) -> bool {
    if !cgroups_writable() {
        return false;
    }
    let group = cgroup(&spec.name);
    let memory = (spec.memory_mib * 1024 * 1024).to_string();
    let cpu = format!("{} 100000", spec.cpu_millis.saturating_mul(100).max(1000));
    fs::create_dir_all(&group).is_ok()
        && fs::write(group.join("memory.max"), memory).is_ok()
        && fs::write(group.join("cpu.max"), cpu).is_ok()
        && fs::write(group.join("cgroup.procs"), "0").is_ok()
}

/// Without cgroups: a limit on data memory, and as many cores as the instance type has, rounded up.
fn apply_to_self(spec: &ContainerSpec) {
    let bytes = spec.memory_mib.saturating_mul(1024 * 1024);
    if let Err(error) = setrlimit(Resource::RLIMIT_DATA, bytes, bytes) {
        eprintln!("warning: no memory limit for this container: {error}");
    }
    let cores = usize::try_from(spec.cpu_millis.div_ceil(1000)).unwrap_or(usize::MAX).max(1);
    let mut set = CpuSet::new();
    for core in 0..cores.min(CpuSet::count()) {
        let _ = set.set(core);
    }
    if cores < std::thread::available_parallelism().map_or(1, usize::from)
        && let Err(error) = sched_setaffinity(Pid::from_raw(0), &set)
    {
        eprintln!("warning: no CPU limit for this container: {error}");
    }
}

/// Removes what [`apply`] made for a container that has ended.
pub fn release(name: &str) {
    let _ = fs::remove_dir(cgroup(name));
}
