//! Stage 1: which service, operation and protocol a request means. Tables are laid out once, at start.
//!
//! INVARIANT: looks at method, path, query, headers and (awsQuery only) the form's `Action`; proves nothing about the
//! caller. A request that names no service of ours by any rule is S3's, because S3 has no mark of its own.

use std::borrow::Cow;
use std::collections::HashMap;

use http::request::Parts;
use stoa_codecs::match_uri;
use stoa_kernel::Registry;
use stoa_schema::{OperationSpec, ProtocolName, ServiceSpec};

use crate::hosts::{AwsHost, aws_host, split_port};

/// What a request means.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub service: &'static ServiceSpec,
    /// Absent when the service has no such operation.
    pub spec: Option<&'static OperationSpec>,
    /// Its place in the metrics.
    pub index: Option<usize>,
    /// The operation's name as the caller gave it.
    pub name: Cow<'static, str>,
    pub protocol: ProtocolName,
}

/// Where a request goes, as far as its head tells.
#[derive(Debug, Clone)]
pub(crate) enum Destination {
    /// An operation of a service.
    Call(Call),
    /// awsQuery with the action in the form, which is the body.
    Form(Option<&'static ServiceSpec>),
    /// S3.
    S3,
    /// A service that no table here has; the name is what the caller called it, the protocol a guess.
    UnknownService(String, ProtocolName),
}

struct ServiceEntry {
    spec: &'static ServiceSpec,
    /// Index of its first operation in the metrics.
    first: usize,
}

/// The tables.
pub(crate) struct Routes {
    services: Vec<ServiceEntry>,
    by_target_prefix: HashMap<&'static str, usize>,
    operations: Vec<(&'static ServiceSpec, &'static OperationSpec)>,
}

/// Stands in the envelope of errors about services that do not exist.
pub(crate) static UNKNOWN_SERVICE: ServiceSpec = ServiceSpec {
    name: "unknown",
    signing_name: "unknown",
    action_prefix: "unknown",
    endpoint_prefix: "unknown",
    target_prefix: "unknown",
    api_version: "",
    xml_namespace: "",
    event_source: "unknown.amazonaws.com",
    protocols: &[],
    operations: &[],
    global: false,
};

impl Routes {
    pub fn new(registry: &Registry) -> Routes {
        let mut routes = Routes { services: Vec::new(), by_target_prefix: HashMap::new(), operations: Vec::new() };
        for spec in registry.services() {
            let index = routes.services.len();
            routes.services.push(ServiceEntry { spec, first: routes.operations.len() });
            if !spec.target_prefix.is_empty() {
                routes.by_target_prefix.insert(spec.target_prefix, index);
            }
            routes.operations.extend(spec.operations.iter().map(|operation| (*spec, *operation)));
        }
        routes
    }

    /// Every operation, in the order of the metrics.
    pub fn operations(&self) -> &[(&'static ServiceSpec, &'static OperationSpec)] {
        &self.operations
    }

