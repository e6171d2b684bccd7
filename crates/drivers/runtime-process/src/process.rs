//! The thread that is the parent of every container.
//!
//! INVARIANT: containers ask the kernel to die with their parent, and to Linux that parent is a thread. So they are
//! all started from this one, which lives as long as the runtime; a worker of tokio's pools would not do.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::sync::oneshot;

use crate::folder::Folder;
use crate::sandbox::INIT_ARGUMENT;

/// A container's outer process and its group. Dropped, it is killed: nothing runs that nobody knows of.
#[derive(Debug)]
pub struct Outer {
    child: Child,
    group: Pid,
}

impl Outer {
    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
    /// Sends a signal to all processes of the container; one that has ended gets none, since its number may be
    /// somebody else's by now.
    pub fn signal(&mut self, signal: Signal) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may end this very moment; then there is nothing to signal.
            let _ = killpg(self.group, signal);
        }
    }
}

impl Drop for Outer {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

struct Order {
    folder: Folder,
    answer: oneshot::Sender<io::Result<Outer>>,
}

/// Starts containers' outer processes.
#[derive(Debug, Clone)]
pub struct Spawner {
    orders: Sender<Order>,
}

impl Spawner {
    /// Starts the thread.
    pub fn new(executable: PathBuf) -> io::Result<Spawner> {
        let (orders, received) = channel();
        thread::Builder::new().name("container-parent".to_owned()).spawn(move || serve(&executable, &received))?;
        Ok(Spawner { orders })
    }
    /// Starts the container whose folder this is.
    pub async fn spawn(&self, folder: Folder) -> io::Result<Outer> {
        let (answer, child) = oneshot::channel();
        let gone = |_| io::Error::other("the thread that starts containers has ended");
        self.orders.send(Order { folder, answer }).map_err(|_| gone(()))?;
        child.await.map_err(|_| gone(()))?
    }
}

fn serve(executable: &std::path::Path, orders: &Receiver<Order>) {
    for order in orders {
        // A caller that went away gets no answer, and the container goes with it.
        let _ = order.answer.send(start(executable, &order.folder));
    }
}

fn start(executable: &std::path::Path, folder: &Folder) -> io::Result<Outer> {
    let log = folder.open_log()?;
    let child = Command::new(executable)
        .arg(INIT_ARGUMENT)
        .arg(folder.path())
        .arg(std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    let group = i32::try_from(child.id()).map(Pid::from_raw).map_err(io::Error::other)?;
    Ok(Outer { child, group })
}
