//! A bundle of several GiB, imported by the command that operators use, against a plain copy of the same file.
//!
//! Both read the file from the disk (it is dropped from the page cache before each) and end when all is on stable
//! storage. The copy is read, write, `fsync` in pieces of 1 MiB, once before the import and once after it, since disks
//! and neighbours are not the same from one minute to the next.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use md5::Md5;
use rustix::fs::{Advice, fadvise};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::data::{manifest, model_id};
use crate::stoa::Stoa;
use crate::wire::Outcome;
use crate::{Arguments, Figure, progress};

const MODELS: usize = 4;
/// Weights of a model, in files of this size.
const FILES: usize = 2;
const PIECE: usize = 1 << 20;
const BLOCK: u64 = 512;

/// The share of the copy's speed that the import has.
pub fn measure(arguments: &Arguments) -> Outcome<Figure> {
    progress("a bundle: writing it");
    let bundle = arguments.folder.join("models.bundle");
    let data_dir = arguments.folder.join("bundle");
    std::fs::create_dir_all(&data_dir)?;
    let bytes = write(&bundle, arguments.bundle_bytes / (MODELS * FILES) as u64)?;
    progress("a bundle: copying it, importing it, copying it");
    let copy = arguments.folder.join("models.copy");
    let before = copied(&bundle, &copy)?;
    let server = Stoa::start(&arguments.binary, &data_dir)?;
    uncached(&bundle)?;
    let began = Instant::now();
    let mut import = Command::new(&arguments.binary);
    import.args(["catalog", "import"]).arg(&bundle).arg("--data-dir").arg(&server.data_dir);
    let output = import.output()?;
    let imported = began.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(format!("import: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let cpu = server.cpu_seconds()?;
    drop(server);
    std::fs::remove_dir_all(&data_dir)?;
    let after = copied(&bundle, &copy)?;
    std::fs::remove_file(&bundle)?;
    // The faster one: a disk that had other work meanwhile makes no import look good.
    let copies = before.min(after);
    let speed = |seconds: f64| bytes as f64 / seconds / 1e6;
    Ok(Figure {
        what: format!("bundle import, {:.1} GB, against the disk's copy speed", bytes as f64 / 1e9),
        value: format!(
            "{:.2} x ({:.0} MB/s; copies {:.0} and {:.0} MB/s; CPU {cpu:.1} s)",
            copies / imported,
            speed(imported),
            speed(before),
            speed(after)
        ),
        aim: "0.7 x",
        met: Some(copies / imported >= 0.7),
    })
}

/// What is not in the page cache is read from the disk. Whatever was written is on the disk already.
fn uncached(path: &Path) -> Outcome<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
}

fn copied(from: &Path, to: &Path) -> Outcome<f64> {
    uncached(from)?;
    let began = Instant::now();
    let (mut source, mut target) = (File::open(from)?, File::create(to)?);
    let mut piece = vec![0; PIECE];
    loop {
        let read = source.read(&mut piece)?;
        if read == 0 {
            break;
        }
        target.write_all(piece.get(..read).unwrap_or_default())?;
    }
    target.sync_all()?;
    let took = began.elapsed().as_secs_f64();
    std::fs::remove_file(to)?;
    Ok(took)
}

/// Bytes that are no other file's: noise, stamped once in each piece.
struct Weights {
    noise: Vec<u8>,
}

impl Weights {
    fn new() -> Weights {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        Weights { noise: (0..PIECE / 8).flat_map(|_| next()).collect() }
    }

    fn put(&mut self, file: usize, size: u64, mut to: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()> {
        let mut left = size;
        while left > 0 {
            let stamp = (file as u64) << 48 | left;
            if let Some(place) = self.noise.get_mut(..8) {
                place.copy_from_slice(&stamp.to_le_bytes());
            }
            let length = left.min(PIECE as u64);
            to(self.noise.get(..usize::try_from(length).unwrap_or(PIECE)).unwrap_or_default())?;
            left -= length;
        }
        Ok(())
    }
}

fn digest(bytes: impl AsRef<[u8]>) -> String {
    hex(Sha256::digest(bytes).as_slice())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file, in the form that `stoa catalog export` writes it in; how long it is.
fn write(path: &Path, size: u64) -> Outcome<u64> {
    let mut weights = Weights::new();
    let mut digests = Vec::new();
    for file in 0..MODELS * FILES {
        let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
        weights.put(file, size, |piece| {
            sha256.update(piece);
            md5.update(piece);
            Ok(())
        })?;
        digests.push((hex(sha256.finalize().as_slice()), hex(md5.finalize().as_slice())));
    }
    let (mut models, mut documents) = (Vec::new(), Vec::new());
    for (number, files) in digests.chunks(FILES).enumerate() {
        let id = model_id(number);
        let listed: Vec<_> = files
            .iter()
            .enumerate()
            .map(|(place, (digest, md5))| {
                json!({"path": format!("model-{place}.safetensors"), "digest": digest, "size": size, "md5": md5})
            })
            .collect();
        let body = json!({"manifest": manifest(&id, "1.0.0"), "card": "# A card", "eula": null, "files": listed});
        let document = body.to_string();
        let blobs: Vec<_> = files.iter().map(|(digest, _)| json!({"sha256": digest, "size": size})).collect();
        let named = json!({"sha256": digest(&document), "size": document.len()});
        models.push(json!({"id": id, "version": "1.0.0", "document": named, "blobs": blobs}));
        documents.push(document);
    }
    let listing = json!({"format": 1, "created": "2026-11-20T00:00:00Z", "models": models}).to_string();
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    entry(&mut file, "stoa-bundle.json", listing.as_bytes())?;
    for (number, document) in documents.iter().enumerate() {
        for place in number * FILES..(number + 1) * FILES {
            let name = format!("blobs/{}", digests.get(place).map_or("", |(digest, _)| digest));
            file.write_all(&header(&name, size))?;
            weights.put(place, size, |piece| file.write_all(piece))?;
            pad(&mut file, size)?;
        }
        entry(&mut file, &format!("models/{}.json", digest(document)), document.as_bytes())?;
    }
    file.write_all(&[0; 2 * BLOCK as usize])?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn entry(file: &mut File, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    file.write_all(&header(name, bytes.len() as u64))?;
    file.write_all(bytes)?;
    pad(file, bytes.len() as u64)
}

fn pad(file: &mut File, size: u64) -> std::io::Result<()> {
    let zeros = usize::try_from((BLOCK - size % BLOCK) % BLOCK).unwrap_or_default();
    file.write_all(&vec![0; zeros])
}

/// A tar header of a plain file.
fn header(name: &str, size: u64) -> Vec<u8> {
    let mut fields = vec![(0, name.to_owned()), (100, "0000644\0".to_owned()), (108, "0000000\0".to_owned())];
    fields.push((116, "0000000\0".to_owned()));
    fields.push((124, format!("{size:011o}\0")));
    fields.push((136, format!("{:011o}\0", 0)));
    fields.push((148, " ".repeat(8)));
    fields.push((156, "0".to_owned()));
    fields.push((257, "ustar  \0".to_owned()));
    let mut header = vec![0; BLOCK as usize];
    let mut set = |at: usize, text: &str| {
        if let Some(place) = header.get_mut(at..at + text.len()) {
            place.copy_from_slice(text.as_bytes());
        }
    };
    fields.iter().for_each(|(at, text)| set(*at, text));
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(place) = header.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    header
}
