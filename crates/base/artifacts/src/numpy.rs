//! Arrays of NumPy: a header, and after it numbers, or for arrays of Python objects a pickle.
//!
//! The header is a Python literal. Only one that says plainly that the elements are numbers or texts is believed, in the
//! form that NumPy writes; whatever else it is (a structure, an escape, a second `descr`), a pickle may follow.

use std::io::{self, Read, SeekFrom};

use crate::ReadSeek;

/// The longest header that is read.
const LONGEST_HEADER: u64 = 1 << 20;

/// What comes after the header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// So many bytes of elements.
    Elements(u64),
    /// It does not say, or objects.
    MaybePickle,
    /// The header is none.
    Unreadable,
}

/// Reads the header and leaves the reader behind it; gives how many bytes follow, too.
pub(crate) fn header(reader: &mut dyn ReadSeek) -> io::Result<(After, u64)> {
    let size = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    let after = match try_header(reader) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => After::Unreadable,
        other => other?,
    };
    Ok((after, size.saturating_sub(reader.stream_position()?)))
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
    let plain = std::str::from_utf8(&header).ok().and_then(elements);
    Ok(plain.map_or(After::MaybePickle, After::Elements))
}

/// The bytes that the elements of a plainly described array take.
fn elements(header: &str) -> Option<u64> {
    let mut rest = Literal(header);
    rest.take("{")?;
    let (mut size, mut order, mut count) = (None, None, None);
    for _ in 0..3 {
        let key = rest.text()?;
        rest.take(":")?;
        match key {
            "descr" if size.is_none() => size = Some(size_of(rest.text()?)?),
            "fortran_order" if order.is_none() => order = Some(rest.take("True").or_else(|| rest.take("False"))?),
            "shape" if count.is_none() => count = Some(rest.shape()?),
            _ => return None,
        }
        // The comma after the last may be missing; a key without one before it is no key.
        let comma = rest.take(",");
        if comma.is_none() && (size.is_none() || order.is_none() || count.is_none()) {
            return None;
        }
    }
    rest.take("}")?;
    rest.0.trim().is_empty().then(|| size?.checked_mul(count?))?
}

/// The bytes of one element of a plain type.
fn size_of(descr: &str) -> Option<u64> {
    let code = descr.strip_prefix(['<', '>', '|', '=']).unwrap_or(descr);
    if code == "?" {
        return Some(1);
    }
    let mut letters = code.chars();
    let (kind, rest) = (letters.next()?, letters.as_str());
    let (digits, unit) = rest.split_at(rest.find('[').unwrap_or(rest.len()));
    let is_unit = |unit: &str| {
        let inside = unit.strip_prefix('[').and_then(|unit| unit.strip_suffix(']'));
        inside.is_some_and(|unit| unit.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || !(unit.is_empty() || is_unit(unit)) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match kind {
        'b' | 'i' | 'u' | 'f' | 'c' | 'S' | 'V' if unit.is_empty() => Some(number),
        'U' if unit.is_empty() => number.checked_mul(4),
        'm' | 'M' => Some(number),
        _ => None,
    }
}

/// What is left of a literal.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.trim_start_matches([' ', '\n', '\t']).strip_prefix(token)?;
        Some(())
    }

    /// A text in quotes, without escapes.
    fn text(&mut self) -> Option<&'a str> {
        let quote = if self.take("'").is_some() { '\'' } else { self.take("\"").map(|()| '"')? };
        let (text, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        (!text.contains('\\')).then_some(text)
    }

    /// How many elements a tuple of lengths makes.
    fn shape(&mut self) -> Option<u64> {
        self.take("(")?;
        let (lengths, rest) = self.0.split_once(')')?;
        self.0 = rest;
        let lengths = lengths.trim();
        let lengths = lengths.strip_suffix(',').unwrap_or(lengths);
        if lengths.is_empty() {
            return Some(1);
        }
        let numbers = lengths.split(',').map(|number| number.trim().trim_end_matches('L').parse::<u64>().ok());
        numbers.into_iter().try_fold(1_u64, |all, number| all.checked_mul(number?))
    }
}
