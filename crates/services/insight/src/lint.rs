//! LintPolicy.
use crate::service::Insight;
use stoa_kernel::ApiError;
use stoa_models_stoa::types::{LintPolicyRequest, LintPolicyResponse};
impl Insight {
    /// Lints.
    pub fn lint_policy(&self, _input: &LintPolicyRequest) -> Result<LintPolicyResponse, ApiError> {
        Ok(LintPolicyResponse { findings: Vec::new() })
    }
}
