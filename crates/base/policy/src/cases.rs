//! Files of decision cases: one JSON object a line, each with a request, the policies in each slot and the expected
//! decision. A slot that this crate does not know makes the case fail, never pass; `null` is as good as absent.
//!
//! Reads from a reader and writes to a writer that the caller opens; nothing is kept.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Document, Explanation, MapContext, PolicySet, PrincipalRef, Request, Slots, explain, explain_statements};

/// How many cases came out as expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaseTotals {
    /// As expected.
    pub passed: usize,
    /// Not as expected, or not readable.
    pub failed: usize,
}

#[derive(Deserialize)]
struct Case<'a> {
    #[serde(default)]
    id: String,
    principal: String,
    action: String,
    resource: String,
    #[serde(default)]
    resource_account: Option<String>,
    #[serde(default)]
    management_account: bool,
    #[serde(default)]
    context: BTreeMap<String, Option<ContextValue>>,
    #[serde(borrow)]
    policies: BTreeMap<String, &'a RawValue>,
    expect: String,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ContextValue {
    One(Scalar),
    Many(Vec<Scalar>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Bool(bool),
    Number(serde_json::Number),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Scalar::Text(text) => text.clone(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Number(value) => value.to_string(),
        }
    }
}

/// The compiled policies of a case.
#[derive(Default)]
struct Compiled {
    identity: Vec<PolicySet>,
    resource: Option<PolicySet>,
    boundary: Option<PolicySet>,
    session: Option<Vec<PolicySet>>,
    scp: Vec<PolicySet>,
    rcp: Vec<PolicySet>,
    endpoint: Option<PolicySet>,
    trust: Option<PolicySet>,
}

/// Evaluates every case of a file; prints each failing one with what decided, then `N passed, M failed`.
///
/// # Errors
/// Reading or writing failed. A malformed case is not an error but a failed case.
pub fn run_cases(reader: impl BufRead, mut out: impl Write) -> io::Result<CaseTotals> {
    let mut totals = CaseTotals::default();
    for (number, line) in reader.lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        match run_case(&line) {
            Ok(()) => totals.passed += 1,
            Err(failure) => {
                totals.failed += 1;
                writeln!(out, "FAILED line {}: {failure}", number + 1)?;
            }
        }
    }
    writeln!(out, "{} passed, {} failed", totals.passed, totals.failed)?;
    Ok(totals)
}

/// Evaluates one case; the error is what to print.
fn run_case(line: &str) -> Result<(), String> {
    let case: Case<'_> = serde_json::from_str(line).map_err(|error| format!("not a case: {error}"))?;
    let explanation = evaluate(&case, explain_statements)?;
    if explanation.effect.to_string() == case.expect {
        return Ok(());
    }
    Err(report(&case, &explanation))
}

/// The explanation of one case, with suggestions; what the case expects is not looked at.
///
/// # Errors
/// What is wrong with the case.
pub fn explain_case(line: &str) -> Result<Explanation, String> {
    let case: Case<'_> = serde_json::from_str(line).map_err(|error| format!("not a case: {error}"))?;
    evaluate(&case, explain)
}

fn evaluate(
    case: &Case<'_>,
    explain: impl FnOnce(&Slots<'_>, &Request<'_>) -> Explanation,
) -> Result<Explanation, String> {
    let compiled = Compiled::of(case).map_err(|problem| format!("{}: {problem}", case.id))?;
    let mut context = MapContext::new();
    for (key, value) in &case.context {
        match value {
            None => continue,
            Some(ContextValue::One(value)) => context.set(key, value.text()),
            Some(ContextValue::Many(values)) => context.set_many(key, values.iter().map(Scalar::text)),
        };
    }
    let principal = PrincipalRef::parse(&case.principal);
    let request = Request {
        principal: &principal,
        action: &case.action,
        resource: &case.resource,
        resource_account: case.resource_account.as_deref(),
        management_account: case.management_account,
        context: &context,
    };
    Ok(compiled.with_slots(|slots| explain(slots, &request)))
}

fn report(case: &Case<'_>, explanation: &Explanation) -> String {
    let mut text = format!("{}: expected {}, got {}: {}", case.id, case.expect, explanation.effect, explanation.reason);
    if let Some(matched) = &explanation.matched {
        let sid = matched.sid.as_deref().unwrap_or("-");
        text += &format!(" (policy {}, statement {}, sid {sid})", matched.policy, matched.index);
    }
    if let Some(reason) = &case.reason {
        text += &format!("\n    the case says: {reason}");
    }
    for slot in &explanation.slots {
        for statement in slot.statements.iter().filter(|statement| !statement.matches) {
            let failed = serde_json::to_string(&statement.failed).unwrap_or_default();
            let name = slot.slot.name();
            text += &format!("\n    {name}: {} statement {} not matched: {failed}", statement.policy, statement.index);
        }
    }
    text
}

impl Compiled {
    fn of(case: &Case<'_>) -> Result<Compiled, String> {
        let mut made = Compiled::default();
        for (slot, raw) in case.policies.iter().filter(|(_, raw)| raw.get() != "null") {
            match slot.as_str() {
                "identity" => made.identity = vec![compile(slot, &list(slot, raw)?)?],
                "session" => made.session = Some(vec![compile(slot, &list(slot, raw)?)?]),
                "scp" => made.scp = levels(slot, raw)?,
                "rcp" => made.rcp = levels(slot, raw)?,
                "resource" => made.resource = Some(compile(slot, &[*raw])?),
                "boundary" => made.boundary = Some(compile(slot, &[*raw])?),
                "endpoint" => made.endpoint = Some(compile(slot, &[*raw])?),
                "trust" => made.trust = Some(compile(slot, &[*raw])?),
                other => return Err(format!("unknown slot `{other}`")),
            }
        }
        Ok(made)
    }

    fn with_slots<T>(&self, use_them: impl FnOnce(&Slots<'_>) -> T) -> T {
        let identity: Vec<&PolicySet> = self.identity.iter().collect();
        let session: Option<Vec<&PolicySet>> = self.session.as_ref().map(|sets| sets.iter().collect());
        let scp: Vec<&PolicySet> = self.scp.iter().collect();
        let rcp: Vec<&PolicySet> = self.rcp.iter().collect();
        let slots = Slots {
            identity: &identity,
            resource: self.resource.as_ref(),
            boundary: self.boundary.as_ref(),
            session: session.as_deref(),
            scp: &scp,
            rcp: &rcp,
            endpoint: self.endpoint.as_ref(),
            trust: self.trust.as_ref(),
        };
        use_them(&slots)
    }
}

fn list<'a>(slot: &str, raw: &'a RawValue) -> Result<Vec<&'a RawValue>, String> {
    serde_json::from_str(raw.get()).map_err(|error| format!("slot `{slot}` is not a list of documents: {error}"))
}

fn levels(slot: &str, raw: &RawValue) -> Result<Vec<PolicySet>, String> {
    list(slot, raw)?.into_iter().map(|level| compile(slot, &list(slot, level)?)).collect()
}

fn compile(slot: &str, raw: &[&RawValue]) -> Result<PolicySet, String> {
    let mut documents = Vec::with_capacity(raw.len());
    for (at, raw) in raw.iter().enumerate() {
        let document = Document::parse(raw.get()).map_err(|error| format!("slot `{slot}`, document {at}: {error}"))?;
        documents.push((Arc::<str>::from(format!("{slot}[{at}]")), document));
    }
    Ok(PolicySet::compile(documents.iter().map(|(name, document)| (Arc::clone(name), document))))
}
