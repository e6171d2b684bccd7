//! What the fuzz targets do with a run of bytes, shared with the ordinary tests: `fuzz/` includes this file and the naive
//! evaluator, so that both run the same checks.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use stoa_policy::cases::explain_case;
use stoa_policy::lint::{Catalog, Subject, lint};
use stoa_policy::{
    Document, Effect, MapContext, PolicyKind, PolicySet, PrincipalKind, PrincipalRef, Request, Slot, Slots, decide,
    explain,
};

use crate::applying::applied;
use crate::naive;

/// Longest text that a driver takes: beyond, time is spent on nothing new.
const MOST: usize = 16 << 10;

/// Choices read off bytes; without end, since it answers 0 when they are used up.
struct Choices<'a> {
    bytes: std::slice::Iter<'a, u8>,
}

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    fn pick<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[usize::from(self.byte()) % list.len()]
    }

    fn one_in(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }

    /// A short text of an alphabet in which matches are frequent.
    fn text(&mut self) -> String {
        let alphabet = ["a", "b", "*", "?", ":", "/", "-", "ab", "${x:t}", "${*}", "é", "A", "${x:t, 'b'}"];
        (0..self.byte() % 9).map(|_| self.pick(&alphabet)).collect()
    }
}

/// A text as a policy document: parsed, compiled, decided, explained and linted, whatever it is.
pub fn document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(MOST)]) else { return };
    let parsed = match Document::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(error.path().starts_with('$') || error.path().starts_with("line "), "{error}");
            return;
        }
    };
    for kind in [PolicyKind::Identity, PolicyKind::Scp, PolicyKind::Resource, PolicyKind::Trust] {
        let _ = parsed.check(kind);
    }
    let set = PolicySet::compile([(Arc::from("p"), &parsed)]);
    let principal = PrincipalRef::parse("arn:aws:iam::111122223333:user/alice");
    let context = MapContext::new().with("aws:username", "alice").with_many("aws:tagkeys", ["a", "b"]);
    let request = Request {
        principal: &principal,
        action: "sagemaker:CreateModel",
        resource: "arn:aws:sagemaker:us-west-2:111122223333:model/m",
        resource_account: None,
        management_account: false,
        context: &context,
    };
    let (identity, session) = ([&set], [&set]);
    let slots = Slots {
        identity: &identity,
        session: Some(&session),
        scp: &identity,
        resource: Some(&set),
        boundary: Some(&set),
        ..Slots::default()
    };
    assert_eq!(explain(&slots, &request).effect, decide(&slots, &request).effect);
}

/// A text as a document to lint, in every slot.
pub fn linting(data: &[u8], catalog: &Catalog) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(MOST)]) else { return };
    for slot in [Slot::Identity, Slot::Resource, Slot::Scp, Slot::Endpoint, Slot::Trust] {
        let findings = lint(text, Subject::slot(slot), catalog);
        assert!(findings.iter().all(|finding| !finding.message.is_empty() && !finding.path.is_empty()));
    }
}

/// A random case through every slot: the engine against the naive evaluator, and its suggestions put to the proof.
pub fn deciding(data: &[u8]) {
    let mut choices = Choices { bytes: data.iter() };
    let case = case(&mut choices);
    // What the engine refuses as malformed has no verdict to compare.
    let Ok(explanation) = explain_case(&case.to_string()) else { return };
    assert_eq!(explanation.effect.to_string(), naive::decide(&case), "{case}");
    for suggestion in &explanation.suggestions {
        let changed = applied(&case, &suggestion.changes);
        assert_eq!(naive::decide(&changed), "allow", "{suggestion:?}\n{case}");
    }
    assert!(explanation.effect == Effect::Allow || !explanation.suggestions.is_empty(), "{case}");
}

const PRINCIPALS: &[&str] = &[
    "arn:aws:iam::111122223333:user/alice",
    "arn:aws:sts::111122223333:assumed-role/R/s",
    "arn:aws:iam::111122223333:role/R",
    "arn:aws:iam::111122223333:root",
    "arn:aws:iam::444455556666:user/alice",
    "sagemaker.amazonaws.com",
    "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForX/s",
    "arn:aws:sts::111122223333:federated-user/f",
];
const ACTIONS: &[&str] =
    &["s3:GetObject", "s3:Get*", "*", "kms:Decrypt", "sts:AssumeRole", "sagemaker:Create?odel", "kms:*"];

fn case(choices: &mut Choices<'_>) -> Value {
    let documents = |choices: &mut Choices<'_>, named: bool| -> Vec<Value> {
        (0..choices.byte() % 3).map(|_| policy(choices, named)).collect()
    };
    let mut policies = Map::new();
    policies.insert("identity".to_owned(), json!(documents(choices, false)));
    for slot in ["resource", "boundary", "endpoint", "trust"] {
        if choices.one_in(3) {
            policies.insert(slot.to_owned(), policy(choices, slot != "boundary"));
        }
    }
    if choices.one_in(4) {
        policies.insert("session".to_owned(), json!(documents(choices, false)));
    }
    for slot in ["scp", "rcp"] {
        if choices.one_in(4) {
            let levels: Vec<Vec<Value>> =
                (0..1 + choices.byte() % 2).map(|_| documents(choices, slot == "rcp")).collect();
            policies.insert(slot.to_owned(), json!(levels));
        }
    }
    let mut context = Map::new();
    for key in ["x:t", "x:m"] {
        match choices.byte() % 3 {
            0 => drop(context.insert(key.to_owned(), json!(plain(choices)))),
            1 => drop(context.insert(key.to_owned(), json!([plain(choices), plain(choices)]))),
            _ => {}
        }
    }
    if choices.one_in(2) {
        context.insert("aws:PrincipalArn".to_owned(), json!("arn:aws:iam::111122223333:role/R"));
    }
    json!({
        "principal": choices.pick(PRINCIPALS), "action": choices.pick(&ACTIONS[..1]).replace("s3:GetObject", choices.pick(
            &["s3:GetObject", "kms:Decrypt", "sts:AssumeRole", "sagemaker:CreateModel"])),
        "resource": resource(choices, false), "management_account": choices.one_in(4), "context": context,
        "policies": policies, "expect": ""
    })
}

