//! `ops.rs` of a service crate: the trait bound that lists its handlers, and its routes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::authz::Authz;
use crate::files::HEADER;
use crate::plan::{Operation, Service};

/// The file's text.
pub fn emit(family: &str, operations: &[(&Service, &Operation)]) -> String {
    let trait_name = format!("{}Operations", camel(family));
    let mut imports: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let (mut bounds, mut routes) = (Vec::new(), String::new());
    let mut any_custom = false;
    for (service, operation) in operations {
        let module = module_of(service);
        // Two services may have an operation of the same name: each is then written with its path.
        let same = operations.iter().filter(|(_, other)| other.name == operation.name).count();
        let name = if same > 1 {
            format!("{module}::operations::{}", operation.name)
        } else {
            imports.entry(module).or_default().push(&operation.name);
            operation.name.clone()
        };
        bounds.push(format!("Handles<{name}>"));
        let custom = matches!(operation.authz, Authz::Custom);
        if custom {
            any_custom = true;
            bounds.push(format!("Targets<{name}>"));
        }
        let how = if custom { "route_with_targets" } else { "route" };
        let _ = writeln!(routes, "        stoa_kernel::{how}::<{name}, S>(service),");
    }
    let bounds = bounds.join("\n    + ");
    let mut out =
        format!("//! The operations of the service crate `{family}`: what it must handle, and its routes.\n{HEADER}\n");
    out.push_str("use std::sync::Arc;\n\n");
    let kernel = if any_custom { "Handles, Route, Targets" } else { "Handles, Route" };
    let _ = writeln!(out, "use stoa_kernel::{{{kernel}}};");
    for (module, names) in imports {
        let _ = writeln!(out, "use {module}::operations::{{{}}};", names.join(", "));
    }
    let _ = writeln!(
        out,
        "\n/// Every operation that this crate must handle. A missing handler is a compile error that names it.\n\
         pub trait {trait_name}:\n    {bounds}\n{{\n}}\n\n\
         impl<S> {trait_name} for S where S:\n    {bounds}\n{{\n}}\n\n\
         /// The routes of all of them.\n\
         pub fn routes<S: {trait_name}>(service: &Arc<S>) -> Vec<Route> {{\n    vec![\n{routes}    ]\n}}"
    );
    out
}

fn module_of(service: &Service) -> String {
    format!("stoa_models_{}", service.overlay.service.crate_name.replace('-', "_"))
}

fn camel(name: &str) -> String {
    name.split('-').map(crate::names::type_name).collect()
}
