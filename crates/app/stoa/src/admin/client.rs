//! The command line's side.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use stoa_blobs::Progress;

use super::protocol::{AdminCommand, AdminError, LONGEST, Line, too_long};
use super::socket::SocketName;
use crate::data_dir::DataDir;

/// Sends a command to the server of this data folder.
pub fn call(data_dir: &DataDir, command: &AdminCommand) -> Result<Value, AdminError> {
    call_with(data_dir, command, |_| {})
}

/// The same, for a command that says how far it is.
pub fn call_with(
    data_dir: &DataDir,
    command: &AdminCommand,
    progress: impl FnMut(Progress),
) -> Result<Value, AdminError> {
    let not_running = |error: std::io::Error| {
        let path = data_dir.path().display();
        let (code, message) = match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => (
                "NotRunning",
                format!("no server is running on {path}: start it with `stoa serve --data-dir {path}` ({error})"),
            ),
            ErrorKind::PermissionDenied => (
                "NotReached",
                format!("{path} belongs to another user: run the command as the one who runs the server"),
            ),
            _ => ("NotReached", format!("the server on {path} cannot be reached: {error}")),
        };
        AdminError { code: code.to_owned(), message }
    };
    let name = SocketName::in_folder(data_dir.path(), "admin.sock").map_err(not_running)?;
    let mut stream = UnixStream::connect(name.path()).map_err(not_running)?;
    exchange(&mut stream, command, progress)
}

fn exchange(
    stream: &mut UnixStream,
    command: &AdminCommand,
    mut progress: impl FnMut(Progress),
) -> Result<Value, AdminError> {
    let broken = |error: std::io::Error| AdminError {
        code: "Broken".to_owned(),
        message: format!("the server broke the connection: {error}; its log says why"),
    };
    let mut line = serde_json::to_vec(command).map_err(|error| broken(error.into()))?;
    line.push(b'\n');
    if line.len() as u64 > LONGEST {
        return Err(too_long());
    }
    stream.write_all(&line).map_err(broken)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).map_err(broken)?;
        match serde_json::from_str(&line).map_err(|error| broken(error.into()))? {
            Line::Progress(far) => progress(far),
            Line::Ok(answer) => return Ok(answer),
            Line::Err(error) => return Err(error),
        }
    }
}
