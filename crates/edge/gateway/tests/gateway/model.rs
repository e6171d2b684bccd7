//! A few operations of four services, one for each protocol, as codegen would write them.

use stoa_schema::{
    Access, AuditKind, Authz, ErrorSpec, HttpBinding, Kind, Location, Member, OperationSpec, ProtocolName, ServiceSpec,
    Shape, TargetSpec,
};

const fn string(min: Option<u64>, max: Option<u64>, pattern: Option<&'static str>, sensitive: bool) -> Shape {
    Shape { name: "Text", kind: Kind::String { min, max, pattern, values: &[] }, sensitive }
}

static TEXT: Shape = string(None, None, None, false);
static NAME: Shape = string(Some(1), Some(63), Some("[a-zA-Z0-9](-*[a-zA-Z0-9])*"), false);
static SECRET: Shape = string(None, None, None, true);
static BLOB: Shape = Shape { name: "Body", kind: Kind::Blob { min: None, max: None }, sensitive: false };
static DOCUMENT: Shape = Shape { name: "Doc", kind: Kind::Document, sensitive: false };

const fn member(name: &'static str, location: Location, shape: &'static Shape, required: bool) -> Member {
    Member { name, wire_name: None, location, shape, required, idempotency_token: false, timestamp_format: None }
}

static HUB_IN: Shape = Shape {
    name: "HubRequest",
    kind: Kind::Structure(&[
        member("HubName", Location::Body, &NAME, true),
        member("Passphrase", Location::Body, &SECRET, false),
        member("Extra", Location::Body, &DOCUMENT, false),
    ]),
    sensitive: false,
};
static HUB_OUT: Shape = Shape {
    name: "HubResponse",
    kind: Kind::Structure(&[
        member("HubArn", Location::Body, &TEXT, true),
        member("Passphrase", Location::Body, &SECRET, false),
    ]),
    sensitive: false,
};
static INVOKE_IN: Shape = Shape {
    name: "InvokeEndpointInput",
    kind: Kind::Structure(&[
        member("EndpointName", Location::Uri("EndpointName"), &NAME, true),
        member("Body", Location::Payload, &BLOB, true),
    ]),
    sensitive: false,
};
static INVOKE_OUT: Shape = Shape {
    name: "InvokeEndpointOutput",
    kind: Kind::Structure(&[member("Body", Location::Payload, &BLOB, true)]),
    sensitive: false,
};
static IDENTITY_OUT: Shape = Shape {
    name: "GetCallerIdentityResponse",
    kind: Kind::Structure(&[member("Arn", Location::Body, &TEXT, true)]),
    sensitive: false,
};
static EMPTY: Shape = Shape { name: "Empty", kind: Kind::Structure(&[]), sensitive: false };

const RPC: HttpBinding = HttpBinding { method: "POST", uri: "/" };

const fn hub(name: &'static str, action: &'static [TargetSpec], access: Access, implemented: bool) -> OperationSpec {
    OperationSpec {
        service: "sagemaker",
        name,
        implemented,
        http: RPC,
        success_status: 200,
        xml_namespace: "",
        input: if implemented { Some(&HUB_IN) } else { None },
        output: if implemented { Some(&HUB_OUT) } else { None },
        result_wrapper: None,
        errors: &[],
        authz: Authz::Targets(action),
        access,
        audit: AuditKind::Management,
    }
}

macro_rules! target {
    // target!("sagemaker:X", "arn…") expands to a one-element slice of TargetSpec.
    ($action:literal, $resource:literal) => {
        &[TargetSpec { action: $action, resource: $resource, when: None, keys: &[] }]
    };
}

