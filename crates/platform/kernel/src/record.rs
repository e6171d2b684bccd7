//! What was decided for a call and what its caller should be warned of: collected in the context as it happens, written
//! into the audit record when the call ends.
//!
//! The record holds what the engine saw, so that a decision can be explained and replayed later: the keys of the call
//! once, those of each target with it. Nothing here is kept beyond the call.
//!
//! INVARIANT: no secret is ever a condition key. A `Referer` may carry a presigned URL, so its query is left out.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use stoa_policy::{Effect, MapContext, Slot, Values};
use stoa_types::AccountId;

use crate::ports::AccountPlace;
use crate::{Cx, FederatedCaller, Refusal};

/// Decisions beyond this number are counted, not recorded (a deletion of a thousand objects decides a thousand times).
const MOST_DECISIONS: usize = 100;
const MOST_WARNINGS: usize = 16;
/// Of one warning.
const WARNING_BYTES: usize = 512;
/// Of an encoded refusal that still fits among the headers of an answer.
const ENCODED_BYTES: usize = 4096;
/// Of one value in the record.
const VALUE_BYTES: usize = 1024;

/// One decision.
#[derive(Debug, Clone)]
pub struct DecidedTarget {
    /// `sagemaker:CreateHub`.
    pub action: Cow<'static, str>,
    /// The ARN, or `*`.
    pub resource: String,
    /// The keys of the target, the resource's tags, and whose the resource is.
    pub keys: MapContext,
    /// The account that owns the resource, where that is another one than the caller's and no account of AWS's.
    pub owner: Option<AccountId>,
    /// What it came to.
    pub effect: Effect,
    /// The kind of policy that granted, denied, or lacks an Allow.
    pub slot: Slot,
    /// Denials: `policy-name#sid`, where a statement denied.
    pub matched: Option<String>,
    /// Whether another action than the call's own: what the operation needs besides (`iam:PassRole`).
    pub dependent: bool,
    /// Where another principal than the caller was decided about (an execution role): its ARN and its global keys.
    pub other: Option<(String, MapContext)>,
}

/// What a call leaves behind besides its answer. [`Cx`] owns one; made by `Default`.
#[derive(Debug, Default)]
pub struct Trace {
    collected: Mutex<Collected>,
    /// Places in the organization, looked up once.
    pub(crate) places: OnceLock<CallPlaces>,
    /// Who an unsigned call turned out to be from.
    federated: OnceLock<FederatedCaller>,
}

/// Where the parties to a call are in the organization.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallPlaces {
    /// The caller's account.
    pub principal: Option<Arc<AccountPlace>>,
    /// The account of the VPC endpoint.
    pub endpoint: Option<Arc<AccountPlace>>,
}

#[derive(Debug, Default)]
struct Collected {
    decided: Vec<DecidedTarget>,
    omitted: usize,
    refused: bool,
    warnings: Vec<String>,
}

impl Collected {
    /// See [`Cx::other_owners`].
    fn owners(&self, caller: &str) -> Vec<AccountId> {
        let mut owners = Vec::new();
        if self.refused {
            return owners;
        }
        for one in &self.decided {
            let own = one.other.as_ref().is_none_or(|(arn, _)| arn == caller);
            if let Some(owner) = one.owner.as_ref().filter(|_| own && one.effect == Effect::Allow)
                && !owners.contains(owner)
            {
                owners.push(owner.clone());
            }
        }
        owners
    }
}

impl Trace {
    /// Adds a decision; the first one names the call's own action.
    pub(crate) fn decided(&self, mut target: DecidedTarget) {
        let mut collected = self.collected.lock();
        let own = collected.decided.first();
        target.dependent = own.is_some_and(|own| !own.action.eq_ignore_ascii_case(&target.action));
        if collected.decided.len() < MOST_DECISIONS {
            collected.decided.push(target);
        } else {
            collected.omitted += 1;
        }
    }
    /// Notes that a decision became a refusal.
    pub(crate) fn refused(&self) {
        self.collected.lock().refused = true;
    }
    /// The action of the first decision: the call's own.
    pub(crate) fn own_action(&self) -> Option<Cow<'static, str>> {
        self.collected.lock().decided.first().map(|own| own.action.clone())
    }
}

impl Cx {
    /// Notes who an unsigned call is from, once its assertion was verified; the audit record names it.
    pub fn note_federated_caller(&self, caller: FederatedCaller) {
        // One handler verifies one assertion: there is nothing to overwrite.
        let _ = self.trace.federated.set(caller);
    }

    /// Who an unsigned call is from, as far as it was verified.
    pub fn federated_caller(&self) -> Option<&FederatedCaller> {
        self.trace.federated.get()
    }