/// A text without the characters that variables and wildcards are made of.
fn plain(choices: &mut Choices<'_>) -> String {
    choices.text().replace(['$', '{', '}', '\''], "")
}

fn resource(choices: &mut Choices<'_>, pattern: bool) -> String {
    let head =
        choices.pick(&["arn:aws:s3:::", "arn:aws:kms:us-west-2:111122223333:key/", "arn:aws:s3::444455556666:", "*"]);
    if head == "*" {
        return head.to_owned();
    }
    head.to_owned() + &if pattern { choices.text() } else { plain(choices) }
}

fn policy(choices: &mut Choices<'_>, named: bool) -> Value {
    let statements: Vec<Value> = (0..1 + choices.byte() % 3).map(|_| statement(choices, named)).collect();
    let mut document = json!({ "Statement": statements });
    if !choices.one_in(5) {
        document["Version"] = json!("2012-10-17");
    }
    document
}

fn statement(choices: &mut Choices<'_>, named: bool) -> Value {
    let mut made = Map::new();
    let twin =
        |choices: &mut Choices<'_>, name: &str| if choices.one_in(8) { format!("Not{name}") } else { name.to_owned() };
    made.insert("Effect".to_owned(), json!(if choices.one_in(3) { "Deny" } else { "Allow" }));
    made.insert(twin(choices, "Action"), json!([choices.pick(ACTIONS), choices.pick(ACTIONS)]));
    made.insert(twin(choices, "Resource"), json!([resource(choices, true), resource(choices, true)]));
    if named {
        let who = match choices.byte() % 6 {
            0 => json!("*"),
            1 => json!({"Service": "sagemaker.amazonaws.com"}),
            2 => json!({"AWS": ["111122223333", choices.pick(&PRINCIPALS[..5])]}),
            _ => json!({"AWS": choices.pick(&PRINCIPALS[..5])}),
        };
        made.insert(twin(choices, "Principal"), who);
    }
    if choices.one_in(2) {
        let operator =
            choices.pick(&["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"]);
        let operator = choices.pick(&["", "", "ForAllValues:", "ForAnyValue:"]).to_owned()
            + operator
            + choices.pick(&["", "IfExists"]);
        let key = choices.pick(&["x:t", "x:m", "aws:PrincipalArn"]);
        made.insert("Condition".to_owned(), json!({operator: {key: [choices.text(), choices.text()]}}));
    }
    Value::Object(made)
}

/// A pattern, a subject and a value of a variable, apart at zero bytes.
pub fn globbing(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(512)]) else { return };
    let mut parts = text.split('\0');
    let (pattern, subject) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let value = parts.next().unwrap_or("");
    for (operator, version) in
        [("StringLike", "2012-10-17"), ("StringLike", "2008-10-17"), ("StringEquals", "2012-10-17")]
    {
        let policy = json!({"Version": version, "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {operator: {"x:subject": pattern}}}]});
        let case = json!({"principal": PRINCIPALS[0], "action": "a:b", "resource": "*", "expect": "",
            "context": {"x:subject": subject, "aws:username": value}, "policies": {"identity": [policy]}});
        let Ok(explanation) = explain_case(&case.to_string()) else { continue };
        // The naive reading of variables is for well-formed ones, of which a comma and quotes leave no doubt.
        if !pattern.contains('\'') {
            assert_eq!(explanation.effect.to_string(), naive::decide(&case), "{case}");
        }
    }
}

/// A text as a principal: a policy that names it by its ARN reaches it, and no other account's.
pub fn principal(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(512)]) else { return };
    let who = PrincipalRef::parse(text);
    assert_eq!(who.arn(), text);
    let _ = (PrincipalRef::parse("x").with_role_arn(text), who.is_service_linked_role());
    let policy = json!({"Statement": {"Effect": "Allow", "Principal": {"AWS": text}, "Action": "*", "Resource": "*"}});
    let Ok(document) = Document::parse(&policy.to_string()) else { return };
    let set = PolicySet::compile([(Arc::from("p"), &document)]);
    let slots = Slots { resource: Some(&set), ..Slots::default() };
    let allowed = |who: &PrincipalRef| {
        let request = Request {
            principal: who,
            action: "a:b",
            resource: "*",
            resource_account: who.account(),
            management_account: false,
            context: &MapContext::new(),
        };
        decide(&slots, &request).is_allowed()
    };
    let named = !matches!(who.kind(), PrincipalKind::Federated | PrincipalKind::Service) && text.starts_with("arn:");
    assert!(!named || allowed(&who), "{text}");
    let other = PrincipalRef::parse("arn:aws:iam::999999999999:user/nobody-at-all");
    assert!(text == "*" || text.contains("999999999999") || !allowed(&other), "{text}");
}
