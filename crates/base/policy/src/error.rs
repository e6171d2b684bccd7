//! The one error of this crate: a policy document that is not one, and where. A crash here loses nothing.

use thiserror::Error;

/// A document that IAM would refuse. Becomes the wire error `MalformedPolicyDocument`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} at {path}")]
pub struct PolicyError {
    message: String,
    path: String,
}

impl PolicyError {
    /// An error at a path such as `$.Statement[2].Action` (or `line 3 column 7` where the text is not even JSON).
    pub fn new(message: impl Into<String>, path: impl Into<String>) -> PolicyError {
        PolicyError { message: message.into(), path: path.into() }
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where: a JSON path, or a line and column.
    pub fn path(&self) -> &str {
        &self.path
    }
}
