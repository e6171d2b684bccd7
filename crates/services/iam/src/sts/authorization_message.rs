//! Why a call was refused, sealed into a text that the refused caller can pass on, and opened again for whoever may.
//!
//! Nothing is stored: the text opens under the master key alone. It ends with its day, so that old refusals say nothing
//! about policies of today.

use serde::{Deserialize, Serialize};
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_sts::operations as op;
use stoa_models_sts::types::{DecodeAuthorizationMessageRequest, DecodeAuthorizationMessageResponse};
use stoa_types::Timestamp;

use crate::Iam;
use crate::seal::Purpose;

const LIFE_MILLIS: i64 = 24 * 60 * 60 * 1000;

#[derive(Serialize, Deserialize)]
struct Sealed {
    /// The account of the refused caller: only it may open the text.
    account: String,
    at: Timestamp,
    message: serde_json::Value,
}

fn invalid() -> ApiError {
    ApiError::new("InvalidAuthorizationMessageException", 400, "The authorization message is not valid")
}

impl Iam {
    /// Seals what a refusal is about: `message` is the JSON that DecodeAuthorizationMessage answers with.
    ///
    /// # Errors
    /// An internal one when the message cannot be sealed.
    pub fn encode_authorization_message(
        &self,
        account: &str,
        now: Timestamp,
        message: serde_json::Value,
    ) -> Result<String, ApiError> {
        let sealed = Sealed { account: account.to_owned(), at: now, message };
        let text = serde_json::to_vec(&sealed).map_err(ApiError::internal)?;
        self.key.seal(Purpose::AuthorizationMessage, "", &text, &*self.ids).map_err(ApiError::internal)
    }

    fn decode_authorization_message(&self, cx: &Cx, encoded: &str) -> Result<serde_json::Value, ApiError> {
        let text = self.key.open(Purpose::AuthorizationMessage, "", encoded).map_err(|_| invalid())?;
        let sealed: Sealed = serde_json::from_slice(&text).map_err(|_| invalid())?;
        let own = sealed.account == cx.principal.account.as_str();
        if !own || cx.now.millis() - sealed.at.millis() > LIFE_MILLIS {
            return Err(invalid());
        }
        Ok(sealed.message)
    }
}

impl Handles<op::DecodeAuthorizationMessage> for Iam {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<DecodeAuthorizationMessageRequest>,
    ) -> Result<DecodeAuthorizationMessageResponse, ApiError> {
        let message = self.decode_authorization_message(cx, &input.encoded_message)?;
        Ok(DecodeAuthorizationMessageResponse { decoded_message: Some(message.to_string()) })
    }
}
