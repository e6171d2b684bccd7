//! A second evaluator, written to be obviously right: it walks the JSON of a case, looks at every statement, and matches
//! wildcards by a table. It shares no code with the engine.

use serde_json::Value;

/// Decides a case: `allow`, `explicit_deny` or `implicit_deny`.
pub fn decide(case: &Value) -> &'static str {
    let ask = Ask {
        case,
        principal: case["principal"].as_str().unwrap(),
        action: case["action"].as_str().unwrap().to_lowercase(),
        resource: case["resource"].as_str().unwrap(),
    };
    let slots = &case["policies"];
    let service = !ask.principal.starts_with("arn:aws:iam:") && !ask.principal.starts_with("arn:aws:sts:");
    let linked = ask.principal.contains(":assumed-role/AWSServiceRoleFor");
    let exempt = case["management_account"] == true || linked;
    let docs = |value: &Value| -> Vec<Value> {
        match value {
            Value::Null => vec![],
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        }
    };
    let mut all: Vec<(&str, Vec<Value>)> = vec![
        ("endpoint", docs(&slots["endpoint"])),
        ("resource", docs(&slots["resource"])),
        ("trust", docs(&slots["trust"])),
    ];
    if !linked {
        all.push(("rcp", docs(&slots["rcp"]).iter().flat_map(docs).collect()));
    }
    if !service {
        all.push(("identity", docs(&slots["identity"])));
        all.push(("boundary", docs(&slots["boundary"])));
        all.push(("session", docs(&slots["session"])));
        if !exempt {
            all.push(("scp", docs(&slots["scp"]).iter().flat_map(docs).collect()));
        }
    }
    if all.iter().any(|(slot, list)| list.iter().any(|doc| ask.strength(doc, "Deny", slot) > 0)) {
        return "explicit_deny";
    }
    let strongest =
        |slot: &str, list: &[Value]| list.iter().map(|doc| ask.strength(doc, "Allow", slot)).max().unwrap_or(0);
    let of = |slot: &str| all.iter().find(|(name, _)| *name == slot).map_or(0, |(_, list)| strongest(slot, list));
    let every_level = |slot: &str| docs(&slots[slot]).iter().all(|level| strongest(slot, &docs(level)) > 0);
    let limit = |slot: &str| slots[slot].is_null() || of(slot) > 0;
    if !service && !exempt && !every_level("scp") || !linked && !every_level("rcp") || !limit("endpoint") {
        return "implicit_deny";
    }
    let trust = !slots["trust"].is_null() || ask.action.starts_with("sts:assumerole");
    let key = !slots["resource"].is_null() && ask.action.starts_with("kms:") && part(ask.resource, 2) == "kms";
    let gate = of(if trust { "trust" } else { "resource" });
    let allowed = if service {
        gate > 0
    } else {
        let owner = case["resource_account"].as_str().unwrap_or_else(|| part(ask.resource, 4));
        let numeric = owner.len() == 12 && owner.chars().all(|c| c.is_ascii_digit());
        let same = !numeric || owner == part(ask.principal, 4);
        let own = of("identity") > 0 || ask.principal.ends_with(":root");
        let limits = limit("boundary") && limit("session");
        if same {
            gate == 3 || gate == 2 && limits || own && limits && (gate > 0 || !(trust || key))
        } else {
            own && limits && gate > 0
        }
    };
    if allowed { "allow" } else { "implicit_deny" }
}

struct Ask<'a> {
    case: &'a Value,
    principal: &'a str,
    action: String,
    resource: &'a str,
}

fn part(arn: &str, nth: usize) -> &str {
    arn.splitn(6, ':').nth(nth).unwrap_or("")
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    }
}

