//! HTTP/1.1 as a load generator needs it: requests are bytes made once, answers are read to their end and no further.
//!
//! Only answers with a Content-Length are understood; both servers send nothing else on these paths.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;

pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Status and total length of the answer at the start of these bytes, when its head is there.
pub fn measure(bytes: &[u8]) -> Outcome<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default())?;
    let status = head.get(9..12).ok_or("an answer without a status")?.parse()?;
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())?;
    Ok(Some((status, end + 4 + length)))
}

/// One kept connection, blocking: the least that a client adds to a latency.
pub struct Client<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl Client<TcpStream> {
    /// Connects to `host:port`.
    pub fn connect(address: &str) -> Outcome<Client<TcpStream>> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Client::over(stream))
    }
}

impl<S: Read + Write> Client<S> {
    pub fn over(stream: S) -> Client<S> {
        Client { stream, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// Sends the request and reads its answer.
    pub fn call(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.stream.write_all(request)?;
        self.buffer.clear();
        let mut piece = [0; 16 * 1024];
        loop {
            let count = self.stream.read(&mut piece)?;
            if count == 0 {
                return Err("the server closed the connection".into());
            }
            self.buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
            if let Some((status, total)) = measure(&self.buffer)?
                && self.buffer.len() >= total
            {
                let start = self.buffer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0) + 4;
                return Ok(Answer { status, body: self.buffer.get(start..total).unwrap_or_default().to_vec() });
            }
        }
    }
}
