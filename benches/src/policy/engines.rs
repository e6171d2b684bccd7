//! The engines behind one trait; only Stoa's compile step is timed apart from its parsing. Requests are built beforehand for all of them.
//!
//! Cedar gets one policy a statement: wildcard actions are action groups, ARNs are matched by `like` on an attribute, and
//! `${aws:username}` in a resource is put in beforehand, because Cedar cannot put a variable in a `like` (which favours it).

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cedar_policy as cedar;
use serde_json::{Value, json};

use crate::workload::{Ask, Have, PRINCIPAL, USERNAME, Verdict, Workload};

/// An engine with the workload loaded.
pub trait Engine {
    /// The verdict on the nth request.
    fn decide(&self, nth: usize) -> Verdict;

    /// How long parsing and compiling took, where they are apart.
    fn times(&self) -> Option<(Duration, Duration)> {
        None
    }
}

/// Stoa's engine.
pub struct Stoa {
    set: stoa_policy::PolicySet,
    parse: Duration,
    compile: Duration,
    principal: stoa_policy::PrincipalRef,
    requests: Vec<(&'static str, String, stoa_policy::MapContext)>,
}

impl Stoa {
    pub fn new(workload: &Workload) -> Stoa {
        let mut parsed = Duration::ZERO;
        let mut documents = Vec::with_capacity(workload.policies.len());
        for policy in &workload.policies {
            let text = policy.to_string();
            let begun = Instant::now();
            documents.push(stoa_policy::Document::parse(&text).expect("parses"));
            parsed += begun.elapsed();
        }
        let named = documents.iter().enumerate().map(|(at, document)| (Arc::from(format!("policy{at}")), document));
        let begun = Instant::now();
        let set = stoa_policy::PolicySet::compile(named);
        let compile = begun.elapsed();
        let requests = workload.requests.iter().map(|ask| (ask.action, ask.resource.clone(), context(ask))).collect();
        Stoa { set, parse: parsed, compile, principal: stoa_policy::PrincipalRef::parse(PRINCIPAL), requests }
    }
}

/// Bytes that Stoa keeps for each statement, parsed and compiled. The first copies only use up what was freed before.
pub fn bytes_a_statement(workload: &Workload) -> usize {
    let first: Vec<Stoa> = (0..3).map(|_| Stoa::new(workload)).collect();
    let before = resident_bytes();
    let more: Vec<Stoa> = (0..4).map(|_| Stoa::new(workload)).collect();
    let bytes = resident_bytes().saturating_sub(before);
    drop(first);
    bytes / more.iter().map(|made| made.set.len()).sum::<usize>().max(1)
}

/// Memory in use by this process; 0 where the kernel does not say.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn context(ask: &Ask) -> stoa_policy::MapContext {
    let mut made = stoa_policy::MapContext::new();
    for (key, value) in &ask.context {
        match value {
            Have::One(value) => made.set(key, value),
            Have::Many(values) => made.set_many(key, values),
        };
    }
    made
}

impl Engine for Stoa {
    fn decide(&self, nth: usize) -> Verdict {
        let (action, resource, context) = &self.requests[nth];
        let request = stoa_policy::Request {
            principal: &self.principal,
            action,
            resource,
            resource_account: Some("111122223333"),
            management_account: false,
            context,
        };
        let slots = stoa_policy::Slots { identity: &[&self.set], ..stoa_policy::Slots::default() };
        match stoa_policy::decide(&slots, &request).effect {
            stoa_policy::Effect::Allow => Verdict::Allow,
            stoa_policy::Effect::ExplicitDeny => Verdict::ExplicitDeny,
            stoa_policy::Effect::ImplicitDeny => Verdict::ImplicitDeny,
        }
    }

    fn times(&self) -> Option<(Duration, Duration)> {
        Some((self.parse, self.compile))
    }
}

/// The `iam-rs` crate, with its limit of statements raised.
pub struct IamRs {
    evaluator: iam_rs::PolicyEvaluator,
    requests: Vec<iam_rs::IAMRequest>,
}

impl IamRs {
    pub fn new(workload: &Workload) -> IamRs {
        let policies: Vec<iam_rs::IAMPolicy> = workload
            .policies
            .iter()
            .map(|policy| serde_json::from_value(policy.clone()).expect("iam-rs reads the policy"))
            .collect();
        let options = iam_rs::EvaluationOptions { max_statements: usize::MAX, ..iam_rs::EvaluationOptions::default() };
        let evaluator = iam_rs::PolicyEvaluator::with_policies(policies).with_options(options);
        let requests = workload
            .requests
            .iter()
            .map(|ask| {
                let mut context = iam_rs::Context::new();
                for (key, value) in &ask.context {
                    let value = match value {
                        Have::One(value) => iam_rs::ContextValue::String(value.clone()),
                        Have::Many(values) => iam_rs::ContextValue::StringList(values.clone()),
                    };
                    context.insert((*key).to_owned(), value);
                }
                let principal = iam_rs::Principal::Aws(iam_rs::PrincipalId::String(PRINCIPAL.to_owned()));
                let resource = iam_rs::Arn::parse(&ask.resource).expect("an ARN");
                iam_rs::IAMRequest::new_with_context(principal, ask.action, resource, context)
            })
            .collect();
        IamRs { evaluator, requests }
    }
}

