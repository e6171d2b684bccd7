//! Arrays of NumPy: a header, and for arrays of Python objects a pickle after it.

use std::io::{self, Read};

/// The longest header that is read.
const LONGEST_HEADER: u64 = 1 << 20;

/// What comes after the header.
pub(crate) enum After {
    Numbers,
    Pickle,
    /// The header is none.
    Unreadable,
}

/// Reads the header and leaves the reader behind it.
pub(crate) fn header(reader: &mut dyn Read) -> io::Result<After> {
    match try_header(reader) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(After::Unreadable),
        other => other,
    }
}

fn try_header(reader: &mut dyn Read) -> io::Result<After> {
    let mut start = [0_u8; 8];
    reader.read_exact(&mut start)?;
    let [_, _, _, _, _, _, major, _] = start;
    let length = if major == 1 {
        let mut bytes = [0_u8; 2];
        reader.read_exact(&mut bytes)?;
        u64::from(u16::from_le_bytes(bytes))
    } else {
        let mut bytes = [0_u8; 4];
        reader.read_exact(&mut bytes)?;
        u64::from(u32::from_le_bytes(bytes))
    };
    if length > LONGEST_HEADER {
        return Ok(After::Unreadable);
    }
    let mut header = vec![0_u8; usize::try_from(length).unwrap_or(0)];
    reader.read_exact(&mut header)?;
    let text = String::from_utf8_lossy(&header);
    if !text.contains("descr") {
        return Ok(After::Unreadable);
    }
    // Any type code that ends in O, also within a structure; escapes could hide one.
    let objects = text.contains("O'")
        || text.contains("O\"")
        || text.contains("object")
        || text.contains('\\')
        || text.contains("O4")
        || text.contains("O8");
    Ok(if objects { After::Pickle } else { After::Numbers })
}