    /// Tells the caller something that does not stop the call: header `x-stoa-warning`, and in the audit record.
    pub fn note_warning(&self, text: impl Into<String>) {
        let mut text = text.into();
        if text.len() > WARNING_BYTES {
            let end = (0..=WARNING_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
        }
        let mut collected = self.trace.collected.lock();
        if collected.warnings.len() < MOST_WARNINGS && !collected.warnings.contains(&text) {
            collected.warnings.push(text);
        }
    }

    /// The warnings so far.
    pub fn warnings(&self) -> Vec<String> {
        self.trace.collected.lock().warnings.clone()
    }

    /// The decisions so far.
    pub fn decisions(&self) -> Vec<DecidedTarget> {
        self.trace.collected.lock().decided.clone()
    }

    /// The accounts that own what the call was allowed to use, where they are others than the caller's: the record is for
    /// them too, as CloudTrail's are. What a service's role or AWS itself was allowed does not count, and a refused call
    /// is its caller's alone.
    pub fn other_owners(&self) -> Vec<AccountId> {
        let collected = self.trace.collected.lock();
        collected.owners(&self.principal.arn)
    }

    /// Takes over what was decided in another context on this call's behalf, as decisions about that one's principal.
    pub fn note_decided_in(&self, other: &Cx) {
        for mut target in other.decisions() {
            target.other.get_or_insert_with(|| (other.principal.arn.clone(), other.global_keys.clone()));
            self.trace.decided(target);
        }
    }

    /// How much has been collected: a later record needs to be written only when this has grown.
    pub fn traced(&self) -> usize {
        let collected = self.trace.collected.lock();
        collected.decided.len() + collected.omitted + collected.warnings.len()
    }

    /// The `additionalEventData` of this call: `stoaDecision`, `stoaRefusal`, `stoaWarnings`; none when there is
    /// nothing to tell.
    pub fn additional_data<'a>(&'a self, refusal: Option<&'a Refusal>) -> Option<AdditionalData<'a>> {
        (self.traced() > 0 || refusal.is_some()).then_some(AdditionalData { cx: self, refusal })
    }

    /// What the answer's headers say of the call: its warnings; when it was denied, the id of the decision and (not too
    /// long) its encoded form.
    pub fn answer_headers(&self, denied: bool, refusal: Option<&Refusal>) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if denied && self.traced() > 0 {
            headers.push(("x-stoa-decision-id", self.request_id.clone()));
        }
        if let Some(message) = refusal.and_then(|refusal| self.refusal_message(refusal)) {
            let encoded = self.platform.authority.encode_refusal(&self.principal.account, &message);
            if let Some(encoded) = encoded.filter(|encoded| encoded.len() < ENCODED_BYTES) {
                headers.push(("x-stoa-authorization-message", encoded));
            }
        }
        let warnings = &self.trace.collected.lock().warnings;
        headers.extend(warnings.iter().map(|text| ("x-stoa-warning", warning_header(text))));
        headers
    }

    /// What a refusal says once it is decoded (`sts:DecodeAuthorizationMessage`), as AWS lays it out.
    pub fn refusal_message(&self, refusal: &Refusal) -> Option<String> {
        let collected = self.trace.collected.lock();
        let denied = collected.decided.iter().rev().find(|one| {
            one.effect != Effect::Allow && *one.action == *refusal.action && one.resource == refusal.resource
        })?;
        serde_json::to_string(&Decoded { cx: self, denied }).ok()
    }
}

/// A warning as a header has it: ASCII, `%` and what is not printable percent-encoded.
fn warning_header(text: &str) -> String {
    let mut header = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f..=0xff => header.push_str(&format!("%{byte:02X}")),
            plain => header.push(char::from(plain)),
        }
    }
    header
}

/// `additionalEventData`, written straight from the context.
#[derive(Debug)]
pub struct AdditionalData<'a> {
    cx: &'a Cx,
    refusal: Option<&'a Refusal>,
}

impl Serialize for AdditionalData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let collected = self.cx.trace.collected.lock();
        if !collected.decided.is_empty() {
            map.serialize_entry("stoaDecision", &Decision { cx: self.cx, collected: &collected })?;
        }
        if let Some(refusal) = self.refusal {
            map.serialize_entry("stoaRefusal", refusal)?;
        }
        if !collected.warnings.is_empty() {
            map.serialize_entry("stoaWarnings", &collected.warnings)?;
        }
        map.end()
    }
}

struct Decision<'a> {
    cx: &'a Cx,
    collected: &'a Collected,
}

impl Serialize for Decision<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.cx.request_id)?;
        map.serialize_entry("principalArn", &self.cx.principal.arn)?;
        map.serialize_entry("global", &Keys { keys: &self.cx.global_keys, places: self.cx.trace.places.get() })?;
        map.serialize_entry("targets", &self.collected.decided)?;
        let owners = self.collected.owners(&self.cx.principal.arn);
        if !owners.is_empty() {
            map.serialize_entry("owners", &owners)?;
        }
        if self.collected.omitted > 0 {
            map.serialize_entry("omitted", &self.collected.omitted)?;
        }
        map.end()
    }
}

