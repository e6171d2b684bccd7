//! `operations.rs`: a row for every modelled operation, a type for every implemented one, and the service's row.

use std::fmt::Write as _;

use crate::authz::{Authz, Target};
use crate::error::Error;
use crate::files::HEADER;
use crate::names::{constant, type_name, unique};
use crate::plan::{Operation, Service};

/// The file's text.
pub fn emit(service: &Service) -> Result<String, Error> {
    let mut body = String::new();
    let shapes = unique(service.shapes.iter(), constant);
    let types = unique(service.typed.iter(), type_name);
    let rows = unique(service.operations.iter().map(|operation| &operation.name), constant);
    for operation in &service.operations {
        let row = &rows[&operation.name];
        if operation.implemented {
            emit_implemented(&mut body, service, operation, row, &shapes, &types)?;
        } else {
            emit_row(&mut body, service, operation, row, &shapes)?;
        }
    }
    emit_service(&mut body, service, &rows)?;

    let mut out = format!("//! Operations of {}.\n{HEADER}\n", service.model.metadata.service_full_name);
    let optional =
        ["Access", "AuditKind", "Authz", "Empty", "ErrorSpec", "HttpBinding", "KeyBinding", "Operation", "TargetSpec"];
    let used = |import: &&str| {
        [format!("{import}::"), format!("{import} {{"), format!(" {import};"), format!("impl {import} for")]
            .iter()
            .any(|form| body.contains(form))
    };
    let mut imports: Vec<&str> = optional.into_iter().filter(used).collect();
    imports.extend(["OperationSpec", "ProtocolName", "ServiceSpec"]);
    imports.sort_unstable();
    let _ = writeln!(out, "use stoa_schema::{{{}}};\n", imports.join(", "));
    match (body.contains("shapes::"), body.contains("types::")) {
        (true, true) => out.push_str("use super::{shapes, types};\n\n"),
        (true, false) => out.push_str("use super::shapes;\n\n"),
        (false, _) => {}
    }
    out.push_str(&body);
    Ok(out)
}

type Names = std::collections::BTreeMap<String, String>;

fn emit_row(
    out: &mut String,
    service: &Service,
    operation: &Operation,
    row: &str,
    shapes: &Names,
) -> Result<(), Error> {
    let facts = facts(service, operation)?;
    let http = &facts.http;
    let (name, access) = (&operation.name, &operation.access);
    let input = facts.input.as_ref().filter(|_| operation.decided);
    let input = input.map_or(String::new(), |input| format!(".with_input(&shapes::{})", shapes[input]));
    let how = if operation.decided { "decided, not implemented yet" } else { "not implemented yet" };
    let _ = writeln!(
        out,
        "/// `{name}`, {how}.\npub static {row}: OperationSpec = OperationSpec::not_implemented({:?}, {name:?}, {:?}, {:?}, {}, Access::{access}){input};",
        service.name,
        http.method,
        http.request_uri,
        authz(&operation.authz),
    );
    Ok(())
}

fn emit_implemented(
    out: &mut String,
    service: &Service,
    operation: &Operation,
    row: &str,
    shapes: &Names,
    types: &Names,
) -> Result<(), Error> {
    let facts = facts(service, operation)?;
    let output = facts.output.as_ref();
    let shape =
        |name: Option<&String>| name.map_or("None".to_owned(), |name| format!("Some(&shapes::{})", shapes[name]));
    let rust = |name: Option<&String>| name.map_or("Empty".to_owned(), |name| format!("types::{}", types[name]));
    let (input, output_name) = (facts.input.as_ref(), output.map(|output| &output.shape));
    let wrapper = output.and_then(|output| output.result_wrapper.as_ref());
    let wrapper = wrapper.map_or("None".to_owned(), |wrapper| format!("Some({wrapper:?})"));
    let audit = if operation.data_event { "Data" } else { "Management" };
    let mut errors = String::new();
    for error in &facts.errors {
        let shape = service.shape(error)?;
        let known = shape.error.as_ref();
        let code = known.and_then(|known| known.code.as_deref()).unwrap_or(error);
        let status = known.and_then(|known| known.http_status_code).unwrap_or(if shape.fault { 500 } else { 400 });
        let sender = known.is_some_and(|known| known.sender_fault) || (status < 500 && !shape.fault);
        let _ = write!(errors, "ErrorSpec {{ name: {error:?}, code: {code:?}, status: {status}, sender: {sender} }}, ");
    }
    let (name, access) = (&operation.name, &operation.access);
    let _ = writeln!(
        out,
        "/// The row of [`{name}`].\npub static {row}: OperationSpec = OperationSpec {{\n    service: {service:?},\n    name: {name:?},\n    implemented: true,\n    \
         http: HttpBinding {{ method: {method:?}, uri: {uri:?} }},\n    input: {input},\n    output: {output},\n    result_wrapper: {wrapper},\n    xml_namespace: {xml:?},\n    \
         success_status: {success},\n    errors: &[{errors}],\n    authz: {authz},\n    access: Access::{access},\n    audit: AuditKind::{audit},\n}};\n\
         /// `{name}`.\n#[derive(Debug, Clone, Copy)]\npub struct {name};\nimpl Operation for {name} {{\n    type Input = {input_type};\n    type Output = {output_type};\n    \
         const SPEC: &'static OperationSpec = &{row};\n}}\n",
        service = service.name,
        method = facts.http.method,
        uri = facts.http.request_uri,
        xml = service.model.metadata.xml_namespace.as_deref().unwrap_or_default(),
        success = facts.http.response_code.unwrap_or(200),
        input = shape(input),
        output = shape(output_name),
        authz = authz(&operation.authz),
        input_type = rust(input),
        output_type = rust(output_name),
    );
    Ok(())
}

