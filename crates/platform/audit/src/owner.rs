//! Whose a record is: the caller's account has it whole; each account that owns what the call was allowed to use has it
//! reduced to what concerns that account.
//!
//! CloudTrail writes a record for each of them, with one request id and a `recipientAccountId` of its own. Here one line is
//! kept, which names the owners in its decision, and the owner's record is made of it when it is read: a crash leaves
//! both or none.

use serde_json::{Map, Value as Json};

use crate::AuditRecord;

impl AuditRecord {
    /// Whether the account made the call or owns what it was about.
    pub(crate) fn concerns(&self, account: &str) -> bool {
        self.is_whole_for(account) || self.is_shared_with(account)
    }

    /// The record as an account sees it. For an owner that did not make the call: who did what when from where, and what
    /// was decided about the owner's own resources. Parameters, results and words of the error are there only where
    /// everything that was decided about is that account's (or AWS's), since they name the caller's resources otherwise.
    #[must_use]
    pub fn seen_by(mut self, account: &str) -> AuditRecord {
        if self.is_whole_for(account) || !self.is_shared_with(account) {
            return self;
        }
        // S3 names its bucket's owner, and its parameters are that bucket's.
        let is_recipient = self.recipient_account_id == account;
        account.clone_into(&mut self.recipient_account_id);
        self.user_identity.access_key_id.clear();
        let mut decision = self.take_decision();
        let omitted = decision.remove("omitted").is_some();
        let targets = match decision.remove("targets") {
            Some(Json::Array(targets)) => targets,
            _ => Vec::new(),
        };
        let is_all = !omitted && targets.iter().all(|target| is_of(target, account) || is_awss(target));
        let own = targets.into_iter().filter(|target| is_of(target, account)).map(without_statement).collect();
        decision.insert("targets".to_owned(), Json::Array(own));
        decision.insert("owners".to_owned(), Json::Array(vec![account.into()]));
        if !is_all && !is_recipient {
            self.request_parameters = Json::Null;
            self.response_elements = Json::Null;
            self.additional_event_data = Json::Object(Map::new());
            if let Some(error) = &mut self.error {
                error.error_message.clear();
            }
        }
        if let Json::Object(data) = &mut self.additional_event_data {
            data.remove("stoaRefusal");
            data.insert("stoaDecision".to_owned(), Json::Object(decision));
        }
        self
    }

    /// Whoever called has it whole; where nobody is known to have called, whom it is for.
    fn is_whole_for(&self, account: &str) -> bool {
        let caller = self.user_identity.account_id.as_str();
        caller == account || (caller.is_empty() && self.recipient_account_id == account)
    }

    fn is_shared_with(&self, account: &str) -> bool {
        self.recipient_account_id == account || self.owners().any(|owner| owner == account)
    }

    /// The accounts besides the caller's that own what was used.
    fn owners(&self) -> impl Iterator<Item = &str> {
        let owners = self.additional_event_data.get("stoaDecision").and_then(|decision| decision.get("owners"));
        owners.and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
    }

    fn take_decision(&mut self) -> Map<String, Json> {
        match self.additional_event_data.get_mut("stoaDecision").map(Json::take) {
            Some(Json::Object(decision)) => decision,
            _ => Map::new(),
        }
    }
}

/// Policies of the resource are its owner's; all others are the caller's.
fn without_statement(mut target: Json) -> Json {
    if let Json::Object(members) = &mut target
        && !matches!(members.get("slot").and_then(Json::as_str), Some("resource" | "trust"))
    {
        members.remove("matched");
    }
    target
}

fn is_of(target: &Json, account: &str) -> bool {
    target.get("owner").and_then(Json::as_str) == Some(account)
}

fn is_awss(target: &Json) -> bool {
    let resource = target.get("resource").and_then(Json::as_str).unwrap_or_default();
    resource.split(':').nth(4) == Some("aws")
}
