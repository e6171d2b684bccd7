//! A bounded, repeatable run of what the fuzz targets check: their corpus, and bytes from a fixed generator. And inputs
//! made to take long: each has to be done within a bound that only something superlinear would break.

use std::path::Path;
use std::time::{Duration, Instant};

use stoa_policy::lint::{Subject, lint};
use stoa_policy::{Document, MapContext, PolicySet, PrincipalRef, Request, Slot, Slots, decide, explain};

use crate::{driving, facts};

/// The files of a target's corpus.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus")).join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// xorshift: the same bytes on every machine.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn run(&mut self, most: usize) -> Vec<u8> {
        let len = self.next() as usize % most;
        (0..len).map(|_| (self.next() >> 24) as u8).collect()
    }

    /// A copy with a few bytes changed, cut or repeated.
    fn changed(&mut self, of: &[u8]) -> Vec<u8> {
        let mut made = of.to_vec();
        for _ in 0..1 + self.next() % 4 {
            if made.is_empty() {
                break;
            }
            let at = self.next() as usize % made.len();
            match self.next() % 4 {
                0 => made[at] = self.next() as u8,
                1 => drop(made.remove(at)),
                2 => made.truncate(at),
                _ => {
                    let piece: Vec<u8> = made[at..].iter().take(16).copied().collect();
                    made.splice(at..at, piece);
                }
            }
        }
        made
    }
}

fn run(target: &str, rounds: usize, check: impl Fn(&[u8])) {
    let mut bytes = Bytes(0x5EED_0000 + rounds as u64);
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "{target}");
    for input in &corpus {
        check(input);
    }
    for nth in 0..rounds {
        check(&bytes.changed(&corpus[nth % corpus.len()]));
        check(&bytes.run(300));
    }
}

#[test]
fn documents() {
    run("document", 3000, driving::document);
}

#[test]
fn decisions() {
    run("decide", 1500, driving::deciding);
}

#[test]
fn globs() {
    run("glob", 3000, driving::globbing);
}

#[test]
fn principals() {
    run("principal", 3000, driving::principal);
}

#[test]
fn lints() {
    run("lint", 1000, |data| driving::linting(data, facts::catalog()));
}

/// Done within the bound: loose enough for a slow and busy machine, far below what quadratic work would take.
fn within(seconds: u64, what: &str, work: impl FnOnce()) {
    let begun = Instant::now();
    work();
    assert!(begun.elapsed() < Duration::from_secs(seconds), "{what} took {:?}", begun.elapsed());
}

fn ask(set: &PolicySet, resource: &str) {
    let principal = PrincipalRef::parse("arn:aws:iam::111122223333:user/alice");
    let request = Request {
        principal: &principal,
        action: "s3:GetObject",
        resource,
        resource_account: None,
        management_account: false,
        context: &MapContext::new().with("x:y", "a".repeat(4000)),
    };
    let identity = [set];
    let slots = Slots { identity: &identity, ..Slots::default() };
    decide(&slots, &request);
    explain(&slots, &request);
}

fn document(statements: &[String]) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

#[test]
fn hostile_documents_take_bounded_time() {
    let subject = Subject::slot(Slot::Identity);
    let star = |resource: &str| format!(r#"{{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::{resource}"}}"#);
    let value = |text: &str| {
        format!(
            r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{{"StringLike":{{"x:y":"{text}"}}}}}}"#
        )
    };
    let hostile = [
        ("a bomb of stars", document(&[star(&"*a".repeat(1_000_000))])),
        ("many bombs", document(&(0..2000).map(|n| star(&format!("{}{n}", "*a".repeat(900)))).collect::<Vec<_>>())),
        (
            "stars and question marks",
            document(&(0..500).map(|_| value(&("*".to_owned() + &"a?".repeat(1000) + "b"))).collect::<Vec<_>>()),
        ),
        (
            "one long list",
            document(&[format!(
                r#"{{"Effect":"Allow","Action":[{}],"Resource":"*"}}"#,
                (0..150_000).map(|n| format!(r#""s3:Get{n}""#)).collect::<Vec<_>>().join(",")
            )]),
        ),
        ("many statements", document(&(0..19_000).map(|n| star(&format!("*b{n}*"))).collect::<Vec<_>>())),
        ("many equal statements", document(&(0..15_000).map(|_| star("*")).collect::<Vec<_>>())),
        (
            "many keys",
            document(&[format!(
                r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{{"StringEquals":{{{}}}}}}}"#,
                (0..100_000).map(|n| format!(r#""x:k{n}":"v""#)).collect::<Vec<_>>().join(",")
            )]),
        ),
        ("many variables", document(&[value(&"${x:y}".repeat(60_000))])),
        ("too many variables", document(&[value(&"${x:y}".repeat(100_000))])),
    ];
    for (what, text) in &hostile {
        within(20, what, || {
            if let Ok(parsed) = Document::parse(text) {
                let set = PolicySet::compile([(std::sync::Arc::from("p"), &parsed)]);
                ask(&set, &format!("arn:aws:s3:::{}", "ab".repeat(1000)));
            }
        });
        within(20, what, || drop(lint(text, subject, facts::catalog())));
    }
}

#[test]
fn deep_and_long_documents_are_refused_at_once() {
    for (what, text) in [
        ("lists", "[".repeat(3_000_000)),
        ("objects", r#"{"Statement":"#.repeat(200_000)),
        (
            "conditions",
            document(&[
                r#"{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":"#.to_owned() + &r#"{"a":"#.repeat(500)
            ]),
        ),
        ("ten megabytes", document(&[" ".repeat(10 << 20)])),
        ("a text of four megabytes", format!("\"{}\"", "x".repeat(4 << 20))),
    ] {
        within(5, what, || {
            let error = Document::parse(&text).unwrap_err();
            assert!(error.to_string().len() < 1000, "{what}");
        });
    }
}

#[test]
fn documents_up_to_the_limits_of_aws_compile() {
    // The largest that AWS takes: 20,480 characters of a bucket policy; 10,240 of the inline policies of a role.
    let statement = |n: usize| {
        format!(
            r#"{{"Sid":"S{n}","Effect":"Allow","Principal":"*","Action":"s3:Get*","Resource":"arn:aws:s3:::b/{n}/*"}}"#
        )
    };
    let mut statements = Vec::new();
    while document(&statements).len() < 20_300 {
        statements.push(statement(statements.len()));
    }
    let text = document(&statements);
    let parsed = Document::parse(&text).unwrap();
    assert_eq!(parsed.statement_count(), statements.len());
    let deep = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":{"a:b":["true"]}}}}"#;
    assert!(Document::parse(deep).is_ok());
}
