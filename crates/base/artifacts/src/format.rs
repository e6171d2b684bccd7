//! Formats, by their first bytes; for ONNX, which has no magic, by the fields of the message.

use std::fmt;
use std::io::{self, Read, SeekFrom};

use serde::{Deserialize, Serialize};

use crate::ReadSeek;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Format {
    /// Tensors and nothing else.
    Safetensors,
    /// A graph of operators.
    #[serde(rename = "ONNX")]
    Onnx,
    /// Tensors with metadata, of llama.cpp.
    #[serde(rename = "GGUF")]
    Gguf,
    /// Python's opcodes, as torch before 1.6, joblib and others write them.
    Pickle,
    /// A zip with a pickle, as torch writes it.
    PyTorch,
    /// An array.
    NumPy,
    /// An archive, compressed by gzip or not.
    Tar,
    /// An archive.
    Zip,
    /// Something compressed that is no tar.
    Gzip,
    /// Keras and others.
    #[serde(rename = "HDF5")]
    Hdf5,
    /// A JSON text.
    #[serde(rename = "JSON")]
    Json,
    /// UTF-8.
    Text,
    /// Anything else.
    Unknown,
}

impl Format {
    /// The name in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Safetensors => "Safetensors",
            Format::Onnx => "ONNX",
            Format::Gguf => "GGUF",
            Format::Pickle => "Pickle",
            Format::PyTorch => "PyTorch",
            Format::NumPy => "NumPy",
            Format::Tar => "Tar",
            Format::Zip => "Zip",
            Format::Gzip => "Gzip",
            Format::Hdf5 => "HDF5",
            Format::Json => "JSON",
            Format::Text => "Text",
            Format::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Bytes that a look at the beginning takes.
const HEAD: usize = 4096;
/// The longest header of a safetensors file, as its library has it.
const LONGEST_HEADER: u64 = 100_000_000;
/// Fields of an ONNX model that are looked at.
const MOST_FIELDS: usize = 4096;

/// What the beginning says. A gzip or zip says no more than that; a pickle is not recognised here.
pub(crate) struct Sniffed {
    pub format: Format,
    /// What else the first bytes are a sign of: a header of a tar begins with a name, which may be one too.
    pub second: Option<Format>,
    /// A way of compressing that is not read here.
    pub compressed: Option<&'static str>,
}

pub(crate) fn sniff(reader: &mut dyn ReadSeek) -> io::Result<Sniffed> {
    let size = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::with_capacity(HEAD);
    (&mut *reader).take(HEAD as u64).read_to_end(&mut head)?;
    let (magic, tar, compressed) = (magic(&head), is_tar(&head), compressed(&head));
    let format = match magic {
        _ if tar => Format::Tar,
        Some(magic) => magic,
        None if is_safetensors(&head, size) => Format::Safetensors,
        None if is_onnx(reader, size)? => Format::Onnx,
        None if compressed.is_some() => Format::Unknown,
        None => {
            reader.seek(SeekFrom::Start(0))?;
            text(reader)?
        }
    };
    reader.seek(SeekFrom::Start(0))?;
    Ok(Sniffed { format, second: magic.filter(|_| tar), compressed })
}

fn magic(head: &[u8]) -> Option<Format> {
    let magic = |bytes: &[u8]| head.starts_with(bytes);
    if magic(b"GGUF") {
        Some(Format::Gguf)
    } else if magic(b"PK\x03\x04") || magic(b"PK\x05\x06") {
        Some(Format::Zip)
    } else if magic(b"\x1f\x8b\x08") {
        Some(Format::Gzip)
    } else if magic(b"\x93NUMPY") {
        Some(Format::NumPy)
    } else if magic(b"\x89HDF\r\n\x1a\n") {
        Some(Format::Hdf5)
    } else {
        None
    }
}

/// Compressions and archives without a reader here, by the names that people know.
const UNREAD: [(&[u8], &str); 12] = [
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"LZIP\x01", "lzip"),
    (b"\x89LZO\x00\r\n\x1a\n", "lzo"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"070701", "cpio"),
    (b"070702", "cpio"),
    (b"hsqs", "squashfs"),
];

fn compressed(head: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = UNREAD.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(name);
    }
    // Frames of zstd and lz4 that are to be passed over, before others.
    if let Some([0x50..=0x5f, 0x2a, 0x4d, 0x18]) = head.get(..4) {
        return Some("zstd or lz4");
    }
    if let Some([b'B', b'Z', b'h', b'1'..=b'9', block @ ..]) = head.get(..10)
        && (block == b"\x31\x41\x59\x26\x53\x59" || block == b"\x17\x72\x45\x38\x50\x90")
    {
        return Some("bzip2");
    }
    is_lzma(head).then_some("lzma")
}