pub static CREATE_HUB: OperationSpec = hub(
    "CreateHub",
    target!("sagemaker:CreateHub", "arn:{partition}:sagemaker:{region}:{account}:hub/{HubName}"),
    Access::Write,
    true,
);
pub static DELETE_HUB: OperationSpec = hub("DeleteHub", target!("sagemaker:DeleteHub", "*"), Access::Write, false);
pub static DESCRIBE_HUB: OperationSpec = hub(
    "DescribeHub",
    target!("sagemaker:DescribeHub", "arn:{partition}:sagemaker:{region}:{account}:hub/{HubName}"),
    Access::Read,
    true,
);
pub static INVOKE: OperationSpec = OperationSpec {
    service: "sagemaker-runtime",
    name: "InvokeEndpoint",
    implemented: true,
    http: HttpBinding { method: "POST", uri: "/endpoints/{EndpointName}/invocations" },
    success_status: 200,
    xml_namespace: "",
    input: Some(&INVOKE_IN),
    output: Some(&INVOKE_OUT),
    result_wrapper: None,
    errors: &[],
    authz: Authz::Targets(target!(
        "sagemaker:InvokeEndpoint",
        "arn:{partition}:sagemaker:{region}:{account}:endpoint/{EndpointName}"
    )),
    access: Access::Read,
    audit: AuditKind::Data,
};
pub static IDENTITY: OperationSpec = OperationSpec {
    service: "sts",
    name: "GetCallerIdentity",
    implemented: true,
    http: RPC,
    success_status: 200,
    xml_namespace: "",
    input: Some(&EMPTY),
    output: Some(&IDENTITY_OUT),
    result_wrapper: Some("GetCallerIdentityResult"),
    errors: &[],
    authz: Authz::None { reason: "everyone may ask who they are" },
    access: Access::Read,
    audit: AuditKind::Management,
};
pub static ASSUME: OperationSpec = OperationSpec {
    service: "sts",
    name: "AssumeRole",
    implemented: true,
    http: RPC,
    success_status: 200,
    xml_namespace: "",
    input: Some(&EMPTY),
    output: Some(&IDENTITY_OUT),
    result_wrapper: Some("AssumeRoleResult"),
    errors: &[ErrorSpec { name: "RegionDisabledException", code: "RegionDisabled", status: 403, sender: true }],
    authz: Authz::Targets(target!("sts:AssumeRole", "*")),
    access: Access::Read,
    audit: AuditKind::Management,
};
pub static ASSUME_WEB: OperationSpec = OperationSpec {
    service: "sts",
    name: "AssumeRoleWithWebIdentity",
    implemented: true,
    http: RPC,
    success_status: 200,
    xml_namespace: "",
    input: Some(&EMPTY),
    output: Some(&IDENTITY_OUT),
    result_wrapper: Some("AssumeRoleWithWebIdentityResult"),
    errors: &[],
    authz: Authz::Unsigned { reason: "the assertion is the credential" },
    access: Access::Write,
    audit: AuditKind::Management,
};
pub static LIST_METRICS: OperationSpec = OperationSpec {
    service: "cloudwatch",
    name: "ListMetrics",
    implemented: true,
    http: RPC,
    success_status: 200,
    xml_namespace: "",
    input: Some(&EMPTY),
    output: Some(&IDENTITY_OUT),
    result_wrapper: None,
    errors: &[],
    authz: Authz::Targets(target!("cloudwatch:ListMetrics", "*")),
    access: Access::List,
    audit: AuditKind::Management,
};

const fn service(
    name: &'static str,
    signing_name: &'static str,
    target_prefix: &'static str,
    protocols: &'static [ProtocolName],
    operations: &'static [&'static OperationSpec],
) -> ServiceSpec {
    ServiceSpec {
        name,
        signing_name,
        action_prefix: signing_name,
        endpoint_prefix: name,
        target_prefix,
        api_version: "2011-06-15",
        xml_namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
        event_source: "test.amazonaws.com",
        protocols,
        operations,
        global: false,
    }
}

pub static SAGEMAKER: ServiceSpec = ServiceSpec {
    endpoint_prefix: "api.sagemaker",
    ..service(
        "sagemaker",
        "sagemaker",
        "SageMaker",
        &[ProtocolName::AwsJson11],
        &[&CREATE_HUB, &DELETE_HUB, &DESCRIBE_HUB],
    )
};
pub static RUNTIME: ServiceSpec =
    service("sagemaker-runtime", "sagemaker", "AmazonSageMakerRuntime", &[ProtocolName::RestJson1], &[&INVOKE]);
pub static STS: ServiceSpec = service("sts", "sts", "", &[ProtocolName::AwsQuery], &[&ASSUME, &ASSUME_WEB, &IDENTITY]);
pub static CLOUDWATCH: ServiceSpec = service(
    "cloudwatch",
    "monitoring",
    "GraniteServiceVersion20100801",
    &[ProtocolName::RpcV2Cbor, ProtocolName::AwsJson10],
    &[&LIST_METRICS],
);
