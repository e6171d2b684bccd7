//! A command that works without a server, in the audit journal: begun before anything changes, ended when all is done.
//! A command that died leaves a begin without an end, which the journal reports as unknown.

use std::error::Error;

use serde_json::Value;
use stoa_audit::{AuditRecord, Journal, Phase, UserIdentity};
use stoa_audit_journal::{SegmentJournal, Settings};
use stoa_types::{Clock, IdSource, uuid_v4};

use crate::data_dir::DataDir;

pub struct Trail {
    journal: SegmentJournal,
    record: AuditRecord,
}

impl Trail {
    /// The beginning, durable when this returns.
    pub async fn begin(
        event_name: &str,
        request: Value,
        (data_dir, clock, ids): (&DataDir, &dyn Clock, &dyn IdSource),
    ) -> Result<Trail, Box<dyn Error>> {
        let journal = SegmentJournal::open(&data_dir.audit(), Settings::default())?;
        let record = AuditRecord {
            event_version: "1.11".to_owned(),
            user_identity: UserIdentity { kind: "LocalAdministrator".to_owned(), ..UserIdentity::default() },
            event_time: clock.now().iso8601(),
            event_source: "stoa.local".to_owned(),
            event_name: event_name.to_owned(),
            aws_region: String::new(),
            source_ip_address: "local".to_owned(),
            user_agent: "stoa".to_owned(),
            error: None,
            request_parameters: request,
            response_elements: Value::Null,
            additional_event_data: Value::Null,
            request_id: uuid_v4(ids),
            event_id: uuid_v4(ids),
            read_only: false,
            event_type: "AwsApiCall".to_owned(),
            management_event: true,
            recipient_account_id: String::new(),
            event_category: "Management".to_owned(),
            vpc_endpoint_id: None,
            phase: Phase::Begin,
        };
        journal.append(record.encode()?).await?;
        Ok(Trail { journal, record })
    }

    /// The end, with what came of it.
    pub async fn end(mut self, response: Value, clock: &dyn Clock, ids: &dyn IdSource) -> Result<(), Box<dyn Error>> {
        self.record.phase = Phase::Complete;
        self.record.event_time = clock.now().iso8601();
        self.record.event_id = uuid_v4(ids);
        self.record.response_elements = response;
        Ok(self.journal.append(self.record.encode()?).await?)
    }
}