    /// Finds the destination. `scope` is the service of the credential scope, where the request is signed.
    pub fn identify(&self, parts: &Parts, scope: Option<&str>) -> Destination {
        if let Some(target) = header(parts, "x-amz-target") {
            return self.by_target(target, header(parts, "content-type"));
        }
        if header(parts, "smithy-protocol") == Some("rpc-v2-cbor") {
            return self.by_rpc_path(parts.uri.path());
        }
        let host = request_host(parts).map(|host| split_port(host).0).and_then(aws_host);
        if scope.is_some_and(is_s3_scope) || (scope.is_none() && host.is_some_and(|host| host.s3)) {
            return Destination::S3;
        }
        let form =
            header(parts, "content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let named = self.query_service(scope, host);
        if form && parts.method == http::Method::POST && (scope.is_none() || named.is_some()) {
            return Destination::Form(named);
        }
        let query = parts.uri.query().unwrap_or("");
        if let Some(action) = form_value(query, "Action")
            && (named.is_some() || form_value(query, "Version").is_some())
        {
            return self.by_action(named, action, form_value(query, "Version"));
        }
        if let Some(found) = self.by_rest_path(parts, scope, host) {
            return found;
        }
        let guess = if form { ProtocolName::AwsQuery } else { ProtocolName::RestJson1 };
        match (scope, host) {
            (Some(scope), _) => Destination::UnknownService(scope.to_owned(), guess),
            (None, Some(host)) => Destination::UnknownService(host.service.to_owned(), guess),
            (None, None) => Destination::S3,
        }
    }

    /// awsQuery whose form has been read.
    pub fn identify_form(&self, named: Option<&'static ServiceSpec>, body: &[u8]) -> Destination {
        let text = std::str::from_utf8(body).unwrap_or("");
        match form_value(text, "Action") {
            Some(action) => self.by_action(named, action, form_value(text, "Version")),
            None => match named {
                Some(service) => Destination::Call(self.call(service, "", ProtocolName::AwsQuery)),
                None => Destination::S3,
            },
        }
    }

    fn entry(&self, service: &'static ServiceSpec) -> Option<&ServiceEntry> {
        self.services.iter().find(|entry| std::ptr::eq(entry.spec, service))
    }

    fn call(&self, service: &'static ServiceSpec, name: &str, protocol: ProtocolName) -> Call {
        let position = service.operations.binary_search_by(|spec| spec.name.cmp(name)).ok();
        let spec = position.and_then(|position| service.operations.get(position)).copied();
        let index = position.and_then(|position| self.entry(service).map(|entry| entry.first + position));
        let name = spec.map_or_else(|| Cow::Owned(name.to_owned()), |spec| Cow::Borrowed(spec.name));
        Call { service, spec, index, name, protocol }
    }

    fn by_target(&self, target: &str, content_type: Option<&str>) -> Destination {
        let wanted = match content_type {
            Some(kind) if kind.starts_with("application/x-amz-json-1.0") => ProtocolName::AwsJson10,
            _ => ProtocolName::AwsJson11,
        };
        let (prefix, name) = target.rsplit_once('.').unwrap_or((target, ""));
        match self.by_target_prefix.get(prefix).and_then(|index| self.services.get(*index)) {
            Some(entry) => {
                // Some clients say 1.0 to a 1.1 service; the service's own version is what it answers with.
                let json = |name: &&ProtocolName| matches!(name, ProtocolName::AwsJson10 | ProtocolName::AwsJson11);
                let own = entry.spec.protocols.iter().find(json).copied().unwrap_or(wanted);
                Destination::Call(self.call(entry.spec, name, own))
            }
            None => Destination::UnknownService(prefix.to_owned(), wanted),
        }
    }

    fn by_rpc_path(&self, path: &str) -> Destination {
        let protocol = ProtocolName::RpcV2Cbor;
        let mut steps = path.rsplit('/');
        match (steps.next(), steps.next(), steps.next(), steps.next()) {
            (Some(name), Some("operation"), Some(service), Some("service")) => {
                match self.by_target_prefix.get(service).and_then(|index| self.services.get(*index)) {
                    Some(entry) => Destination::Call(self.call(entry.spec, name, protocol)),
                    None => Destination::UnknownService(service.to_owned(), protocol),
                }
            }
            _ => Destination::UnknownService(path.to_owned(), protocol),
        }
    }

    /// The awsQuery service that scope or host names.
    fn query_service(&self, scope: Option<&str>, host: Option<AwsHost<'_>>) -> Option<&'static ServiceSpec> {
        let speaks = |spec: &ServiceSpec| spec.protocols.contains(&ProtocolName::AwsQuery);
        let fits = |spec: &ServiceSpec| match (scope, host) {
            (Some(scope), _) => spec.signing_name == scope,
            (None, Some(host)) => spec.endpoint_prefix.eq_ignore_ascii_case(host.service),
            (None, None) => false,
        };
        self.services.iter().map(|entry| entry.spec).find(|spec| speaks(spec) && fits(spec))
    }

    fn by_action(&self, named: Option<&'static ServiceSpec>, action: &str, version: Option<&str>) -> Destination {
        let speaks = |spec: &&'static ServiceSpec| {
            spec.protocols.contains(&ProtocolName::AwsQuery) && version == Some(spec.api_version)
        };
        // An unsigned request names no service; the API version is then the only hint.
        let service = named.or_else(|| self.services.iter().map(|entry| entry.spec).find(speaks));
        match service {
            Some(service) => Destination::Call(self.call(service, action, ProtocolName::AwsQuery)),
            None => Destination::UnknownService(action.to_owned(), ProtocolName::AwsQuery),
        }
    }

    fn by_rest_path(&self, parts: &Parts, scope: Option<&str>, host: Option<AwsHost<'_>>) -> Option<Destination> {
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let mut candidate = None;
        for entry in &self.services {
            let spec = entry.spec;
            let by_host = host.is_some_and(|host| spec.endpoint_prefix.eq_ignore_ascii_case(host.service));
            let fits = match scope {
                Some(scope) => spec.signing_name == scope,
                None => by_host,
            };
            if !fits || !spec.protocols.contains(&ProtocolName::RestJson1) {
                continue;
            }
            for (position, operation) in spec.operations.iter().enumerate() {
                if operation.http.method == method && match_uri(operation.http.uri, path).is_some() {
                    return Some(Destination::Call(Call {
                        service: spec,
                        spec: Some(operation),
                        index: Some(entry.first + position),
                        name: Cow::Borrowed(operation.name),
                        protocol: ProtocolName::RestJson1,
                    }));
                }
            }
            candidate.get_or_insert(spec);
        }
        let service = candidate?;
        let name = Cow::Owned(format!("{method} {}", path.get(..128).unwrap_or(path)));
        Some(Destination::Call(Call { service, spec: None, index: None, name, protocol: ProtocolName::RestJson1 }))
    }
}

fn is_s3_scope(scope: &str) -> bool {
    matches!(scope, "s3" | "s3-object-lambda" | "s3-outposts" | "s3express")
}

/// A header's text, when it is text.
pub(crate) fn header<'r>(parts: &'r Parts, name: &str) -> Option<&'r str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The host a request is for, with port: `Host`, or HTTP/2's `:authority`.
pub(crate) fn request_host(parts: &Parts) -> Option<&str> {
    header(parts, "host").or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
}

/// The raw value of a form field whose value needs no decoding.
fn form_value<'f>(form: &'f str, name: &str) -> Option<&'f str> {
    form.split('&').find_map(|pair| pair.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')))
}
