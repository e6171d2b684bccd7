//! Whether a caller has its device at hand: the codes that STS's operations bring.
//!
//! INVARIANT: a code is used up in the transaction that notes it, at the generation it was checked at, so two calls with
//! one code cannot both succeed. After ten wrong codes in five minutes a device accepts none until they are over.

use stoa_kernel::{ApiError, Cx, PrincipalIdentity};
use stoa_store::{StoreError, Transaction};
use stoa_types::Timestamp;

use super::totp;
use crate::Iam;
use crate::error::store_failed;
use crate::seal::Purpose;
use crate::state::{Loaded, MfaRecord};

const ATTEMPTS: usize = 8;
const MAX_FAILURES: u32 = 10;
const FAILURE_STEPS: i64 = 10;

const WRONG_CODE: &str = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
const WRONG_DEVICE: &str = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA \
                            serial number is valid and associated with this user.";
const BOTH: &str = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.";

/// What becomes of a code that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It stays good: the call has not been allowed yet.
    Look,
    /// It is used up.
    Take,
}

/// What a request says of MFA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GivenCode<'a> {
    pub(crate) serial: Option<&'a str>,
    pub(crate) code: Option<&'a str>,
}

impl Iam {
    /// Whether the caller's code is good, without using it up: for decisions that see `aws:MultiFactorAuthPresent`.
    pub(crate) async fn look_at_code(&self, cx: &Cx, given: GivenCode<'_>) -> Result<bool, ApiError> {
        Ok(self.code(cx, given, Use::Look).await?.is_some())
    }

    /// Uses the caller's code up. None when there is none; the time of authentication when it is good.
    pub(crate) async fn take_code(&self, cx: &Cx, given: GivenCode<'_>) -> Result<Option<Timestamp>, ApiError> {
        self.code(cx, given, Use::Take).await
    }

    async fn code(&self, cx: &Cx, given: GivenCode<'_>, how: Use) -> Result<Option<Timestamp>, ApiError> {
        let (serial, code) = match (given.serial, given.code) {
            (None, None) => return Ok(None),
            (Some(serial), Some(code)) => (serial, code),
            _ => return Err(ApiError::access_denied(BOTH)),
        };
        let PrincipalIdentity::User { name } = &cx.principal.identity else {
            return Err(ApiError::access_denied(WRONG_DEVICE));
        };
        for _ in 0..ATTEMPTS {
            let device = self.entity::<MfaRecord>(self.account(cx), serial).await;
            let device = device.map_err(|error| match error.code() {
                "NoSuchEntityException" => ApiError::access_denied(WRONG_DEVICE),
                _ => error,
            })?;
            if device.record.user.as_deref() != Some(name) {
                return Err(ApiError::access_denied(WRONG_DEVICE));
            }
            if let Some(answer) = self.try_code(cx, device, code, how).await? {
                return answer.map(Some);
            }
        }
        Err(store_failed(StoreError::conflict(&crate::state::mfa_key(self.account(cx), serial), None)))
    }

    /// One attempt; none when the device changed meanwhile.
    async fn try_code(
        &self,
        cx: &Cx,
        mut device: Loaded<MfaRecord>,
        code: &str,
        how: Use,
    ) -> Result<Option<Result<Timestamp, ApiError>>, ApiError> {
        let wrong = || ApiError::access_denied(WRONG_CODE);
        let now = totp::step_of(cx.now);
        let record = &mut device.record;
        let fresh = now - record.failing_since >= FAILURE_STEPS;
        if !fresh && record.failures >= MAX_FAILURES {
            return Ok(Some(Err(wrong())));
        }
        let seed = self.key.open(Purpose::MfaSeed, &record.arn, &record.sealed_seed).map_err(ApiError::internal)?;
        let answer = match totp::find(&seed, code, now, record.drift, record.last_step) {
            Some(_) if how == Use::Look => return Ok(Some(Ok(cx.now))),
            Some(step) => {
                record.last_step = step;
                record.failures = 0;
                Ok(cx.now)
            }
            None => {
                record.failures = if fresh { 1 } else { record.failures + 1 };
                record.failing_since = if fresh { now } else { record.failing_since };
                Err(wrong())
            }
        };
        match self.store.commit(Transaction::new().update(device.changed(cx.now)?)).await {
            Ok(()) => Ok(Some(answer)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(other) => Err(store_failed(other)),
        }
    }
}
