//! The condition keys of a simulation: those that the request gives, held to the types that it says they have.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stoa_kernel::ApiError;
use stoa_models_iam::types::{ContextEntry, ContextKeyTypeEnum as Type};
use stoa_policy::MapContext;
use stoa_types::Timestamp;

use crate::error::invalid_input;
use crate::holder::path_and_name;

/// Whether the type is that of a multivalued key.
fn is_list(kind: Type) -> bool {
    matches!(
        kind,
        Type::StringList | Type::NumericList | Type::BooleanList | Type::IpList | Type::BinaryList | Type::DateList
    )
}

fn is_of(kind: Type, value: &str) -> bool {
    match kind {
        Type::String | Type::StringList => true,
        Type::Numeric | Type::NumericList => value.parse::<f64>().is_ok(),
        Type::Boolean | Type::BooleanList => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
        Type::Ip | Type::IpList => value.split('/').next().unwrap_or_default().parse::<IpAddr>().is_ok(),
        Type::Binary | Type::BinaryList => STANDARD.decode(value).is_ok(),
        Type::Date | Type::DateList => {
            value.parse::<i64>().is_ok()
                || Timestamp::parse_iso8601(value).is_ok()
                || Timestamp::parse_iso8601(&format!("{value}T00:00:00Z")).is_ok()
        }
    }
}

/// The context. A simulated user is known by name.
pub(super) fn made_of(entries: &[ContextEntry], caller: Option<&str>) -> Result<MapContext, ApiError> {
    let mut context = MapContext::new();
    if let Some(caller) = caller.filter(|caller| caller.contains(":user/")) {
        context.set("aws:username", path_and_name(caller).1);
    }
    for entry in entries {
        let name = entry.context_key_name.as_deref().ok_or_else(|| invalid_input("A context key has no name."))?;
        let kind = entry.context_key_type.unwrap_or(Type::String);
        let values = entry.context_key_values.as_deref().unwrap_or_default();
        if let Some(value) = values.iter().find(|value| !is_of(kind, value)) {
            let kind = kind.as_str();
            return Err(invalid_input(format!("Invalid value {value} for the context key {name} of type {kind}.")));
        }
        match values {
            _ if is_list(kind) => context.set_many(name, values),
            [one] => context.set(name, one.as_str()),
            _ => return Err(invalid_input(format!("The context key {name} takes one value."))),
        };
    }
    Ok(context)
}
