//! `shapes.rs`: the reachable shapes as statics.

use std::fmt::Write as _;

use crate::error::Error;
use crate::facts::{Member, Shape};
use crate::files::HEADER;
use crate::names::{constant, unique};
use crate::plan::Service;

/// The file's text.
pub fn emit(service: &Service) -> Result<String, Error> {
    let mut out = format!("//! Shapes of {}.\n{HEADER}\n", service.model.metadata.service_full_name);
    let mut body = String::new();
    let constants = unique(service.shapes.iter(), constant);
    for name in &service.shapes {
        let shape = service.shape(name)?;
        // What no handler sees is decoded and never validated: its limits would be ballast.
        let decoded = (!service.typed.contains(name)).then(|| shape.without_limits());
        let kind = kind(service, name, decoded.as_ref().unwrap_or(shape), &constants)?;
        let constant = &constants[name];
        let sensitive = shape.sensitive;
        let _ = writeln!(body, "/// `{name}`.");
        let _ = writeln!(
            body,
            "pub static {constant}: Shape = Shape {{ name: {name:?}, kind: {kind}, sensitive: {sensitive} }};"
        );
    }
    let optional = ["Location", "Member", "TimestampFormat"];
    let mut imports: Vec<&str> = optional
        .into_iter()
        .filter(|import| body.contains(&format!("{import}::")) || body.contains(&format!("{import} {{")))
        .collect();
    imports.extend(["Kind", "Shape"]);
    imports.sort_unstable();
    let _ = writeln!(out, "use stoa_schema::{{{}}};\n", imports.join(", "));
    out.push_str(&body);
    Ok(out)
}

type Constants = std::collections::BTreeMap<String, String>;

fn kind(service: &Service, name: &str, shape: &Shape, constants: &Constants) -> Result<String, Error> {
    let limits = || format!("min: {}, max: {}", limit(shape.min.as_ref()), limit(shape.max.as_ref()));
    let part = |member: &Option<Member>| -> Result<String, Error> {
        let member =
            member.as_ref().ok_or_else(|| Error::Facts(format!("{}: `{name}` has no element", service.name)))?;
        Ok(format!("&{}", constants[&member.shape]))
    };
    Ok(match shape.kind.as_str() {
        "boolean" => "Kind::Boolean".to_owned(),
        "integer" | "long" | "short" | "byte" => format!("Kind::Integer {{ {} }}", limits()),
        "float" | "double" => {
            format!(
                "Kind::Float {{ min: {}, max: {} }}",
                float_limit(shape.min.as_ref()),
                float_limit(shape.max.as_ref())
            )
        }
        "string" | "character" => {
            let pattern = shape.pattern.as_ref().map_or("None".to_owned(), |pattern| format!("Some({pattern:?})"));
            format!("Kind::String {{ {}, pattern: {pattern}, values: &{:?} }}", limits(), shape.values)
        }
        "blob" => format!("Kind::Blob {{ {} }}", limits()),
        "timestamp" => format!("Kind::Timestamp({})", timestamp(service, shape.timestamp_format.as_deref())?),
        "list" => {
            let element = shape.member.as_ref().and_then(|member| member.location_name.as_ref());
            let element = element.map_or("None".to_owned(), |element| format!("Some({element:?})"));
            let member = part(&shape.member)?;
            let flattened = shape.flattened;
            format!("Kind::List {{ member: {member}, member_name: {element}, flattened: {flattened}, {} }}", limits())
        }
        "map" => format!("Kind::Map {{ key: {}, value: {}, {} }}", part(&shape.key)?, part(&shape.value)?, limits()),
        "structure" if shape.document => "Kind::Document".to_owned(),
        "structure" => {
            let variant = if shape.union { "Union" } else { "Structure" };
            let mut members = String::new();
            for (member, facts) in &shape.members {
                members.push_str(&emit_member(service, shape, member, facts, constants)?);
            }
            format!("Kind::{variant}(&[{members}])")
        }
        other => return Err(Error::Facts(format!("{}: `{name}` has the unknown type `{other}`", service.name))),
    })
}

fn emit_member(
    service: &Service,
    owner: &Shape,
    name: &str,
    facts: &Member,
    constants: &Constants,
) -> Result<String, Error> {
    let at = facts.location_name.as_deref().unwrap_or(name);
    let location = match facts.location.as_deref() {
        _ if owner.payload.as_deref() == Some(name) => "Location::Payload".to_owned(),
        None => "Location::Body".to_owned(),
        Some("header") => format!("Location::Header({:?})", at.to_ascii_lowercase()),
        Some("headers") => format!("Location::HeaderPrefix({:?})", at.to_ascii_lowercase()),
        Some("querystring") if service.model.shapes.get(&facts.shape).is_some_and(|shape| shape.kind == "map") => {
            "Location::QueryMap".to_owned()
        }
        Some("querystring") => format!("Location::Query({at:?})"),
        Some("uri") => format!("Location::Uri({at:?})"),
        Some("statusCode") => "Location::StatusCode".to_owned(),
        Some(other) => {
            return Err(Error::Facts(format!("{}: `{name}` has the unknown location `{other}`", service.name)));
        }
    };
    let wire = match (&facts.location, &facts.location_name) {
        (None, Some(wire)) if wire != name => format!("Some({wire:?})"),
        _ => "None".to_owned(),
    };
    let required = owner.required.iter().any(|required| required == name);
    let timestamp = timestamp(service, facts.timestamp_format.as_deref())?;
    let (shape, token) = (&constants[&facts.shape], facts.idempotency_token);
    Ok(format!(
        "\n    Member {{ name: {name:?}, wire_name: {wire}, location: {location}, shape: &{shape}, required: {required}, \
         idempotency_token: {token}, timestamp_format: {timestamp} }},"
    ))
}

fn timestamp(service: &Service, format: Option<&str>) -> Result<&'static str, Error> {
    Ok(match format {
        None => "None",
        Some("unixTimestamp") => "Some(TimestampFormat::UnixTimestamp)",
        Some("iso8601") => "Some(TimestampFormat::Iso8601)",
        Some("rfc822") => "Some(TimestampFormat::Rfc822)",
        Some(other) => {
            return Err(Error::Facts(format!("{}: unknown timestamp format `{other}`", service.name)));
        }
    })
}

fn limit(number: Option<&serde_json::Number>) -> String {
    match number.and_then(serde_json::Number::as_i64) {
        Some(number) => format!("Some({number})"),
        None => "None".to_owned(),
    }
}

fn float_limit(number: Option<&serde_json::Number>) -> String {
    match number.and_then(serde_json::Number::as_f64) {
        Some(number) => format!("Some({number:?})"),
        None => "None".to_owned(),
    }
}
