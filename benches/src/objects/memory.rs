//! The most memory a process has while it is watched.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Looks at a process every few milliseconds.
pub struct Watch {
    done: Arc<AtomicBool>,
    watcher: JoinHandle<f64>,
}

/// Resident memory, of all kinds.
fn resident_mib(id: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}

impl Watch {
    pub fn start(id: u32) -> Watch {
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        let watcher = std::thread::spawn(move || {
            let mut most = 0.0_f64;
            while !seen.load(Ordering::Relaxed) {
                most = most.max(resident_mib(id));
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        Watch { done, watcher }
    }

    /// Ends watching.
    pub fn most_mib(self) -> f64 {
        self.done.store(true, Ordering::Relaxed);
        self.watcher.join().unwrap_or(f64::NAN)
    }
}