fn emit_service(out: &mut String, service: &Service, rows: &Names) -> Result<(), Error> {
    let metadata = &service.model.metadata;
    let mut protocols = Vec::new();
    for protocol in &metadata.protocols {
        protocols.push(match (protocol.as_str(), metadata.json_version.as_deref()) {
            ("json", Some("1.0")) => "ProtocolName::AwsJson10",
            ("json", _) => "ProtocolName::AwsJson11",
            ("query", _) => "ProtocolName::AwsQuery",
            ("ec2", _) => "ProtocolName::Ec2Query",
            ("rest-json", _) => "ProtocolName::RestJson1",
            ("rest-xml", _) => "ProtocolName::RestXml",
            ("smithy-rpc-v2-cbor", _) => "ProtocolName::RpcV2Cbor",
            (other, _) => return Err(Error::Facts(format!("{}: unknown protocol `{other}`", service.name))),
        });
    }
    let names: Vec<&String> = service.operations.iter().map(|operation| &operation.name).collect();
    let operations: Vec<String> = names.iter().map(|name| format!("&{}", rows[*name])).collect();
    let _ = writeln!(
        out,
        "/// {full}.\npub static SERVICE: ServiceSpec = ServiceSpec {{\n    name: {name:?},\n    signing_name: {signing:?},\n    action_prefix: {prefix:?},\n    \
         endpoint_prefix: {endpoint:?},\n    target_prefix: {target:?},\n    api_version: {version:?},\n    xml_namespace: {xml:?},\n    event_source: {source:?},\n    \
         protocols: &[{protocols}],\n    operations: &[{operations}],\n    global: {global},\n}};",
        full = metadata.service_full_name,
        name = service.name,
        signing = metadata.signing_name.as_ref().unwrap_or(&metadata.endpoint_prefix),
        prefix = service.action_prefix,
        endpoint = metadata.endpoint_prefix,
        target = metadata.target_prefix.as_deref().unwrap_or_default(),
        version = metadata.api_version,
        xml = metadata.xml_namespace.as_deref().unwrap_or_default(),
        source = service.overlay.service.event_source,
        protocols = protocols.join(", "),
        operations = operations.join(", "),
        global = service.overlay.service.global,
    );
    Ok(())
}

fn authz(authz: &Authz) -> String {
    match authz {
        Authz::Unsigned { reason } => format!("Authz::Unsigned {{ reason: {reason:?} }}"),
        Authz::None { reason } => format!("Authz::None {{ reason: {reason:?} }}"),
        Authz::Custom => "Authz::Custom".to_owned(),
        Authz::Targets(targets) => {
            let targets: Vec<String> = targets.iter().map(target).collect();
            format!("Authz::Targets(&[{}])", targets.join(", "))
        }
    }
}

fn target(target: &Target) -> String {
    let when = target.when.as_ref().map_or("None".to_owned(), |when| format!("Some({when:?})"));
    let key = |key: &crate::authz::Key| {
        format!("KeyBinding {{ key: {:?}, from: {:?}, multivalued: {} }}", key.key, key.from, key.multivalued)
    };
    let keys: Vec<String> = target.keys.iter().map(key).collect();
    format!(
        "TargetSpec {{ action: {:?}, resource: {:?}, when: {when}, keys: &[{}] }}",
        target.action,
        target.resource,
        keys.join(", ")
    )
}

fn facts<'s>(service: &'s Service, operation: &Operation) -> Result<&'s crate::facts::Operation, Error> {
    let facts = service.model.operations.get(&operation.name);
    facts.ok_or_else(|| Error::Facts(format!("{}: no facts about `{}`", service.name, operation.name)))
}
