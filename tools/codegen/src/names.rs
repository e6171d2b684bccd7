//! Rust names from modelled names.

use std::collections::{BTreeMap, BTreeSet};

/// `HubContentArn` → `hub_content_arn`, `EnableSSMAccess` → `enable_ssm_access`, `S3Uri` → `s3_uri`.
pub fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 8);
    for (index, letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            if !out.ends_with('_') {
                out.push('_');
            }
            continue;
        }
        let before = index.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(index + 1);
        let starts_word = letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if starts_word && !out.ends_with('_') {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// The field of a member.
pub fn field(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "match" | "ref" | "use" | "where" | "loop" | "move" | "static" | "const" | "enum" | "struct"
        | "in" | "for" | "if" | "else" | "while" | "mod" | "pub" | "fn" | "let" | "async" | "await" | "dyn"
        | "abstract" | "final" | "override" | "box" | "do" | "macro" | "try" | "yield" | "as" | "break"
        | "continue" => {
            format!("r#{snake}")
        }
        "self" | "super" | "crate" => format!("{snake}_"),
        _ => snake,
    }
}

/// The type of a structure, union or enum.
pub fn type_name(name: &str) -> String {
    let mut letters = name.chars();
    let upper =
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str());
    match upper.as_str() {
        "String" | "Vec" | "Option" | "Box" | "Result" | "Some" | "None" | "Ok" | "Err" | "Value" | "Bytes"
        | "Timestamp" | "BTreeMap" => format!("{upper}Shape"),
        _ => upper,
    }
}

/// The static of a shape or operation.
pub fn constant(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

/// The variant of an enum value: `ml.t2.medium` → `MlT2Medium`, `SUCCEEDED` → `Succeeded`, `InService` as it is.
pub fn variant(value: &str) -> String {
    let mut out = String::new();
    for word in value.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let shouting = !word.chars().any(|letter| letter.is_ascii_lowercase());
        for (index, letter) in word.chars().enumerate() {
            match (index, shouting) {
                (0, _) => out.push(letter.to_ascii_uppercase()),
                (_, true) => out.push(letter.to_ascii_lowercase()),
                (_, false) => out.push(letter),
            }
        }
    }
    match out.chars().next() {
        None => "Blank".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("V{out}"),
        Some(_) if out == "Self" => "SelfValue".to_owned(),
        Some(_) => out,
    }
}

/// Variants for all values, made different from one another by a number where two would be the same.
pub fn variants(values: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(values.len());
    for value in values {
        let name = variant(value);
        let mut candidate = name.clone();
        let mut number = 2;
        while names.contains(&candidate) {
            candidate = format!("{name}{number}");
            number += 1;
        }
        names.push(candidate);
    }
    names
}

/// A name for each, made different from the others by a number where two would be the same.
pub fn unique<'n>(names: impl Iterator<Item = &'n String>, rename: fn(&str) -> String) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mut found = BTreeMap::new();
    for name in names {
        let base = rename(name);
        let mut candidate = base.clone();
        let mut number = 2;
        while !taken.insert(candidate.clone()) {
            candidate = format!("{base}{number}");
            number += 1;
        }
        found.insert(name.clone(), candidate);
    }
    found
}