impl Serialize for DecidedTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("action", &self.action)?;
        map.serialize_entry("resource", &self.resource)?;
        if let Some(owner) = &self.owner {
            map.serialize_entry("owner", owner)?;
        }
        map.serialize_entry("keys", &Keys { keys: &self.keys, places: None })?;
        map.serialize_entry("effect", &self.effect)?;
        map.serialize_entry("slot", self.slot.name())?;
        if let Some(matched) = &self.matched {
            map.serialize_entry("matched", matched)?;
        }
        if self.dependent {
            map.serialize_entry("dependent", &true)?;
        }
        if let Some((arn, keys)) = &self.other {
            map.serialize_entry("principalArn", arn)?;
            map.serialize_entry("global", &Keys { keys, places: None })?;
        }
        map.end()
    }
}

/// Keys with their values; those of the organization among them.
struct Keys<'a> {
    keys: &'a MapContext,
    places: Option<&'a CallPlaces>,
}

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, values) in self.keys.iter() {
            match values {
                Values::One(value) => map.serialize_entry(key, shown(key, value))?,
                Values::Many(values) => map.serialize_entry(key, values)?,
            }
        }
        if let Some(place) = self.places.and_then(|places| places.principal.as_deref()) {
            map.serialize_entry("aws:principalorgid", &place.organization)?;
            map.serialize_entry("aws:principalorgpaths", &place.paths)?;
        }
        if let Some(place) = self.places.and_then(|places| places.endpoint.as_deref()) {
            map.serialize_entry("aws:vpceorgid", &place.organization)?;
            map.serialize_entry("aws:vpceorgpaths", &place.paths)?;
        }
        map.end()
    }
}

/// The value as it is recorded: at most so long, and a referer without its query.
fn shown<'v>(key: &str, value: &'v str) -> &'v str {
    let value = if key == "aws:referer" { value.split('?').next().unwrap_or_default() } else { value };
    let end = (0..=VALUE_BYTES.min(value.len())).rev().find(|end| value.is_char_boundary(*end)).unwrap_or(0);
    value.get(..end).unwrap_or_default()
}

/// A refusal as `DecodeAuthorizationMessage` answers it.
struct Decoded<'a> {
    cx: &'a Cx,
    denied: &'a DecidedTarget,
}

impl Serialize for Decoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Items<T> {
            items: T,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Statement<'a> {
            statement_id: &'a str,
            effect: &'static str,
        }
        #[derive(Serialize)]
        struct Who<'a> {
            id: &'a str,
            arn: &'a str,
        }
        #[derive(Serialize)]
        struct Asked<'a> {
            principal: Who<'a>,
            action: &'a str,
            resource: &'a str,
            conditions: Items<Conditions<'a>>,
        }
        let explicit = self.denied.effect == Effect::ExplicitDeny;
        let matched = self.denied.matched.iter().map(|id| Statement { statement_id: id, effect: "DENY" });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("allowed", &false)?;
        map.serialize_entry("explicitDeny", &explicit)?;
        map.serialize_entry("matchedStatements", &Items { items: matched.collect::<Vec<_>>() })?;
        map.serialize_entry("failures", &Items { items: [(); 0] })?;
        let who = Who { id: &self.cx.principal.principal_id, arn: &self.cx.principal.arn };
        let context = Asked {
            principal: who,
            action: &self.denied.action,
            resource: &self.denied.resource,
            conditions: Items { items: Conditions { cx: self.cx, denied: self.denied } },
        };
        map.serialize_entry("context", &context)?;
        map.serialize_entry("decisionId", &self.cx.request_id)?;
        map.serialize_entry("slot", self.denied.slot.name())?;
        map.end()
    }
}

struct Conditions<'a> {
    cx: &'a Cx,
    denied: &'a DecidedTarget,
}

impl Serialize for Conditions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Condition<'a> {
            key: &'a str,
            values: Items<'a>,
        }
        #[derive(Serialize)]
        struct Items<'a> {
            items: Vec<Item<'a>>,
        }
        #[derive(Serialize)]
        struct Item<'a> {
            value: &'a str,
        }
        let global = self.denied.other.as_ref().map_or(&self.cx.global_keys, |(_, keys)| keys);
        let mut list = serializer.serialize_seq(None)?;
        for (key, values) in self.denied.keys.iter().chain(global.iter()) {
            let items = match values {
                Values::One(value) => vec![Item { value: shown(key, value) }],
                Values::Many(values) => values.iter().map(|value| Item { value }).collect(),
            };
            list.serialize_element(&Condition { key, values: Items { items } })?;
        }
        list.end()
    }
}