/// LZMA before xz has no magic: three numbers in one byte, the size of a dictionary, the size of all or none, and a zero.
fn is_lzma(head: &[u8]) -> bool {
    let Some([numbers, sizes @ .., 0]) = head.first_chunk::<14>() else { return false };
    let (Some(dictionary), Some(size)) = (sizes.first_chunk::<4>(), sizes.last_chunk::<8>()) else { return false };
    let (dictionary, size) = (u32::from_le_bytes(*dictionary), u64::from_le_bytes(*size));
    let (bits, top) = (dictionary.count_ones(), dictionary.leading_zeros());
    let is_usual = dictionary >= 4096 && (bits == 1 || (bits == 2 && dictionary << top >> 30 == 3));
    *numbers < 225 && (is_usual || dictionary == u32::MAX) && (size == u64::MAX || size < 256 << 30)
}

/// A header of a tar is one by its checksum: of bytes, or as old systems had it, of signed bytes.
pub(crate) fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    let bytes = || header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
    let sum: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte as i8)).sum();
    let field = header.get(148..156).unwrap_or_default();
    let found = match field.split_first() {
        Some((0x80, rest)) => Some(rest.iter().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte))),
        _ => octal(field),
    };
    found.is_some_and(|found| found == sum || found == signed) && header.iter().any(|byte| *byte != 0)
}

/// A number as tars have it, and as Python reads one.
pub(crate) fn octal(field: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(field.split(|byte| *byte == 0).next()?).ok()?.trim().replace('_', "");
    let digits = text.strip_prefix("0o").or_else(|| text.strip_prefix("0O")).unwrap_or(&text);
    if digits.is_empty() { Some(0) } else { i64::from_str_radix(digits, 8).ok() }
}

fn is_safetensors(head: &[u8], size: u64) -> bool {
    let Some(length) = head.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)) else { return false };
    (2..=LONGEST_HEADER).contains(&length) && length.saturating_add(8) <= size && head.get(8) == Some(&b'{')
}

/// The whole file is fields of a ModelProto, with a version first or a producer, and a graph.
fn is_onnx(reader: &mut dyn ReadSeek, size: u64) -> io::Result<bool> {
    let (mut at, mut graph, mut fields) = (0_u64, false, 0_usize);
    while at < size {
        fields += 1;
        if fields > MOST_FIELDS {
            return Ok(false);
        }
        reader.seek(SeekFrom::Start(at))?;
        let Some((tag, length)) = varint(reader)? else { return Ok(false) };
        let (field, kind) = (tag >> 3, tag & 7);
        let Some((value, more)) = varint(reader)? else { return Ok(false) };
        let body = match (field, kind) {
            (1 | 5, 0) => 0,
            (2 | 3 | 4 | 6 | 7 | 8 | 14 | 20 | 25 | 26, 2) => value,
            _ => return Ok(false),
        };
        graph |= field == 7;
        at = at.saturating_add(length + more).saturating_add(body);
    }
    Ok(graph && at == size)
}

/// A number and how many bytes it takes.
fn varint(reader: &mut dyn ReadSeek) -> io::Result<Option<(u64, u64)>> {
    let mut value = 0_u64;
    for place in 0..10_u32 {
        let mut byte = [0_u8; 1];
        if reader.read(&mut byte)? == 0 {
            return Ok(None);
        }
        let [byte] = byte;
        value |= u64::from(byte & 0x7f).checked_shl(7 * place).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(Some((value, u64::from(place) + 1)));
        }
    }
    Ok(None)
}

/// Texts are texts to their end.
fn text(reader: &mut dyn ReadSeek) -> io::Result<Format> {
    let (mut buffer, mut kept, mut first) = (vec![0_u8; 64 << 10], 0, None);
    loop {
        let read = reader.read(buffer.get_mut(kept..).unwrap_or_default())?;
        let bytes = buffer.get(..kept + read).unwrap_or_default();
        let valid = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            // A character may be cut where a piece ends.
            Err(error) if error.error_len().is_none() && read > 0 => {
                std::str::from_utf8(bytes.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
            Err(_) => return Ok(Format::Unknown),
        };
        if valid.chars().any(|letter| letter.is_control() && !"\n\r\t\u{c}".contains(letter)) {
            return Ok(Format::Unknown);
        }
        first = first.or_else(|| valid.trim_start().chars().next());
        if read == 0 {
            return Ok(if matches!(first, Some('{' | '[')) { Format::Json } else { Format::Text });
        }
        let (used, all) = (valid.len(), bytes.len());
        buffer.copy_within(used..all, 0);
        kept = all - used;
    }
}
