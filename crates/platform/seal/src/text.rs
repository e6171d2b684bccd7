//! A sealed text as it is written: `stoa-sealed.2.<master key>.<purpose>.<owner>.<salt, nonce, body>`, the last three
//! in base64 without padding, so that it stands in JSON, a header or a file as it is.
//!
//! The first form (base64 of the byte 1, salt, nonce and body) names neither its key nor its purpose; it is still read.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// How every sealed text of the present form begins.
pub(crate) const PREFIX: &str = "stoa-sealed.2.";
pub(crate) const SALT: usize = 16;
pub(crate) const NONCE: usize = 12;
const FIRST_FORM: u8 = 1;

/// A sealed text taken apart.
pub(crate) struct Sealed<'t> {
    /// None in the first form.
    pub(crate) master: Option<&'t str>,
    pub(crate) salt: [u8; SALT],
    pub(crate) nonce: [u8; NONCE],
    pub(crate) body: Vec<u8>,
}

/// What the present form says of itself.
pub(crate) struct Named<'t> {
    pub(crate) master: &'t str,
    pub(crate) purpose: Vec<u8>,
    pub(crate) owner: String,
}

impl<'t> Sealed<'t> {
    pub(crate) fn write(&self, purpose: &[u8], owner: &str) -> String {
        let mut bytes = Vec::with_capacity(SALT + NONCE + self.body.len());
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.nonce);
        bytes.extend_from_slice(&self.body);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let master = self.master.unwrap_or_default();
        format!("{PREFIX}{master}.{}.{}.{}", encode(purpose), encode(owner.as_bytes()), encode(&bytes))
    }

    pub(crate) fn read(text: &'t str) -> Option<Sealed<'t>> {
        let Some(rest) = text.strip_prefix(PREFIX) else {
            let bytes = STANDARD.decode(text).ok()?;
            let (form, rest) = bytes.split_first()?;
            return if *form == FIRST_FORM { Sealed::of_bytes(None, rest) } else { None };
        };
        let (master, _, _, bytes) = fields(rest)?;
        Sealed::of_bytes(Some(master), &URL_SAFE_NO_PAD.decode(bytes).ok()?)
    }

    fn of_bytes(master: Option<&'t str>, bytes: &[u8]) -> Option<Sealed<'t>> {
        let (salt, rest) = bytes.split_first_chunk::<SALT>()?;
        let (nonce, body) = rest.split_first_chunk::<NONCE>()?;
        Some(Sealed { master, salt: *salt, nonce: *nonce, body: body.to_vec() })
    }
}

impl<'t> Named<'t> {
    /// None for the first form and for what is no sealed text.
    pub(crate) fn read(text: &'t str) -> Option<Named<'t>> {
        let (master, purpose, owner, _) = fields(text.strip_prefix(PREFIX)?)?;
        let purpose = URL_SAFE_NO_PAD.decode(purpose).ok()?;
        let owner = String::from_utf8(URL_SAFE_NO_PAD.decode(owner).ok()?).ok()?;
        Some(Named { master, purpose, owner })
    }
}

fn fields(rest: &str) -> Option<(&str, &str, &str, &str)> {
    let mut parts = rest.split('.');
    let fields = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(fields)
}
