//! The decision in an audit record: who was decided about, on what, with which keys, and how.

use serde_json::Value as Json;
use stoa_audit::AuditRecord;
use stoa_kernel::ports::{PastPrincipal, PastTarget, StatementPlace};
use stoa_policy::{Effect, MapContext, Slot};

use crate::words;

/// A call with its decision.
#[derive(Debug)]
pub(crate) struct RecordedCall {
    pub targets: Vec<RecordedTarget>,
    /// Decisions that were made and not recorded: there were too many.
    pub omitted: u64,
}

/// A decision of a call.
#[derive(Debug)]
pub(crate) struct RecordedTarget {
    pub principal: PastPrincipal,
    pub target: PastTarget,
    pub effect: Effect,
    pub slot: Slot,
    pub matched: Option<StatementPlace>,
}

impl RecordedCall {
    /// None for a record without a decision: the caller was not authenticated, or needed no permission.
    pub fn read(record: &AuditRecord) -> Option<RecordedCall> {
        let decision = record.additional_event_data.get("stoaDecision")?;
        let global = keys(decision.get("global"));
        let own = PastPrincipal {
            arn: text(decision, "principalArn").unwrap_or(&record.user_identity.arn).to_owned(),
            id: Some(record.user_identity.principal_id.clone()).filter(|id| !id.is_empty()),
        };
        let targets = decision.get("targets")?.as_array()?;
        let targets =
            targets.iter().map(|target| RecordedTarget::read(target, &own, &global)).collect::<Option<_>>()?;
        Some(RecordedCall { targets, omitted: decision.get("omitted").and_then(Json::as_u64).unwrap_or(0) })
    }

    /// Whether every decision was an Allow.
    pub fn allowed(&self) -> bool {
        self.targets.iter().all(|target| target.effect == Effect::Allow)
    }
}

impl RecordedTarget {
    fn read(json: &Json, own: &PastPrincipal, global: &MapContext) -> Option<RecordedTarget> {
        let mut target = PastTarget {
            action: text(json, "action")?.to_owned(),
            resource: text(json, "resource")?.to_owned(),
            keys: keys(json.get("keys")),
        };
        // Another principal than the caller: a role that the service acts as.
        let principal = match text(json, "principalArn") {
            Some(arn) => {
                words::add_missing(&mut target.keys, &keys(json.get("global")));
                PastPrincipal { arn: arn.to_owned(), id: None }
            }
            None => {
                words::add_missing(&mut target.keys, global);
                own.clone()
            }
        };
        Some(RecordedTarget {
            principal,
            target,
            effect: effect(text(json, "effect")?)?,
            slot: slot(text(json, "slot")?)?,
            matched: text(json, "matched").map(place),
        })
    }
}

fn text<'j>(json: &'j Json, name: &str) -> Option<&'j str> {
    json.get(name).and_then(Json::as_str)
}

fn keys(json: Option<&Json>) -> MapContext {
    let mut keys = MapContext::new();
    for (key, value) in json.and_then(Json::as_object).into_iter().flatten() {
        match value {
            Json::String(one) => drop(keys.set(key, one.as_str())),
            Json::Array(many) => drop(keys.set_many(key, many.iter().filter_map(Json::as_str))),
            _ => {}
        }
    }
    keys
}

fn effect(name: &str) -> Option<Effect> {
    [Effect::Allow, Effect::ExplicitDeny, Effect::ImplicitDeny].into_iter().find(|one| one.to_string() == name)
}

fn slot(name: &str) -> Option<Slot> {
    use Slot::{Boundary, Endpoint, Identity, Rcp, Resource, Scp, Session, Trust};
    [Identity, Resource, Boundary, Session, Scp, Rcp, Endpoint, Trust].into_iter().find(|one| one.name() == name)
}

/// `policy#sid`, or `policy#index` where the statement has no Sid. A Sid of digits alone reads as an index.
fn place(text: &str) -> StatementPlace {
    let (policy, statement) = text.rsplit_once('#').unwrap_or((text, ""));
    match statement.parse() {
        Ok(index) => StatementPlace { policy: policy.to_owned(), sid: None, index },
        Err(_) => StatementPlace { policy: policy.to_owned(), sid: Some(statement.to_owned()), index: 0 },
    }
}
