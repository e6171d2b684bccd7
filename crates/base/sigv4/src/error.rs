//! Why a signature is not accepted, and what each family of protocols calls it.
//!
//! INVARIANT: no variant carries a secret key, a derived key or a session token; all of them may be logged and audited.

/// The family of error codes a service answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// awsJson, restJson1 and rpcv2Cbor: codes end in `Exception`.
    Json,
    /// awsQuery and ec2Query.
    Query,
    /// S3.
    S3,
}

/// One refusal as it goes on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// The error code, such as `InvalidSignatureException`.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The message.
    pub message: String,
}

/// Why the request is not accepted as signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigError {
    /// Nothing in the request names a credential: `MissingAuthenticationToken`.
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// A part of the signature is absent or malformed: `IncompleteSignature`.
    #[error("{0}")]
    IncompleteSignature(String),
    /// Signature Version 2, SigV4A or another algorithm: recognised and refused.
    #[error("The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")]
    UnsupportedAlgorithm,
    /// The access key id is not known: `InvalidClientTokenId`, `UnrecognizedClientException`, `InvalidAccessKeyId`.
    /// Only the caller can know, so only the caller makes it.
    #[error("The security token included in the request is invalid.")]
    UnknownAccessKey,
    /// The session token is not the one that belongs to the access key: as an unknown key, but `InvalidToken` in S3.
    #[error("The security token included in the request is invalid.")]
    InvalidToken,
    /// The session has ended: `ExpiredToken`, `ExpiredTokenException`.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The credential scope does not fit the request: `SignatureDoesNotMatch`, in S3 `AuthorizationHeaderMalformed`.
    #[error("{0}")]
    Scope(String),
    /// The signature is not the one that the secret gives. The canonical request and string to sign are there for the
    /// caller to compare; a session token in them is replaced.
    #[error("The request signature we calculated does not match the signature you provided")]
    SignatureDoesNotMatch {
        /// The canonical request, session token redacted.
        canonical_request: Box<str>,
        /// The string to sign.
        string_to_sign: Box<str>,
    },
    /// Headers that must be signed are not: `SignatureDoesNotMatch`, in S3 `AccessDenied`.
    #[error("There were headers present in the request which were not signed: {0}")]
    HeadersNotSigned(String),
    /// Signed too long ago or in the future: `SignatureDoesNotMatch`, in S3 `RequestTimeTooSkewed`.
    #[error("{0}")]
    RequestTimeTooSkewed(String),
    /// A presigned URL past its end: in S3 `AccessDenied` with `Request has expired`.
    #[error("{0}")]
    RequestExpired(String),
    /// A presigned URL before its beginning: in S3 `AccessDenied` with `Request is not yet valid`.
    #[error("{0}")]
    RequestNotYetValid(String),
    /// The declared payload hash is not that of the body: in S3 `XAmzContentSHA256Mismatch`.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    PayloadHashMismatch,
}

const DOES_NOT_MATCH: &str = "The request signature we calculated does not match the signature you provided. Check your \
                              AWS Secret Access Key and signing method. Consult the service documentation for details.";
const DOES_NOT_MATCH_S3: &str = "The request signature we calculated does not match the signature you provided. Check \
                                 your key and signing method.";

impl SigError {
    /// Code, status and message for one family of protocols.
    pub fn wire(&self, dialect: Dialect) -> WireError {
        let (code, status) = match dialect {
            Dialect::Json => self.json_code(),
            Dialect::Query => self.query_code(),
            Dialect::S3 => self.s3_code(),
        };
        WireError { code, status, message: self.message(dialect) }
    }

