//! The seed of a device as text and as a picture that a phone can read.
//!
//! Pure. The picture is a PNG of one bit a pixel, written by hand: four chunks.

use std::io::Write;

use flate2::Compression;
use flate2::Crc;
use flate2::write::ZlibEncoder;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qrcodegen::{QrCode, QrCodeEcc};
use stoa_kernel::ApiError;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// White modules around the code, as the standard wants them.
const QUIET: i32 = 4;
/// Pixels to a module.
const SCALE: i32 = 6;

/// RFC 4648's base32. Seeds are whole groups of five bytes, so nothing is padded.
pub(super) fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    for group in bytes.chunks(5) {
        let number = group.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        for place in (0..8).rev() {
            let index = usize::try_from((number >> (place * 5)) & 31).unwrap_or_default();
            text.push(BASE32.get(index).map_or('A', |letter| char::from(*letter)));
        }
    }
    text
}

/// `otpauth://totp/<device>@<account>?secret=<seed>` as a PNG.
pub(super) fn qr_png(device: &str, account: &str, seed: &str) -> Result<Vec<u8>, ApiError> {
    let label = format!("{device}@{account}");
    let label = utf8_percent_encode(&label, &RESERVED);
    let text = format!("otpauth://totp/{label}?secret={seed}");
    let code = QrCode::encode_text(&text, QrCodeEcc::Low).map_err(|error| ApiError::internal(error.to_string()))?;
    png(&code).map_err(ApiError::internal)
}

fn png(code: &QrCode) -> std::io::Result<Vec<u8>> {
    let side = (code.size() + 2 * QUIET) * SCALE;
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::default());
    for y in 0..side {
        // Filter: none. Then a bit for each pixel, 1 for white, from the left.
        pixels.write_all(&[0])?;
        let mut x = 0;
        while x < side {
            let white = |bit: i32| !code.get_module((x + bit) / SCALE - QUIET, y / SCALE - QUIET);
            let byte = (0..8).fold(0_u8, |byte, bit| (byte << 1) | u8::from(white(bit)));
            pixels.write_all(&[byte])?;
            x += 8;
        }
    }
    let mut header = Vec::with_capacity(13);
    header.extend_from_slice(&side.to_be_bytes());
    header.extend_from_slice(&side.to_be_bytes());
    // One bit a pixel, grey, and the only compression, filter and order there are.
    header.extend_from_slice(&[1, 0, 0, 0, 0]);
    let mut image = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut image, b"IHDR", &header)?;
    chunk(&mut image, b"IDAT", &pixels.finish()?)?;
    chunk(&mut image, b"IEND", &[])?;
    Ok(image)
}

fn chunk(image: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(data.len()).map_err(std::io::Error::other)?;
    let mut crc = Crc::new();
    crc.update(name);
    crc.update(data);
    image.extend_from_slice(&length.to_be_bytes());
    image.extend_from_slice(name);
    image.extend_from_slice(data);
    image.extend_from_slice(&crc.sum().to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_rfc_4648s() {
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(base32(b"12345678901234567890"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn the_picture_is_a_whole_png() {
        let image = qr_png("phone", "111122223333", &"A".repeat(64)).unwrap();
        assert!(image.starts_with(b"\x89PNG\r\n\x1a\n"));
        let mut at = 8;
        let mut names = Vec::new();
        while at < image.len() {
            let length = u32::from_be_bytes(image[at..at + 4].try_into().unwrap()) as usize;
            let body = &image[at + 4..at + 8 + length];
            let mut crc = Crc::new();
            crc.update(body);
            assert_eq!(image[at + 8 + length..at + 12 + length], crc.sum().to_be_bytes());
            names.push(body[..4].to_vec());
            at += 12 + length;
        }
        assert_eq!(names, [b"IHDR".to_vec(), b"IDAT".to_vec(), b"IEND".to_vec()]);
    }
}
