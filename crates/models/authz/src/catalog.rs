//! The facts in the form that the policy language's lint takes them in.

use stoa_policy::lint::{self, ActionFacts, KeyFacts, ResourceFacts, ServiceFacts};

use crate::{Access, Action, Key, Resource, Service, ValueType, global_keys, services};

/// [`catalog`], made once.
pub fn lint_catalog() -> &'static lint::Catalog {
    static CATALOG: std::sync::OnceLock<lint::Catalog> = std::sync::OnceLock::new();
    CATALOG.get_or_init(catalog)
}

/// Every service, for [`lint`].
pub fn catalog() -> lint::Catalog {
    lint::Catalog {
        services: services().iter().map(service).collect(),
        globals: global_keys().iter().map(key).collect(),
    }
}

fn service(service: &Service) -> ServiceFacts {
    ServiceFacts {
        prefix: service.prefix,
        actions: service.actions.iter().map(action).collect(),
        resources: service.resources.iter().map(resource).collect(),
        keys: service.keys.iter().map(key).collect(),
    }
}

fn action(action: &Action) -> ActionFacts {
    let of_type = |one: &crate::ActionResource| lint::ActionResource { kind: one.kind, keys: one.keys.clone() };
    ActionFacts {
        name: action.name,
        access: match action.access {
            Access::List => lint::Access::List,
            Access::Read => lint::Access::Read,
            Access::Write => lint::Access::Write,
            Access::Tagging => lint::Access::Tagging,
            Access::PermissionsManagement => lint::Access::PermissionsManagement,
        },
        keys: action.keys.clone(),
        legacy_keys: action.legacy_keys.clone(),
        resources: action.resources.iter().map(of_type).collect(),
    }
}

fn resource(resource: &Resource) -> ResourceFacts {
    ResourceFacts { name: resource.name, arn: resource.arn, keys: resource.keys.clone() }
}

fn key(key: &Key) -> KeyFacts {
    let value = match key.kind.value {
        ValueType::String => lint::ValueType::String,
        ValueType::Arn => lint::ValueType::Arn,
        ValueType::Bool => lint::ValueType::Bool,
        ValueType::Numeric => lint::ValueType::Numeric,
        ValueType::Date => lint::ValueType::Date,
        ValueType::IpAddress => lint::ValueType::IpAddress,
        ValueType::Binary => lint::ValueType::Binary,
    };
    KeyFacts { name: key.name, value, multivalued: key.kind.multivalued }
}
