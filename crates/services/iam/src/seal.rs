//! What IAM seals: see `stoa-seal` for how.

pub(crate) use stoa_seal::SealError;
pub use stoa_seal::SealingKey;

/// What a sealed text is for; a text sealed for one purpose does not open for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The secret of a long-term access key.
    AccessKey,
    /// A session token.
    Session,
    /// The encoded message of a refusal.
    Refusal,
    /// The seed of a virtual MFA device.
    MfaSeed,
    /// A bearer token for Hugging Face's clients.
    HuggingFace,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Purpose::AccessKey => b"stoa/iam/access-key/v1",
            Purpose::Session => b"stoa/iam/session-token/v1",
            Purpose::Refusal => b"stoa/iam/authorization-message/v1",
            Purpose::MfaSeed => b"stoa/iam/mfa-seed/v1",
            Purpose::HuggingFace => b"stoa/iam/hugging-face-token/v1",
        }
    }
}

impl AsRef<[u8]> for Purpose {
    fn as_ref(&self) -> &[u8] {
        self.label()
    }
}
