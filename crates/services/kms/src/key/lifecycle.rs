//! Enabling, disabling, scheduling and cancelling deletion. The reconciler deletes what is due.

use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_kms::operations as op;
use stoa_models_kms::types::{
    CancelKeyDeletionRequest, CancelKeyDeletionResponse, DisableKeyRequest, EnableKeyRequest, KeyState,
    ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse,
};
use stoa_schema::Empty;

use crate::Kms;
use crate::error::invalid_state;
use crate::state::{Deletion, State};

pub(super) const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
const DEFAULT_WINDOW: i64 = 30;
const SHORTEST_WINDOW: i64 = 7;

impl Handles<op::EnableKey> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<EnableKeyRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        self.change_key(&found.key, cx.now, |key| {
            key.must_not_be_pending()?;
            key.state = State::Enabled;
            Ok(())
        })
        .await?;
        // Its rotation may have become due while it was disabled.
        self.nudge.nudge();
        Ok(Empty {})
    }
}

impl Handles<op::DisableKey> for Kms {
    async fn handle(&self, cx: &Cx, input: Authorized<DisableKeyRequest>) -> Result<Empty, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        self.change_key(&found.key, cx.now, |key| {
            key.must_not_be_pending()?;
            key.state = State::Disabled;
            Ok(())
        })
        .await?;
        Ok(Empty {})
    }
}

impl Handles<op::ScheduleKeyDeletion> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<ScheduleKeyDeletionRequest>,
    ) -> Result<ScheduleKeyDeletionResponse, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        let window_days = input.pending_window_in_days.unwrap_or(DEFAULT_WINDOW);
        if !(SHORTEST_WINDOW..=DEFAULT_WINDOW).contains(&window_days) {
            return Err(ApiError::validation(format!(
                "PendingWindowInDays must be between {SHORTEST_WINDOW} and {DEFAULT_WINDOW} days."
            )));
        }
        let deletion = Deletion { at: cx.now.plus_millis(window_days * DAY_MILLIS), window_days };
        self.change_key(&found.key, cx.now, |key| {
            key.must_not_be_pending()?;
            key.state = State::PendingDeletion;
            key.deletion = Some(deletion);
            Ok(())
        })
        .await?;
        Ok(ScheduleKeyDeletionResponse {
            key_id: Some(found.record().arn.clone()),
            deletion_date: Some(deletion.at),
            key_state: Some(KeyState::PendingDeletion),
            pending_window_in_days: Some(window_days),
        })
    }
}

impl Handles<op::CancelKeyDeletion> for Kms {
    async fn handle(
        &self,
        cx: &Cx,
        input: Authorized<CancelKeyDeletionRequest>,
    ) -> Result<CancelKeyDeletionResponse, ApiError> {
        let found = self.key_by_id(cx, &input.key_id).await?;
        self.change_key(&found.key, cx.now, |key| {
            if key.state != State::PendingDeletion {
                return Err(invalid_state(format!("{} is not pending deletion.", key.arn)));
            }
            key.state = State::Disabled;
            key.deletion = None;
            Ok(())
        })
        .await?;
        Ok(CancelKeyDeletionResponse { key_id: Some(found.record().arn.clone()) })
    }
}
