//! The command line's side.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::protocol::{AdminCommand, AdminError};
use super::socket::SocketName;
use crate::data_dir::DataDir;

/// Sends a command to the server of this data folder.
pub fn call(data_dir: &DataDir, command: &AdminCommand) -> Result<Value, AdminError> {
    let not_running = |error: std::io::Error| AdminError {
        code: "NotRunning".to_owned(),
        message: format!(
            "no server is running on {}: start it with `stoa serve --data-dir {}` ({error})",
            data_dir.path().display(),
            data_dir.path().display()
        ),
    };
    let name = SocketName::in_folder(data_dir.path(), "admin.sock").map_err(not_running)?;
    let mut stream = UnixStream::connect(name.path()).map_err(not_running)?;
    exchange(&mut stream, command)
}

fn exchange(stream: &mut UnixStream, command: &AdminCommand) -> Result<Value, AdminError> {
    let broken = |error: std::io::Error| AdminError {
        code: "Broken".to_owned(),
        message: format!("the server broke the connection: {error}; its log says why"),
    };
    let mut line = serde_json::to_vec(command).map_err(|error| broken(error.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(broken)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).map_err(broken)?;
    let answer: Result<Value, AdminError> = serde_json::from_str(&answer).map_err(|error| broken(error.into()))?;
    answer
}
