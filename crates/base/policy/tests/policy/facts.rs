//! The catalog of tests: the workspace's own facts, as the server's will be. Names live as long as the test process.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;
use stoa_policy::lint::{
    Access, ActionFacts, ActionResource, Catalog, KeyFacts, ResourceFacts, ServiceFacts, ValueType,
};

pub fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(read)
}

fn read() -> Catalog {
    // The fuzz targets take this file in too, from a crate that lies elsewhere.
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("facts"));
    let folder = above.filter(|folder| folder.join("global_keys.json").is_file()).last().unwrap();
    let mut catalog = Catalog { globals: keys(&json(&folder.join("global_keys.json"))["keys"]), ..Catalog::default() };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("actions.json");
        if path.exists() {
            catalog.services.push(service(&json(&path)));
        }
    }
    // Folders of one prefix (`sagemaker-runtime` is of `sagemaker`) hold the same actions, or a part of them.
    catalog.services.sort_by_key(|service| (service.prefix, usize::MAX - service.actions.len()));
    catalog.services.dedup_by_key(|service| service.prefix);
    catalog
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn name(text: &str) -> &'static str {
    Box::leak(Box::from(text))
}

fn names(list: &Value) -> Vec<&'static str> {
    list.as_array().into_iter().flatten().map(|one| name(one.as_str().unwrap())).collect()
}

fn service(facts: &Value) -> ServiceFacts {
    let members = |member: &str| facts[member].as_object().cloned().unwrap_or_default();
    ServiceFacts {
        prefix: name(facts["prefix"].as_str().unwrap()),
        actions: members("actions").iter().map(|(action, facts)| self::action(action, facts)).collect(),
        resources: members("resources")
            .iter()
            .map(|(kind, facts)| ResourceFacts {
                name: name(kind),
                arn: name(facts["arn"].as_str().unwrap()),
                keys: names(&facts["keys"]),
            })
            .collect(),
        keys: keys(&facts["keys"]),
    }
}

fn action(action: &str, facts: &Value) -> ActionFacts {
    let resources = facts["resources"].as_object().cloned().unwrap_or_default();
    ActionFacts {
        name: name(action),
        access: match facts["access"].as_str().unwrap() {
            "List" => Access::List,
            "Read" => Access::Read,
            "Tagging" => Access::Tagging,
            "Write" => Access::Write,
            "PermissionsManagement" => Access::PermissionsManagement,
            other => panic!("{other}"),
        },
        keys: names(&facts["keys"]),
        legacy_keys: names(&facts["legacy_keys"]),
        resources: resources
            .iter()
            .map(|(kind, facts)| ActionResource { kind: name(kind), keys: names(&facts["keys"]) })
            .collect(),
    }
}

fn keys(list: &Value) -> Vec<KeyFacts> {
    let keys = list.as_object().unwrap().iter();
    keys.map(|(key, kind)| {
        let kind = kind.as_str().unwrap();
        let value = match kind.trim_start_matches("ArrayOf") {
            "String" => ValueType::String,
            "ARN" => ValueType::Arn,
            "Bool" => ValueType::Bool,
            "Numeric" => ValueType::Numeric,
            "Date" => ValueType::Date,
            "IPAddress" => ValueType::IpAddress,
            other => panic!("{other}"),
        };
        KeyFacts { name: name(key), value, multivalued: kind.starts_with("ArrayOf") }
    })
    .collect()
}
