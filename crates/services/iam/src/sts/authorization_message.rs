//! DecodeAuthorizationMessage: opens what a refused caller was sent (`x-stoa-authorization-message`).
//!
//! Nothing is stored: the text opens under the master key alone, and only for callers of the refused one's account.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::{DecodeAuthorizationMessageRequest, DecodeAuthorizationMessageResponse};

use crate::Iam;

impl Handles<op::DecodeAuthorizationMessage> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DecodeAuthorizationMessageRequest>,
    ) -> Result<DecodeAuthorizationMessageResponse, ApiError> {
        let decoded = self.decode_refusal(&cx.principal.account, &input.encoded_message).ok_or_else(|| {
            ApiError::new("InvalidAuthorizationMessageException", 400, "The authorization message is not valid")
        })?;
        Ok(DecodeAuthorizationMessageResponse { decoded_message: Some(decoded) })
    }
}
