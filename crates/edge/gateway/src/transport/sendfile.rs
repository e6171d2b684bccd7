//! Bodies that go from a file to a plain socket by `sendfile(2)`, with hyper still in charge of heads, lengths and
//! keep-alive (ADR 0005).
//!
//! A [`FileBody`] gives hyper frames that are ranges of [`PLACEHOLDER`], memory that nothing else refers to, and notes in
//! the connection's [`FileQueue`] which bytes each stands for. [`PlainSocket`] knows a placeholder by its address and
//! sends the file's bytes in its place.
//!
//! INVARIANT: a placeholder's content never leaves. It is recognised by address, which no request can choose; only a
//! `FileBody` makes one, only for the queue of the connection it is answered on; and a placeholder whose remaining
//! length is not that of the queue's first entry breaks the connection off.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::SendFlags;
use stoa_blob::FileSlice;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// The largest frame; hyper asks for the next when one is through.
const FRAME: usize = 2 << 20;
/// Cold bytes are brought in by pieces of this size.
const WARMING: usize = 256 << 10;

/// Zero pages that are never read, so they cost address space only.
static PLACEHOLDER: LazyLock<&'static [u8]> = LazyLock::new(|| Box::leak(vec![0; FRAME].into_boxed_slice()));

fn is_placeholder(bytes: &[u8]) -> bool {
    let (own, other) = (PLACEHOLDER.as_ptr_range(), bytes.as_ptr_range());
    !bytes.is_empty() && own.start <= other.start && other.end <= own.end
}

/// What the placeholders that a connection has yet to send stand for, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileQueue(Arc<Mutex<VecDeque<FileSlice>>>);

/// A file's bytes as a response body, for the connection whose queue this is.
#[derive(Debug)]
pub struct FileBody {
    rest: FileSlice,
    queue: FileQueue,
    warming: Option<JoinHandle<io::Result<()>>>,
    /// How many of the next bytes were brought into the page cache.
    warmed: u64,
}

impl FileBody {
    pub(crate) fn new(slice: FileSlice, queue: FileQueue) -> FileBody {
        FileBody { rest: slice, queue, warming: None, warmed: 0 }
    }

    /// Ready when the frame's bytes are in memory: `sendfile` would wait for the disk on a thread that serves others.
    fn poll_warm(&mut self, cx: &mut Context<'_>, length: u64) -> Poll<io::Result<()>> {
        if let Some(warming) = &mut self.warming {
            let warmed = ready!(Pin::new(warming).poll(cx)).map_err(io::Error::other)?;
            self.warming = None;
            self.warmed = length;
            return Poll::Ready(warmed);
        }
        if self.warmed >= length || in_memory(&self.rest.file, self.rest.start, length) {
            return Poll::Ready(Ok(()));
        }
        let slice = self.rest.clone();
        self.warming = Some(tokio::task::spawn_blocking(move || warm(&slice, length)));
        self.poll_warm(cx, length)
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = self.get_mut();
        let length = body.rest.length.min(FRAME as u64);
        if length == 0 {
            return Poll::Ready(None);
        }
        if let Err(error) = ready!(body.poll_warm(cx, length)) {
            return Poll::Ready(Some(Err(error)));
        }
        body.warmed = 0;
        body.queue.0.lock().push_back(FileSlice { length, ..body.rest.clone() });
        body.rest.start += length;
        body.rest.length -= length;
        let placeholder = PLACEHOLDER.get(..length as usize).unwrap_or_default();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(placeholder)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.length == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.length)
    }
}

/// Whether both ends of a range are in the page cache. A file system that cannot tell is taken to have them.
fn in_memory(file: &File, start: u64, length: u64) -> bool {
    [start, start + length.saturating_sub(1)].into_iter().all(|at| {
        let mut byte = [0_u8];
        let into = &mut [IoSliceMut::new(&mut byte)];
        !matches!(rustix::io::preadv2(file, into, at, ReadWriteFlags::NOWAIT), Err(Errno::AGAIN))
    })
}

/// Brings a range into the page cache, and has the kernel begin with the one after it.
fn warm(slice: &FileSlice, length: u64) -> io::Result<()> {
    let ahead = std::num::NonZeroU64::new(length.saturating_mul(2).min(slice.length));
    // Advice: without it reading is slower, no more.
    let _ = rustix::fs::fadvise(&slice.file, slice.start, ahead, Advice::WillNeed);
    let (mut at, end) = (slice.start, slice.start + length);
    let mut buffer = vec![0; WARMING];
    while at < end {
        let wanted = (end - at).min(WARMING as u64) as usize;
        match slice.file.read_at(buffer.get_mut(..wanted).unwrap_or_default(), at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => at += count as u64,
        }
    }
    Ok(())
}

/// A plain TCP connection that sends files for placeholders.
#[derive(Debug)]
pub(crate) struct PlainSocket {
    stream: TcpStream,
    queue: FileQueue,
}

impl PlainSocket {
    pub fn new(stream: TcpStream, queue: FileQueue) -> PlainSocket {
        PlainSocket { stream, queue }
    }

    /// Sends from the file that the placeholder stands for.
    fn poll_send(&self, cx: &mut Context<'_>, placeholder: &[u8]) -> Poll<io::Result<usize>> {
        let mut queue = self.queue.0.lock();
        let Some(slice) = queue.front_mut().filter(|slice| slice.length == placeholder.len() as u64) else {
            return Poll::Ready(Err(io::Error::other("a body's frames and its file are not in step")));
        };
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let mut offset = slice.start;
            let sent = self.stream.try_io(Interest::WRITABLE, || {
                Ok(rustix::fs::sendfile(&self.stream, &slice.file, Some(&mut offset), placeholder.len())?)
            });
            match sent {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    slice.start += count as u64;
                    slice.length -= count as u64;
                    if slice.length == 0 {
                        queue.pop_front();
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Sends what a placeholder follows: the kernel waits with a small packet for what comes behind it.
    fn poll_send_ahead(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let sent = self.stream.try_io(Interest::WRITABLE, || {
                Ok(rustix::net::send(&self.stream, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?)
            });
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }
}

impl AsyncRead for PlainSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for PlainSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = self.get_mut();
        match pieces.iter().position(|piece| is_placeholder(piece)) {
            None => Pin::new(&mut socket.stream).poll_write_vectored(cx, pieces),
            Some(at) => match pieces.iter().take(at + 1).find(|piece| !piece.is_empty()) {
                Some(first) if is_placeholder(first) => socket.poll_send(cx, first),
                Some(first) => socket.poll_send_ahead(cx, first),
                None => Poll::Ready(Ok(0)),
            },
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
