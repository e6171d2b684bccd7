//! The engines behind one trait; only Stoa's compile step is timed apart from its parsing. Requests are built beforehand for all of them.
//!
//! Cedar gets one policy a statement: wildcard actions are action groups, ARNs are matched by `like` on an attribute, and
//! variables in a resource are put in beforehand, because Cedar cannot put a variable in a `like` (which favours it).

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cedar_policy as cedar;
use serde_json::{Value, json};

use stoa_policy::PolicySet;

use crate::memory;
use crate::workload::{Ask, Have, Policies, USERNAME, Verdict, Workload};

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
    identity: PolicySet,
    resource: Option<PolicySet>,
    boundary: Option<PolicySet>,
    session: Option<PolicySet>,
    endpoint: Option<PolicySet>,
    scp: Vec<PolicySet>,
    parse: Duration,
    compile: Duration,
    principal: stoa_policy::PrincipalRef,
    requests: Vec<(&'static str, String, stoa_policy::MapContext)>,
}

/// Times of parsing and compiling, and the documents so far.
#[derive(Default)]
struct Loader {
    parse: Duration,
    compile: Duration,
}

impl Loader {
    fn set(&mut self, policies: &[Value]) -> PolicySet {
        let mut documents = Vec::with_capacity(policies.len());
        for policy in policies {
            let text = policy.to_string();
            let begun = Instant::now();
            documents.push(stoa_policy::Document::parse(&text).expect("parses"));
            self.parse += begun.elapsed();
        }
        let named = documents.iter().enumerate().map(|(at, document)| (Arc::from(format!("policy{at}")), document));
        let begun = Instant::now();
        let set = PolicySet::compile(named);
        self.compile += begun.elapsed();
        set
    }

    fn some(&mut self, policies: &[Value]) -> Option<PolicySet> {
        (!policies.is_empty()).then(|| self.set(policies))
    }
}

impl Stoa {
    pub fn new(workload: &Workload) -> Stoa {
        let mut loader = Loader::default();
        let policies = &workload.policies;
        let requests = workload.requests.iter().map(|ask| (ask.action, ask.resource.clone(), context(ask))).collect();
        Stoa {
            identity: loader.set(&policies.identity),
            resource: loader.some(&policies.resource),
            boundary: loader.some(&policies.boundary),
            session: loader.some(&policies.session),
            endpoint: loader.some(&policies.endpoint),
            scp: policies.scp.iter().map(|level| loader.set(level)).collect(),
            parse: loader.parse,
            compile: loader.compile,
            principal: stoa_policy::PrincipalRef::parse(workload.principal),
            requests,
        }
    }

    /// How many statements it holds.
    fn statements(&self) -> usize {
        let single = [&self.resource, &self.boundary, &self.session, &self.endpoint];
        let single: usize = single.iter().filter_map(|set| set.as_ref()).map(PolicySet::len).sum();
        self.identity.len() + single + self.scp.iter().map(PolicySet::len).sum::<usize>()
    }
}

