//! `clientToken`: the same request again has the same answer and no other effect.
//!
//! INVARIANT: the answer is remembered in the transaction that it answers for. Of two requests at once with one token,
//! one conflicts, reads again and finds the other's answer.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use stoa_kernel::{ApiError, Cx};
use stoa_store::{IdempotencyRecord, Transaction};

use crate::Ram;
use crate::error::{refused, store_failed};

const KEPT_MILLIS: i64 = 24 * 60 * 60 * 1000;
const LONGEST: usize = 64;

/// A request that may have been made before.
pub(crate) struct Ticket(Option<Kept>);

struct Kept {
    scope: String,
    token: String,
    hash: String,
    expires_at: stoa_types::Timestamp,
}

impl Ticket {
    /// The ticket of a request. `input` is the whole of it.
    pub(crate) fn of<I: Serialize>(
        cx: &Cx,
        operation: &str,
        token: Option<&String>,
        input: &I,
    ) -> Result<Ticket, ApiError> {
        let Some(token) = token else { return Ok(Ticket(None)) };
        if token.is_empty() || token.len() > LONGEST || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused("InvalidClientTokenException", "The client token is not valid."));
        }
        let bytes = serde_json::to_vec(input).map_err(ApiError::internal)?;
        Ok(Ticket(Some(Kept {
            scope: format!("{}/{}/ram:{operation}", cx.principal.account, cx.region),
            token: token.clone(),
            hash: hex::encode(Sha256::digest(bytes)),
            expires_at: cx.now.plus_millis(KEPT_MILLIS),
        })))
    }

    /// Adds the answer to the transaction that brings it about.
    pub(crate) fn remember<O: Serialize>(&self, transaction: Transaction, answer: &O) -> Result<Transaction, ApiError> {
        let Some(kept) = &self.0 else { return Ok(transaction) };
        Ok(transaction.remember(IdempotencyRecord {
            scope: kept.scope.clone(),
            token: kept.token.clone(),
            request_hash: kept.hash.clone(),
            result: serde_json::to_string(answer).map_err(ApiError::internal)?,
            expires_at: kept.expires_at,
        }))
    }
}

impl Ram {
    /// The answer to the same request before.
    pub(crate) async fn answered<O: DeserializeOwned>(&self, ticket: &Ticket) -> Result<Option<O>, ApiError> {
        let Some(kept) = &ticket.0 else { return Ok(None) };
        let found = self.parts.store.idempotency(&kept.scope, &kept.token).await.map_err(store_failed)?;
        let Some(found) = found else { return Ok(None) };
        if found.request_hash != kept.hash {
            return Err(refused(
                "IdempotentParameterMismatchException",
                "The client token was used before with other parameters.",
            ));
        }
        serde_json::from_str(&found.result).map(Some).map_err(ApiError::internal)
    }
}
