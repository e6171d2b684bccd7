//! Rules about single conditions: keys, types, set operators, and what an absent key does to them.

use super::actions::{is_all, meant, near};
use super::catalog::{ActionFacts, Catalog, KeyFacts, ServiceFacts, ValueType, is_key};
use super::read::{Policy, Read, Test};
use super::resources::old_variable;
use super::{Code, Report};

pub(super) fn check(policy: &Policy, statement: &Read, catalog: &Catalog, report: &mut Report) {
    for test in &statement.conditions {
        if report.is_full() {
            return;
        }
        for value in &test.values {
            old_variable(policy, statement, value, report);
        }
        match catalog.key(&test.key) {
            Some(facts) => {
                types(statement, test, facts, report);
                set_operators(statement, test, facts, report);
                set_by_actions(statement, test, catalog, report);
            }
            None => unknown(statement, test, catalog, report),
        }
        absent(statement, test, report);
        namespace(statement, test, report);
    }
    variables(policy, statement, catalog, report);
    anded(statement, report);
}

fn unknown(statement: &Read, test: &Test, catalog: &Catalog, report: &mut Report) {
    let (prefix, _) = test.key.split_once(':').unwrap_or(("", ""));
    let judged = prefix.eq_ignore_ascii_case("aws") || catalog.service(prefix).is_some();
    if !judged {
        return;
    }
    let all = catalog.globals.iter().chain(catalog.services.iter().flat_map(|service| &service.keys));
    let hint = near(&test.key, all.map(|key| key.name)).map(|near| format!("; `{near}` is one")).unwrap_or_default();
    let message = format!("`{}` is no condition key{hint}", test.key);
    report.add(Code::UnknownConditionKey, statement.sid(), &test.path, message);
}

/// The type that an operator compares by; none for `Null`.
fn operator_type(base: &str) -> Option<ValueType> {
    Some(match base {
        "null" => return None,
        "bool" => ValueType::Bool,
        "binaryequals" => ValueType::Binary,
        _ if base.starts_with("numeric") => ValueType::Numeric,
        _ if base.starts_with("date") => ValueType::Date,
        _ if base.ends_with("ipaddress") => ValueType::IpAddress,
        _ if base.starts_with("arn") => ValueType::Arn,
        _ => ValueType::String,
    })
}

fn types(statement: &Read, test: &Test, facts: &KeyFacts, report: &mut Report) {
    let Some(operator) = operator_type(&test.base) else { return };
    // ARNs are often compared as text, texts may be `true`, epoch seconds are numbers, and a tag may hold anything.
    let fits = operator == facts.value
        || facts.is_template()
        || matches!(
            (operator, facts.value),
            (ValueType::String, ValueType::Arn)
                | (ValueType::Bool, ValueType::String)
                | (ValueType::Numeric, ValueType::Date)
        )
        || operator == ValueType::Arn && is_key("aws:SourceVpcArn", facts.name);
    if !fits {
        let message =
            format!("`{}` compares {}, but `{}` is {}", test.operator, operator.noun(), test.key, facts.value.noun());
        report.add(Code::TypeMismatch, statement.sid(), &test.path, message);
    }
}

fn set_operators(statement: &Read, test: &Test, facts: &KeyFacts, report: &mut Report) {
    if test.base == "null" {
        return;
    }
    if facts.multivalued && test.set.is_empty() {
        let message = format!("`{}` may have several values", test.key);
        report.add(Code::SetOperatorMissing, statement.sid(), &test.path, message);
    }
    if !facts.multivalued && !test.set.is_empty() {
        let message = format!("`{}` has one value", test.key);
        report.add(Code::SetOperatorNotNeeded, statement.sid(), &test.path, message);
    }
}

/// Whether requests of the listed actions carry the key.
fn set_by_actions(statement: &Read, test: &Test, catalog: &Catalog, report: &mut Report) {
    let per_action = ["aws:RequestTag/", "aws:TagKeys", "aws:ResourceTag/"].iter().any(|key| is_key(key, &test.key));
    if catalog.is_global(&test.key) && !per_action {
        return;
    }
    if statement.parsed.actions.not || statement.actions.iter().any(|action| is_all(&action.text)) {
        return;
    }
    let mut found: Vec<(&ServiceFacts, &ActionFacts)> = Vec::new();
    for action in &statement.actions {
        let Some((service, list)) = meant(&action.text, catalog) else { return };
        found.extend(list.into_iter().map(|one| (service, one)));
    }
    let (with, without): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(service, action)| service.carries(action, &test.key));
    let Some((service, first)) = without.first() else {
        return legacy(statement, test, &with, report);
    };
    if with.is_empty() {
        let message = format!("none of the statement's actions sets `{}`", test.key);
        report.add(Code::KeyNeverSet, statement.sid(), &test.path, message);
        return;
    }
    // A test for presence, and one that passes when the key is absent, is written for such lists.
    if test.base != "null" && !test.if_exists && !statement.actions.iter().all(|action| action.text.contains('*')) {
        let message = format!(
            "{} of the statement's actions do not set `{}` (such as {}:{})",
            without.len(),
            test.key,
            service.prefix,
            first.name
        );
        report.add(Code::KeySometimesSet, statement.sid(), &test.path, message);
    }
    legacy(statement, test, &with, report);
}