    fn json_code(&self) -> (&'static str, u16) {
        match self {
            SigError::MissingAuthenticationToken => ("MissingAuthenticationTokenException", 400),
            SigError::IncompleteSignature(_) | SigError::UnsupportedAlgorithm => ("IncompleteSignatureException", 400),
            SigError::UnknownAccessKey | SigError::InvalidToken => ("UnrecognizedClientException", 400),
            SigError::ExpiredToken => ("ExpiredTokenException", 400),
            SigError::Scope(_)
            | SigError::SignatureDoesNotMatch { .. }
            | SigError::HeadersNotSigned(_)
            | SigError::RequestTimeTooSkewed(_)
            | SigError::RequestExpired(_)
            | SigError::RequestNotYetValid(_)
            | SigError::PayloadHashMismatch => ("InvalidSignatureException", 400),
        }
    }

    fn query_code(&self) -> (&'static str, u16) {
        match self {
            SigError::MissingAuthenticationToken => ("MissingAuthenticationToken", 403),
            SigError::IncompleteSignature(_) | SigError::UnsupportedAlgorithm => ("IncompleteSignature", 400),
            SigError::UnknownAccessKey | SigError::InvalidToken => ("InvalidClientTokenId", 403),
            SigError::ExpiredToken => ("ExpiredToken", 403),
            SigError::Scope(_)
            | SigError::SignatureDoesNotMatch { .. }
            | SigError::HeadersNotSigned(_)
            | SigError::RequestTimeTooSkewed(_)
            | SigError::RequestExpired(_)
            | SigError::RequestNotYetValid(_)
            | SigError::PayloadHashMismatch => ("SignatureDoesNotMatch", 403),
        }
    }

    fn s3_code(&self) -> (&'static str, u16) {
        match self {
            SigError::MissingAuthenticationToken
            | SigError::HeadersNotSigned(_)
            | SigError::RequestExpired(_)
            | SigError::RequestNotYetValid(_) => ("AccessDenied", 403),
            SigError::IncompleteSignature(_) | SigError::Scope(_) => ("AuthorizationHeaderMalformed", 400),
            SigError::UnsupportedAlgorithm => ("InvalidRequest", 400),
            SigError::UnknownAccessKey => ("InvalidAccessKeyId", 403),
            SigError::InvalidToken => ("InvalidToken", 400),
            SigError::ExpiredToken => ("ExpiredToken", 400),
            SigError::SignatureDoesNotMatch { .. } => ("SignatureDoesNotMatch", 403),
            SigError::RequestTimeTooSkewed(_) => ("RequestTimeTooSkewed", 403),
            SigError::PayloadHashMismatch => ("XAmzContentSHA256Mismatch", 400),
        }
    }

    fn message(&self, dialect: Dialect) -> String {
        match (self, dialect) {
            (SigError::MissingAuthenticationToken, Dialect::S3) => "Access Denied".to_owned(),
            (SigError::UnknownAccessKey, Dialect::S3) => {
                "The AWS Access Key Id you provided does not exist in our records.".to_owned()
            }
            (SigError::InvalidToken, Dialect::S3) => "The provided token is malformed or otherwise invalid.".to_owned(),
            (SigError::ExpiredToken, Dialect::S3) => "The provided token has expired.".to_owned(),
            (SigError::RequestTimeTooSkewed(_), Dialect::S3) => {
                "The difference between the request time and the current time is too large.".to_owned()
            }
            (SigError::RequestExpired(_), Dialect::S3) => "Request has expired".to_owned(),
            (SigError::RequestNotYetValid(_), Dialect::S3) => "Request is not yet valid".to_owned(),
            (SigError::HeadersNotSigned(_), Dialect::S3) => {
                "There were headers present in the request which were not signed".to_owned()
            }
            (SigError::SignatureDoesNotMatch { .. }, Dialect::S3) => DOES_NOT_MATCH_S3.to_owned(),
            (SigError::SignatureDoesNotMatch { canonical_request, string_to_sign }, _) => format!(
                "{DOES_NOT_MATCH}\n\nThe Canonical String for this request should have been\n'{canonical_request}'\n\n\
                 The String-to-Sign should have been\n'{string_to_sign}'\n"
            ),
            _ => self.to_string(),
        }
    }
}
