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
pub(crate) fn sniff(reader: &mut dyn ReadSeek) -> io::Result<Format> {
    let size = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::with_capacity(HEAD);
    (&mut *reader).take(HEAD as u64).read_to_end(&mut head)?;
    let magic = |bytes: &[u8]| head.starts_with(bytes);
    let found = if magic(b"GGUF") {
        Format::Gguf
    } else if magic(b"PK\x03\x04") || magic(b"PK\x05\x06") {
        Format::Zip
    } else if magic(b"\x1f\x8b") {
        Format::Gzip
    } else if magic(b"\x93NUMPY") {
        Format::NumPy
    } else if magic(b"\x89HDF\r\n\x1a\n") {
        Format::Hdf5
    } else if is_tar(&head) {
        Format::Tar
    } else if is_safetensors(&head, size) {
        Format::Safetensors
    } else if is_onnx(reader, size)? {
        Format::Onnx
    } else {
        text(&head, size)
    };
    reader.seek(SeekFrom::Start(0))?;
    Ok(found)
}

fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    if header.get(257..262) == Some(b"ustar") {
        return true;
    }
    // A tar without magic: the checksum is what tells.
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(at, byte)| u32::from(if (148..156).contains(&at) { b' ' } else { *byte }))
        .sum();
    let digits: String = header.get(148..156).unwrap_or_default().iter().map(|byte| char::from(*byte)).collect();
    let digits = digits.trim_matches(|letter: char| letter == '\0' || letter == ' ');
    !digits.is_empty() && u32::from_str_radix(digits, 8) == Ok(sum)
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

fn text(head: &[u8], size: u64) -> Format {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character may be cut where the look ends.
        Err(error) if size > head.len() as u64 && error.valid_up_to() + 4 > head.len() => {
            std::str::from_utf8(head.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return Format::Unknown,
    };
    if valid.chars().any(|letter| letter.is_control() && !"\n\r\t\u{c}".contains(letter)) {
        return Format::Unknown;
    }
    match valid.trim_start().chars().next() {
        Some('{' | '[') => Format::Json,
        _ => Format::Text,
    }
}
