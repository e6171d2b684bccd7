//! NumPy's `.npy` format, versions 1 to 3: reading of numeric and boolean arrays, writing of what the runtime returns.
//!
//! The header is a Python dict literal with three known keys, so it is read by hand: a general parser of Python
//! literals would cost more build time than this file has lines. Pickled, structured and text arrays are refused.

use crate::{
    error::PredictError,
    tensor::{Data, Element, Tensor},
};

const MAGIC: &[u8] = b"\x93NUMPY";

struct Header<'a> {
    descr: &'a str,
    fortran: bool,
    shape: Vec<usize>,
}

/// Reads an array; integers of any width become `I32` where they fit, floats `F32`, bytes stay bytes.
pub(crate) fn read(body: &[u8]) -> Result<Tensor, PredictError> {
    let (header, data) = split(body)?;
    let header = parse_header(header)?;
    let mut characters = header.descr.chars();
    let big_endian = match characters.next() {
        Some('<' | '|') => false,
        Some('>') => true,
        _ => return Err(unsupported(header.descr)),
    };
    let count = header.shape.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
    let (element, width, decode) = decoder(characters.as_str()).ok_or_else(|| unsupported(header.descr))?;
    let count = count.filter(|count| count.checked_mul(width) == Some(data.len()));
    let Some(count) = count else {
        return Err(PredictError::bad(format!("the npy body's data do not fill shape {:?}", header.shape)));
    };
    let mut numbers = Vec::with_capacity(count);
    let mut bytes = [0_u8; 8];
    for chunk in data.chunks_exact(width) {
        let (used, _) = bytes.split_at_mut(width);
        used.copy_from_slice(chunk);
        if big_endian {
            used.reverse();
        }
        numbers.push(decode(bytes));
    }
    let numbers = if header.fortran { row_major(&header.shape, &numbers) } else { numbers };
    Tensor::from_numbers(header.shape, &numbers, element)
}

/// Writes an array as version 1.0, little endian, row-major.
pub(crate) fn write(tensor: &Tensor) -> Vec<u8> {
    let (descr, data): (&str, Vec<u8>) = match tensor.data() {
        Data::F32(data) => ("<f4", data.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Data::I32(data) => ("<i4", data.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Data::I8(data) => ("|i1", data.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Data::U8(data) => ("|u1", data.clone()),
    };
    let dims: Vec<String> = tensor.shape().iter().map(usize::to_string).collect();
    let comma = if dims.len() == 1 { "," } else { "" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}", dims.join(", ")).into_bytes();
    // Magic, version and length take 10 bytes; the data begin at a multiple of 64.
    let padded = (header.len() + 11).next_multiple_of(64) - 10;
    header.resize(padded - 1, b' ');
    header.push(b'\n');
    let mut out = Vec::with_capacity(10 + header.len() + data.len());
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[1, 0]);
    // A shape of this container's tensors never comes near 65 kB of text.
    out.extend_from_slice(&u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(&data);
    out
}

fn split(body: &[u8]) -> Result<(&str, &[u8]), PredictError> {
    let broken = || PredictError::bad("the body is not an npy array");
    let rest = body.strip_prefix(MAGIC).ok_or_else(broken)?;
    let (length, rest) = match rest {
        [1, _, low, high, rest @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => {
            (usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).map_err(|_| broken())?, rest)
        }
        _ => return Err(broken()),
    };
    let (header, data) = rest.split_at_checked(length).ok_or_else(broken)?;
    Ok((std::str::from_utf8(header).map_err(|_| broken())?, data))
}

fn parse_header(text: &str) -> Result<Header<'_>, PredictError> {
    let broken = || PredictError::bad("the npy header lacks `descr`, `fortran_order` or `shape`");
    let descr = after(text, "descr").and_then(|rest| quoted(rest)).ok_or_else(broken)?;
    let fortran = after(text, "fortran_order").ok_or_else(broken)?.starts_with("True");
    let shape = after(text, "shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')')).ok_or_else(broken)?.0;
    let dims = shape.split(',').map(str::trim).filter(|dim| !dim.is_empty());
    let shape = dims.map(|dim| dim.parse().map_err(|_| broken())).collect::<Result<Vec<usize>, _>>()?;
    Ok(Header { descr, fortran, shape })
}

/// The text after `'key':`.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("'{key}'"))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.split_once('\'').map(|(inner, _)| inner)
}

fn unsupported(descr: &str) -> PredictError {
    PredictError::bad(format!("npy arrays of type `{descr}` are not supported"))
}

/// The element, the width and the way from little-endian bytes (zero-filled to eight) to a number.
type Decoder = (Element, usize, fn([u8; 8]) -> f64);

fn decoder(kind: &str) -> Option<Decoder> {
    let known: Decoder = match kind {
        "f4" => (Element::F32, 4, |[a, b, c, d, ..]| f64::from(f32::from_le_bytes([a, b, c, d]))),
        "f8" => (Element::F32, 8, f64::from_le_bytes),
        "i1" => (Element::I8, 1, |[a, ..]| f64::from(i8::from_le_bytes([a]))),
        "i2" => (Element::I32, 2, |[a, b, ..]| f64::from(i16::from_le_bytes([a, b]))),
        "i4" => (Element::I32, 4, |[a, b, c, d, ..]| f64::from(i32::from_le_bytes([a, b, c, d]))),
        "i8" => (Element::I32, 8, |bytes| i64::from_le_bytes(bytes) as f64),
        "u1" | "b1" => (Element::U8, 1, |[a, ..]| f64::from(a)),
        "u2" => (Element::I32, 2, |[a, b, ..]| f64::from(u16::from_le_bytes([a, b]))),
        "u4" => (Element::I32, 4, |[a, b, c, d, ..]| f64::from(u32::from_le_bytes([a, b, c, d]))),
        _ => return None,
    };
    Some(known)
}

/// Column-major elements put into row-major order.
fn row_major(shape: &[usize], numbers: &[f64]) -> Vec<f64> {
    let mut out = Vec::with_capacity(numbers.len());
    let mut at = vec![0_usize; shape.len()];
    for _ in 0..numbers.len() {
        let (index, _) =
            at.iter().zip(shape).fold((0, 1), |(index, stride), (&i, &dim)| (index + i * stride, stride * dim));
        out.push(numbers.get(index).copied().unwrap_or(f64::NAN));
        for (position, &dim) in at.iter_mut().zip(shape).rev() {
            *position += 1;
            if *position < dim {
                break;
            }
            *position = 0;
        }
    }
    out
}
