//! The facts in the form that `stoa_policy::lint` looks at them: made once.

use std::sync::OnceLock;

use stoa_policy::lint::{self, Catalog, KeyFacts, ResourceFacts, ServiceFacts};

use crate::{Access, Action, Key, Service, ValueType};

/// Every service's facts, for lint.
pub fn lint_catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog {
        services: crate::services().iter().map(service).collect(),
        globals: crate::global_keys().iter().map(key).collect(),
    })
}

fn service(service: &Service) -> ServiceFacts {
    let resource = |resource: &crate::Resource| ResourceFacts {
        name: resource.name,
        arn: resource.arn,
        keys: resource.keys.clone(),
    };
    ServiceFacts {
        prefix: service.prefix,
        actions: service.actions.iter().map(action).collect(),
        resources: service.resources.iter().map(resource).collect(),
        keys: service.keys.iter().map(key).collect(),
    }
}

fn action(action: &Action) -> lint::ActionFacts {
    let resource =
        |resource: &crate::ActionResource| lint::ActionResource { kind: resource.kind, keys: resource.keys.clone() };
    lint::ActionFacts {
        name: action.name,
        access: match action.access {
            Access::List => lint::Access::List,
            Access::Read => lint::Access::Read,
            Access::Tagging => lint::Access::Tagging,
            Access::Write => lint::Access::Write,
            Access::PermissionsManagement => lint::Access::PermissionsManagement,
        },
        keys: action.keys.clone(),
        legacy_keys: action.legacy_keys.clone(),
        resources: action.resources.iter().map(resource).collect(),
    }
}

fn key(key: &Key) -> KeyFacts {
    KeyFacts {
        name: key.name,
        value: match key.kind.value {
            ValueType::String => lint::ValueType::String,
            ValueType::Arn => lint::ValueType::Arn,
            ValueType::Bool => lint::ValueType::Bool,
            ValueType::Numeric => lint::ValueType::Numeric,
            ValueType::Date => lint::ValueType::Date,
            ValueType::IpAddress => lint::ValueType::IpAddress,
            ValueType::Binary => lint::ValueType::Binary,
        },
        multivalued: key.kind.multivalued,
    }
}