fn legacy(statement: &Read, test: &Test, with: &[(&ServiceFacts, &ActionFacts)], report: &mut Report) {
    let newer = with.iter().find_map(|(_, action)| {
        action.legacy_keys.iter().find(|old| is_key(old, &test.key))?;
        action.keys.iter().find(|key| {
            key.len() > test.key.len()
                && key.get(..test.key.len()).is_some_and(|start| start.eq_ignore_ascii_case(&test.key))
        })
    });
    if let Some(newer) = newer {
        let message = format!("the reference names `{newer}` where this names `{}`", test.key);
        report.add(Code::LegacyKey, statement.sid(), &test.path, message);
    }
}

/// What the condition does when its key is absent.
fn absent(statement: &Read, test: &Test, report: &mut Report) {
    let guarded = |absent: bool| statement.conditions.iter().any(|one| one.is(&test.key) && one.is_null(absent));
    if statement.allows() && test.set == "forallvalues" && !guarded(false) {
        let message = format!("`{}` holds when `{}` is absent, so this Allow applies then", test.operator, test.key);
        report.add(Code::ForAllValuesAbsent, statement.sid(), &test.path, message);
    }
    if !statement.allows() && test.set == "foranyvalue" && !test.if_exists && !guarded(false) {
        let message = format!(
            "`{}` does not hold when `{}` is absent, so this Deny does not apply then",
            test.operator, test.key
        );
        report.add(Code::ForAnyValueAbsent, statement.sid(), &test.path, message);
    }
    let false_only = test.values.iter().all(|value| value.text.eq_ignore_ascii_case("false"));
    if !statement.allows()
        && test.is("aws:MultiFactorAuthPresent")
        && test.base == "bool"
        && !test.if_exists
        && false_only
    {
        let message = "long-term access keys pass this Deny: they do not set the key".to_owned();
        report.add(Code::MfaAbsent, statement.sid(), &test.path, message);
    }
}

/// A Deny that tests for several things that must not be missing: all of them have to be missing before it denies.
fn anded(statement: &Read, report: &mut Report) {
    if statement.allows() {
        return;
    }
    let missing: Vec<&Test> = statement.conditions.iter().filter(|test| test.is_null(true)).collect();
    let differs = statement.conditions.iter().find(|test| {
        test.negated() && !test.if_exists && !missing.iter().any(|null| null.is(&test.key)) && !identity(&test.key)
    });
    let (Some(first), Some(other)) = (missing.first(), missing.get(1).copied().or(differs)) else { return };
    let message = format!(
        "denies only when `{}` is absent and the tests on other keys (`{}`) hold as well: a request that names it passes",
        first.key, other.key
    );
    report.add(Code::DenyTestsAnded, statement.sid(), &statement.at("Condition"), message);
}

/// Keys of exemptions, which belong into the same statement.
fn identity(key: &str) -> bool {
    [
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalOrgID",
        "aws:PrincipalTag/",
        "aws:userid",
        "aws:username",
    ]
    .iter()
    .any(|known| is_key(known, key))
}

fn namespace(statement: &Read, test: &Test, report: &mut Report) {
    if !test.is("cloudwatch:namespace") || test.base.ends_with("ignorecase") {
        return;
    }
    for value in &test.values {
        let text = value.text.trim_start_matches('/');
        let about_aws = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws/"));
        let real = value.text.starts_with("AWS/") || value.text.starts_with("/aws/");
        if about_aws && !real {
            let message = format!(
                "`{}` equals no namespace of AWS: they start with `AWS/` or `/aws/`, such as `AWS/SageMaker` and \
                 `/aws/sagemaker/Endpoints`",
                value.text
            );
            report.add(Code::NamespaceNeverEqual, statement.sid(), &value.path, message);
        }
    }
}

/// Variables that name no key.
fn variables(policy: &Policy, statement: &Read, catalog: &Catalog, report: &mut Report) {
    if !policy.variables {
        return;
    }
    let values = statement.conditions.iter().flat_map(|test| &test.values);
    for text in statement.resources.iter().chain(values) {
        for key in keys_in(&text.text) {
            let prefix = key.split(':').next().unwrap_or("");
            let judged = prefix.eq_ignore_ascii_case("aws") || catalog.service(prefix).is_some();
            if judged && catalog.key(key).is_none() {
                let message = format!("`${{{key}}}` names no condition key");
                report.add(Code::UnknownVariable, statement.sid(), &text.path, message);
            }
        }
    }
}

/// The keys of the variables in a text.
pub(super) fn keys_in(text: &str) -> impl Iterator<Item = &str> {
    let inner = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    inner.map(|inner| inner.split(',').next().unwrap_or(inner).trim()).filter(|key| !matches!(*key, "*" | "?" | "$"))
}