/// Bytes that Stoa keeps for each statement, parsed and compiled, requests not counted.
pub fn bytes_a_statement(workload: &Workload) -> usize {
    let empty = Workload { policies: Policies::default(), requests: Vec::new(), ..*workload };
    let _warm = Stoa::new(&empty);
    let before = memory::live();
    let made = Stoa::new(&Workload { requests: Vec::new(), policies: workload.policies.clone(), ..*workload });
    let bytes = memory::live().saturating_sub(before);
    bytes / made.statements().max(1)
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
        let session = self.session.as_ref();
        let mut levels = [&self.identity; 5];
        for (place, level) in levels.iter_mut().zip(&self.scp) {
            *place = level;
        }
        let slots = stoa_policy::Slots {
            identity: &[&self.identity],
            resource: self.resource.as_ref(),
            boundary: self.boundary.as_ref(),
            session: session.is_some().then_some(session.as_slice()),
            scp: &levels[..self.scp.len()],
            endpoint: self.endpoint.as_ref(),
            ..stoa_policy::Slots::default()
        };
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
            .identity
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
                let principal = iam_rs::Principal::Aws(iam_rs::PrincipalId::String(workload.principal.to_owned()));
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
        let statements: Vec<&Value> = workload
            .policies
            .identity
            .iter()
            .flat_map(|policy| policy["Statement"].as_array().expect("a list"))
            .collect();
        let mut groups = BTreeSet::new();
        let mut text = String::new();
        for statement in statements {
            text += &translate(statement, &mut groups);
        }
        let policies = cedar::PolicySet::from_str(&text).expect("cedar reads the policies");
        let requests = workload.requests.iter().map(|ask| cedar_request(ask, workload.principal, &groups)).collect();
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
    let list = |name: &str| -> Option<Vec<String>> {
        match &statement[name] {
            Value::Null => None,
            Value::Array(list) => Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            one => Some(vec![one.as_str().expect("text").to_owned()]),
        }
    };
    let (actions, others) = (list("Action"), list("NotAction"));
    let named = actions.iter().chain(&others).flatten();
    groups.extend(named.filter(|action| action.contains('*')).cloned());
    let names = |actions: &[String]| {
        actions.iter().map(|action| format!("Action::{}", json!(action))).collect::<Vec<_>>().join(", ")
    };
    let like = |resources: &[String]| {
        let put_in =
            |text: &String| json!(text.replace("${aws:username}", USERNAME).replace("${aws:PrincipalTag/team}", TEAM));
        resources.iter().map(|text| format!("resource.arn like {}", put_in(text))).collect::<Vec<_>>().join(" || ")
    };
    let scope = actions.map_or("action".to_owned(), |actions| format!("action in [{}]", names(&actions)));
    let mut when = match (list("Resource"), list("NotResource")) {
        (Some(resources), _) => format!("({})", like(&resources)),
        (None, Some(resources)) => format!("!({})", like(&resources)),
        (None, None) => "true".to_owned(),
    };
    if let Some(others) = others {
        when += &format!(" && !(action in [{}])", names(&others));
    }
    let operators = statement["Condition"].as_object().into_iter().flatten();
    for (operator, keys) in operators {
        for (key, wanted) in keys.as_object().expect("keys") {
            when += &format!(" && {}", condition(operator, key, wanted));
        }
    }
    format!("{head}(principal, {scope}, resource) when {{ {when} }};\n")
}

/// The team of every request, as a variable's value.
const TEAM: &str = "team3";

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
        "StringNotEquals" => format!(
            "(!(context has {key}) || !{})",
            any(&|value| match value.as_str() {
                "${aws:PrincipalTag/team}" => format!("{have} == context[\"aws:PrincipalTag/team\"]"),
                value => format!("{have} == {}", json!(value)),
            })
        ),
        // Nearly: Cedar's `like` does not keep wildcards within the components of an ARN.
        "ArnNotLike" => {
            format!("(!(context has {key}) || !{})", any(&|value| format!("{have} like {}", json!(value))))
        }
        "StringLike" => format!("(context has {key} && {})", any(&|value| format!("{have} like {}", json!(value)))),
        "IpAddress" => format!("(context has {key} && {})", any(&in_range)),
        "NotIpAddress" => format!("(!(context has {key}) || !{})", any(&in_range)),
        "ForAnyValue:StringEquals" => format!("(context has {key} && {have}.containsAny({}))", json!(values)),
        "Null" => format!("!(context has {key})"),
        other => panic!("no translation of {other}"),
    }
}

fn cedar_request(ask: &Ask, principal: &str, groups: &BTreeSet<String>) -> (cedar::Request, cedar::Entities) {
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
    let principal = uid(json!({"type": "User", "id": principal}));
    let request = cedar::Request::new(principal, uid(action), uid(resource), context, None).expect("a request");
    (request, entities)
}
