//! A container's folder: its specification, model files, socket and log. Everything in it can be made again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use stoa_runtime::ContainerSpec;

/// The name of the container's socket in its run folder.
pub const SOCKET: &str = "http.sock";

/// The paths of one container.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder of a container below the runtime's own.
    pub fn of(runtime: &Path, name: &str) -> Folder {
        Folder { root: runtime.join(name) }
    }
    /// A folder by its path, as the container's init is told it.
    pub fn at(root: &Path) -> Folder {
        Folder { root: root.to_path_buf() }
    }
    pub fn path(&self) -> &Path {
        &self.root
    }
    pub fn spec(&self) -> PathBuf {
        self.root.join("spec.json")
    }
    pub fn model(&self) -> PathBuf {
        self.root.join("model")
    }
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }
    pub fn socket(&self) -> PathBuf {
        self.run().join(SOCKET)
    }
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }
    pub fn rootfs(&self) -> PathBuf {
        self.root.join("root")
    }

    /// Makes the folder anew from the specification. Model files are hard links of the blobs where the disk is the
    /// same, copies where it is not.
    pub fn create(&self, spec: &ContainerSpec) -> io::Result<()> {
        self.remove()?;
        for path in [self.model(), self.run(), self.rootfs()] {
            fs::create_dir_all(path)?;
        }
        for (relative, source) in &spec.model_files {
            let target = self.model().join(inside(relative)?);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            link_or_copy(source, &target)?;
        }
        fs::write(self.spec(), serde_json::to_vec(spec)?)
    }

    /// Removes the folder and all in it.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The log, opened for appending.
    pub fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.log())
    }

    /// The last lines of the log.
    pub fn tail(&self, lines: usize) -> io::Result<Vec<String>> {
        const LAST_BYTES: u64 = 64 * 1024;
        let mut log = File::open(self.log())?;
        let length = log.metadata()?.len();
        log.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let all: Vec<&str> = text.lines().collect();
        Ok(all.iter().skip(all.len().saturating_sub(lines)).map(|line| (*line).to_owned()).collect())
    }
}

/// INVARIANT: a target that is there already is an error. It may be a link of a blob, and copying over it would change
/// the blob for everybody.
fn link_or_copy(source: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(source, target) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        // Another disk, or one without links.
        Err(_) => {}
    }
    let mut copy = OpenOptions::new().write(true).create_new(true).open(target)?;
    io::copy(&mut File::open(source)?, &mut copy).map(|_| ())
}

/// A relative path that stays below its folder.
fn inside(relative: &str) -> io::Result<PathBuf> {
    let path = Path::new(relative.trim_start_matches('/'));
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain && path.components().next().is_some() {
        return Ok(path.to_path_buf());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{relative}` does not stay inside the model folder")))
}
