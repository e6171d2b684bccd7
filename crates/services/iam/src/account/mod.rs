//! Reports over a whole account: its summary, its authorization details, its credential report.

mod credential_report;
mod details;
mod summary;
