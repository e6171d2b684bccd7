//! The credential report: one line a user, the root user first, in AWS's columns.
//!
//! A report is kept for four hours, as at AWS: until then it is given again, after that a new one is to be made.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use stoa_kernel::{ApiError, Authorized, Cx, Handles};
use stoa_models_iam::operations as op;
use stoa_models_iam::types::{
    GenerateCredentialReportResponse, GetCredentialReportResponse, ReportFormatType, ReportStateType,
};
use stoa_schema::Empty;
use stoa_store::{Document, Key, Transaction};
use stoa_types::{AccountId, Timestamp};

use crate::Iam;
use crate::error::store_failed;
use crate::session::root_arn;
use crate::state::{AccessKeyRecord, PasswordPolicyRecord, UserRecord, global_key, kind, load};

const LIFETIME_MILLIS: i64 = 4 * 60 * 60 * 1000;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;
const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
const NOT_APPLICABLE: &str = "N/A";

/// A report as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    made: Timestamp,
    csv: String,
}

fn report_key(account: &AccountId) -> Key {
    global_key(kind::CREDENTIAL_REPORT, account, "report")
}

/// `2026-11-21T01:02:03+00:00`, as the report writes it.
fn time(at: Timestamp) -> String {
    at.iso8601().replace('Z', "+00:00")
}

fn or_na(value: Option<String>) -> String {
    value.unwrap_or_else(|| NOT_APPLICABLE.to_owned())
}

/// The four columns of a user's password.
fn password_columns(user: &UserRecord, policy: Option<&PasswordPolicyRecord>) -> [String; 4] {
    let Some(login) = &user.login else {
        return ["false".to_owned(), NOT_APPLICABLE.to_owned(), NOT_APPLICABLE.to_owned(), NOT_APPLICABLE.to_owned()];
    };
    let days = policy.and_then(|policy| policy.max_age);
    let next = days.map(|days| time(login.changed.plus_millis(days.saturating_mul(DAY_MILLIS))));
    // Nothing here is signed in to with a password yet.
    ["true".to_owned(), "no_information".to_owned(), time(login.changed), or_na(next)]
}

impl Iam {
    async fn key_columns(&self, keys: &[AccessKeyRecord]) -> Result<Vec<String>, ApiError> {
        let mut columns = Vec::with_capacity(10);
        for place in 0..2 {
            let Some(key) = keys.get(place) else {
                columns.push("false".to_owned());
                columns.extend(std::iter::repeat_n(NOT_APPLICABLE.to_owned(), 4));
                continue;
            };
            let last = self.key_use(&key.id).await?;
            columns.push(key.active.to_string());
            columns.push(time(key.changed.unwrap_or(key.created)));
            columns.push(or_na(last.as_ref().map(|last| time(last.at))));
            columns.push(or_na(last.as_ref().map(|last| last.region.clone())));
            columns.push(or_na(last.map(|last| last.service)));
        }
        Ok(columns)
    }

    async fn report_line(
        &self,
        account: &AccountId,
        user: Option<&UserRecord>,
        begin: [String; 3],
        password: [String; 4],
    ) -> Result<String, ApiError> {
        let mut keys = self.keys_of(account, user.map(|user| user.name.as_str())).await?;
        keys.sort_by_key(|key| key.created);
        let mut columns: Vec<String> = begin.into_iter().chain(password).collect();
        // The root user can have no device here.
        columns.push(user.is_some_and(|user| !user.mfa_devices.is_empty()).to_string());
        columns.extend(self.key_columns(&keys).await?);
        // Signing certificates are not kept here.
        columns.extend(["false", NOT_APPLICABLE, "false", NOT_APPLICABLE].map(str::to_owned));
        Ok(columns.join(","))
    }

    async fn credential_report(&self, account: &AccountId) -> Result<String, ApiError> {
        let owner = self.load_account(account).await?.record;
        let policy = self.password_policy(account).await?;
        let mut csv = COLUMNS.to_owned();
        let begin = ["<root_account>".to_owned(), root_arn(account), time(owner.created)];
        let none = ["not_supported", NOT_APPLICABLE, "not_supported", "not_supported"].map(str::to_owned);
        let _ = write!(csv, "\n{}", self.report_line(account, None, begin, none).await?);
        for document in self.all_of(kind::USER, account).await? {
            let user: UserRecord = document.decode().map_err(store_failed)?;
            // Names of users hold commas; quotes they cannot hold.
            let quoted = |text: &str| if text.contains(',') { format!("\"{text}\"") } else { text.to_owned() };
            let begin = [quoted(&user.name), quoted(&user.arn), time(user.created)];
            let password = password_columns(&user, policy.as_ref());
            let _ = write!(csv, "\n{}", self.report_line(account, Some(&user), begin, password).await?);
        }
        Ok(csv)
    }
}

fn is_fresh(report: &Report, now: Timestamp) -> bool {
    now < report.made.plus_millis(LIFETIME_MILLIS)
}

impl Handles<op::GenerateCredentialReport> for Iam {
    async fn handle(&self, cx: &Cx, _input: Authorized<Empty>) -> Result<GenerateCredentialReportResponse, ApiError> {
        let account = self.account(cx);
        let complete = GenerateCredentialReportResponse { state: Some(ReportStateType::Complete), description: None };
        if let Some(known) = load::<Report>(&*self.store, &report_key(account)).await?
            && is_fresh(&known.record, cx.now)
        {
            return Ok(complete);
        }
        let report = Report { made: cx.now, csv: self.credential_report(account).await? };
        let document = Document::new(report_key(account), "report", cx.now, &report).map_err(store_failed)?;
        self.commit(Transaction::new().put(document)).await?;
        Ok(complete)
    }
}

impl Handles<op::GetCredentialReport> for Iam {
    async fn handle(&self, cx: &Cx, _input: Authorized<Empty>) -> Result<GetCredentialReportResponse, ApiError> {
        let Some(known) = load::<Report>(&*self.store, &report_key(self.account(cx))).await? else {
            let message = "No report exists. Please generate a report first.";
            return Err(ApiError::new("CredentialReportNotPresentException", 410, message));
        };
        if !is_fresh(&known.record, cx.now) {
            let message = "The most recent credential report has expired. Please generate a new report.";
            return Err(ApiError::new("CredentialReportExpiredException", 410, message));
        }
        Ok(GetCredentialReportResponse {
            content: Some(known.record.csv.into()),
            report_format: Some(ReportFormatType::TextCsv),
            generated_time: Some(known.record.made),
        })
    }
}
