//! The server that Stoa's reads are held against: nginx with sendfile (`STOA_BENCH_NGINX`, or the one on the path); where there is none, the least that can be
//! called a file server, in this program: a thread per connection, one head per request, one `sendfile`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::wire::Outcome;

/// The argument that makes this program that server.
pub const ARGUMENT: &str = "--sendfile-server";

/// A running server; killed when dropped.
pub struct Other {
    process: Child,
    pub name: &'static str,
    pub address: String,
    path: String,
}

impl Other {
    /// Serves one file.
    pub fn start(folder: &Path, file: &Path) -> Outcome<Other> {
        let nginx = std::env::var_os("STOA_BENCH_NGINX").map(PathBuf::from).or_else(on_path);
        match nginx {
            Some(program) => start_nginx(&program, folder, file),
            None => start_own(file),
        }
    }

    pub fn request(&self) -> Vec<u8> {
        format!("GET {} HTTP/1.1\r\nhost: {}\r\n\r\n", self.path, self.address).into_bytes()
    }

    /// User and system time of the process and its children so far.
    pub fn cpu_seconds(&self) -> Outcome<f64> {
        let id = self.process.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let ids = std::iter::once(id).chain(children.split_whitespace().filter_map(|id| id.parse().ok()));
        ids.map(crate::stoa::cpu_seconds).sum()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // nginx's workers go with their master only when it is asked.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        std::thread::sleep(Duration::from_millis(50));
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn on_path() -> Option<PathBuf> {
    let places = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let places = places.unwrap_or_default().into_iter().chain([PathBuf::from("/usr/sbin")]);
    places.map(|place| place.join("nginx")).find(|program| program.exists())
}

fn start_nginx(program: &Path, folder: &Path, file: &Path) -> Outcome<Other> {
    // Taken and given back: nginx cannot tell which port it got.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let (root, name) = (file.parent().ok_or("no folder")?, file.file_name().ok_or("no name")?);
    let at = folder.display();
    let text = format!(
        "daemon off; worker_processes auto; user root; pid {at}/nginx.pid; error_log {at}/nginx.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000;\n\
         open_file_cache max=100; default_type application/octet-stream;\n\
         client_body_temp_path {at}/n1; proxy_temp_path {at}/n2; fastcgi_temp_path {at}/n3;\n\
         uwsgi_temp_path {at}/n4; scgi_temp_path {at}/n5;\n\
         server {{ listen {address}; root {}; }} }}\n",
        root.display()
    );
    let configuration = folder.join("nginx.conf");
    std::fs::write(&configuration, text)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(&configuration).arg("-e").arg(folder.join("nginx.log")).stdin(Stdio::null());
    let process = command.spawn()?;
    let path = format!("/{}", name.to_string_lossy());
    let other = Other { process, name: "nginx", address, path };
    let began = Instant::now();
    while TcpStream::connect(&other.address).is_err() {
        if began.elapsed() > Duration::from_secs(5) {
            return Err(std::fs::read_to_string(folder.join("nginx.log")).unwrap_or_default().into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(other)
}

fn start_own(file: &Path) -> Outcome<Other> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ARGUMENT).arg(file).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = command.spawn()?;
    let mut line = String::new();
    BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    eprintln!(
        "   there is no nginx here (`apt-get install nginx`): a plain sendfile server of this program stands in for it"
    );
    Ok(Other { process, name: "a plain sendfile server", address: line.trim().to_owned(), path: "/file".to_owned() })
}

/// Serves for ever.
pub fn serve() -> Outcome<()> {
    let path = std::env::args().nth(2).ok_or("no file")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    for stream in listener.incoming() {
        let (stream, path) = (stream?, path.clone());
        // A connection that ends is all the same here.
        std::thread::spawn(move || drop(connection(stream, &path)));
    }
    Ok(())
}

fn connection(mut stream: TcpStream, path: &str) -> Outcome<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..])?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        filled = 0;
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n");
        rustix::net::send(&stream, head.as_bytes(), rustix::net::SendFlags::MORE)?;
        let mut at = 0;
        while at < size {
            let left = (size - at) as usize;
            rustix::fs::sendfile(&stream, &file, Some(&mut at), left)?;
        }
    }
}
