//! Data keys, the key of one header, and nonces.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

use crate::FrameError;
use crate::layout::{FRAME_BITS, HEADER, MAGIC, SALT, TAG, VERSION};

const LABEL: &[u8] = b"stoa/frames/key/v1";

/// Thirty-two random bytes. It seals as many blobs as one likes. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey(…)")
    }
}

impl DataKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> DataKey {
        DataKey(Zeroizing::new(bytes))
    }

    /// The key with these bytes, where there are thirty-two of them.
    pub fn of(bytes: &[u8]) -> Option<DataKey> {
        bytes.try_into().ok().map(DataKey::new)
    }
}

/// The header with these random bytes.
pub(crate) fn header(salt: &[u8; SALT]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let about = MAGIC.iter().chain(&[VERSION, FRAME_BITS, 0, 0, 0, 0, 0, 0]).chain(salt);
    header.iter_mut().zip(about).for_each(|(place, byte)| *place = *byte);
    header
}

/// The key of one header, and the header as what is authenticated with each frame.
pub(crate) struct FrameKey {
    key: LessSafeKey,
    header: [u8; HEADER],
}

impl FrameKey {
    /// Fails for a header that is none of ours.
    pub(crate) fn new(data: &DataKey, given: &[u8]) -> Result<FrameKey, FrameError> {
        let salt: [u8; SALT] =
            given.get(HEADER - SALT..).and_then(|salt| salt.try_into().ok()).ok_or(FrameError::Header)?;
        let known = header(&salt);
        if given != known {
            return Err(FrameError::Header);
        }
        let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &*data.0));
        mac.update(LABEL);
        mac.update(given);
        let derived = mac.sign();
        let key = UnboundKey::new(&AES_256_GCM, derived.as_ref()).map_err(|_| FrameError::Header)?;
        Ok(FrameKey { key: LessSafeKey::new(key), header: known })
    }

    pub(crate) fn header(&self) -> &[u8; HEADER] {
        &self.header
    }

    /// INVARIANT: of each number at most one frame is sealed, once, with or without the mark of the last.
    pub(crate) fn seal(&self, number: u64, last: bool, frame: &mut Vec<u8>) -> Result<(), FrameError> {
        let nonce = nonce(number, last)?;
        let sealed = self.key.seal_in_place_append_tag(nonce, Aad::from(&self.header), frame);
        sealed.map_err(|_| FrameError::TooLong)
    }

    /// Opens a frame where it is, and takes its tag off.
    pub(crate) fn open(&self, number: u64, last: bool, frame: &mut Vec<u8>) -> Result<(), FrameError> {
        let nonce = nonce(number, last)?;
        let opened = self.key.open_in_place(nonce, Aad::from(&self.header), frame);
        opened.map_err(|_| FrameError::Damaged(number))?;
        frame.truncate(frame.len().saturating_sub(TAG));
        Ok(())
    }
}

fn nonce(number: u64, last: bool) -> Result<Nonce, FrameError> {
    let number = u32::try_from(number).map_err(|_| FrameError::TooLong)?;
    let [a, b, c, d] = number.to_be_bytes();
    Ok(Nonce::assume_unique_for_key([0, 0, 0, 0, 0, 0, 0, a, b, c, d, u8::from(last)]))
}
