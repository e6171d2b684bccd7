//! The operations, each handed to where its question is answered.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_stoa::operations as op;
use stoa_models_stoa::types::{
    ExplainDecisionRequest, ExplainDecisionResponse, GetAccessMatrixRequest, GetAccessMatrixResponse,
    LintPolicyRequest, LintPolicyResponse, ListPrincipalsWithAccessRequest, ListPrincipalsWithAccessResponse,
    ReplayPolicyRequest, ReplayPolicyResponse,
};

use crate::service::Insight;
use crate::viewer::Viewer;

impl Handles<op::ExplainDecision> for Insight {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ExplainDecisionRequest>,
    ) -> Result<ExplainDecisionResponse, ApiError> {
        self.explain_decision(&Viewer::of(cx), &input).await
    }
}

impl Handles<op::ListPrincipalsWithAccess> for Insight {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ListPrincipalsWithAccessRequest>,
    ) -> Result<ListPrincipalsWithAccessResponse, ApiError> {
        self.list_principals_with_access(&Viewer::of(cx), &input).await
    }
}

impl Handles<op::GetAccessMatrix> for Insight {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<GetAccessMatrixRequest>,
    ) -> Result<GetAccessMatrixResponse, ApiError> {
        self.get_access_matrix(&Viewer::of(cx), &input).await
    }
}

impl Handles<op::ReplayPolicy> for Insight {
    async fn handle(&self, cx: &Cx, input: Authorized<ReplayPolicyRequest>) -> Result<ReplayPolicyResponse, ApiError> {
        self.replay_policy(&Viewer::of(cx), &input).await
    }
}

impl Handles<op::LintPolicy> for Insight {
    async fn handle(&self, _cx: &Cx, input: Authorized<LintPolicyRequest>) -> Result<LintPolicyResponse, ApiError> {
        self.lint_policy(&input)
    }
}
