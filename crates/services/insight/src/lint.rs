//! LintPolicy: what is likely wrong with a policy, by the facts of every service. Findings are advice.

use stoa_kernel::ApiError;
use stoa_models_authz::lint_catalog;
use stoa_models_stoa::types::{Finding, LintPolicyRequest, LintPolicyResponse, Slot};
use stoa_policy::lint::{Subject, lint};

use crate::service::Insight;
use crate::words;

impl Insight {
    /// See the module.
    ///
    /// # Errors
    /// None: what does not parse is a finding.
    pub fn lint_policy(&self, input: &LintPolicyRequest) -> Result<LintPolicyResponse, ApiError> {
        let subject = Subject::slot(words::engine_slot(input.slot.unwrap_or(Slot::Identity)));
        let found = lint(&input.policy_document, subject, lint_catalog());
        let finding = |finding: stoa_policy::lint::Finding| Finding {
            code: finding.code.name().to_owned(),
            severity: words::severity(finding.severity),
            message: finding.message,
            help: finding.help.to_owned(),
            path: finding.path,
            statement_id: finding.sid,
        };
        Ok(LintPolicyResponse { findings: found.into_iter().map(finding).collect() })
    }
}