impl Engine for IamRs {
    fn decide(&self, nth: usize) -> Verdict {
        match self.evaluator.evaluate(&self.requests[nth]).map(|result| result.decision) {
            Ok(iam_rs::Decision::Allow) => Verdict::Allow,
            Ok(iam_rs::Decision::Deny) => Verdict::ExplicitDeny,
            Ok(iam_rs::Decision::NotApplicable) | Err(_) => Verdict::ImplicitDeny,
        }
    }
}

/// The `cedar-policy` crate.
pub struct Cedar {
    policies: cedar::PolicySet,
    authorizer: cedar::Authorizer,
    requests: Vec<(cedar::Request, cedar::Entities)>,
}

impl Cedar {
    pub fn new(workload: &Workload) -> Cedar {
        let statements: Vec<&Value> =
            workload.policies.iter().flat_map(|policy| policy["Statement"].as_array().expect("a list")).collect();
        let mut groups = BTreeSet::new();
        let mut text = String::new();
        for statement in statements {
            text += &translate(statement, &mut groups);
        }
        let policies = cedar::PolicySet::from_str(&text).expect("cedar reads the policies");
        let requests = workload.requests.iter().map(|ask| cedar_request(ask, &groups)).collect();
        Cedar { policies, authorizer: cedar::Authorizer::new(), requests }
    }
}

impl Engine for Cedar {
    fn decide(&self, nth: usize) -> Verdict {
        let (request, entities) = &self.requests[nth];
        let response = self.authorizer.is_authorized(request, &self.policies, entities);
        match response.decision() {
            cedar::Decision::Allow => Verdict::Allow,
            cedar::Decision::Deny if response.diagnostics().reason().next().is_some() => Verdict::ExplicitDeny,
            cedar::Decision::Deny => Verdict::ImplicitDeny,
        }
    }
}

/// One statement as one Cedar policy.
fn translate(statement: &Value, groups: &mut BTreeSet<String>) -> String {
    let head = if statement["Effect"] == "Deny" { "forbid" } else { "permit" };
    let actions: Vec<&str> = statement["Action"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    groups.extend(actions.iter().filter(|action| action.contains('*')).map(|action| (*action).to_owned()));
    let names: Vec<String> = actions.iter().map(|action| format!("Action::{}", json!(action))).collect();
    let resource = statement["Resource"].as_str().expect("one resource").replace("${aws:username}", USERNAME);
    let mut when = format!("resource.arn like {}", json!(resource));
    let operators = statement["Condition"].as_object().into_iter().flatten();
    for (operator, keys) in operators {
        for (key, wanted) in keys.as_object().expect("keys") {
            when += &format!(" && {}", condition(operator, key, wanted));
        }
    }
    format!("{head}(principal, action in [{}], resource) when {{ {when} }};\n", names.join(", "))
}

fn condition(operator: &str, key: &str, wanted: &Value) -> String {
    let key = json!(key);
    let values: Vec<String> = match wanted {
        Value::Array(list) => list.iter().map(|value| value.as_str().expect("text").to_owned()).collect(),
        one => vec![one.as_str().expect("text").to_owned()],
    };
    let have = format!("context[{key}]");
    let any =
        |one: &dyn Fn(&String) -> String| format!("({})", values.iter().map(one).collect::<Vec<_>>().join(" || "));
    let in_range = |range: &String| format!("{have}.isInRange(ip({}))", json!(range));
    match operator {
        "StringEquals" => format!(
            "(context has {key} && {})",
            any(&|value| match value.as_str() {
                "${aws:username}" => format!("{have} == context[\"aws:username\"]"),
                value => format!("{have} == {}", json!(value)),
            })
        ),
        "StringLike" => format!("(context has {key} && {})", any(&|value| format!("{have} like {}", json!(value)))),
        "IpAddress" => format!("(context has {key} && {})", any(&in_range)),
        "NotIpAddress" => format!("(!(context has {key}) || !{})", any(&in_range)),
        "ForAnyValue:StringEquals" => format!("(context has {key} && {have}.containsAny({}))", json!(values)),
        "Null" => format!("!(context has {key})"),
        other => panic!("no translation of {other}"),
    }
}

fn cedar_request(ask: &Ask, groups: &BTreeSet<String>) -> (cedar::Request, cedar::Entities) {
    let action = json!({"type": "Action", "id": ask.action});
    let parents: Vec<Value> = groups
        .iter()
        .filter(|group| ask.action.starts_with(group.trim_end_matches('*')))
        .map(|group| json!({"type": "Action", "id": group}))
        .collect();
    let resource = json!({"type": "Resource", "id": "r"});
    let entities = json!([
        {"uid": action, "attrs": {}, "parents": parents},
        {"uid": resource, "attrs": {"arn": ask.resource}, "parents": []},
    ]);
    let entities = cedar::Entities::from_json_value(entities, None).expect("cedar reads the entities");
    let mut values = BTreeMap::new();
    for (key, value) in &ask.context {
        let value = match value {
            Have::One(value) if *key == "aws:SourceIp" => json!({"__extn": {"fn": "ip", "arg": value}}),
            Have::One(value) => json!(value),
            Have::Many(values) => json!(values),
        };
        values.insert(*key, value);
    }
    let context = cedar::Context::from_json_value(json!(values), None).expect("cedar reads the context");
    let uid = |value: Value| cedar::EntityUid::from_json(value).expect("an entity id");
    let principal = uid(json!({"type": "User", "id": PRINCIPAL}));
    let request = cedar::Request::new(principal, uid(action), uid(resource), context, None).expect("a request");
    (request, entities)
}
