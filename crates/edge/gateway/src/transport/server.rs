//! The listener: accepts while there is room, stops accepting on request, and lets requests in flight finish.
//!
//! INVARIANT: every task is tracked; after [`Server::run`] returns none is left. Connections over the limit wait in
//! the kernel's backlog rather than being dropped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use stoa_kernel::VpcEndpoint;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gateway::Gateway;
use crate::transport::ca::CertificateAuthority;
use crate::transport::connection::{self, Socket};

const BACKLOG: i32 = 1024;

/// What all connections of a server share.
pub(crate) struct Shared {
    pub gateway: Arc<Gateway>,
    pub authority: Arc<CertificateAuthority>,
    pub tasks: TaskTracker,
    /// Finish what is in flight, take nothing new.
    pub stopping: CancellationToken,
    /// Break off.
    killed: CancellationToken,
}

impl Shared {
    /// The task, broken off when the shutdown deadline has passed.
    pub fn until_killed<F: Future<Output = ()> + Send>(&self, task: F) -> impl Future<Output = ()> + Send + use<F> {
        let killed = self.killed.clone();
        async move {
            tokio::select! {
                () = task => {}
                () = killed.cancelled() => {}
            }
        }
    }
}

/// A bound listener, ready to run.
pub struct Server {
    listener: TcpListener,
    local: SocketAddr,
    endpoint: Option<Arc<VpcEndpoint>>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Server").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Server {
    /// Binds the address; port 0 takes a free one. Must be called inside a tokio runtime.
    pub fn bind(
        address: SocketAddr,
        gateway: Arc<Gateway>,
        authority: Arc<CertificateAuthority>,
    ) -> io::Result<Server> {
        let socket = RawSocket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let local = listener.local_addr()?;
        let shared = Shared {
            gateway,
            authority,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
        };
        Ok(Server { listener, local, endpoint: None, shared: Arc::new(shared) })
    }

    /// Makes it the listener of a VPC endpoint: whoever connects here comes through that endpoint, and nobody else does.
    #[must_use]
    pub fn for_endpoint(mut self, endpoint: Arc<VpcEndpoint>) -> Server {
        self.endpoint = Some(endpoint);
        self
    }

    /// The address it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `stop` is cancelled, then lets requests in flight finish within the shutdown limit.
    pub async fn run(self, stop: CancellationToken) {
        let limits = &self.shared.gateway.config().limits;
        let room = Arc::new(Semaphore::new(limits.connections));
        let deadline = limits.shutdown;
        loop {
            let (permit, accepted) = tokio::select! {
                () = stop.cancelled() => break,
                next = self.accept(&room) => next,
            };
            match accepted {
                Ok((stream, peer)) => self.take(stream, peer, permit),
                Err(error) => {
                    // Out of descriptors, most likely: existing connections must get the time to end.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        self.shared.stopping.cancel();
        self.shared.tasks.close();
        if tokio::time::timeout(deadline, self.shared.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.shared.tasks.len(), "breaking connections off after the shutdown limit");
            self.shared.killed.cancel();
            self.shared.tasks.wait().await;
        }
        if tokio::time::timeout(deadline, self.shared.gateway.wait_for_mutations()).await.is_err() {
            tracing::warn!("a mutation outlived the shutdown limit");
        }
    }

    async fn accept(
        &self,
        room: &Arc<Semaphore>,
    ) -> (Option<OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
        // The semaphore is never closed, so a permit always comes.
        let permit = Arc::clone(room).acquire_owned().await.ok();
        (permit, self.listener.accept().await)
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr, permit: Option<OwnedSemaphorePermit>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot set TCP_NODELAY");
        }
        let local = stream.local_addr().unwrap_or(self.local);
        let endpoint = self.endpoint.clone();
        let socket = Socket {
            peer,
            local,
            secure: false,
            endpoint,
            front_door_host: None,
            files: None,
            known: Default::default(),
        };
        let shared = Arc::clone(&self.shared);
        let serve = async move {
            let open = OpenConnection::new(&shared.gateway);
            connection::serve(Arc::clone(&shared), stream, socket).await;
            drop((open, permit));
        };
        self.shared.tasks.spawn(self.shared.until_killed(serve));
    }
}

/// Counts a connection as long as it lives, however it ends.
struct OpenConnection(Arc<Gateway>);

impl OpenConnection {
    fn new(gateway: &Arc<Gateway>) -> OpenConnection {
        gateway.metrics().connections.fetch_add(1, Ordering::Relaxed);
        OpenConnection(Arc::clone(gateway))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.metrics().connections.fetch_sub(1, Ordering::Relaxed);
    }
}
