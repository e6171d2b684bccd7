//! The thread that is the parent of every container.
//!
//! INVARIANT: containers ask the kernel to die with their parent, and to Linux that parent is a thread. So they are
//! all started from this one, which lives as long as the runtime; a worker of tokio's pools would not do.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::sync::oneshot;

use crate::folder::Folder;
use crate::sandbox::INIT_ARGUMENT;

struct Order {
    folder: Folder,
    answer: oneshot::Sender<io::Result<Child>>,
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
    pub async fn spawn(&self, folder: Folder) -> io::Result<Child> {
        let (answer, child) = oneshot::channel();
        let gone = |_| io::Error::other("the thread that starts containers has ended");
        self.orders.send(Order { folder, answer }).map_err(|_| gone(()))?;
        child.await.map_err(|_| gone(()))?
    }
}

fn serve(executable: &std::path::Path, orders: &Receiver<Order>) {
    for order in orders {
        // A caller that went away gets no answer; its child is reaped when the handle drops with the process.
        let _ = order.answer.send(start(executable, &order.folder));
    }
}

fn start(executable: &std::path::Path, folder: &Folder) -> io::Result<Child> {
    let log = folder.open_log()?;
    Command::new(executable)
        .arg(INIT_ARGUMENT)
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
}