/// `arn:aws:sqs` is `arn:aws:sqs:*:*:*`.
fn whole_arn(mut arn: String) -> String {
    let mut colons = 0;
    for piece in arn.split('}') {
        let outside = piece.split("${").next().unwrap();
        if outside.contains('*') {
            return arn;
        }
        colons += outside.matches(':').count();
    }
    while colons < 5 {
        arn.push_str(":*");
        colons += 1;
    }
    arn
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Ask<'_> {
    /// The strongest matching statement of one effect: 1 by account, 2 by role, 3 directly.
    fn strength(&self, doc: &Value, effect: &str, slot: &str) -> u8 {
        let new = doc["Version"] == "2012-10-17";
        list(&doc["Statement"])
            .iter()
            .filter(|statement| statement["Effect"] == effect)
            .map(|statement| self.one(statement, new, effect, slot))
            .max()
            .unwrap_or(0)
    }

    fn one(&self, statement: &Value, new: bool, effect: &str, slot: &str) -> u8 {
        let action = |name: &str| {
            list(&statement[name])
                .iter()
                .any(|pattern| glob(&tokens(&text(pattern).to_lowercase(), true), &self.action))
        };
        let resource = |name: &str| {
            list(&statement[name]).iter().any(|pattern| self.like(&whole_arn(text(pattern)), self.resource, new, true))
        };
        let has = |name: &str| !statement[name].is_null();
        if has("Action") && !action("Action") || has("NotAction") && action("NotAction") {
            return 0;
        }
        if has("Resource") && !resource("Resource") || has("NotResource") && resource("NotResource") {
            return 0;
        }
        if let Some(condition) = statement["Condition"].as_object() {
            for (operator, keys) in condition {
                for (key, wanted) in keys.as_object().unwrap() {
                    if !self.condition(operator, key, &list(wanted), new) {
                        return 0;
                    }
                }
            }
        }
        if has("Principal") {
            return self.named(&statement["Principal"]).into_iter().max().unwrap_or(0);
        }
        if has("NotPrincipal") {
            let named = self.named(&statement["NotPrincipal"]);
            return if self.spared(&statement["NotPrincipal"], &named, effect) { 0 } else { 3 };
        }
        if effect == "Allow" && (slot == "resource" || slot == "trust") { 0 } else { 3 }
    }

    /// How each name of a principal element reaches us; 0 where it does not.
    fn named(&self, element: &Value) -> Vec<u8> {
        if element == "*" {
            return vec![3];
        }
        let mut all = Vec::new();
        for (kind, names) in element.as_object().unwrap() {
            for name in list(names) {
                all.push(self.reach(kind, &text(&name)));
            }
        }
        all
    }

    fn reach(&self, kind: &str, name: &str) -> u8 {
        let me = self.principal;
        if kind != "AWS" {
            return if me == name { 3 } else { 0 };
        }
        if name == "*" || me == name && !name.contains(":role/") {
            return 3;
        }
        let account = part(me, 4);
        if !account.is_empty() && (name == account || name == format!("arn:aws:iam::{account}:root")) {
            return if me.ends_with(":root") { 3 } else { 1 };
        }
        let role = part(me, 5).strip_prefix("assumed-role/").map(|rest| rest.split('/').next().unwrap());
        let names_role = part(name, 5).strip_prefix("role/").map(|path| path.rsplit('/').next().unwrap());
        let same_role = role.is_some() && role == names_role && part(name, 4) == account;
        if same_role || me == name { 2 } else { 0 }
    }

    fn spared(&self, element: &Value, named: &[u8], effect: &str) -> bool {
        if effect == "Allow" {
            return named.iter().any(|reach| *reach > 0);
        }
        if self.principal.starts_with("arn:") && !self.case["policies"]["boundary"].is_null() {
            return false;
        }
        if element == "*" || list(&element["AWS"]).iter().any(|name| name == "*") {
            return true;
        }
        let kind = part(self.principal, 5);
        let needed: &[u8] = if kind.starts_with("assumed-role/") {
            &[1, 2, 3]
        } else if kind.starts_with("role/") {
            &[1, 2]
        } else if kind.starts_with("user/") || kind.starts_with("federated-user/") {
            &[1, 3]
        } else {
            &[3]
        };
        needed.iter().all(|reach| named.contains(reach))
    }

    /// The values of a key, or `None` when it is absent or empty.
    fn values(&self, key: &str) -> Option<Vec<String>> {
        let context = self.case["context"].as_object()?;
        let (_, value) = context.iter().find(|(name, _)| name.eq_ignore_ascii_case(key))?;
        let values: Vec<String> = list(value).iter().map(text).collect();
        (!values.is_empty()).then_some(values)
    }

    fn condition(&self, operator: &str, key: &str, wanted: &[Value], new: bool) -> bool {
        let have = self.values(key);
        let (set, name) = match operator.split_once(':') {
            Some((set, name)) => (set, name),
            None => ("", operator),
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name == "Null" {
            return wanted.iter().any(|want| text(want).eq_ignore_ascii_case("true") == have.is_none());
        }
        let negated = name.contains("Not");
        let positive = name.replace("Not", "");
        let Some(have) = have else {
            return if_exists || if set.is_empty() { if_exists || negated } else { set == "ForAllValues" };
        };
        let one =
            |value: &String| negated != wanted.iter().any(|want| self.compare(&positive, &text(want), value, new));
        match set {
            "ForAllValues" => have.iter().all(one),
            "ForAnyValue" => have.iter().any(one),
            _ if negated => have.iter().all(one),
            _ => have.iter().any(one),
        }
    }

    fn compare(&self, operator: &str, want: &str, have: &str, new: bool) -> bool {
        let number = |text: &str| text.parse::<f64>().ok();
        let order = |left: Option<f64>, right: Option<f64>, how: &str| match (left, right) {
            (Some(left), Some(right)) => match how {
                "Equals" => left == right,
                "LessThan" => left < right,
                "LessThanEquals" => left <= right,
                "GreaterThan" => left > right,
                "GreaterThanEquals" => left >= right,
                other => panic!("{other}"),
            },
            _ => false,
        };
        match operator {
            "StringEquals" => self.like(want, have, new, false),
            "StringEqualsIgnoreCase" => self.expand(want, new, false).is_some_and(|tokens| {
                let text: String =
                    tokens.iter().map(|token| if let Token::Char(c) = token { *c } else { panic!() }).collect();
                text.to_lowercase() == have.to_lowercase()
            }),
            "StringLike" => self.like(want, have, new, true),
            "Bool" => {
                ["true", "false"].iter().any(|word| want.eq_ignore_ascii_case(word) && have.eq_ignore_ascii_case(word))
            }
            "BinaryEquals" => want == have,
            "IpAddress" => in_range(want, have),
            "ArnEquals" | "ArnLike" => self.arn_like(want, have, new),
            _ if operator.starts_with("Numeric") => order(number(have), number(want), &operator[7..]),
            _ if operator.starts_with("Date") => order(seconds(have), seconds(want), &operator[4..]),
            other => panic!("{other}"),
        }
    }

    fn arn_like(&self, want: &str, have: &str, new: bool) -> bool {
        if want == "*" {
            return true;
        }
        // Colons part the components before variables are put in, so that a value cannot move them.
        let mut parts = vec![String::new()];
        let mut inside = false;
        for c in want.chars() {
            inside = (inside || c == '{' && new && parts.last().unwrap().ends_with('$')) && c != '}';
            match c {
                ':' if !inside && parts.len() < 6 => parts.push(String::new()),
                c => parts.last_mut().unwrap().push(c),
            }
        }
        if parts.len() < 6 {
            return new && want.contains("${") && self.like(want, have, new, true);
        }
        let have: Vec<&str> = have.splitn(6, ':').collect();
        have.len() == 6 && parts.iter().zip(have).all(|(want, have)| self.like(want, have, new, true))
    }

    fn like(&self, pattern: &str, subject: &str, new: bool, wild: bool) -> bool {
        self.expand(pattern, new, wild).is_some_and(|tokens| glob(&tokens, subject))
    }

    /// A pattern with its variables put in; `None` when one cannot be.
    fn expand(&self, pattern: &str, new: bool, wild: bool) -> Option<Vec<Token>> {
        let mut out = Vec::new();
        let mut rest = pattern;
        while let Some(at) = rest.find("${").filter(|_| new) {
            out.extend(tokens(&rest[..at], wild));
            let end = at + rest[at..].find('}').unwrap();
            let inner = &rest[at + 2..end];
            rest = &rest[end + 1..];
            let value = match inner {
                "*" | "?" | "$" => inner.to_owned(),
                _ => {
                    let (key, default) = inner.split_once(',').map_or((inner, None), |(key, rest)| (key, Some(rest)));
                    match self.values(key.trim()) {
                        Some(values) if values.len() == 1 => values[0].clone(),
                        _ => default?.trim().trim_matches('\'').to_owned(),
                    }
                }
            };
            out.extend(value.chars().map(Token::Char));
        }
        out.extend(tokens(rest, wild));
        Some(out)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Any,
}

fn tokens(text: &str, wild: bool) -> Vec<Token> {
    text.chars()
        .map(|c| match c {
            '*' if wild => Token::Any,
            '?' if wild => Token::One,
            c => Token::Char(c),
        })
        .collect()
}

/// Wildcards by the textbook table: `row[j]` says whether the pattern so far matches the first j characters.
fn glob(pattern: &[Token], subject: &str) -> bool {
    let subject: Vec<char> = subject.chars().collect();
    let mut row: Vec<bool> = (0..=subject.len()).map(|j| j == 0).collect();
    for token in pattern {
        let mut next = vec![false; subject.len() + 1];
        for j in 0..=subject.len() {
            next[j] = match token {
                Token::Any => row[j] || j > 0 && next[j - 1],
                Token::One => j > 0 && row[j - 1],
                Token::Char(c) => j > 0 && row[j - 1] && subject[j - 1] == *c,
            };
        }
        row = next;
    }
    row[subject.len()]
}

fn in_range(net: &str, address: &str) -> bool {
    let (base, length) = net.split_once('/').unwrap_or((net, ""));
    let bits = |text: &str| -> Option<String> {
        match text.parse::<std::net::IpAddr>().ok()? {
            std::net::IpAddr::V4(v4) => Some(format!("4{:032b}", u32::from(v4))),
            std::net::IpAddr::V6(v6) => Some(format!("6{:0128b}", u128::from(v6))),
        }
    };
    let (Some(base), Some(address)) = (bits(base), bits(address)) else { return false };
    let length = if length.is_empty() { base.len() - 1 } else { length.parse().unwrap() };
    base.len() == address.len() && base[..=length] == address[..=length]
}

/// Whole-second UTC dates and epoch seconds are all that the tests use.
fn seconds(text: &str) -> Option<f64> {
    if let Ok(epoch) = text.parse::<f64>() {
        return Some(epoch);
    }
    let fields: Vec<i64> =
        text.trim_end_matches('Z').split(['-', 'T', ':']).map(|f| f.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day] = [*fields.first()?, *fields.get(1)?, *fields.get(2)?];
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut days: i64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    days += lengths.iter().take(month as usize - 1).sum::<i64>() + day - 1;
    let clock = |at: usize| fields.get(at).copied().unwrap_or(0);
    Some((days * 86400 + clock(3) * 3600 + clock(4) * 60 + clock(5)) as f64)
}
